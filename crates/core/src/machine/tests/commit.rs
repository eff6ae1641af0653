//! What happens before the commit point, and what becomes of what is held (`failures.md`, F-120, F-121).

use super::*;
use crate::CommitPoint;

fn kit(commit: CommitPoint) -> Kit {
    let mut revision = revision(1);
    (revision.routes[0].commit, revision.routes[0].rescue) = (commit, false);
    Kit::new(revision)
}

impl Kit {
    fn committed(&self) -> bool {
        self.out.iter().any(|output| matches!(output, Output::Commit { .. }))
    }
}

#[test]
fn f_120_a_failure_before_the_commit_point_is_answered_elsewhere() {
    for (commit, told) in [(CommitPoint::Chars(50), false), (CommitPoint::Full, false), (CommitPoint::Full, true)] {
        let mut kit = kit(commit);
        kit.admit(Operation::ChatStream);
        kit.event(Event::FirstContent);
        kit.event(Event::Progress);
        if told {
            // Nothing that a shell says makes a route commit that wants the whole answer first.
            kit.event(Event::Enough);
        }
        assert!(!kit.committed(), "{commit:?}");
        kit.end(R::Truncated, 200);
        assert_eq!(kit.starts(), [(0, 0), (1, 0)], "{commit:?}");
        kit.event(Event::FirstContent);
        kit.end(R::Ok, 200);
        assert_eq!(kit.results(), ["target.truncated", "ok"]);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.outcome.end), (Some(1), End::Answered));
        assert_eq!(kit.source(), Source::Attempt(kit.start().attempt));
    }
}

#[test]
fn f_121_n_chars_commits_when_so_much_is_held() {
    let mut kit = kit(CommitPoint::Chars(50));
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    assert!(!kit.committed());
    kit.event(Event::Enough);
    assert!(kit.committed());
    kit.end(R::Truncated, 200);
    let decision = kit.decision();
    assert_eq!((decision.outcome.end, decision.outcome.tier), (End::Broken(R::Truncated), Some(0)));
}

#[test]
fn f_121_a_stream_that_ends_before_so_much_was_said_is_an_answer() {
    let mut kit = kit(CommitPoint::Chars(50));
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    kit.end(R::Ok, 200);
    assert!(!kit.committed(), "what is held is sent with its end");
    assert_eq!(kit.decision().outcome.end, End::Answered);
}

#[test]
fn f_121_a_hold_never_outlives_the_deadline() {
    // A word every 0.9 s and never 50 characters: it is sent when its time to commit is over, 5 s for `small` left.
    let speak = |kit: &mut Kit| {
        kit.admit(Operation::ChatStream);
        kit.event(Event::FirstContent);
        for n in 1..=16 {
            kit.until(n * 900 * MILLISECOND);
            kit.event(Event::Progress);
        }
        kit.until(15 * SECOND);
    };
    let mut some = kit(CommitPoint::Chars(50));
    speak(&mut some);
    assert!(some.committed() && some.starts().len() == 1);
    some.end(R::Ok, 200);
    assert_eq!(some.decision().outcome.tier, Some(0));
    // The whole answer cannot be sent in part: the next tier has the time that was kept for it.
    let mut full = kit(CommitPoint::Full);
    speak(&mut full);
    assert_eq!(full.starts(), [(0, 0), (1, 0)]);
    full.end(R::Ok, 200);
    assert_eq!(full.results(), ["target.total_timeout", "ok"]);
}

#[test]
fn f_027_the_time_to_commit_is_learned_at_the_commit_point() {
    for (commit, learned) in [(CommitPoint::FirstContent, 1), (CommitPoint::Chars(50), 2), (CommitPoint::Full, 3)] {
        let mut kit = kit(commit);
        for n in 0..60 {
            kit.now = n * 10 * SECOND;
            kit.admit(Operation::ChatStream);
            for event in [Event::FirstContent, Event::Enough, Event::Ended { result: R::Ok, status: None, after: None }]
            {
                kit.now += 700 * MILLISECOND;
                kit.event(event);
            }
        }
        let slot = kit.core.generation.slots[0];
        let lane = kit.core.paths.state(slot).seen(Operation::ChatStream).expect("it was used");
        let p95 = lane.latency.p95().expect("60 samples");
        let wanted = learned * 700 * MILLISECOND;
        assert!((wanted..=wanted * 5 / 4).contains(&p95), "{commit:?}: {p95}");
    }
}
