//! Every way to change a log that we could think of, and what finds it (G-094).

use std::{fs, path::PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::audit::{
    Audit, Draft, Given, Settings, base64,
    disk::Folder,
    kit::{Memory, at, decision, draft, event, failed, key, segment, signer, verified, verified_at},
    log::Log,
    note, prove,
};

const OTHER_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

/// A deployment that has written nine entries: of two segments of decisions, and of seven events.
struct Made {
    folder: TempDir,
}

impl Made {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        segment(folder.path(), ("i1", "events"), 1, &(1..=7).map(event).collect::<Vec<_>>());
        segment(folder.path(), ("i1", "decisions"), 1, &(1..=5).map(decision).collect::<Vec<_>>());
        segment(folder.path(), ("i1", "decisions"), 6, &(6..=8).map(decision).collect::<Vec<_>>());
        let made = Self { folder };
        made.run(None, |_| {});
        made
    }

    /// Runs a process that writes the log, and ends it.
    fn run(&self, key: Option<&str>, doing: impl FnOnce(&Audit)) {
        let key = key.unwrap_or("MC4CAQAwBQYDK2VwBCIEIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ");
        let origin = Some("example.com/audit".into());
        let settings =
            Settings { data_dir: self.folder.path().into(), origin, key: Some(Given(key.into())), git: None };
        let audit = Audit::start(settings, || at(0));
        doing(&audit);
        audit.finish();
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).expect("read")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join(name), bytes).expect("written");
    }

    fn failed(&self) -> (&'static str, String) {
        failed(&self.log()).expect("something is found")
    }
}

/// Writes entries as a bundle.
fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    entries.iter().flat_map(|it| [&(it.len() as u16).to_be_bytes(), it.as_slice()].concat()).collect()
}

const BUNDLE: &str = "audit/tile/entries/000.p/9";
const TILE: &str = "audit/tile/0/000.p/9";
const FIRST: &str = "instances/i1/decisions/00000000000000000001.jsonl.gz";
const SECOND: &str = "instances/i1/decisions/00000000000000000006.jsonl.gz";

#[test]
fn a_log_that_nobody_has_touched_is_verified_line_by_line() {
    let made = Made::new();
    let root = base64::encode(&Checkpoint::read(&made.read("audit/checkpoint")).expect("a checkpoint").root);
    let expected = format!(
        "signature   ok  example.com/audit Ed25519\nchain       ok  9 entries, no hole\ntree        ok  size 9 root {root}\n\
         consistency –   no older checkpoint was given\n\
         decisions   ok  2 of 2 segments, 8 decisions, roots and counts match\nwitnesses   –   no policy was given\n"
    );
    assert_eq!(verified(&made.log()).to_string(), expected);
}

#[test]
fn da_12_g_094_each_tampering_is_found_and_named() {
    let taken = |made: &Made| {
        let bytes = made.read(BUNDLE);
        files::entries(&bytes).expect("a bundle").into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let edit = |made: &Made, change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut entries = taken(made);
        change(&mut entries);
        made.write(BUNDLE, &bundle(&entries));
    };
    let swapped = |text: &[u8], from: &str, to: &str| String::from_utf8_lossy(text).replace(from, to).into_bytes();
    type Tampering<'a> = (&'a str, &'a dyn Fn(&Made), &'a str, &'a str);
    let table: [Tampering<'_>; 18] = [
        (
            "an entry",
            &|it| edit(it, &|all| all[3] = swapped(&all[3], "fraud", "freud")),
            "chain",
            "entry 4 (tile/entries/000.p/9) does not follow",
        ),
        (
            "the last entry",
            &|it| edit(it, &|all| all[8] = swapped(&all[8], "fraud", "freud")),
            "tree",
            "the checkpoint says",
        ),
        (
            "the order of entries",
            &|it| edit(it, &|all| all.swap(3, 4)),
            "chain",
            "entry 3 (tile/entries/000.p/9) says that it is entry 4",
        ),
        ("a removed entry", &|it| edit(it, &|all| drop(all.remove(3))), "chain", "has 8 entries, its name says 9"),
        ("an entry twice", &|it| edit(it, &|all| all[4] = all[3].clone()), "chain", "entry 4"),
        ("a cut bundle", &|it| it.write(BUNDLE, &it.read(BUNDLE)[..99]), "chain", "is cut"),
        (
            "a removed bundle",
            &|it| fs::remove_file(it.folder.path().join(BUNDLE)).expect("removed"),
            "chain",
            "000.p/9 is not there",
        ),
        ("a tile", &|it| it.write(TILE, &[7; 9 * 32]), "tree", "tile/0/000.p/9 is not the tile of these entries"),
        (
            "a removed tile",
            &|it| fs::remove_file(it.folder.path().join(TILE)).expect("removed"),
            "tree",
            "tile/0/000.p/9 is not there",
        ),
        ("an added tile", &|it| it.write("audit/tile/0/000.p/8", &[7; 8 * 32]), "tree", "tile/0/000.p/8"),
        (
            "the size in the checkpoint",
            &|it| it.write("audit/checkpoint", &swapped(&it.read("audit/checkpoint"), "\n9\n", "\n8\n")),
            "signature",
            "not what example.com/audit has signed",
        ),
        (
            "a removed checkpoint",
            &|it| fs::remove_file(it.log().join("checkpoint")).expect("removed"),
            "signature",
            "is not there",
        ),
        (
            "a log of another key",
            &|it| {
                fs::remove_dir_all(it.log()).expect("removed");
                it.run(Some(OTHER_KEY), |_| {});
            },
            "signature",
            "is not signed by this key",
        ),
        (
            "a line of a segment",
            &|it| {
                let lines: Vec<Value> = [1, 2, 99, 4, 5].into_iter().map(decision).collect();
                segment(it.folder.path(), ("i1", "decisions"), 1, &lines);
            },
            "decisions",
            "entry 7: i1/decisions/00000000000000000001.jsonl.gz is not the file",
        ),
        (
            "a removed line of a segment",
            &|it| segment(it.folder.path(), ("i1", "decisions"), 1, &(1..=4).map(decision).collect::<Vec<_>>()),
            "decisions",
            "entry 7",
        ),
        (
            "swapped segments",
            &|it| {
                let (first, second) = (it.read(FIRST), it.read(SECOND));
                it.write(FIRST, &second);
                it.write(SECOND, &first);
            },
            "decisions",
            "is not the file",
        ),
        (
            "a removed segment",
            &|it| fs::remove_file(it.folder.path().join(SECOND)).expect("removed"),
            "decisions",
            "6.jsonl.gz is not there, and earlier ones are",
        ),
        (
            "an added segment",
            &|it| segment(it.folder.path(), ("i1", "decisions"), 3, &[decision(3)]),
            "decisions",
            "3.jsonl.gz is not in the log, and later ones are",
        ),
    ];
    for (what, tamper, check, why) in table {
        let made = Made::new();
        tamper(&made);
        let (found, said) = made.failed();
        assert!(found == check && said.contains(why), "{what}: {found}: {said}");
    }
}

#[test]
fn g_094_counts_that_the_writer_forged_are_found_although_all_signatures_hold() {
    let forged = |change: &dyn Fn(&mut Value)| {
        let made = Made::new();
        segment(made.folder.path(), ("i1", "decisions"), 9, &[decision(9), decision(10)]);
        let bytes = made.read("instances/i1/decisions/00000000000000000009.jsonl.gz");
        let root = node(&leaf(&evidence(decision(9))), &leaf(&evidence(decision(10))));
        let mut data = json!({
            "segment": "i1/decisions/00000000000000000009.jsonl.gz", "count": 2, "by_route": {"fraud-score": {"0": 1, "1": 1}},
            "merkle_root": hash::hex(&root), "file_sha256": hash::hex(&<sha2::Sha256 as sha2::Digest>::digest(&bytes)),
        });
        change(&mut data);
        let source = Some(crate::audit::Source { instance: "i1".into(), n: 10, stream: "decisions".into() });
        let draft = Draft { time: at(0), kind: "decision.batch".into(), actor: "system:audit".into(), data, source };
        // The sequencer has not seen the segment: it is put there while the log is held by nobody.
        let away = made.folder.path().join("instances");
        fs::rename(&away, made.folder.path().join("away")).expect("moved");
        made.run(None, |audit| assert_eq!(audit.append(draft).expect("entered"), 9));
        fs::rename(made.folder.path().join("away"), &away).expect("moved");
        failed(&made.log())
    };
    assert_eq!(forged(&|_| {}), None, "the entry is right as it is");
    for (change, why) in [
        ((|it| it["count"] = json!(3)) as fn(&mut Value), "has 2 decisions, the entry says 3"),
        (|it| it["by_route"] = json!({"fraud-score": {"0": 2}}), "by route and tier"),
        (|it| it["merkle_root"] = json!("00"), "do not give the root"),
        (|it| it["file_sha256"] = json!("00"), "is not the file"),
        (|it| it["segment"] = json!("i1/decisions/00000000000000000008.jsonl.gz"), "does not follow on line 8"),
        (|it| it["segment"] = json!("../../etc/passwd"), "names no segment"),
    ] {
        let (check, said) = forged(&change).expect(why);
        assert!(check == "decisions" && said.contains(why), "{check}: {said}");
    }
}

fn evidence(value: Value) -> Vec<u8> {
    evenkeel_api::evidence::canonical(&value).expect("a form")
}

/// All files of a log and of its segments of decisions.
fn all(made: &Made) -> Vec<String> {
    let mut names = files::below(&made.log(), "tile").expect("listed");
    names.push("checkpoint".into());
    let mut names: Vec<_> = names.into_iter().map(|it| format!("audit/{it}")).collect();
    names.extend([FIRST.to_owned(), SECOND.to_owned()]);
    names
}

#[test]
fn g_094_any_flipped_bit_of_any_file_is_found() {
    let made = Made::new();
    assert_eq!(all(&made).len(), 5, "a bundle, a tile, a checkpoint and two segments: {:?}", all(&made));
    for name in all(&made) {
        let whole = made.read(&name);
        // Bits of all eight places of a byte, as many as take a moment: of the checkpoint three of each byte.
        let step = if name.ends_with("checkpoint") { 3 } else { 31 };
        for at in (0..whole.len() * 8).step_by(step) {
            let mut flipped = whole.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            made.write(&name, &flipped);
            assert_ne!(failed(&made.log()), None, "bit {at} of {name}");
        }
        made.write(&name, &whole);
    }
    assert_eq!(failed(&made.log()), None);
}

#[test]
fn g_094_any_cut_tail_is_found() {
    let made = Made::new();
    for name in all(&made) {
        let whole = made.read(&name);
        for length in (0..whole.len()).step_by(if whole.len() > 200 { 13 } else { 1 }) {
            made.write(&name, &whole[..length]);
            assert_ne!(failed(&made.log()), None, "{length} of {} bytes of {name}", whole.len());
        }
        made.write(&name, &whole);
    }
}

#[test]
fn an_older_checkpoint_shows_that_a_log_was_cut_or_begun_anew() {
    let made = Made::new();
    let older = made.read("audit/checkpoint");
    let since = |made: &Made| {
        let key = key();
        let asked =
            Asked { log: &made.log(), key: &key, policy: None, since: Some((&older, "monday")), kept_from: at(0) };
        let report = verify(&asked).expect("read");
        let found = report.found.iter().find(|it| it.check == Check::Consistency).expect("it is looked at");
        (report.failed().map(|it| it.check), found.text.clone())
    };
    segment(made.folder.path(), ("i1", "decisions"), 9, &[decision(9)]);
    made.run(None, |_| {});
    assert_eq!(since(&made), (None, "monday (9) → now".into()));
    // The same key has signed another history.
    let forked = Made::new();
    fs::remove_dir_all(forked.log()).expect("removed");
    segment(forked.folder.path(), ("i1", "events"), 1, &[event(1), event(2)]);
    forked.run(None, |_| {});
    let (check, said) = since(&forked);
    assert!(check == Some(Check::Consistency) && said.contains("it was cut"), "{said}");
    segment(forked.folder.path(), ("i1", "events"), 3, &(3..=20).map(event).collect::<Vec<_>>());
    forked.run(None, |_| {});
    let (check, said) = since(&forked);
    assert!(check == Some(Check::Consistency) && said.contains("begun anew"), "{said}");
    // A checkpoint that another key has signed proves nothing.
    made.write("instances/older", &older);
    let text = String::from_utf8(older.clone()).expect("text").replace("\n9\n", "\n1\n");
    let key = key();
    let asked =
        Asked { log: &made.log(), key: &key, policy: None, since: Some((text.as_bytes(), "monday")), kept_from: at(0) };
    let said = verify(&asked).expect("read").failed().expect("found").text.clone();
    assert!(said.contains("monday is not what example.com/audit has signed"), "{said}");
}

#[test]
fn segments_that_are_no_longer_kept_are_counted_and_a_log_alone_is_verified_without_them() {
    let made = Made::new();
    fs::remove_file(made.folder.path().join(FIRST)).expect("removed");
    let report = verified(&made.log());
    assert_eq!(report.failed(), None);
    let said = "1 of 2 segments, 3 decisions, roots and counts match, 1 no longer kept";
    assert!(report.to_string().contains(said), "{report}");
    segment(made.folder.path(), ("i1", "decisions"), 9, &[decision(9)]);
    assert!(verified(&made.log()).to_string().contains("1 not yet in the log"));
    // Decisions that are kept from the morning on are younger than what is missing there.
    let report = verified_at(&made.log(), at(0));
    let said = "1.jsonl.gz is not there, and is younger than decisions are kept; `--keep` says how long that is";
    assert!(report.failed().is_some_and(|it| it.check == Check::Decisions && it.text.contains(said)), "{report}");
    assert_eq!(verified_at(&made.log(), at(1)).failed(), None);
    fs::remove_dir_all(made.folder.path().join("instances")).expect("removed");
    assert!(verified(&made.log()).to_string().contains("none of 2 segments are beside the log"));
}

#[test]
fn g_094_the_last_segment_of_an_instance_is_always_kept_so_its_absence_is_found() {
    let made = Made::new();
    fs::remove_file(made.folder.path().join(FIRST)).expect("removed");
    fs::remove_file(made.folder.path().join(SECOND)).expect("removed");
    let said = (
        ("decisions"),
        "i1/decisions/00000000000000000006.jsonl.gz is not there, and the last segment of an instance is always kept",
    );
    assert_eq!(made.failed(), (said.0, said.1.to_owned()));
    // One that waits to be entered is a later one.
    segment(made.folder.path(), ("i1", "decisions"), 9, &[decision(9)]);
    assert_eq!(failed(&made.log()), None);
}

/// A log of 250 entries, and of some more that no checkpoint covers, each entered for itself.
fn tailed(more: u64) -> (TempDir, u64) {
    let (disk, folder) = (Memory::default(), tempfile::tempdir().expect("a folder"));
    let mut log = Log::open(at(0), Box::new(disk.clone()), signer()).expect("a log");
    log.append(&(0..250).map(draft).collect::<Vec<_>>()).expect("entered");
    log.publish(at(10)).expect("published");
    (0..more).for_each(|it| log.append(&[draft(it)]).expect("entered"));
    disk.unload(folder.path());
    (folder, log.size())
}

#[test]
fn what_no_checkpoint_covers_yet_is_followed_over_the_end_of_a_bundle() {
    for more in [0, 1, 5, 6, 7, 10, 300] {
        let (folder, _) = tailed(more);
        let report = verified(folder.path());
        assert_eq!(report.failed(), None, "{more}");
        let said =
            if more == 0 { "250 entries, no hole\n".into() } else { format!(", {more} more behind the checkpoint\n") };
        assert!(report.to_string().contains(&said), "{more}: {report}");
    }
    let (folder, size) = tailed(10);
    let changed = |name: &str, at: usize| {
        let whole = fs::read(folder.path().join(name)).expect("read");
        let mut other = whole.clone();
        other[at] ^= 1;
        fs::write(folder.path().join(name), other).expect("written");
        let found = failed(folder.path());
        fs::write(folder.path().join(name), whole).expect("written");
        found
    };
    // What is covered stands in the bundle behind it, too.
    let (check, said) = changed("tile/entries/000", 99).expect("found");
    assert!(check == "chain" && said.contains("tile/entries/000 does not begin with the entries before it"), "{said}");
    let (check, said) = changed(&format!("tile/entries/001.p/{}", size - 256), 99).expect("found");
    assert!(check == "chain" && said.contains("001.p/4"), "{said}");
    // What is written while it is read is known from the next checkpoint on, however far behind it says to be.
    for name in
        ["tile/entries/002", "tile/0/000", "tile/0/001.p/9", "tile/0/x018/x446/x744/x073/x709/x551/615", "tile/9/072"]
    {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, "written later").expect("written");
        assert!(name == "tile/0/000" || failed(folder.path()).is_none(), "{name}");
        assert!(
            name != "tile/0/000" || failed(folder.path()).is_some_and(|it| it.1.contains(name)),
            "its entries are followed"
        );
        fs::remove_file(folder.path().join(name)).expect("removed");
    }
    fs::write(folder.path().join("tile/0/odd"), "").expect("written");
    assert_eq!(failed(folder.path()), Some(("tree", "tile/0/odd is no tile".into())));
}

#[test]
fn a_log_that_is_written_meanwhile_is_verified_at_any_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = Log::open(at(0), Box::new(Folder::new(folder.path().into(), None)), signer()).expect("a log");
    let writing = std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for batch in 0..150 {
                log.append(&(0..batch % 11 + 1).map(draft).collect::<Vec<_>>()).expect("entered");
                if batch % 7 == 0 {
                    log.publish(at(10)).expect("published");
                }
            }
        });
        let mut looks = 0;
        while !writing.is_finished() {
            assert_eq!(failed(folder.path()), None, "look {looks}");
            looks += 1;
        }
        writing.join().map(|()| looks)
    });
    assert!(writing.is_ok_and(|looks| looks > 0));
}

#[test]
fn a_record_that_has_a_key_twice_is_none() {
    let line = evidence(decision(3));
    assert_eq!(record(&line).expect("a record"), decision(3));
    assert_eq!(
        record(br#"{"a":[1,-2,0.5,"x",null,true,{"b":1}]}"#).expect("a record"),
        json!({"a": [1, -2, 0.5, "x", null, true, {"b": 1}]})
    );
    let forged = [br#"{"status":500,"#, &line[1..]].concat();
    for text in [forged.as_slice(), br#"{"a":[{"outcome":{"status":500,"status":200}}]}"#] {
        let said = record(text).expect_err("two keys").to_string();
        assert!(said.contains("the key \"status\" is there twice"), "{said}");
    }
}

#[test]
fn a_proof_verifies_with_the_key_and_the_record_alone() {
    let made = Made::new();
    for n in 1..=8 {
        let proved = prove(&made.log(), &format!("01D{n:05}")).expect("read").expect("it is there");
        let proof = Proof::read(&proved.proof).expect("a proof");
        assert_eq!(proved.record, evidence(decision(n)));
        let record = decision(n);
        assert_eq!(check(&proof, &record, &key(), None).failed(), None, "{n}");
        // What a reader adds to a record is not in it; anything else is.
        let mut read = record.clone();
        read["integrity"] = json!({"entry": 7});
        assert_eq!(check(&proof, &read, &key(), None).failed(), None);
        read["tier"] = json!(3);
        let report = check(&proof, &read, &key(), None);
        assert_eq!(report.failed().map(|it| it.check), Some(Check::Inclusion), "{report}");
    }
    assert_eq!(prove(&made.log(), "01D00099").expect("read"), None);
}

#[test]
fn prf_1_any_changed_character_of_a_proof_is_found() {
    let made = Made::new();
    let proved = prove(&made.log(), "01D00003").expect("read").expect("it is there");
    let (record, text) = (decision(3), proved.proof);
    for at in 0..text.len() {
        for bit in [at % 8, (at + 5) % 8] {
            let mut flipped = text.clone().into_bytes();
            flipped[at] ^= 1 << bit;
            let Ok(flipped) = String::from_utf8(flipped) else { continue };
            if let Ok(proof) = Proof::read(&flipped) {
                assert_ne!(check(&proof, &record, &key(), None).failed(), None, "bit {bit} of character {at}");
            }
        }
    }
}

#[test]
fn a_policy_asks_for_witnesses_and_says_how_many_there_are() {
    let made = Made::new();
    let witness = |seed: u8, name: &str, time: u64| {
        let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        let public = ring::signature::KeyPair::public_key(&pair).as_ref().to_vec();
        let typed = [&[4], public.as_slice()].concat();
        let id = <sha2::Sha256 as sha2::Digest>::digest([name.as_bytes(), b"\n", &typed].concat());
        let checkpoint = String::from_utf8(made.read("audit/checkpoint")).expect("text");
        let text = &checkpoint[..checkpoint.find("\n\n").expect("a note") + 1];
        let signed = pair.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
        let line = base64::encode(&[&id[..4], &time.to_be_bytes(), signed.as_ref()].concat());
        (format!("{name}+{}+{}", hash::hex(&id[..4]), base64::encode(&typed)), format!("— {name} {line}\n"))
    };
    let ((one, signed), (other, _)) = (witness(1, "w.example/1", 9), witness(2, "w.example/2", 9));
    let key = key();
    let asked = |rules: &str| {
        let text = format!(
            "# ours\nlog {}\nwitness one {one}\nwitness other {other} https://w\n{rules}",
            crate::audit::kit::signer().vkey()
        );
        let policy = Policy::read(&text).unwrap_or_else(|error| panic!("{rules}: {error}"));
        let log = made.log();
        let report = verify(&Asked { log: &log, key: &key, policy: Some(&policy), since: None, kept_from: at(0) })
            .expect("read");
        let found = report.found.iter().find(|it| it.check == Check::Witnesses).expect("looked at").clone();
        (found.holds, found.text)
    };
    assert_eq!(asked("quorum none\n"), (Some(true), "0 of 2".into()));
    assert!(asked("group g any one other\nquorum g\n").1.contains("does not take for enough"));
    let checkpoint = made.read("audit/checkpoint");
    made.write("audit/checkpoint", &[checkpoint.as_slice(), signed.as_bytes()].concat());
    assert_eq!(asked("group g any one other\nquorum g\n"), (Some(true), "1 of 2".into()));
    assert_eq!(asked("group g 1 one\ngroup h all g other\nquorum h\n").0, Some(false));
    assert_eq!(asked("quorum one\n").0, Some(true));
    assert_eq!(asked("quorum other\n").0, Some(false));
    // A log goes on over what others have signed behind its own line.
    segment(made.folder.path(), ("i1", "decisions"), 9, &[decision(9)]);
    made.run(None, |_| {});
    assert_eq!(failed(&made.log()), None);
    for (rules, why) in [
        ("", "no line `quorum`"),
        ("quorum nobody\n", "line 5: `nobody` is not defined above"),
        ("quorum none\nquorum none\n", "line 6"),
        ("group g 3 one other\nquorum g\n", "3 of 2"),
        ("group g any one one\nquorum g\n", "`one` is not defined above, or is a member already"),
        ("group one any other\nquorum one\n", "`one` is taken"),
        ("group g some one\nquorum g\n", "`some`"),
        ("witness again w+1\nquorum none\n", "line 5: read a key"),
        ("sometimes\n", "`sometimes`"),
    ] {
        let text = format!("# ours\n\nwitness one {one}\nwitness other {other} https://w\n{rules}");
        let said = Policy::read(&text).expect_err(rules).to_string();
        assert!(said.contains(why), "{rules}: {said}");
    }
}

/// Returns what is exported, line by line.
fn exported(made: &Made, wanted: &crate::audit::Wanted) -> Vec<Value> {
    let exported = crate::audit::export(&made.log(), wanted).expect("read");
    let lines: Vec<_> = exported.lines().map(|it| it.expect("read")).collect();
    assert_eq!(exported.entries, lines.len() as u64 - 1);
    lines
}

#[test]
fn g_093_what_a_command_notes_is_entered_once_and_takes_no_number_of_others() {
    let made = Made::new();
    let now: Timestamp = at(5);
    let noted = || note(made.folder.path(), now, ("access.read", "user:ana"), json!({"entries": 9}));
    noted().expect("noted");
    // While an instance runs, another one is taken.
    let lock = fs::File::options().write(true).open(made.folder.path().join("instances/i1/lock")).expect("it was made");
    lock.lock().expect("it is free");
    noted().expect("noted");
    drop(lock);
    made.run(None, |_| {});
    let wanted = crate::audit::Wanted { kinds: vec!["access.*".into()], ..Default::default() };
    let told = exported(&made, &wanted);
    let from = |at: usize| (told[at]["entry"]["source"]["instance"].clone(), told[at]["entry"]["source"]["n"].clone());
    assert_eq!((told.len(), from(0), from(1)), (3, (json!("i1"), json!(8)), (json!("i2"), json!(1))));
    assert!(told[2]["checkpoint"].as_str().is_some_and(|it| it.starts_with("example.com/audit\n11\n")));
}

#[test]
fn what_is_exported_is_what_was_asked_for_and_is_proved_by_its_checkpoint() {
    let made = Made::new();
    let of = |wanted: crate::audit::Wanted| exported(&made, &wanted);
    let kinds = |kinds: &[&str]| crate::audit::Wanted {
        kinds: kinds.iter().map(|it| (*it).into()).collect(),
        ..Default::default()
    };
    assert_eq!(of(Default::default()).len(), 10);
    assert_eq!(of(kinds(&["decision.batch"])).len(), 3);
    assert_eq!(of(kinds(&["route", "config.*"])).len(), 8);
    assert_eq!(of(kinds(&["rou"])).len(), 1, "a type up to its dot");
    let from = |from: &str| crate::audit::Wanted { from: Some(from.into()), ..Default::default() };
    assert_eq!((of(from("2026-11-23T08:00:00.000Z")).len(), of(from("2026-11-23T08:00:00.001Z")).len()), (10, 1));
    let told = of(Default::default());
    let (last, entries) = told.split_last().expect("a checkpoint");
    let checkpoint = Checkpoint::read(last["checkpoint"].as_str().expect("text").as_bytes()).expect("a checkpoint");
    for it in entries {
        let path: Vec<Hash> = it["path"]
            .as_array()
            .expect("hashes")
            .iter()
            .map(|it| base64::decode(it.as_str().expect("text")).expect("base64").try_into().expect("a hash"))
            .collect();
        let top = hash::walk(
            leaf(&evidence(it["entry"].clone())),
            it["index"].as_u64().expect("a number"),
            checkpoint.size,
            &path,
        );
        assert_eq!(top, Some(checkpoint.root), "{it}");
    }
}
