//! The log while it is written: its published vector, and every step at which a disk can fail.

use serde_json::json;

use super::*;
use crate::audit::kit::{Fails, Memory, at, draft, failed, signer};

fn open(disk: &Memory) -> Result<Log, LogError> {
    Log::open(at(0), Box::new(disk.clone()), signer())
}

fn taken(disk: &Memory, name: &str) -> Vec<Vec<u8>> {
    entries(&disk.files()[name]).expect("a bundle")
}

#[test]
fn the_published_vector_is_written_to_the_byte() {
    let entry = |time: &str, kind: &str, actor: &str, data| Draft {
        time: time.parse().expect("a time"),
        kind: kind.into(),
        actor: actor.into(),
        data,
        source: None,
    };
    let drafts = [
        entry("2026-11-23T08:00:00Z", "config.approved", "user:ana", json!({"revision": 42, "digest": "sha256:9b1c"})),
        entry(
            "2026-11-23T08:01:00Z",
            "route.transition",
            "rule:fraud-lat-01",
            json!({"route": "fraud-score", "from": 0, "to": 1, "reason": "LATENCY_P99_BREACH"}),
        ),
        entry(
            "2026-11-23T08:02:00Z",
            "override.created",
            "user:lee",
            json!({"id": "ov-7", "route": "fraud-score", "expires": "2026-11-23T09:00:00Z"}),
        ),
    ];
    let page = include_str!("../../../../../docs/design/governance.md");
    let (_, vector) = page.split_once("**Test vector.**").expect("the page has it");
    let expected: Vec<_> = vector.lines().filter(|it| it.starts_with("{\"actor\"")).collect();
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    log.append(&drafts[..2]).expect("entered");
    assert_eq!(base64::encode(&log.tree.root()), "8Pyoqtd5mSQMHeQgw31rP6Sk8phf07bEBDO/vbrIN30=");
    log.append(&drafts[2..]).expect("entered");
    assert_eq!(base64::encode(&log.tree.root()), "zEtc4WWWQfb7oZQ/s/tsFhBEAvBgten19l/adhD+t68=");
    let written = taken(&disk, "tile/entries/000.p/3");
    assert_eq!(written.iter().map(Vec::len).collect::<Vec<_>>(), [213, 254, 244]);
    for (at, entry) in written.iter().enumerate() {
        assert_eq!(str::from_utf8(entry), Ok(expected[at]));
        let line = format!("leaf {at}  {}", hex(&leaf(entry)));
        assert!(vector.contains(&line), "{line}");
    }
}

#[test]
fn a_checkpoint_comes_after_ten_seconds_or_256_entries() {
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    assert!(!log.due(at(60)), "nothing is new");
    log.append(&[draft(0)]).expect("entered");
    assert!(!log.due(at(9)) && log.due(at(10)));
    log.publish(at(10)).expect("published");
    assert_eq!((log.published(), log.due(at(60))), ((1, at(10)), false));
    (1..256).for_each(|n| log.append(&[draft(n)]).expect("entered"));
    assert!(!log.due(at(11)));
    log.append(&[draft(256)]).expect("entered");
    assert!(log.due(at(11)));
}

#[test]
fn parts_of_tiles_stay_as_long_as_a_checkpoint_may_need_them() {
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    for n in 0..258 {
        log.append(&[draft(n)]).expect("entered");
        if [2, 4, 257].contains(&n) {
            log.publish(at(10)).expect("published");
        }
        let of: Vec<_> = disk.list("tile/entries/000.p").expect("listed");
        let expected = if n == 257 {
            vec![]
        } else {
            [3, 5, n + 1].iter().filter(|it| **it <= n + 1).map(u64::to_string).collect()
        };
        if n < 255 {
            let mut expected: Vec<String> = expected;
            expected.sort();
            expected.dedup();
            assert_eq!(of, expected, "{n}");
        }
    }
    let names: Vec<_> = disk.files().into_keys().collect();
    let expected = [
        "checkpoint",
        "sources",
        "tile/0/000",
        "tile/0/001.p/2",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/2",
    ];
    assert_eq!(names, expected);
}

/// A disk with a log of 250 entries, six before the end of a tile.
fn begun() -> Memory {
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    log.append(&(0..250).map(draft).collect::<Vec<_>>()).expect("entered");
    log.publish(at(10)).expect("published");
    disk
}

/// Enters six batches of one to three entries, across the end of the tile, and publishes now and then, until something fails or,
/// with `retries`, whatever fails once. Returns the number of entries that were acknowledged.
fn write(mut log: Log, retries: bool) -> u64 {
    let mut batch = 0;
    while batch < 6 {
        let before = log.size();
        let drafts: Vec<_> = (0..batch % 3 + 1).map(|n| draft(batch * 10 + n)).collect();
        let done = log.append(&drafts).and_then(|()| if batch % 2 == 0 { log.publish(at(10)) } else { Ok(()) });
        match done {
            Err(_) if !retries => return log.size(),
            // The batch is in already where only the checkpoint failed.
            Err(_) if log.size() == before => {}
            _ => batch += 1,
        }
    }
    log.size()
}

/// Returns the first entries of a disk.
fn all(disk: &Memory, size: u64) -> Vec<Vec<u8>> {
    let log = open(disk).expect("a log");
    (0..size.div_ceil(WIDTH)).flat_map(|n| log.bundle_of(n, (size - n * WIDTH).min(WIDTH)).expect("entries")).collect()
}

#[test]
fn g_096_whatever_step_fails_what_was_acknowledged_is_there_afterwards_and_the_log_verifies() {
    let (begun, whole) = (begun(), begun());
    let size = write(open(&whole).expect("a log"), false);
    assert!(size == 262, "it crosses the end of a tile: {size}");
    let (expected, steps) = (all(&whole, size), whole.steps());
    for how in [Fails::AndDies, Fails::DoneAndDies, Fails::Once, Fails::DoneOnce] {
        for step in 0..steps - begun.steps() {
            let disk = begun.failing(step, how);
            let acknowledged = match open(&disk) {
                Ok(log) => write(log, matches!(how, Fails::Once | Fails::DoneOnce)),
                Err(_) => 250,
            };
            let mended = disk.mended();
            let mut log = open(&mended).unwrap_or_else(|error| panic!("{how:?} at {step}: {error}"));
            assert!(log.size() >= acknowledged, "{how:?} at {step}: {} of {acknowledged}", log.size());
            let there = all(&mended, acknowledged);
            assert!(there == expected[..acknowledged as usize], "{how:?} at {step}: what was acknowledged has changed");
            log.append(&[draft(7)]).expect("entered");
            log.publish(at(20)).expect("published");
            let folder = tempfile::tempdir().expect("a folder");
            mended.unload(folder.path());
            assert_eq!(failed(folder.path()), None, "{how:?} at {step}");
        }
    }
}

#[test]
fn a_log_goes_on_where_it_was_and_knows_what_it_holds() {
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    let source = |n| Some(Source { instance: "i1".into(), n, stream: "events".into() });
    (1..=300).for_each(|n| log.append(&[Draft { source: source(n), ..draft(n) }]).expect("entered"));
    log.publish(at(10)).expect("published");
    log.append(&[Draft { source: source(301), ..draft(301) }]).expect("entered");
    let (size, root, prev) = (log.size(), log.tree.root(), log.prev);
    let again = open(&disk).expect("a log");
    assert_eq!((again.size(), again.tree.root(), again.prev), (size, root, prev));
    assert_eq!((again.published().0, again.last("i1", "events"), again.last("i1", "decisions")), (300, 301, 0));
    // Without its hint, with a damaged one, and without its tiles of hashes it is the same.
    for (name, bytes) in [
        ("sources", None),
        ("sources", Some(b"{}\n0\n")),
        ("tile/0/001.p/44", None),
        ("tile/0/001.p/44", Some(b"12345")),
    ] {
        let mut other = disk.mended();
        match bytes {
            None => other.remove(name).expect("removed"),
            Some(bytes) => other.put(name, bytes).expect("written"),
        }
        let again = open(&other).expect("a log");
        assert_eq!((again.size(), again.tree.root(), again.last("i1", "events")), (size, root, 301), "{name}");
        assert_eq!(other.files()["tile/0/001.p/44"], disk.files()["tile/0/001.p/44"], "it is written again");
    }
}

#[test]
fn log_2_what_a_checkpoint_covers_is_never_written_anew() {
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    (0..9).for_each(|n| log.append(&[draft(n)]).expect("entered"));
    log.publish(at(10)).expect("published");
    let refused = |changed: &dyn Fn(&mut Memory)| {
        let mut other = disk.mended();
        changed(&mut other);
        let before = other.files();
        let error = open(&other).err().expect("it is refused");
        assert!(other.files() == before, "the folder is left as it is");
        error.to_string()
    };
    let said = refused(&|it| it.remove("tile/entries/000.p/9").expect("removed"));
    assert!(said.contains("tile/entries/000"), "{said}");
    let said = refused(&|it| {
        it.remove("tile/0/000.p/9").expect("removed");
        let mut bundle = it.files()["tile/entries/000.p/9"].clone();
        bundle[99] ^= 1;
        it.put("tile/entries/000.p/9", &bundle).expect("written");
    });
    assert!(said.contains("root of its checkpoint"), "{said}");
    // Its tile gives the root as it did: the entries that are gone on with are others all the same.
    let said = refused(&|it| {
        let mut bundle = it.files()["tile/entries/000.p/9"].clone();
        let last = bundle.len() - 9;
        bundle[last] ^= 1;
        it.put("tile/entries/000.p/9", &bundle).expect("written");
    });
    assert!(said.contains("the entries of tile/entries/000.p/9 are not those of its checkpoint"), "{said}");
    let said = refused(&|it| {
        let checkpoint = String::from_utf8(it.files()["checkpoint"].clone()).expect("text").replace("\n9\n", "\n8\n");
        it.put("checkpoint", checkpoint.as_bytes()).expect("written");
    });
    assert!(said.contains("not signed by this key"), "{said}");
    let other = Signer::of_text(
        "MC4CAQAwBQYDK2VwBCIEIAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI",
        "it",
        Some("example.com/audit"),
    );
    assert!(Log::open(at(0), Box::new(disk.mended()), other.expect("a key")).is_err(), "another key");
}

#[test]
fn log_2_the_last_entry_of_full_tiles_is_held_against_the_tiles_above_it() {
    for size in [256, 512] {
        let disk = Memory::default();
        let mut log = open(&disk).expect("a log");
        (0..size / 256).for_each(|it| log.append(&vec![draft(it); 256]).expect("entered"));
        log.publish(at(10)).expect("published");
        assert_eq!(open(&disk).expect("a log").prev, log.prev);
        let mut other = disk.mended();
        let name = name(None, size / 256 - 1, WIDTH);
        let mut bundle = other.files()[&name].clone();
        bundle[99] ^= 1;
        other.put(&name, &bundle).expect("written");
        let said = open(&other).err().map(|it| it.to_string());
        assert!(said.is_some_and(|it| it.contains("are not those of its checkpoint")), "{size}");
    }
    // Where the tile above is full, too, the one above that says what it holds.
    let mut log = open(&Memory::default()).expect("a log");
    (0..65_536).for_each(|_| log.tree.push([7; 32]));
    let leaves = [[7; 32]; 256];
    assert!(!log.covers(65_536, &leaves).expect("read"), "the tile between is gone");
    let tiles: Vec<_> = log.tree.tiles().filter(|it| it.level == 1).collect();
    log.disk.put("tile/1/000", tiles[0].hashes.as_flattened()).expect("written");
    assert!(log.covers(65_536, &leaves).expect("read"));
    assert!(!log.covers(65_536, &[[8; 32]; 256]).expect("read"));
    log.disk.put("tile/1/000", &[7; 256 * 32]).expect("written");
    assert!(!log.covers(65_536, &leaves).expect("read"), "the tile between is another");
}

#[test]
fn no_name_makes_an_entry_longer_than_the_format_holds() {
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    // Of two bytes and more each, and written as six in JSON.
    for name in ["x".repeat(70_000), "é".repeat(40_000), "\u{1}".repeat(40_000)] {
        log.append(&[Draft { kind: name.clone(), actor: name, ..draft(0) }]).expect("entered");
    }
    log.append(&[Draft { actor: "user:".to_owned() + &"a".repeat(251), ..draft(1) }]).expect("entered");
    log.publish(at(10)).expect("published");
    let written = taken(&disk, "tile/entries/000.p/4");
    let entry = |at: usize| serde_json::from_slice::<Value>(&written[at]).expect("JSON");
    let cut = |at: usize| entry(at)["actor"].as_str().map(|it| (it.len() <= 256, it.ends_with('…')));
    assert_eq!(
        [cut(0), cut(1), cut(2), cut(3)],
        [Some((true, true)), Some((true, true)), Some((true, true)), Some((true, false))]
    );
    assert_eq!(open(&disk).expect("it is gone on with").size(), 4);
    let folder = tempfile::tempdir().expect("a folder");
    disk.unload(folder.path());
    assert_eq!(failed(folder.path()), None);
}

#[test]
fn what_is_too_large_for_an_entry_is_named_by_its_digest() {
    let disk = Memory::default();
    let mut log = open(&disk).expect("a log");
    let data = json!({"words": "x".repeat(70_000)});
    log.append(&[Draft { data, ..draft(0) }, draft(1)]).expect("entered");
    let written = taken(&disk, "tile/entries/000.p/2");
    let entry: Value = serde_json::from_slice(&written[0]).expect("JSON");
    assert_eq!(entry["data"]["bytes"], 70_012);
    assert_eq!(entry["data"]["sha256"].as_str().map(str::len), Some(64));
}
