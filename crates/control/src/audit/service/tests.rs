//! One sequencer, that waits for its disk.

use std::fs;

use serde_json::json;

use super::*;
use crate::audit::kit::{at, decision, failed, segment};

fn now() -> Timestamp {
    at(0)
}

fn audit(data_dir: &std::path::Path) -> Audit {
    Audit::new(
        Settings {
            data_dir: data_dir.into(),
            origin: Some("example.com/audit".into()),
            key: Some(Given(KEY.into())),
            git: None,
        },
        now,
    )
}

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ\n-----END PRIVATE KEY-----\n";

fn draft() -> Draft {
    let data = json!({"records": 3});
    Draft { time: at(1), kind: "access.read".into(), actor: "user:ana".into(), data, source: None }
}

#[test]
fn aud_1_one_process_writes_and_the_next_one_takes_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (audit(folder.path()), audit(folder.path()));
    one.shared.step(false);
    other.shared.step(false);
    assert_eq!(one.state(), State::Writing { entries: 0, covered: 0, since: at(0) });
    assert_eq!(other.state(), State::Standby);
    assert_eq!(one.append(draft()).expect("entered"), 0);
    assert!(matches!(other.append(draft()), Err(AppendError::Standby)));
    one.finish();
    other.shared.step(false);
    assert_eq!(other.state(), State::Writing { entries: 1, covered: 1, since: at(0) });
    assert_eq!(other.append(draft()).expect("entered"), 1);
    other.finish();
    assert_eq!(failed(&folder.path().join("audit")), None);
}

#[test]
fn g_090_a_sink_that_is_down_is_waited_for_and_then_all_is_entered() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("audit");
    fs::write(&log, "no folder").expect("written");
    segment(folder.path(), ("i1", "decisions"), 1, &[decision(1), decision(2)]);
    let audit = audit(folder.path());
    audit.shared.step(false);
    let State::Down(why) = audit.state() else { panic!("{:?}", audit.state()) };
    assert!(why.starts_with("cannot make or lock the folder of the audit log: "), "{why}");
    assert!(matches!(audit.append(draft()), Err(AppendError::Down(_))));
    fs::remove_file(&log).expect("removed");
    audit.shared.step(false);
    assert_eq!(audit.state(), State::Writing { entries: 1, covered: 0, since: at(0) });
    // In the middle of it the disk goes away, and comes back.
    fs::rename(log.join("tile"), log.join("away")).expect("moved");
    fs::write(log.join("tile"), "no folder").expect("written");
    segment(folder.path(), ("i1", "decisions"), 3, &[decision(3)]);
    audit.shared.step(false);
    assert!(matches!(audit.state(), State::Down(_)), "{:?}", audit.state());
    fs::remove_file(log.join("tile")).expect("removed");
    fs::rename(log.join("away"), log.join("tile")).expect("moved");
    audit.shared.step(false);
    assert_eq!(audit.state(), State::Writing { entries: 2, covered: 0, since: at(0) });
    audit.finish();
    assert_eq!(failed(&log), None);
}

#[test]
fn a_service_on_its_thread_ends_with_a_checkpoint_of_all() {
    let folder = tempfile::tempdir().expect("a folder");
    segment(folder.path(), ("i1", "decisions"), 1, &[decision(1)]);
    let settings = Settings { data_dir: folder.path().into(), origin: None, key: None, git: None };
    let audit = Audit::start(settings, now);
    assert!(matches!(audit.state(), State::Writing { .. }));
    segment(folder.path(), ("i1", "decisions"), 2, &[decision(2)]);
    audit.finish();
    let log = audit.folder();
    let public = fs::read_to_string(log.join("key.pub")).expect("its key is told");
    let key = crate::audit::verify::Vkey::read(&public).expect("a key");
    let asked = crate::audit::verify::Asked { log: &log, key: &key, policy: None, since: None, kept_from: at(0) };
    let report = crate::audit::verify::verify(&asked).expect("read");
    assert_eq!(report.failed(), None);
    assert!(report.to_string().contains("2 of 2 segments, 2 decisions"), "{report}");
}
