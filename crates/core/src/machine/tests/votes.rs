//! Ensembles: several paths asked at once, and a vote (F-031, signals §10).

use super::*;
use crate::{Cancelled, Ensemble, Permille, Tally};

/// A route whose second tier is an ensemble of three: two servers and work in this process.
fn panel(quorum: u8) -> Revision {
    let mut revision = revision(1);
    let mut add = |name: &str, place| {
        let path = Path { name: name.into(), place, ..revision.paths[1].clone() };
        revision.paths.push(path);
        PathId(revision.paths.len() as u16 - 1)
    };
    let members = vec![
        add("panel/0", Where::Remote(UpstreamId(0))),
        add("panel/1", Where::Remote(UpstreamId(1))),
        add("panel/2", Where::Local),
    ];
    revision.paths[1] = Path { name: "panel".into(), place: Where::Ensemble, ..revision.paths[1].clone() };
    let route = &mut revision.routes[0];
    route.protocol = Protocol::Oip;
    route.tiers[0].ensemble = None;
    let ensemble = Some(Ensemble { members, quorum, agree: Permille::new(0) });
    route.tiers[1] = Tier { name: "panel".into(), method: Method::Ensemble, path: PathId(1), ensemble };
    // The panel is asked first.
    route.tiers.remove(0);
    revision
}

/// Everybody, as they were started.
fn members(kit: &Kit) -> Vec<AttemptId> {
    let start = |output: &Output| match output {
        Output::Start(start) => Some(start.attempt),
        _ => None,
    };
    kit.out.iter().filter_map(start).collect()
}

impl Kit {
    /// Lets a member end, after the votes were counted with what it says.
    fn votes(&mut self, attempt: AttemptId, result: R, (heard, votes, open): (u8, u8, u64)) {
        let tally = Tally { heard, votes, open, agreement: Permille::new(667), leader: members(self)[0] };
        self.feed(Input::Attempt { attempt, event: Event::Voted(tally) });
        self.feed(Input::Attempt { attempt, event: Event::Ended { result, status: Some(200), after: None } });
    }

    fn cancelled(&self) -> Vec<(AttemptId, Cancelled)> {
        let cancel = |output: &Output| match output {
            Output::Cancel { attempt, why, .. } => Some((*attempt, *why)),
            _ => None,
        };
        self.out.iter().filter_map(cancel).collect()
    }
}

#[test]
fn f_031_all_members_start_at_once_and_count_as_one_attempt() {
    let mut revision = panel(2);
    revision.routes[0].max_attempts = 1;
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Infer);
    let all = members(&kit);
    assert_eq!(kit.starts(), [(0, 0), (0, 0), (0, 0)], "VOTE-1");
    kit.votes(all[2], R::Ok, (1, 1, 1));
    assert_eq!(kit.core.open(), 1, "one vote is no quorum");
    kit.votes(all[1], R::Ok, (2, 2, 1));
    assert_eq!(kit.core.open(), 1, "the leader may be passed");
    kit.votes(all[0], R::Ok, (3, 3, 0));
    assert_eq!(kit.source(), Source::Attempt(all[0]), "the member that stands for the answer");
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(0), Reason::PrimaryHealthy));
    assert_eq!(kit.results(), ["ok"; 3]);
    let fact = |signal| decision.facts.iter().find(|it| it.signal == signal).map(|it| (it.value, it.threshold));
    assert_eq!(fact(Signal::Members), Some((3, 2)));
    assert_eq!(fact(Signal::Votes), Some((3, 2)));
    assert_eq!(fact(Signal::Agreement), Some((667, 0)));
    assert_eq!((kit.core.in_flight(), kit.core.next_timeout()), (0, None), "nothing is left behind");
}

#[test]
fn vote_2_who_cannot_change_it_any_more_is_not_waited_for_and_is_not_at_fault() {
    let mut kit = Kit::new(panel(2));
    kit.admit(Operation::Infer);
    let all = members(&kit);
    kit.votes(all[0], R::Ok, (1, 1, 1));
    kit.votes(all[2], R::Ok, (2, 2, 0));
    assert_eq!(kit.cancelled(), [(all[1], Cancelled::VoteOver)]);
    assert_eq!(kit.results(), ["ok", "cancelled.vote_over", "ok"]);
    assert_eq!(kit.source(), Source::Attempt(all[0]));
    assert!(kit.breakers().iter().all(|it| *it == BreakerState::Closed), "rule 5");
    let mut forged = kit.decision();
    forged.facts.retain(|fact| fact.signal != Signal::VoteOpen);
    assert!(!forged.rederives(), "rule 10: somebody was not waited for, and nothing says why");
}

#[test]
fn vote_2_a_quorum_out_of_reach_leaves_the_tier_at_once() {
    let mut kit = Kit::new(panel(3));
    kit.admit(Operation::Infer);
    let all = members(&kit);
    kit.votes(all[1], R::Ok, (1, 1, 1));
    kit.votes(all[0], R::ConnectFailed, (2, 1, 1));
    assert_eq!(kit.cancelled(), [(all[2], Cancelled::VoteOver)]);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::QuorumNotReached));
    assert_eq!(decision.candidates[0].reasons, [Reason::QuorumNotReached, Reason::ConnectFailed]);
    assert_eq!(kit.results(), ["target.connect_failed", "quality.quorum_not_reached", "cancelled.vote_over"]);
    let mut forged = decision;
    forged.facts.retain(|fact| fact.signal != Signal::Votes);
    assert!(!forged.rederives(), "rule 10");
}

#[test]
fn tn_11_a_member_that_is_dead_is_left_out_and_the_others_vote() {
    let mut kit = Kit::new(panel(2));
    for _ in 0..2 {
        kit.admit(Operation::Infer);
        let all = members(&kit);
        kit.votes(all[1], R::ConnectFailed, (1, 0, 1));
        kit.votes(all[0], R::Ok, (2, 1, 1));
        kit.votes(all[2], R::Ok, (3, 2, 0));
        kit.out.clear();
    }
    assert_eq!(kit.breakers()[1], BreakerState::Open, "its own breaker, and nobody else's");
    assert_eq!(kit.breaker(0), BreakerState::Closed, "two of three are as many as must vote");
    kit.admit(Operation::Infer);
    let all = members(&kit);
    assert_eq!(all.len(), 2);
    kit.votes(all[0], R::Ok, (1, 1, 1));
    kit.votes(all[1], R::Ok, (2, 2, 0));
    let decision = kit.decision();
    assert_eq!(decision.outcome.tier, Some(0));
    let skipped: Vec<_> = decision.facts.iter().filter_map(|it| Some((it.member?, it.signal))).collect();
    assert_eq!(skipped, [(1, Signal::OpenFor)], "the record says who was not asked, and why");
    let mut forged = decision;
    forged.facts.retain(|fact| fact.member.is_none());
    assert!(!forged.rederives(), "rule 10: a member was passed over for nothing");
}

#[test]
fn too_few_members_bar_the_tier_before_anybody_is_asked() {
    let mut revision = panel(2);
    [3, 5].into_iter().for_each(|path: usize| revision.paths[path].features = Features::NONE);
    let mut kit = Kit::new(revision);
    kit.admit_as(Operation::Infer, |admit| admit.needs = Features::TOOLS);
    assert_eq!(kit.starts(), []);
    let decision = kit.decision();
    assert_eq!(decision.candidates[0].reasons, [Reason::QuorumNotReached, Reason::CapabilityMissing]);
    assert_eq!(decision.candidates[0].verdict, Verdict::Rejected);
}

#[test]
fn f_034_what_may_be_asked_once_only_is_not_asked_of_several() {
    let mut kit = Kit::new(panel(2));
    kit.admit_as(Operation::Infer, |admit| admit.pure = false);
    assert_eq!(kit.starts(), []);
    assert_eq!(kit.decision().candidates[0].reasons, [Reason::CapabilityMissing]);
}

#[test]
fn when_the_time_of_the_tier_is_over_those_who_are_there_vote() {
    let mut kit = Kit::new(panel(2));
    kit.admit(Operation::Infer);
    let all = members(&kit);
    kit.votes(all[0], R::Ok, (1, 1, 1));
    kit.votes(all[1], R::Ok, (2, 2, 1));
    kit.until(30 * SECOND);
    assert_eq!(kit.results(), ["ok", "ok", "target.total_timeout"]);
    assert_eq!(kit.source(), Source::Attempt(all[0]));
    assert!(kit.decision().outcome.latency <= 20 * SECOND);
}

#[test]
fn a_clock_that_ends_a_member_is_followed_by_a_count_of_the_rest() {
    let mut kit = Kit::new(panel(1));
    kit.admit(Operation::ChatStream);
    let all = members(&kit);
    kit.feed(Input::Attempt { attempt: all[2], event: Event::FirstContent });
    kit.feed(Input::Attempt { attempt: all[1], event: Event::FirstContent });
    kit.votes(all[0], R::Ok, (1, 1, 1));
    // The second falls silent, the third goes on.
    kit.now = SECOND / 2;
    kit.feed(Input::Attempt { attempt: all[2], event: Event::Progress });
    kit.until(SECOND + SECOND / 4);
    assert_eq!(kit.cancelled(), [(all[1], Cancelled::Clock(R::Stall))]);
    assert_eq!(kit.core.open(), 1);
    let tally = Tally { heard: 2, votes: 1, open: 0, agreement: Permille::ALL, leader: all[0] };
    kit.feed(Input::Attempt { attempt: all[2], event: Event::Voted(tally) });
    assert_eq!(kit.results(), ["ok", "target.stall", "cancelled.vote_over"]);
    assert!(!kit.out.iter().any(|it| matches!(it, Output::Commit { .. })), "an ensemble answers as a whole");
}

#[test]
fn too_much_disagreement_leaves_the_tier_once_everybody_was_heard() {
    let mut revision = panel(2);
    revision.routes[0].tiers[0].ensemble.as_mut().expect("it is one").agree = Permille::new(700);
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Infer);
    let all = members(&kit);
    kit.votes(all[0], R::Ok, (1, 1, 0));
    kit.votes(all[1], R::Ok, (2, 2, 0));
    assert_eq!(kit.core.open(), 1, "the last vote may bring the others apart, or together");
    kit.votes(all[2], R::Ok, (3, 3, 0));
    assert_eq!(kit.results(), ["quality.disagreement"; 3]);
    assert_eq!(kit.decision().reason, Reason::DisagreementHigh);
    assert!(kit.breakers().iter().all(|it| *it == BreakerState::Closed), "they did their work");
}

#[test]
fn f_002_what_one_member_refuses_is_not_the_last_word() {
    let mut kit = Kit::new(panel(2));
    kit.admit(Operation::Infer);
    let all = members(&kit);
    kit.votes(all[0], R::CallerInvalid, (1, 0, 1));
    kit.votes(all[1], R::Ok, (2, 1, 1));
    kit.votes(all[2], R::Ok, (3, 2, 0));
    assert_eq!(kit.results()[0], "capability.unsupported_feature");
    assert_eq!(kit.decision().outcome.end, End::Answered);
}

#[test]
fn f_008_a_refusal_of_the_content_is_the_answer_whatever_the_others_say() {
    let mut kit = Kit::new(panel(1));
    kit.admit(Operation::Chat);
    let all = members(&kit);
    kit.votes(all[0], R::Ok, (1, 1, 1));
    kit.votes(all[1], R::ContentFiltered, (2, 1, 1));
    assert_eq!(kit.source(), Source::Error(all[1]));
    assert_eq!(kit.results(), ["ok", "policy.content_filtered", "cancelled.vote_over"]);
}

#[test]
fn f_170_a_client_that_leaves_takes_every_member_with_it() {
    let mut kit = Kit::new(panel(2));
    let request = kit.admit(Operation::Infer);
    kit.feed(Input::ClientGone { request });
    let all = members(&kit);
    let mut gone = kit.cancelled();
    gone.sort_unstable_by_key(|it| it.0);
    assert_eq!(gone, all.iter().map(|it| (*it, Cancelled::ClientGone)).collect::<Vec<_>>());
    assert_eq!((kit.core.open(), kit.core.in_flight(), kit.core.next_timeout()), (0, 0, None));
    assert!(kit.decision().rederives());
}

#[test]
fn oip_35_a_member_that_is_sure_of_no_row_does_not_vote() {
    let mut revision = panel(2);
    revision.paths[5].accept = Some(crate::RowRule::All);
    let mut kit = Kit::new(revision);
    kit.admit_as(Operation::Infer, |admit| admit.rows = crate::Rows { all: 3, apart: 0 });
    let all = members(&kit);
    kit.feed(Input::Attempt { attempt: all[2], event: Event::Judged { low: 3, sure: Permille::new(0) } });
    kit.votes(all[2], R::Ok, (1, 0, 3));
    kit.votes(all[1], R::Ok, (2, 1, 3));
    kit.votes(all[0], R::Ok, (3, 2, 0));
    assert_eq!(kit.results(), ["ok", "ok", "quality.low_confidence"]);
    let kept: Vec<_> = kit.decision().attempts.iter().map(|it| it.rows.map(|rows| rows.kept)).collect();
    assert_eq!(kept, [Some(3), Some(0), Some(0)], "the rows are those of the vote");
}

#[test]
fn f_182_the_route_starts_below_an_ensemble_of_which_too_few_are_left() {
    let mut kit = Kit::new(panel(2));
    for _ in 0..2 {
        kit.admit(Operation::Infer);
        let all = members(&kit);
        kit.votes(all[1], R::ConnectFailed, (1, 0, 1));
        kit.votes(all[0], R::ConnectFailed, (2, 0, 1));
        kit.out.retain(|it| matches!(it, Output::Transition(_)));
    }
    let down = kit.transitions();
    assert_eq!(down.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>(), [(0, 1)]);
    assert_eq!((down[0].path, down[0].trip.and_then(|it| it.result)), (PathId(1), Some(R::ConnectFailed)));
    let state = kit.core.route_state(kit.now, RouteId(0));
    let members: Vec<_> = state.tiers[0].members.iter().map(|it| (it.path, it.breaker)).collect();
    let open = BreakerState::Open;
    assert_eq!(members, [(PathId(3), open), (PathId(4), open), (PathId(5), BreakerState::Closed)]);
    assert!(!state.tiers[0].eligible && state.phase == Phase::Degraded);
}

impl Kit {
    fn breakers(&self) -> Vec<BreakerState> {
        self.core.route_state(self.now, RouteId(0)).tiers[0].members.iter().map(|it| it.breaker).collect()
    }
}
