//! One property per rule of `architecture.md`, section 4, over random histories.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    naive::{Asker, Heard, Model, Started},
    world::{Entry, History, LAG, World, plain_sample, sample},
};

const ARRIVALS: usize = 150;

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
    history.admits().map(|(at, admit)| (admit.request, at + deadline(admit))).collect()
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
                    let context = revision.paths[start.path.index()].context;
                    let (weight, route) = weights[&start.request];
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
                prop_assert_eq!(retry_after.is_none(), *why == Refusal::ClientGone);
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
        for _ in 0..ARRIVALS {
            world.run_until(world.now + 20 * MILLISECOND);
            let request = world.arrive();
            let attempt = world.history.outputs().filter_map(|(_, output)| match output {
                Output::Start(start) if start.request == request => Some(start.attempt),
                _ => None,
            }).last();
            let event = Event::Ended { result: ResultCode::CallerInvalid, status: Some(400), after: None };
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
    fn f_035_what_broke_two_models_is_left_to_a_tier_that_is_none(seed: u64) {
        suspects(seed)?;
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
    fn f_043_at_most_two_tries_are_free(seed: u64) {
        let mut world = World::new(seed, sample(seed));
        world.only = Some(ResultCode::Unsent);
        for _ in 0..ARRIVALS {
            world.illness.insert(0, 800);
            world.run_until(world.now + 50 * MILLISECOND);
            world.arrive_at(RouteId(0));
        }
        world.run_until(world.now + 60 * SECOND);
        for decision in world.history.decisions() {
            let free = |pair: &&[AttemptRecord]| {
                let again = pair[1].tier == pair[0].tier && pair[1].start >= pair[0].start + pair[0].duration;
                let nothing_done = matches!(pair[0].result.again_at(pair[0].status), Again::Unsent | Again::OtherReplica);
                again && pair[1].role == Role::Answer && nothing_done
            };
            prop_assert!(decision.attempts.windows(2).filter(free).count() <= 2, "{:?}", decision);
        }
    }

    #[test]
    fn f_026_a_path_that_was_silent_is_not_asked_again(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let silent = [ResultCode::FirstTokenTimeout, ResultCode::KeepaliveOnly];
        for decision in history.decisions() {
            for was in decision.attempts.iter().filter(|it| silent.contains(&it.result)) {
                let after = |it: &AttemptRecord| it.tier == was.tier && it.start >= was.start + was.duration;
                prop_assert!(!decision.attempts.iter().any(|it| it.attempt != was.attempt && after(it)), "{:?}", decision);
            }
        }
    }

    #[test]
    fn f_034_what_changes_something_is_asked_of_a_path_once(seed: u64) {
        let history = World::play(seed, ARRIVALS);
        let pure: BTreeMap<RequestId, bool> = history.admits().map(|(_, admit)| (admit.request, admit.pure)).collect();
        for decision in history.decisions().filter(|it| !pure[&it.request]) {
            prop_assert!(decision.attempts.iter().all(|it| it.role == Role::Answer), "{:?}", decision);
            let again = decision.attempts.windows(2).filter(|pair| pair[0].path == pair[1].path);
            for pair in again {
                prop_assert!(pair[0].result.left_nothing(), "{:?}", decision);
            }
        }
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
                Output::Answer { request, source: Source::Certain(_) | Source::Error(_), .. }
                | Output::Refuse { request, why: Refusal::Exhausted | Refusal::Overloaded | Refusal::Deadline, .. } => {
                    prop_assert!(!committed.contains(request), "two answers");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn rule_08_fail_over_is_immediate_and_switches_are_bounded(seed: u64) {
        let history = World::play(seed, 2 * ARRIVALS);
        let dwell = sample(seed).paths[0].breaker.open;
        let mut switches: BTreeMap<(RouteId, PathId), Vec<Nanos>> = BTreeMap::new();
        for (at, output) in history.outputs() {
            if let Output::Transition(transition) = output {
                prop_assert_eq!(transition.at, at);
                prop_assert!(transition.to < transition.from || transition.trip.is_some(), "a way down without a cause");
                switches.entry((transition.route, transition.path)).or_default().push(at);
            }
        }
        for (key, times) in switches {
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
            Output::Answer { request, source: Source::Attempt(_) | Source::Certain(_), disclosure } => {
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
                let source = decision.attempts.last().filter(|attempt| attempt.result.is_ok()).map(|it| it.tier);
                let certain = decision.candidates.len() as u8 - 1;
                prop_assert_eq!(source.unwrap_or(certain), tier.expect("an answer has a tier"), "the record says another");
            }
            for (what, forged) in forgeries(decision) {
                prop_assert!(!forged.rederives(), "a record with another {} passes: {:?}", what, forged);
            }
        }
    }
}

proptest! {
    // Each of these is a minute of work.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_100_of_two_replicas_the_one_that_takes_less_time_is_asked(seed: u64) {
        let history = greyish(seed, 2, ReplicaId(1));
        let starts = history.outputs().filter_map(|(_, output)| match output {
            Output::Start(start) if start.path == PathId(0) => Some(usize::from(start.replica.0)),
            _ => None,
        });
        let mut asked = [0; 2];
        starts.for_each(|replica| asked[replica] += 1);
        let all = asked[0] + asked[1];
        prop_assert!(asked[1] * 100 < all * 42, "of two the slower one is asked {} of {} times", asked[1], all);
    }

    #[test]
    fn f_103_the_replica_that_is_worse_than_its_peers_is_left_alone_and_no_other(seed: u64) {
        // One that fails now and then is asked so seldom by F-100 that there is little to compare.
        let replica = ReplicaId((seed % 4) as u16);
        let history = greyish(seed, 4, replica);
        let mut found = BTreeSet::new();
        for (_, output) in history.outputs() {
            let Output::Breaker(it) = output else { continue };
            if it.turn.trip.is_some_and(|trip| trip.rule == "F-103") {
                found.insert((it.path, it.replica));
            }
        }
        prop_assert_eq!(found.into_iter().collect::<Vec<_>>(), vec![(PathId(0), Some(replica))]);
    }
}

/// A minute with several replicas of the primary, one of which is later than the others: nothing that its breaker would count.
fn greyish(seed: u64, replicas: usize, grey: ReplicaId) -> History {
    let mut revision = sample(seed);
    revision.upstreams[0].replicas = (0..replicas).map(|at| format!("http://{at}")).collect();
    for path in &mut revision.paths {
        let never = Rate { samples: 1, bad: Permille::ALL, window: SECOND };
        path.breaker = BreakerPolicy { consecutive: 1_000, low: [1_000; 2], fast: never, ..path.breaker.clone() };
        path.breaker.slow.bad = Permille::ALL;
        (path.limit, path.objective) = (LimitPolicy::Fixed(u64::MAX), Some(600 * SECOND));
    }
    let mut world = World::new(seed, revision);
    (world.churn, world.impatience, world.grey) = (false, false, Some((grey, 300 * MILLISECOND)));
    for _ in 0..2_000 {
        world.run_until(world.now + 30 * MILLISECOND);
        world.arrive_at(RouteId(0));
    }
    world.run_until(world.now + 20 * SECOND);
    world.history
}

/// Plays a world of resets, and returns how often a request was found to be at fault (F-035); none may break a third model.
fn suspects(seed: u64) -> Result<usize, TestCaseError> {
    let mut world = World::new(seed, sample(seed));
    (world.only, world.churn) = (Some(ResultCode::Reset), false);
    for round in 0..ARRIVALS {
        // In between they get well, so that breakers do not keep everybody away.
        let ill = if round % 10 < 4 { 900 } else { 0 };
        world.illness.extend([(0, ill), (1, ill)]);
        world.run_until(world.now + 400 * MILLISECOND);
        world.arrive_at(RouteId(0));
    }
    world.run_until(world.now + 60 * SECOND);
    let accepts = |admit: &Admit| admit.max_tier.is_none_or(|most| most >= 2);
    let accepts: BTreeMap<_, _> = world.history.admits().map(|(_, it)| (it.request, accepts(it))).collect();
    let mut left = 0;
    for decision in world.history.decisions().filter(|it| accepts[&it.request]) {
        let broke = |it: &&AttemptRecord| it.result == ResultCode::Reset;
        for (at, it) in decision.attempts.iter().enumerate().filter(|(_, it)| it.role == Role::Answer) {
            let broken = decision.attempts[..at].iter().filter(broke).count();
            prop_assert!(broken < 2, "{:?} after {} resets: {:?}", it.attempt, broken, decision);
        }
        left += usize::from(decision.facts.iter().any(|fact| fact.signal == Signal::Crashes && fact.breached()));
    }
    Ok(left)
}

#[test]
fn f_035_there_are_worlds_in_which_somebody_is_suspected() {
    let suspected = (0..20).filter(|seed| suspects(*seed).is_ok_and(|left| left > 0)).count();
    assert!(suspected >= 10, "in {suspected} of twenty");
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
    forge("reason", &|it| it.candidates[0].reasons.push(Reason::InputDrift));
    forge("cause", &|it| it.reason = Reason::InputDrift);
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
    if honest.attempts.iter().any(|it| matches!(it.result, ResultCode::Slow | ResultCode::OkSlow)) {
        forge("rate", &|it| it.facts.retain(|fact| fact.signal != Signal::TokensSaid));
    }
    forgeries
}

/// Free retries (F-043) are not charged.
fn charged(result: ResultCode) -> bool {
    result.again() == Again::Once
}

/// Follows a history with the naive model, entry by entry.
struct Oracle {
    revision: Revision,
    model: Model,
    /// When, what, and after how many reloads.
    admits: BTreeMap<RequestId, (Nanos, Admit, u64)>,
    reloads: u64,
    running: BTreeMap<AttemptId, Start>,
    shown: BTreeSet<AttemptId>,
    /// Attempts that say less than they must.
    slow: BTreeSet<AttemptId>,
    /// Attempts of which the client gets what they say.
    sent: BTreeSet<AttemptId>,
    counted: BTreeSet<(RequestId, PathId)>,
    /// Requests that a tier could not do before anything else failed: no safe default hides that (F-009).
    incapable: BTreeSet<RequestId>,
    failed: BTreeSet<RequestId>,
    /// A request that was just admitted: the tier that the model expects to be started, if any.
    expected: Option<(RequestId, Option<u8>)>,
    checked: usize,
}

impl Oracle {
    fn new(seed: u64) -> Self {
        let revision = plain_sample(seed);
        let model = Model::new(revision.clone());
        Self {
            revision,
            model,
            admits: BTreeMap::new(),
            reloads: 0,
            running: BTreeMap::new(),
            shown: BTreeSet::new(),
            slow: BTreeSet::new(),
            sent: BTreeSet::new(),
            counted: BTreeSet::new(),
            incapable: BTreeSet::new(),
            failed: BTreeSet::new(),
            expected: None,
            checked: 0,
        }
    }

    fn check(&mut self, now: Nanos, entry: &Entry) -> Result<(), String> {
        if matches!(entry, Entry::Input(_))
            && let Some((request, tier)) = self.expected.take()
        {
            // It was admitted with the input before, and nothing was started for it then.
            if let Some(tier) = tier {
                return Err(format!("by {now} {request:?} was not started, the model says tier {tier}"));
            }
            self.checked += 1;
        }
        match entry {
            Entry::Input(Input::Admit(admit)) => {
                self.admits.insert(admit.request, (now, admit.clone(), self.reloads));
                self.expected = Some((admit.request, self.first_tier(now, admit)));
            }
            Entry::Input(Input::Attempt { attempt, event }) => self.hear(now, *attempt, *event),
            Entry::Input(Input::Revision(_)) => self.reloads += 1,
            Entry::Input(Input::Timeout) => self.model.timeout(now),
            Entry::Output(Output::Start(start)) => return self.started(now, start),
            Entry::Output(Output::Commit { attempt, .. }) => {
                self.sent.insert(*attempt);
            }
            Entry::Input(Input::Splice { attempt, splice: Splice::Matched }) => {
                self.sent.insert(*attempt);
            }
            Entry::Output(Output::Cancel { attempt, why, .. }) => {
                let result = match why {
                    Cancelled::Clock(result) => *result,
                    Cancelled::ClientGone => ResultCode::ClientGone,
                    Cancelled::Drained => ResultCode::Drained,
                    Cancelled::Diverged => ResultCode::SpliceDiverged,
                    Cancelled::HedgeLost => ResultCode::HedgeLost,
                };
                self.hear(now, *attempt, Event::Ended { result, status: None, after: None });
            }
            _ => {}
        }
        Ok(())
    }

    /// The first tier with nothing against it, time aside: the world's deadlines are long enough for every first tier
    /// but for those of impatient clients, which are not judged.
    fn first_tier(&mut self, now: Nanos, admit: &Admit) -> Option<u8> {
        if admit.deadline.is_some() {
            return None;
        }
        let tiers = self.revision.routes[admit.route.index()].tiers.clone();
        let stand: Vec<_> =
            (0u8..).zip(&tiers).filter(|(at, _)| self.admits(now, admit, (*at, self.reloads))).collect();
        // F-077: a stream goes past a path on which one broke, as long as another model stands below it.
        let model_below = |at: u8| stand.iter().any(|(below, tier)| *below > at && tier.method != Method::Default);
        let first = stand.iter().find(|(at, tier)| {
            !(admit.operation.is_stream() && self.model.is_broken(now, tier.path) && model_below(*at))
        });
        first.filter(|(_, tier)| self.revision.paths[tier.path.index()].place != Where::Certain).map(|(at, _)| *at)
    }

    /// Says whether a tier may be asked, as of the reloads that the request has seen.
    fn admits(&mut self, now: Nanos, admit: &Admit, (at, reloads): (u8, u64)) -> bool {
        let tiers = &self.revision.routes[admit.route.index()].tiers;
        let (count, path) = (tiers.len() as u8, tiers[usize::from(at)].path);
        let of = &self.revision.paths[path.index()];
        let barred = of.place == Where::Certain && self.incapable.contains(&admit.request);
        let able = !barred
            && admit.max_tier.is_none_or(|max| at <= max)
            && admit.needs.missing_in(of.features).is_empty()
            && of.context.is_none_or(|context| admit.tokens <= context);
        let alone = !(at + 1..count).any(|below| self.admits(now, admit, (below, reloads)));
        able && self.model.admits(now, (path, admit.operation), Asker { entropy: admit.entropy, reloads, alone })
    }

    fn deadline(&self, request: RequestId) -> Nanos {
        let (at, admit, _) = &self.admits[&request];
        at + self.revision.routes[admit.route.index()].deadline
    }

    fn started(&mut self, now: Nanos, start: &Start) -> Result<(), String> {
        let (_, admit, reloads) = self.admits[&start.request].clone();
        let key = (start.path, admit.operation);
        if let Some((request, tier)) = self.expected.take_if(|it| it.0 == start.request) {
            if tier != Some(start.tier) {
                return Err(format!("at {now} {request:?} started on tier {}, the model says {tier:?}", start.tier));
            }
            self.checked += 1;
        }
        if !self.admits(now, &admit, (start.tier, reloads)) {
            return Err(format!("at {now} {start:?} was started, the model bars the path"));
        }
        // At the deadline at the latest its clocks end the attempt, and the lease with it; those of a recovery after what it
        // has to catch up. One more: at that very moment.
        let clocks = self.revision.paths[start.path.index()].clocks;
        let expires = match start.role {
            Role::Answer => self.deadline(start.request) + 1,
            Role::Splice | Role::Continue => now + clocks.first_content + clocks.stall + 1,
        };
        self.model.started(now, key, Started { attempt: start.attempt, expires, reloads });
        self.running.insert(start.attempt, start.clone());
        Ok(())
    }

    fn hear(&mut self, now: Nanos, attempt: AttemptId, event: Event) {
        let Some(start) = self.running.get(&attempt).cloned() else { return };
        let (_, admit, reloads) = &self.admits[&start.request];
        let key = (start.path, admit.operation);
        let renewed = now + self.revision.paths[start.path.index()].clocks.stall + 1;
        match event {
            Event::Alive | Event::Closed | Event::Unrepeatable => {}
            Event::Slow { said } if said < least_tokens(self.revision.paths[start.path.index()].min_rate) => {
                self.slow.insert(attempt);
            }
            Event::Slow { .. } => {}
            Event::Progress if !self.shown.contains(&attempt) => self.model.renewed(key, attempt, renewed),
            Event::FirstContent | Event::Enough | Event::Progress => {
                self.shown.insert(attempt);
                self.model.content(now, key, attempt, renewed);
            }
            Event::Ended { result, status, after } => {
                self.running.remove(&attempt);
                let result = result.in_role(start.role).at_tier(start.tier);
                // One that ends well before it has said what was sent says something else (F-124).
                let short = start.role != Role::Answer && result.is_ok() && !self.sent.contains(&attempt);
                let slow = self.slow.contains(&attempt) && matches!(result, ResultCode::Ok | ResultCode::OkDoneMissing);
                let result = match () {
                    () if short => ResultCode::SpliceDiverged,
                    () if slow => ResultCode::OkSlow,
                    () => result,
                };
                if !result.is_ok() && self.failed.insert(start.request) && result.next() == Next::Capable {
                    self.incapable.insert(start.request);
                }
                let hard = result.evidence() == Evidence::Hard;
                let counted = (start.request, start.path);
                let repeated = self.counted.contains(&counted);
                if hard {
                    self.counted.insert(counted);
                }
                self.model.stream_ended(now, start.path, (attempt, result), self.sent.contains(&attempt));
                let entropy = admit.entropy ^ attempt.0;
                self.model.ended(
                    now,
                    key,
                    &Heard { attempt, result, status, repeated, entropy, after, reloads: *reloads },
                );
            }
        }
    }
}
