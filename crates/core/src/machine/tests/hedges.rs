//! Two attempts at once: the second starts when the first is slow, the first to answer wins, the other is cancelled.

use super::*;

/// A route of tensors whose primary has two replicas, and hedges.
fn hedged() -> Revision {
    let mut revision = revision(2);
    revision.routes[0].protocol = Protocol::Oip;
    revision.paths[0].hedge = true;
    revision
}

impl Kit {
    /// A path of which 200 answers of 20 ms are known.
    fn learned(revision: Revision) -> Self {
        let mut kit = Self::new(revision);
        for _ in 0..200 {
            kit.admit(Operation::Infer);
            kit.until(kit.now + 20 * MILLISECOND);
            kit.end(R::Ok, 200);
        }
        kit.out.clear();
        kit
    }

    /// Lets a request be slow until its hedge starts; returns both attempts.
    fn slow(&mut self) -> [AttemptId; 2] {
        let from = self.starts().len();
        self.admit(Operation::Infer);
        let first = self.start().attempt;
        self.until(self.now + 100 * MILLISECOND);
        let starts = self.starts();
        assert_eq!(starts.len(), from + 2, "{starts:?}");
        let [(tier, one), (other_tier, other)] = [starts[from], starts[from + 1]];
        assert!(tier == 0 && other_tier == 0 && one != other, "F-092: another replica of the same tier");
        [first, self.start().attempt]
    }

    fn finish_with(&mut self, attempt: AttemptId, result: R) {
        let event = Event::Ended { result, status: Some(200), after: None };
        self.feed(Input::Attempt { attempt, event });
    }
}

#[test]
fn f_090_f_095_the_first_answer_wins_and_the_other_is_cancelled() {
    for winner in [0, 1] {
        let mut kit = Kit::learned(hedged());
        let both = kit.slow();
        kit.finish_with(both[winner], R::Ok);
        assert_eq!(kit.source(), Source::Attempt(both[winner]));
        let decision = kit.decision();
        let mut expected = ["cancelled.hedge_lost"; 2];
        expected[winner] = "ok";
        assert_eq!(kit.results(), expected);
        assert_eq!((decision.outcome.tier, decision.reason), (Some(0), Reason::PrimaryHealthy));
        let cancelled = kit.out.iter().any(|it| {
            matches!(it, Output::Cancel { attempt, why: crate::Cancelled::HedgeLost, .. } if *attempt == both[1 - winner])
        });
        assert!(cancelled && kit.core.in_flight() == 0 && kit.core.open() == 0);
        assert_eq!(kit.breaker(0), BreakerState::Closed, "losing is no evidence");
    }
}

#[test]
fn f_095_when_one_of_two_fails_the_other_goes_on() {
    let mut kit = Kit::learned(hedged());
    let both = kit.slow();
    kit.finish_with(both[1], R::Status5xx);
    assert_eq!(kit.core.open(), 1, "no retry, no other tier: one still runs");
    kit.finish_with(both[0], R::Ok);
    assert_eq!(kit.results(), ["ok", "target.status_5xx"]);

    let both = kit.slow();
    kit.finish_with(both[0], R::CallerInvalid);
    assert_eq!(kit.results(), ["caller.caller_invalid", "cancelled.hedge_lost"], "it would be told the same twice");
}

#[test]
fn f_095_a_client_that_leaves_leaves_both_and_both_clocks_run() {
    let mut kit = Kit::learned(hedged());
    kit.slow();
    let request = RequestId(kit.requests);
    kit.feed(Input::ClientGone { request });
    assert_eq!(kit.results(), ["cancelled.client_gone"; 2]);
    assert_eq!((kit.core.in_flight(), kit.core.open()), (0, 0));

    kit.slow();
    kit.until(kit.now + 60 * SECOND);
    assert_eq!(kit.core.open(), 0);
    assert_eq!(kit.results()[..2], ["target.total_timeout"; 2]);
}

#[test]
fn f_090_no_hedge_where_it_is_off_or_nothing_is_known_or_the_quota_is_the_same() {
    let mut chat = revision(2);
    chat.paths[0].hedge = true;
    chat.paths[0].domain = Some("shared".into());
    for (revision, operation, learns) in
        [(revision(2), Operation::Infer, true), (hedged(), Operation::Infer, false), (chat, Operation::Chat, true)]
    {
        let mut kit = Kit::new(revision);
        for _ in 0..if learns { 200 } else { 199 } {
            kit.admit(operation);
            kit.until(kit.now + 20 * MILLISECOND);
            kit.end(R::Ok, 200);
        }
        let before = kit.starts().len();
        kit.admit(operation);
        kit.until(kit.now + SECOND);
        assert_eq!(kit.starts().len(), before + 1, "{}", operation.name());
    }
}

#[test]
fn f_034_f_090_what_changes_something_is_never_asked_twice_at_once() {
    let mut kit = Kit::learned(hedged());
    kit.admit_as(Operation::Infer, |admit| admit.pure = false);
    kit.until(kit.now + SECOND);
    assert_eq!(kit.starts().len(), 1);
}

#[test]
fn f_093_f_094_ov_11_what_suppresses_a_hedge_stands_in_the_record() {
    let mut kit = Kit::learned(hedged());
    // All of a crowd are slow: hedges stop before they cost a twentieth of what came in the last ten seconds.
    let before = kit.starts().len();
    for _ in 0..200 {
        kit.admit(Operation::Infer);
    }
    kit.until(kit.now + 100 * MILLISECOND);
    let hedges = kit.starts().len() - before - 200;
    assert!((1..=20).contains(&hedges), "{hedges}");
    let attempts = kit.out.iter().filter_map(|it| match it {
        Output::Start(start) => Some(start.attempt),
        _ => None,
    });
    for attempt in attempts.collect::<Vec<_>>() {
        kit.finish_with(attempt, R::Ok);
    }
    let facts = kit.out.iter().filter_map(|it| match it {
        Output::Decision(decision) => Some(&decision.facts),
        _ => None,
    });
    let against: Vec<_> = facts.flatten().filter(|it| it.signal.is_about_hedge() && it.breached()).collect();
    let signals: Vec<_> = against.iter().map(|it| it.signal).collect();
    assert!(signals.contains(&Signal::HedgeCost) || signals.contains(&Signal::HedgeLate), "{against:?}");
    assert_eq!(kit.decision().outcome.tier, Some(0));
}

#[test]
fn f_091_a_stream_is_hedged_until_its_first_content_and_the_first_content_wins() {
    let mut revision = revision(2);
    revision.paths[0].hedge = true;
    let mut kit = Kit::new(revision);
    for _ in 0..200 {
        kit.admit(Operation::ChatStream);
        kit.until(kit.now + 250 * MILLISECOND);
        kit.event(Event::FirstContent);
        kit.end(R::Ok, 200);
    }
    kit.admit(Operation::ChatStream);
    let first = kit.start().attempt;
    kit.until(kit.now + SECOND);
    let hedge = kit.start().attempt;
    assert_ne!(first, hedge);
    kit.feed(Input::Attempt { attempt: first, event: Event::Alive });
    kit.feed(Input::Attempt { attempt: hedge, event: Event::FirstContent });
    let committed = kit.out.iter().rev().find_map(|it| match it {
        Output::Commit { attempt, .. } => Some(*attempt),
        _ => None,
    });
    assert_eq!(committed, Some(hedge));
    kit.finish_with(hedge, R::Ok);
    assert_eq!(kit.results(), ["cancelled.hedge_lost", "ok"]);
}

#[test]
fn f_026_a_path_that_was_silent_beside_a_hedge_is_not_asked_again_after_it() {
    for silence in [R::TotalTimeout, R::FirstTokenTimeout, R::KeepaliveOnly] {
        let mut kit = Kit::learned(hedged());
        let both = kit.slow();
        kit.finish_with(both[0], silence);
        kit.finish_with(both[1], R::Status5xx);
        kit.until(kit.now + SECOND);
        assert_eq!(kit.start().tier, 1, "{silence:?}");
    }
}
