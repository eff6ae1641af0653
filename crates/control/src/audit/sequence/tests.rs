//! Spools become entries, each line once.

use std::fs;

use serde_json::Value;

use super::*;
use crate::audit::kit::{Fails, Memory, at, decision, event, failed, segment, signer};

fn entries_of(disk: &Memory) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    disk.unload(folder.path());
    let size = Log::open(at(0), Box::new(disk.mended()), signer()).expect("a log").size();
    let bundles = crate::audit::verify::Bundles::new(folder.path(), size);
    bundles
        .flat_map(|it| it.expect("read").1.expect("whole"))
        .map(|it| serde_json::from_slice(&it).expect("JSON"))
        .collect()
}

/// A pass in a process of its own.
fn pass(data_dir: &Path, disk: &Memory) -> Result<(), LogError> {
    let mut log = Log::open(at(0), Box::new(disk.clone()), signer())?;
    Sequencer::new(data_dir).pass(at(0), &mut log)?;
    log.publish(at(10))
}

fn some(from: u64, to: u64, of: fn(u64) -> Value) -> Vec<Value> {
    (from..=to).map(of).collect()
}

/// Returns type, instance and number of the last line of all entries.
fn told(entries: &[Value]) -> Vec<String> {
    let word = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    entries
        .iter()
        .map(|it| format!("{} {} {}", word(&it["type"]), word(&it["source"]["instance"]), it["source"]["n"]))
        .collect()
}

#[test]
fn each_closed_segment_of_decisions_is_an_entry_and_each_line_of_events_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, disk) = (folder.path(), Memory::default());
    segment(here, ("i1", "decisions"), 1, &some(1, 5, decision));
    segment(here, ("i1", "decisions"), 6, &some(6, 6, decision));
    segment(here, ("i1", "events"), 1, &some(1, 2, event));
    segment(here, ("i2", "decisions"), 1, &some(1, 1, decision));
    fs::write(here.join("instances/i2/decisions/00000000000000000002.jsonl.gz.open"), "").expect("written");
    pass(here, &disk).expect("entered");
    let entries = entries_of(&disk);
    let expected = [
        "route.transition i1 1",
        "route.transition i1 2",
        "decision.batch i1 5",
        "decision.batch i1 6",
        "decision.batch i2 1",
    ];
    assert_eq!(told(&entries), expected);
    let batch = &entries[2]["data"];
    assert_eq!(batch["segment"], "i1/decisions/00000000000000000001.jsonl.gz");
    assert_eq!((&batch["count"], &batch["by_route"]), (&json!(5), &json!({"fraud-score": {"0": 2, "1": 3}})));
    assert_eq!(
        (&entries[0]["time"], &entries[0]["actor"]),
        (&json!("2026-11-23T08:00:00.000Z"), &json!("rule:breaker"))
    );
    // Nothing is entered twice, and how far it was read is told to the spool.
    pass(here, &disk).expect("nothing is new");
    assert_eq!(entries_of(&disk).len(), 5);
    let cursor = Cursor::load(&here.join("instances/i1"), "audit").expect("read");
    assert_eq!(cursor, Some(Cursor { decisions: 6, events: 2 }));
}

#[test]
fn seq_1_a_line_is_in_the_log_once_whatever_step_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, whole) = (folder.path(), Memory::default());
    segment(here, ("i1", "events"), 1, &some(1, 200, event));
    segment(here, ("i1", "events"), 201, &some(201, 260, event));
    (0..3).for_each(|it| segment(here, ("i1", "decisions"), it * 3 + 1, &some(it * 3 + 1, it * 3 + 3, decision)));
    pass(here, &whole).expect("entered");
    let expected = told(&entries_of(&whole));
    assert_eq!(expected.len(), 263);
    // Each step fails in two of the four ways: whatever comes of it is one of the states that they leave.
    for (way, how) in [Fails::AndDies, Fails::DoneAndDies, Fails::DoneOnce, Fails::Once].into_iter().enumerate() {
        for step in (way % 2..whole.steps()).step_by(2) {
            fs::remove_dir_all(here.join("instances/i1/read")).expect("the cursor is gone, too");
            let disk = Memory::default().failing(step, how);
            if matches!(how, Fails::Once | Fails::DoneOnce) {
                // The same process goes on.
                let mut log = match Log::open(at(0), Box::new(disk.clone()), signer()) {
                    Ok(log) => log,
                    Err(_) => Log::open(at(0), Box::new(disk.clone()), signer()).expect("a log"),
                };
                let mut sequencer = Sequencer::new(here);
                (0..2).for_each(|_| drop(sequencer.pass(at(0), &mut log)));
                (0..2).for_each(|_| drop(log.publish(at(10))));
            } else {
                let _ = pass(here, &disk);
            }
            let mended = disk.mended();
            pass(here, &mended).expect("entered");
            assert_eq!(told(&entries_of(&mended)), expected, "{how:?} at {step}");
        }
    }
}

#[test]
fn seq_2_lines_that_are_gone_or_damaged_are_declared() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, disk) = (folder.path(), Memory::default());
    segment(here, ("i1", "decisions"), 1, &some(1, 4, decision));
    let damaged = here.join("instances/i1/decisions/00000000000000000001.jsonl.gz");
    let bytes = fs::read(&damaged).expect("read");
    fs::write(&damaged, &bytes[..bytes.len() - 3]).expect("written");
    pass(here, &disk).expect("entered");
    assert_eq!(entries_of(&disk).len(), 0, "how many lines it had is not known yet");
    // The next one says it; between it and the one after, a segment is gone.
    segment(here, ("i1", "decisions"), 5, &some(5, 6, decision));
    segment(here, ("i1", "decisions"), 10, &some(10, 12, decision));
    pass(here, &disk).expect("entered");
    let entries = entries_of(&disk);
    assert_eq!(told(&entries), ["audit.gap i1 4", "decision.batch i1 6", "audit.gap i1 9", "decision.batch i1 12"]);
    let gap = |at: usize, from: u64, count: u64, why: &str| {
        let expected = json!({"instance": "i1", "stream": "decisions", "from": from, "count": count, "why": why});
        assert_eq!(entries[at]["data"], expected);
    };
    gap(0, 1, 4, "damaged");
    gap(2, 7, 3, "removed");
    let log = here.join("audit");
    disk.unload(&log);
    let said = failed(&log);
    let said = said.expect("the damaged segment is still there, and is not in the log");
    assert!(said.0 == "decisions" && said.1.contains("00000000000000000001"), "{said:?}");
    fs::remove_file(damaged).expect("removed");
    assert_eq!(failed(&log), None);
}

#[test]
fn seq_2_neighbours_that_are_damaged_are_two_gaps_and_no_fault_of_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, disk) = (folder.path(), Memory::default());
    for (first, last) in [(1, 3), (4, 5), (6, 6)] {
        segment(here, ("i1", "decisions"), first, &some(first, last, decision));
        if first < 6 {
            let damaged = here.join(format!("instances/i1/decisions/{first:020}.jsonl.gz"));
            fs::write(&damaged, "no gzip").expect("written");
        }
    }
    pass(here, &disk).expect("entered");
    assert_eq!(told(&entries_of(&disk)), ["audit.gap i1 3", "audit.gap i1 5", "decision.batch i1 6"]);
    let log = here.join("audit");
    disk.unload(&log);
    for first in [1, 4] {
        fs::remove_file(here.join(format!("instances/i1/decisions/{first:020}.jsonl.gz"))).expect("removed");
    }
    assert_eq!(failed(&log), None);
}

#[test]
fn seq_2_a_segment_without_a_line_is_damaged_and_ends_no_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, disk) = (folder.path(), Memory::default());
    for stream in ["decisions", "events"] {
        let of = if stream == "events" { event } else { decision };
        segment(here, ("i1", stream), 1, &some(1, 1, of));
        let empty = here.join(format!("instances/i1/{stream}/00000000000000000002.jsonl.gz"));
        fs::write(empty, "").expect("written");
    }
    pass(here, &disk).expect("entered");
    assert_eq!(
        told(&entries_of(&disk)),
        ["route.transition i1 1", "decision.batch i1 1"],
        "what it had is not known yet"
    );
    segment(here, ("i1", "events"), 4, &some(4, 4, event));
    segment(here, ("i1", "decisions"), 3, &some(3, 3, decision));
    pass(here, &disk).expect("entered");
    let entered = told(&entries_of(&disk));
    assert_eq!(entered[2..], ["audit.gap i1 3", "route.transition i1 4", "audit.gap i1 2", "decision.batch i1 3"]);
}

#[test]
fn seq_2_an_event_that_cannot_be_an_entry_is_declared() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, disk) = (folder.path(), Memory::default());
    let mut odd = event(1);
    odd["data"] = json!("no object");
    segment(here, ("i1", "events"), 1, &[odd]);
    segment(here, ("i1", "events"), 2, &[event(2)]);
    pass(here, &disk).expect("entered");
    assert_eq!(told(&entries_of(&disk)), ["audit.gap i1 1", "route.transition i1 2"]);
    let log = here.join("audit");
    disk.unload(&log);
    assert_eq!(failed(&log), None);
}

#[test]
fn seq_3_an_instance_that_takes_no_cursor_or_cannot_be_read_keeps_nobody_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, disk) = (folder.path(), Memory::default());
    (1..=3).for_each(|it| segment(here, (&format!("i{it}"), "events"), 1, &[event(1)]));
    // A file in the place of a folder, as nobody who may do everything is refused by modes.
    fs::write(here.join("instances/i1/read"), "no folder").expect("written");
    fs::remove_dir_all(here.join("instances/i2/events")).expect("removed");
    fs::write(here.join("instances/i2/events"), "no folder").expect("written");
    let mut log = Log::open(at(0), Box::new(disk.clone()), signer()).expect("a log");
    let mut sequencer = Sequencer::new(here);
    for n in 2..=4 {
        sequencer.pass(at(0), &mut log).expect("the log is not down");
        segment(here, ("i3", "events"), n, &[event(n)]);
    }
    log.publish(at(10)).expect("published");
    assert_eq!(
        told(&entries_of(&disk)),
        ["route.transition i1 1", "route.transition i3 1", "route.transition i3 2", "route.transition i3 3"]
    );
    let said: Vec<_> =
        sequencer.told.keys().map(|it| it.strip_prefix(here).expect("below").display().to_string()).collect();
    assert_eq!(said, ["instances/i1", "instances/i2/events"]);
    fs::remove_file(here.join("instances/i1/read")).expect("removed");
    fs::remove_file(here.join("instances/i2/events")).expect("removed");
    sequencer.passes = LOOK_EVERY;
    sequencer.pass(at(0), &mut log).expect("entered");
    assert!(sequencer.told.is_empty() && here.join("instances/i1/read/audit").is_file());
}

#[test]
fn counts_of_more_routes_than_an_entry_holds_are_named_by_their_digest_and_verified() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, disk) = (folder.path(), Memory::default());
    let on = |n: u64| {
        let mut line = decision(n);
        line["route"] = json!(format!("a-route-with-a-name-that-says-what-it-is-for-{n}"));
        line
    };
    segment(here, ("i1", "decisions"), 1, &some(1, 2_000, on));
    pass(here, &disk).expect("entered");
    let batch = &entries_of(&disk)[0]["data"];
    assert_eq!((&batch["count"], batch["by_route"]["sha256"].as_str().map(str::len)), (&json!(2_000), Some(64)));
    assert_eq!(batch["segment"], "i1/decisions/00000000000000000001.jsonl.gz");
    let log = here.join("audit");
    disk.unload(&log);
    assert_eq!(failed(&log), None);
    // A proof of one of them is as any other.
    let proved = crate::audit::prove(&log, "01D00007").expect("read").expect("it is there");
    let proof = crate::audit::verify::Proof::read(&proved.proof).expect("a proof");
    let report = crate::audit::verify::check(&proof, &on(7), &crate::audit::kit::key(), None);
    assert_eq!(report.failed(), None, "{report}");
}
