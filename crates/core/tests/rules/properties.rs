//! One property per rule of `architecture.md`, section 4, over random histories.

mod again;
mod cached;
mod log;
mod measured;
mod mends;
mod parts;
mod replicas;
mod sequences;
mod shadows;
mod votes;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    follow::Oracle,
    history::{Entry, History},
    sample::sample,
    world::{ARRIVALS, LAG, World},
};

fn ends(history: &History) -> BTreeMap<RequestId, Vec<Nanos>> {
    let mut ends: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (at, output) in history.outputs() {
        if let Output::Answer { request, .. } | Output::Refuse { request, .. } = output {
            ends.entry(*request).or_default().push(at);
        }
    }
    ends
}

fn commits(history: &History) -> BTreeMap<RequestId, Vec<Nanos>> {
    let mut commits: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (at, output) in history.outputs() {
        if let Output::Commit { request, .. } = output {
            commits.entry(*request).or_default().push(at);
        }
    }
    commits
}

/// The deadline that holds for each request, as a point in time.
fn deadlines(seed: u64, history: &History) -> BTreeMap<RequestId, Nanos> {
    let revision = sample(seed);
    let deadline = |admit: &Admit| {
        let route = revision.routes[admit.route.index()].deadline;
        admit.deadline.map_or(route, |client| client.min(route))
    };
    history.admits().map(|(at, admit)| (admit.request, at + deadline(admit).saturating_sub(admit.spent))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_01_exactly_one_terminal_outcome_and_one_record_per_request(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let ends = ends(&history);
        let mut records: BTreeMap<RequestId, usize> = BTreeMap::new();
        history.decisions().for_each(|decision| *records.entry(decision.request).or_default() += 1);
        for (_, admit) in history.admits() {
            prop_assert_eq!(ends.get(&admit.request).map(Vec::len), Some(1), "{:?}", admit);
            prop_assert_eq!(records.get(&admit.request), Some(&1));
        }
        prop_assert_eq!(ends.len(), history.admits().count());
    }

    #[test]
    fn f_080_f_084_f_172_what_is_in_flight_stays_within_a_fixed_limit_until_each_close_is_seen(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let revision = sample(seed);
        let weights: BTreeMap<_, _> =
            history.admits().map(|(_, admit)| (admit.request, (admit.weight, admit.route))).collect();
        let mut flights: BTreeMap<AttemptId, (PathId, ReplicaId, u64)> = BTreeMap::new();
        for (_, entry) in &history.entries {
            match entry {
                Entry::Output(Output::Start(start)) => {
                    let at = |path: PathId| (revision.paths[path.index()].place, &revision.paths[path.index()].model);
                    let same = |it: &&(PathId, ReplicaId, u64)| at(it.0) == at(start.path) && it.1 == start.replica;
                    let before: u64 = flights.values().filter(same).map(|it| it.2).sum();
                    let Path { context, added, .. } = revision.paths[start.path.index()];
                    let (weight, route) = weights[&start.request];
                    let weight = weight + added.most / 1_024;
                    let weight = context.map_or(u64::MAX, |context| (context / 1_024).max(1)).min(weight);
                    if let LimitPolicy::Fixed(limit) = revision.paths[start.path.index()].limit
                        && matches!(revision.paths[start.path.index()].place, Where::Remote(_))
                    {
                        // A class stops before the end where a higher one has a claim on the same model (F-084).
                        let class = |route: RouteId| revision.routes[route.index()].priority;
                        let mut claims = revision.paths.iter().filter(|path| at(start.path) == (path.place, &path.model));
                        let yields = claims.any(|path| class(path.route) < class(route));
                        let most = limit * if yields { [1_000, 950, 800][class(route) as usize] } else { 1_000 };
                        let most = (most * 2 / 1_000).div_ceil(2);
                        prop_assert!(before == 0 || before + weight <= most, "LIM-2: {} and {}", before, weight);
                    }
                    flights.insert(start.attempt, (start.path, start.replica, weight));
                }
                Entry::Input(Input::Attempt { attempt, event: Event::Ended { .. } | Event::Closed })
                | Entry::Output(Output::CancelIgnored { attempt, .. }) => {
                    flights.remove(attempt);
                }
                _ => {}
            }
        }
        prop_assert_eq!(history.left_in_flight, 0, "LIMS-1: something is in flight for ever");
        prop_assert_eq!(history.left_waiting, 0, "WAIT-1: a place is never given back");
    }

    #[test]
    fn f_060_the_changes_of_a_breaker_follow_one_another_and_say_why_it_opened(seed: u64) {
        let mut states = BTreeMap::new();
        for (_, entry) in &World::play(seed, ARRIVALS).entries {
            let Entry::Output(Output::Breaker(it)) = entry else { continue };
            let of = (it.path, it.operation.name(), it.replica);
            let before = states.insert(of, it.turn.to).unwrap_or(BreakerState::Closed);
            prop_assert!(before == it.turn.from && before != it.turn.to, "CHG-1: {:?} after {:?}", it, before);
            prop_assert_eq!(it.turn.to == BreakerState::Open, it.turn.trip.is_some(), "CHG-2");
        }
    }

    #[test]
    fn rule_02_no_start_after_outcome_deadline_or_commit_but_one_recovery(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let deadlines = deadlines(seed, &history);
        let (mut over, mut running) = (BTreeSet::new(), BTreeMap::new());
        let (mut committed, mut mends) = (BTreeSet::new(), BTreeMap::new());
        for (at, entry) in &history.entries {
            match entry {
                Entry::Output(Output::Start(start)) => {
                    prop_assert!(!over.contains(&start.request), "a start after the outcome");
                    prop_assert!(running.insert(start.request, start.attempt).is_none(), "two attempts at once");
                    if start.role == Role::Answer {
                        prop_assert!(!committed.contains(&start.request), "a start after the commit");
                        prop_assert!(*at < deadlines[&start.request], "a start after the deadline");
                        prop_assert!(start.budget <= deadlines[&start.request] - at, "more time than there is");
                    } else {
                        prop_assert!(committed.contains(&start.request), "a recovery of what was not begun");
                        let before = mends.insert(start.request, start.role);
                        let expected = if start.role == Role::Splice { None } else { Some(Role::Splice) };
                        prop_assert_eq!(before, expected, "F-122: first a splice, then one continuation");
                    }
                }
                Entry::Output(Output::Commit { request, .. }) => {
                    committed.insert(*request);
                }
                Entry::Output(Output::Answer { request, .. } | Output::Refuse { request, .. }) => {
                    over.insert(*request);
                    running.remove(request);
                }
                Entry::Output(Output::Cancel { attempt, .. }) => running.retain(|_, it| it != attempt),
                Entry::Input(Input::Attempt { attempt, event: Event::Ended { .. } }) => {
                    running.retain(|_, it| it != attempt);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn rule_03_every_request_leaves_before_its_deadline_and_the_safe_default_is_used(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let (deadlines, commits) = (deadlines(seed, &history), commits(&history));
        for (request, ends) in ends(&history) {
            let left = commits.get(&request).map_or(ends[0], |commits| commits[0]);
            // Later than the deadline only by as much as the shell is with its timeouts.
            let by = deadlines[&request] + LAG;
            prop_assert!(left <= by, "{:?} left {} ns late", request, left - deadlines[&request]);
        }
        for decision in history.decisions().filter(|it| it.route == RouteId(0)) {
            let default = decision.candidates.len() as u8 - 1;
            let barred = decision.facts.iter().any(|fact| fact.tier == default && fact.breached());
            let exhausted = matches!(decision.outcome.end, End::Refused(Refusal::Exhausted | Refusal::Overloaded | Refusal::Deadline));
            prop_assert!(!exhausted || barred, "a route with a default was exhausted: {:?}", decision);
        }
        for (_, output) in history.outputs() {
            if let Output::Refuse { why, retry_after, .. } = output {
                let silent = [Refusal::ClientGone, Refusal::SequenceLost, Refusal::SequenceBusy].contains(why);
                prop_assert_eq!(retry_after.is_none(), silent);
                prop_assert!(retry_after.is_none_or(|after| (SECOND..=300 * SECOND).contains(&after)), "F-165");
            }
        }
    }

    #[test]
    fn rule_04_no_start_on_an_open_path_and_the_naive_model_agrees(seed: u64) {
        let history = World::play_plainly(seed, 2 * ARRIVALS);
        let mut oracle = Oracle::new(seed);
        for (at, entry) in &history.entries {
            if let Err(fault) = oracle.check(*at, entry) {
                prop_assert!(false, "{fault}");
            }
        }
        prop_assert!(oracle.checked > ARRIVALS);
    }

    #[test]
    fn rule_05_caller_faults_and_cancellations_are_no_evidence(seed: u64) {
        // A world in which every fault is the caller's or a cancellation: no breaker may move.
        let mut world = World::new(seed, sample(seed));
        // One that gives a tier a little less than it takes once in a while would find it silent.
        world.impatience = false;
        for _ in 0..ARRIVALS {
            world.run_until(world.now + 20 * MILLISECOND);
            let request = world.arrive();
            let attempt = world.history.outputs().filter_map(|(_, output)| match output {
                Output::Start(start) if start.request == request => Some(start.attempt),
                _ => None,
            }).last();
            let (result, status) = match world.dice.one_in(2) {
                true => (ResultCode::CallerInvalid, Some(400)),
                false => (ResultCode::CallerSuspected, Some(500)),
            };
            let event = Event::Ended { result, status, after: None };
            match attempt.filter(|_| world.dice.one_in(2)) {
                Some(attempt) => world.feed(Input::Attempt { attempt, event }),
                None => world.feed(Input::ClientGone { request }),
            }
        }
        prop_assert!(!world.history.outputs().any(|(_, output)| matches!(output, Output::Transition(_))));
        for route in 0..2 {
            let state = world.core.route_state(world.now, RouteId(route));
            prop_assert!(state.tiers.iter().all(|tier| tier.breaker == BreakerState::Closed));
        }
        // Whose upstream does not hear that it was cancelled is counted for a while (F-172).
        world.run_until(world.now + 31 * SECOND);
        prop_assert_eq!((world.core.next_timeout(), world.core.in_flight()), (None, 0), "nothing is left behind");
    }

    #[test]
    fn rule_06_retries_stay_within_the_budget(seed: u64) {
        // Ill enough to want more retries than a tenth, not ill enough to be cut off.
        let mut revision = sample(seed);
        for path in &mut revision.paths {
            let never = Rate { samples: 1, bad: Permille::ALL, window: SECOND };
            path.breaker = BreakerPolicy { consecutive: 1_000, low: [1_000; 2], fast: never, ..path.breaker.clone() };
            path.breaker.slow.bad = Permille::ALL;
            path.limit = LimitPolicy::Fixed(u64::MAX);
            // Every try costs the same: they are counted.
            path.added = Added::default();
        }
        let mut world = World::new(seed, revision);
        (world.churn, world.impatience, world.only) = (false, false, Some(ResultCode::Status5xx));
        let rounds = 40 * ARRIVALS;
        for round in 0..rounds {
            // The first few are well, so that the low-traffic rules have their twenty outcomes.
            world.illness.insert(0, if round < 200 { 0 } else { 150 });
            world.run_until(world.now + 5 * MILLISECOND);
            world.arrive_at(RouteId(0));
        }
        world.run_until(world.now + 20 * SECOND);
        let decisions: Vec<_> = world.history.decisions().collect();
        let paid: usize = decisions.iter().map(|decision| {
            let again = |pair: &&[AttemptRecord]| pair[0].tier == pair[1].tier && charged(pair[0].result);
            decision.attempts.windows(2).filter(again).count()
        }).sum();
        let empty = |fact: &Fact| fact.signal == Signal::RetryBudget && fact.breached();
        let unpaid = decisions.iter().filter(|decision| decision.facts.iter().any(empty)).count();
        let spans = (world.now / (10 * SECOND) + 1) as usize;
        prop_assert!(paid <= rounds / 10 + 3 * spans, "{} paid retries of {}", paid, rounds);
        prop_assert!(unpaid > 0 && paid > rounds / 40, "the purse was never asked for too much: {}, {}", paid, unpaid);
    }

    #[test]
    fn rule_07_f_120_nothing_of_a_stream_is_sent_before_its_route_commits(seed: u64) {
        let mut revision = sample(seed);
        revision.routes[0].commit = CommitPoint::Full;
        let mut world = World::new(seed, revision);
        for _ in 0..ARRIVALS {
            world.run_until(world.now + 50 * MILLISECOND);
            world.arrive_at(RouteId(0));
        }
        world.run_until(world.now + 60 * SECOND);
        let commits = world.history.outputs().filter(|(_, output)| matches!(output, Output::Commit { .. })).count();
        let whole = |it: &&Decision| it.operation == Operation::ChatStream && it.outcome.end == End::Answered;
        prop_assert!(world.history.decisions().any(|it| whole(&it)));
        prop_assert_eq!(commits, 0, "a whole answer is one that has ended");
    }

    #[test]
    fn f_133_a_record_says_what_became_of_a_stream_that_broke(seed: u64) {
        let history = World::play(seed, 2 * ARRIVALS);
        for decision in history.decisions() {
            let began = decision.attempts.iter().find(|it| it.sent && it.role == Role::Answer);
            let broke = began.is_some_and(|it| it.result.is_break());
            let last = decision.attempts.last();
            match decision.rescue() {
                Rescue::None => prop_assert!(!broke || decision.outcome.end != End::Answered, "{:?}", decision),
                Rescue::Truncated => prop_assert!(matches!(decision.outcome.end, End::Broken(_)), "{:?}", decision),
                Rescue::Spliced | Rescue::Continued => {
                    let whole = last.is_some_and(|it| it.sent && it.result.is_ok());
                    prop_assert!(broke && whole && decision.outcome.end == End::Answered, "F-125: {:?}", decision);
                }
            }
            if let (End::Broken(result), Some(began)) = (decision.outcome.end, began) {
                let drained = result == ResultCode::Drained;
                prop_assert!(drained || result == began.result, "F-007: the first failure is told: {:?}", decision);
            }
        }
    }

    #[test]
    fn rule_07_never_two_commits_and_nothing_before(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let mut committed = BTreeSet::new();
        for (_, output) in history.outputs() {
            match output {
                Output::Commit { request, .. } => prop_assert!(committed.insert(*request), "two commits"),
                Output::Answer { request, source: Source::Broken(..), .. } => {
                    prop_assert!(committed.contains(request), "broken, but never begun");
                }
                Output::Answer { request, source: Source::Certain(_) | Source::Stored(_) | Source::Error(_), .. }
                | Output::Refuse { request, why: Refusal::Exhausted | Refusal::Overloaded | Refusal::Deadline, .. } => {
                    prop_assert!(!committed.contains(request), "two answers");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn rule_08_f_182_fail_over_is_immediate_and_switches_are_bounded(seed: u64) {
        switches_are_bounded(seed)?;
    }

    #[test]
    fn rule_09_one_revision_per_request(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let (mut digest, mut expected) = (sample(seed).digest, BTreeMap::new());
        for (_, entry) in &history.entries {
            match entry {
                Entry::Input(Input::Revision(revision)) => digest = revision.digest,
                Entry::Input(Input::Admit(admit)) => {
                    expected.insert(admit.request, digest);
                }
                Entry::Output(Output::Decision(decision)) => {
                    prop_assert_eq!(decision.revision.digest, expected[&decision.request]);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn rule_10_every_record_re_derives_its_decision(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let told: BTreeMap<RequestId, Option<u8>> = history.outputs().filter_map(|(_, output)| match output {
            Output::Answer { request, source: Source::Attempt(_) | Source::Certain(_) | Source::Stored(_), disclosure } => {
                Some((*request, disclosure.answered.map(|(tier, ..)| tier)))
            }
            _ => None,
        }).collect();
        let began: BTreeMap<AttemptId, u8> = history.outputs().filter_map(|(_, output)| match output {
            Output::Start(start) => Some((start.attempt, start.tier)),
            _ => None,
        }).collect();
        for (_, output) in history.outputs() {
            if let Output::Commit { attempt, disclosure, .. } = output {
                let tier = began[attempt];
                let told = disclosure.answered.map(|(tier, ..)| tier);
                prop_assert_eq!((told, disclosure.degraded), (Some(tier), tier > 0), "told as a stream begins");
            }
        }
        for decision in history.decisions() {
            prop_assert!(decision.rederives(), "{:?}", decision);
            if let Some(tier) = told.get(&decision.request) {
                prop_assert_eq!(*tier, decision.outcome.tier, "the client was told another tier");
                let last = decision.attempts.last().map(|attempt| attempt.result);
                let whole = last.is_some_and(|last| last.is_ok() && last != ResultCode::OkPart);
                // Of several whose answers are put together the lowest (OIP-35).
                let good = decision.attempts.iter().filter(|it| it.result.is_ok()).map(|it| it.tier).max();
                let source = good.filter(|_| whole);
                let certain = decision.candidates.len() as u8 - 1;
                prop_assert_eq!(source.unwrap_or(certain), tier.expect("an answer has a tier"), "the record says another");
            }
            for (what, forged) in forgeries(decision) {
                prop_assert!(!forged.rederives(), "a record with another {} passes: {:?}", what, forged);
            }
        }
    }
}

/// The record with one thing changed that no honest core would have written.
fn forgeries(honest: &Decision) -> Vec<(&'static str, Decision)> {
    let mut forgeries = Vec::new();
    let mut forge = |what, change: &dyn Fn(&mut Decision)| {
        let mut forged = honest.clone();
        change(&mut forged);
        forgeries.push((what, forged));
    };
    forge("tier", &|it| it.outcome.tier = Some(it.outcome.tier.map_or(0, |tier| tier + 1)));
    forge("verdict", &|it| {
        let first = &mut it.candidates[0];
        first.verdict = if first.verdict == Verdict::Selected { Verdict::Rejected } else { Verdict::Selected };
    });
    forge("reason", &|it| it.candidates[0].reasons.push(Reason::CanaryRegression));
    forge("cause", &|it| it.reason = Reason::CanaryRegression);
    if let Some(tier) = honest.attempts.last().map(|attempt| attempt.tier) {
        forge("fact", &|it| it.facts.push(Fact::new(tier, Signal::OpenFor, 1, 0)));
    }
    let asking = |fact: &Fact| !fact.again && !fact.signal.is_about_answer();
    if let Some(at) = honest.facts.iter().position(|fact| fact.breached() && asking(fact)) {
        let tier = honest.facts[at].tier;
        if honest.attempts.iter().any(|attempt| attempt.tier > tier) {
            forge("past", &|it| it.facts.retain(|fact| fact.tier != tier || !fact.breached()));
        }
    }
    if let Some(at) = honest.facts.iter().position(|fact| fact.signal == Signal::Waited) {
        forge("wait", &|it| it.facts[at].value = it.facts[at].threshold + 1);
        forge("place", &|it| it.facts.push(it.facts[at]));
    }
    if honest.attempts.iter().any(|it| matches!(it.result, ResultCode::LowConfidence | ResultCode::OkPart)) {
        forge("rows", &|it| it.facts.retain(|fact| !fact.signal.is_about_rows()));
    }
    if honest.attempts.iter().any(|it| matches!(it.result, ResultCode::Slow | ResultCode::OkSlow)) {
        forge("rate", &|it| it.facts.retain(|fact| fact.signal != Signal::TokensSaid));
    }
    forgeries
}

/// Free retries (F-043) are not charged.
fn charged(result: ResultCode) -> bool {
    result.again() == Again::Once
}

/// Rule 8, in one world.
fn switches_are_bounded(seed: u64) -> Result<(), TestCaseError> {
    let history = World::play(seed, 2 * ARRIVALS);
    let dwell = sample(seed).paths[0].breaker.open;
    let mut switches: BTreeMap<(RouteId, PathId, Rule), Vec<Nanos>> = BTreeMap::new();
    for (at, output) in history.outputs() {
        if let Output::Transition(transition) = output {
            prop_assert_eq!(transition.at, at);
            prop_assert!(transition.to < transition.from || transition.trip.is_some(), "a way down without a cause");
            let times = switches.entry((transition.route, transition.path, transition.rule)).or_default();
            let back = transition.to < transition.from;
            let drift = transition.rule == Rule::Drift;
            // Fail-back waits for a step's time (DRIFT-3).
            prop_assert!(!drift || times.last().is_none_or(|last| !back || at - last >= 3 * SECOND));
            if times.is_empty() && back {
                // It was left while the route stood elsewhere, a dwell ago at the least.
                times.push(at - if drift { 3 * SECOND } else { dwell });
            }
            times.push(at);
        }
    }
    for (key, times) in switches {
        let dwell = if key.2 == Rule::Drift { 3 * SECOND } else { dwell };
        for (n, at) in times.iter().enumerate() {
            let bound = 1 + 2 * (at - times[0]) / dwell;
            prop_assert!((n as u64) < bound, "{:?}: switch {} after {} ns", key, n + 1, at - times[0]);
        }
    }
    for (_, states) in &history.states {
        for state in states {
            let open = state.tiers.iter().take_while(|tier| tier.breaker == BreakerState::Open).count();
            prop_assert!(usize::from(state.tier) >= open, "it starts on an open path: {:?}", state);
        }
    }
    Ok(())
}

#[test]
fn rule_08_f_074_f_182_a_reload_bars_no_tier_that_was_not_barred() {
    // In these a reload finds replicas of which each was left alone at another time, and none is Closed.
    for seed in [9_921_831_092_147_271_753, 9_050_951_554_165_965_416, 17_942_231_957_478_949_513] {
        switches_are_bounded(seed).expect("a reload is no reason to leave a tier, and to come back within the dwell");
    }
}

#[test]
fn rule_08_f_182_a_path_that_was_left_unseen_comes_back_and_may_be_left_again_at_once() {
    // In these the route stands at tier 0 as tier 1 opens; later it comes back to tier 1, which fails within the dwell.
    for seed in [7_351_304_942_722_917_851, 15_500_130_291_984_536_220] {
        switches_are_bounded(seed).expect("fail-over never waits");
    }
}
