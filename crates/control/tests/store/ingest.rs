//! From segments to rows: each once, whoever dies when.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use evenkeel_control::store::{Class, Pass, Store};
use serde_json::json;

use crate::kit::{Kit, decision, id, now, with_each};

/// A future that is dropped after it was polled so many times, wherever it is by then: what a process that is killed leaves.
struct Killed<F> {
    left: u32,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.inner.as_mut().poll(context).map(Some)
    }
}

#[test]
fn sto_1_a_line_is_stored_once_whoever_dies_between_its_steps() {
    with_each("killed", async |kit: &mut Kit| {
        kit.decisions("i1", 1, 1_201, 250);
        kit.decisions("i2", 1, 41, 7);
        let mut left = 1;
        while left < 120 {
            let mut ingester = kit.ingester();
            let killed = Killed { left, inner: Box::pin(kit.read(&mut ingester)) };
            if killed.await.is_some() {
                break;
            }
            left += 1 + left / 8;
        }
        kit.read(&mut kit.ingester()).await.expect("read");
        let mut expected: Vec<_> = (1..1_201).map(|n| id("i1", n)).chain((1..41).map(|n| id("i2", n))).collect();
        expected.sort_unstable();
        let mut found = kit.ids().await;
        found.sort_unstable();
        assert_eq!(found, expected);
        let times = evenkeel_control::store::Times {
            route: None,
            from: "2026-11-23T00:00:00Z".parse().expect("a time"),
            to: "2026-11-24T00:00:00Z".parse().expect("a time"),
            span_s: 3_600,
        };
        let history = kit.store.history(&times).await.expect("asked");
        assert_eq!(history.spans.iter().map(|it| it.requests).sum::<u64>(), 1_240, "counted once, too");
    });
}

#[tokio::test]
async fn sto_4_what_was_read_is_told_once_it_is_committed() {
    let kit = Kit::sqlite();
    let told = || std::fs::read_to_string(kit.folder.path().join("instances/i1/read/store")).ok();
    let mut ingester = kit.ingester();
    assert_eq!(ingester.pass(now()).await, Ok(Pass::Waiting), "there is no folder");
    assert_eq!(kit.store.state().state, "waiting");
    kit.decisions("i1", 1, 31, 10);
    let transition = json!({"n": 1, "time": "2026-11-23T08:00:00Z", "type": "route.transition", "actor": "rule:x", "data": {"to": 1}});
    kit.segment("i1", "events", 1, &[&[transition]]);
    assert_eq!(told(), None);
    kit.read(&mut ingester).await.expect("read");
    assert_eq!(told().as_deref(), Some("{\"decisions\":30,\"events\":1}"));
    assert_eq!((kit.store.state().state.as_str(), kit.store.state().behind_n), ("current", 0));
    kit.decisions("i1", 31, 36, 10);
    assert_eq!(ingester.pass(now()).await, Ok(Pass::Read(5)));
    assert_eq!(told().as_deref(), Some("{\"decisions\":35,\"events\":1}"));
}

#[tokio::test]
async fn sto_3_one_reads_a_folder_and_the_next_takes_over() {
    let kit = Kit::sqlite();
    kit.decisions("i1", 1, 11, 10);
    let (mut one, mut two) = (kit.ingester(), kit.ingester());
    assert_eq!(one.pass(now()).await, Ok(Pass::Read(10)));
    assert_eq!(two.pass(now()).await, Ok(Pass::Standby));
    assert_eq!(kit.store.state().state, "standby");
    drop(one);
    kit.decisions("i1", 11, 21, 10);
    assert_eq!(two.pass(now()).await, Ok(Pass::Read(10)));
    assert_eq!(kit.ids().await.len(), 20);
}

#[tokio::test]
async fn sto_1_a_cursor_that_another_has_moved_is_found_again() {
    let kit = Kit::sqlite();
    kit.decisions("i1", 1, 11, 10);
    let mut one = kit.ingester();
    kit.read(&mut one).await.expect("read");
    // Somebody on another machine with a copy of the folder, which no lock keeps off.
    let copy = tempfile::tempdir().expect("a folder");
    let copied =
        std::process::Command::new("cp").arg("-r").arg(kit.folder.path().join("instances")).arg(copy.path()).status();
    assert!(copied.expect("it runs").success());
    kit.decisions("i1", 11, 21, 10);
    let from = kit.stream("i1", "decisions").join(format!("{:020}.jsonl.gz", 11));
    std::fs::copy(&from, copy.path().join("instances/i1/decisions").join(from.file_name().expect("a name")))
        .expect("copied");
    let keep = jiff::SignedDuration::from_hours(1);
    let mut other = evenkeel_control::store::Ingester::new(Store::new(&kit.place, now()), copy.path().into(), keep);
    kit.read(&mut other).await.expect("read");
    let fault = one.pass(now()).await.expect_err("it was overtaken");
    assert_eq!((fault.class, kit.store.state().last_error.as_deref()), (Class::Overtaken, Some("overtaken")));
    kit.read(&mut one).await.expect("it finds out where it is");
    assert_eq!(kit.ids().await.len(), 20, "each once");
}

#[tokio::test]
async fn a_folder_that_is_made_anew_is_read_from_its_first_line() {
    let kit = Kit::sqlite();
    kit.decisions("i1", 1, 11, 10);
    kit.read(&mut kit.ingester()).await.expect("read");
    std::fs::remove_dir_all(kit.folder.path().join("instances/i1")).expect("removed");
    let lines: Vec<_> = (1..6).map(|n| decision("i9", n)).collect();
    kit.segment("i1", "decisions", 1, &[&lines]);
    kit.read(&mut kit.ingester()).await.expect("read");
    assert_eq!(kit.ids().await.len(), 15);
}

#[tokio::test]
async fn segments_that_are_gone_torn_or_still_written_hold_up_nobody() {
    let kit = Kit::sqlite();
    kit.decisions("i1", 1, 11, 10);
    let torn = kit.segment("i1", "decisions", 11, &[&[decision("i1", 11), decision("i1", 12)], &[decision("i1", 13)]]);
    let bytes = std::fs::read(&torn).expect("read");
    std::fs::write(&torn, &bytes[..bytes.len() - 3]).expect("torn");
    // Those from 14 to 20 were never written, or removed.
    kit.decisions("i1", 21, 26, 5);
    let open = kit.segment("i1", "decisions", 26, &[&[decision("i1", 26)]]);
    std::fs::rename(&open, format!("{}.open", open.display())).expect("opened");
    let mut ingester = kit.ingester();
    kit.read(&mut ingester).await.expect("read");
    let expected: Vec<_> = (1..13).chain(21..26).map(|n| id("i1", n)).collect();
    assert_eq!(kit.ids().await, expected);
    let state = kit.store.state();
    assert_eq!((state.damaged_n, state.lacking_n, state.unknown_n), (1, 8, 0));
    std::fs::rename(format!("{}.open", open.display()), &open).expect("closed");
    assert_eq!(ingester.pass(now()).await, Ok(Pass::Read(1)));
}

#[tokio::test]
async fn sto_6_a_line_that_is_not_known_is_passed_over() {
    let kit = Kit::sqlite();
    let newer = json!({"schema": "evenkeel.decision/v9", "id": "01NEWER"});
    kit.segment("i1", "decisions", 1, &[&[decision("i1", 1), newer, json!({}), decision("i1", 4)]]);
    kit.segment("i1", "events", 1, &[&[json!({"type": "of another form"})]]);
    assert_eq!(kit.read(&mut kit.ingester()).await, Ok(5));
    assert_eq!(kit.ids().await, [id("i1", 1), id("i1", 4)]);
    assert_eq!(kit.store.state().unknown_n, 3, "two decisions and an event");
    assert_eq!(kit.read(&mut kit.ingester()).await, Ok(0), "and not read again");
}

#[tokio::test]
async fn sto_7_an_instance_that_cannot_be_read_holds_up_no_other() {
    let kit = Kit::sqlite();
    for instance in ["i1", "i2", "i3"] {
        kit.decisions(instance, 1, 121, 40);
    }
    // Nobody can read these, not even root.
    let (id, segment) = (kit.folder.path().join("instances/i2/id"), kit.stream("i3", "decisions"));
    let segment = segment.join(format!("{:020}.jsonl.gz", 81));
    std::fs::create_dir(&id).expect("made");
    std::fs::rename(&segment, segment.with_extension("away")).expect("renamed");
    std::fs::create_dir(&segment).expect("made");
    let mut ingester = kit.ingester();
    assert_eq!(kit.read(&mut ingester).await, Ok(120 + 80));
    let state = kit.store.state();
    let unread = [("i2", "io"), ("i3", "io")].map(|(name, why)| (name.to_owned(), why.to_owned()));
    assert_eq!(
        (state.state.as_str(), state.unread, state.last_error.as_deref()),
        ("current", unread.into(), Some("io"))
    );
    let told =
        |name: &str| std::fs::read_to_string(kit.folder.path().join("instances").join(name).join("read/store")).ok();
    assert_eq!(told("i1").as_deref(), Some("{\"decisions\":120,\"events\":0}"));
    assert_eq!(told("i3").as_deref(), Some("{\"decisions\":80,\"events\":0}"));

    std::fs::remove_dir(&id).expect("removed");
    std::fs::remove_dir(&segment).expect("removed");
    std::fs::rename(segment.with_extension("away"), &segment).expect("renamed");
    assert_eq!(ingester.pass(now()).await, Ok(Pass::Current), "they are left alone for a while");
    let later = now() + jiff::SignedDuration::from_secs(5);
    assert_eq!(ingester.pass(later).await, Ok(Pass::Read(120 + 40)), "all of the one, and the rest of the other");
    assert_eq!((kit.ids().await.len(), kit.store.state().unread.len()), (360, 0));
}

#[tokio::test]
async fn ins_1_a_name_that_was_emptied_by_a_loss_of_power_stores_nothing_twice() {
    let kit = Kit::sqlite();
    kit.decisions("i1", 1, 6, 5);
    kit.read(&mut kit.ingester()).await.expect("read");
    let file = kit.folder.path().join("instances/i1/id");
    let name = std::fs::read_to_string(&file).expect("it has one");
    for wrong in ["", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\n", "0123456789abcde\n", "0123456789abcdefg\n"] {
        std::fs::write(&file, wrong).expect("written");
        assert_eq!(kit.ingester().pass(now()).await, Ok(Pass::Current), "{wrong:?}");
        assert_eq!(kit.store.state().unread, [("i1".into(), "corrupt".into())].into(), "{wrong:?}");
    }
    assert_eq!(kit.ids().await.len(), 5, "each once");
    std::fs::write(&file, name).expect("written");
    kit.decisions("i1", 6, 9, 5);
    assert_eq!(kit.read(&mut kit.ingester()).await, Ok(3));
    assert_eq!(kit.store.state().unread, std::collections::BTreeMap::new());
}

#[tokio::test]
async fn what_waits_in_a_segment_that_is_longer_than_a_batch_is_counted() {
    let kit = Kit::sqlite();
    kit.decisions("i1", 1, 4_501, 4_500);
    let mut ingester = kit.ingester();
    for behind in [3_500, 2_500, 1_500, 500] {
        assert_eq!(ingester.pass(now()).await, Ok(Pass::Read(1_000)));
        assert_eq!((kit.store.state().state.as_str(), kit.store.state().behind_n), ("behind", behind));
    }
    assert_eq!(ingester.pass(now()).await, Ok(Pass::Read(500)));
    assert_eq!((kit.store.state().state.as_str(), kit.store.state().behind_n), ("current", 0));
}
