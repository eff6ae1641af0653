//! One sequencer, that waits for its disk.

use std::{
    fs,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use serde_json::json;

use super::*;
use crate::{
    audit::kit::{at, decision, failed, segment},
    reload::Intentions,
};

fn now() -> Timestamp {
    at(0)
}

fn audit(data_dir: &std::path::Path) -> Audit {
    audit_at(data_dir, now)
}

fn audit_at(data_dir: &std::path::Path, now: fn() -> Timestamp) -> Audit {
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

/// Takes the log away, so that nothing can be put there, and says how to give it back.
fn away(log: &std::path::Path) -> impl FnOnce() + use<> {
    let (tile, kept) = (log.to_owned(), log.with_added_extension("away"));
    fs::rename(&tile, &kept).expect("moved");
    move || {
        fs::rename(kept, tile).expect("moved");
    }
}

#[test]
fn da_03_aud_4_a_log_that_cannot_be_written_is_known_to_be_down_although_nothing_is_to_be_entered() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().expect("a folder");
    let audit = audit_at(folder.path(), || at(NOW.load(Relaxed)));
    segment(folder.path(), ("i1", "decisions"), 1, &[decision(1)]);
    audit.shared.step(false);
    let after = |seconds: i64| {
        NOW.store(seconds, Relaxed);
        audit.shared.step(false);
        audit.state()
    };
    assert_eq!(after(11), State::Writing { entries: 1, covered: 1, since: at(11) });
    let back = away(&audit.folder());
    assert!(matches!(after(12), State::Writing { .. }), "nobody has tried yet");
    let State::Down(why) = after(22) else { panic!("{:?}", audit.state()) };
    assert!(why.contains("was moved away while it was written; move it back"), "{why}");
    assert!(!audit.folder().exists(), "no other log is begun in its place");
    assert!(matches!(after(23), State::Down(_)), "with every look");
    back();
    assert!(matches!(after(24), State::Writing { entries: 1, .. }));
    assert_eq!(audit.append(draft()).expect("entered"), 1);
    audit.finish();
    assert_eq!(failed(&audit.folder()), None);
}

#[test]
fn g_090_aud_5_what_cannot_be_entered_is_refused_at_once_and_the_log_is_down_until_it_takes_something() {
    let folder = tempfile::tempdir().expect("a folder");
    let audit = audit(folder.path());
    audit.shared.step(false);
    let back = away(&audit.folder());
    assert!(Intentions::down(&audit).is_none(), "as far as anybody knows");
    let error = audit.propose(json!({"revision": "sha256:0"})).expect_err("it is refused");
    assert!(error.contains("was moved away"), "{error}");
    assert!(Intentions::down(&audit).is_some_and(|it| it.contains("was moved away")));
    audit.shared.step(false);
    assert!(Intentions::down(&audit).is_some(), "a look that has nothing to write does not say that all is well");
    back();
    audit.shared.step(false);
    assert_eq!(Intentions::down(&audit), None);
    audit.propose(json!({"revision": "sha256:0"})).expect("entered");
    assert!(matches!(audit.state(), State::Writing { entries: 1, .. }), "{:?}", audit.state());
    audit.finish();
    assert_eq!(failed(&audit.folder()), None);
}

#[test]
fn g_090_a_step_that_does_not_end_refuses_a_change_and_holds_nobody_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut audit = audit(folder.path());
    Arc::get_mut(&mut audit.shared).expect("nobody else has it").patience = Duration::from_millis(50);
    audit.shared.step(false);
    let stuck = audit.shared.work.lock();
    let error = audit.propose(json!({"revision": "sha256:0"})).expect_err("it is refused");
    assert!(error.contains("has not ended within 0.05 s"), "{error}");
    drop(stuck);
    audit.propose(json!({"revision": "sha256:0"})).expect("entered");
    audit.finish();
}

#[test]
fn aud_5_a_process_that_does_not_write_hands_on_what_it_intends_and_waits_until_it_is_entered() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, mut other) = (audit(folder.path()), audit(folder.path()));
    one.shared.step(false);
    Arc::get_mut(&mut other.shared).expect("nobody else has it").patience = Duration::from_millis(300);
    other.shared.step(false);
    assert_eq!(other.state(), State::Standby);
    let change = || other.propose(json!({"revision": "sha256:0"}));
    for _ in 0..2 {
        let error = change().expect_err("nobody has entered it");
        assert!(error.contains("the process that writes that has not done so within 0.3 s"), "{error}");
    }
    one.shared.step(false);
    change().expect("it was entered meanwhile");
    assert!(matches!(one.state(), State::Writing { entries: 1, .. }), "it was handed on once: {:?}", one.state());
    // With a writer that looks every moment nobody waits for long.
    let waits = std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            while !matches!(one.state(), State::Writing { entries: 2, .. }) {
                one.shared.step(false)
            }
        });
        let entered = other.propose(json!({"revision": "sha256:1"}));
        (entered, looks.join().is_ok())
    });
    assert_eq!(waits, (Ok(()), true));
    one.finish();
    assert_eq!(failed(&folder.path().join("audit")), None);
}

#[test]
fn aud_4_a_process_that_does_not_write_knows_that_the_one_that_does_is_silent() {
    static NOW: AtomicI64 = AtomicI64::new(0);
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) =
        (audit_at(folder.path(), || at(NOW.load(Relaxed))), audit_at(folder.path(), || at(NOW.load(Relaxed))));
    let after = |seconds: i64, both: bool| {
        NOW.store(seconds, Relaxed);
        if both {
            one.shared.step(false);
        }
        other.shared.step(false);
        other.state()
    };
    for seconds in [0, 10, 20, 45, 70] {
        assert_eq!(after(seconds, true), State::Standby, "{seconds}: the other one has shown that it can write");
    }
    assert_eq!(after(99, false), State::Standby);
    let State::Down(why) = after(100, false) else { panic!("{:?}", other.state()) };
    assert!(why.contains("has written nothing for 30 s"), "{why}");
    assert!(Intentions::down(&other).is_some());
    assert_eq!(after(101, true), State::Standby);
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
