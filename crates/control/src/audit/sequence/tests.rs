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
