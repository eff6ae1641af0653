//! Ensembles in random histories: every member at one moment, as many votes as there must be, and nobody who still runs.

use super::*;

/// The usual routes, the second tier of each an ensemble: its own path, one on the other upstream, one in this process.
fn panels(seed: u64) -> Revision {
    let mut revision = sample(seed);
    for route in 0..revision.routes.len() {
        let own = revision.routes[route].tiers[1].path;
        let place = |place| Path { place, effects: false, ..revision.paths[own.index()].clone() };
        let places = [Where::Remote(UpstreamId(0)), Where::Remote(UpstreamId(1)), Where::Local].map(place);
        let members: Vec<_> = (0..)
            .zip(places)
            .map(|(at, path)| {
                let name = format!("{}/{at}", path.name);
                let accept = path.accept.map(|_| RowRule::All);
                revision.paths.push(Path { name, accept, ..path });
                PathId(revision.paths.len() as u16 - 1)
            })
            .collect();
        let path = &mut revision.paths[own.index()];
        (path.place, path.accept, path.effects) = (Where::Ensemble, None, false);
        let agree = Permille::new(if seed.is_multiple_of(4) { 500 } else { 0 });
        let tier = &mut revision.routes[route].tiers[1];
        tier.method = Method::Ensemble;
        tier.ensemble = Some(Ensemble { members, quorum: 1 + (seed >> 3) as u8 % 3, agree });
    }
    // Some requests use up what they may.
    revision.routes.iter_mut().for_each(|route| route.max_attempts = 2 + (seed % 3) as u8);
    // More falls to the ensembles than would otherwise.
    revision.routes.iter_mut().for_each(|route| route.tiers.swap(0, usize::from(seed.is_multiple_of(2))));
    revision
}

fn play(seed: u64) -> (Revision, History) {
    let (revision, mut world) = (panels(seed), World::new(seed, panels(seed)));
    for _ in 0..ARRIVALS {
        let gap = world.dice.below(100) * MILLISECOND;
        world.run_until(world.now + gap);
        world.weather();
        world.arrive();
    }
    world.run_until(world.now + 700 * SECOND);
    assert_eq!((world.core.open(), world.core.in_flight(), world.core.waiting()), (0, 0, 0), "nothing is left behind");
    (revision, world.history)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn vote_1_f_031_members_start_at_one_moment_once_each_and_count_as_one_attempt(seed: u64) {
        let (revision, history) = play(seed);
        let mut starts: BTreeMap<(RequestId, u8), Vec<(Nanos, PathId)>> = BTreeMap::new();
        for (at, output) in history.outputs() {
            if let Output::Start(start) = output {
                starts.entry((start.request, start.tier)).or_default().push((at, start.path));
            }
        }
        let routes: BTreeMap<_, _> = history.admits().map(|(_, admit)| (admit.request, admit.route)).collect();
        let mut remote: BTreeMap<RequestId, u8> = BTreeMap::new();
        for ((request, tier), starts) in starts {
            let asks = |path: &PathId| matches!(revision.paths[path.index()].place, Where::Remote(_));
            let several = revision.routes[routes[&request].index()].tiers[usize::from(tier)].ensemble.is_some();
            if several {
                prop_assert!(starts.iter().all(|it| it.0 == starts[0].0), "VOTE-1: {:?}", starts);
                let once: BTreeSet<_> = starts.iter().map(|it| it.1).collect();
                prop_assert_eq!(once.len(), starts.len(), "VOTE-1");
            }
            let asked = starts.iter().filter(|it| asks(&it.1)).count() as u8;
            *remote.entry(request).or_default() += if several { asked.min(1) } else { asked };
        }
        prop_assert!(remote.values().all(|it| *it <= revision.routes[0].max_attempts), "F-031");
        let used_up = |it: &&Fact| it.signal == Signal::Attempts && it.breached();
        for (_, output) in history.outputs() {
            if let Output::Decision(it) = output
                && let Some(fact) = it.facts.iter().find(used_up)
            {
                let made = u64::from(remote.get(&it.request).copied().unwrap_or_default());
                prop_assert!(made >= fact.threshold, "F-031: {} were made, and {:?}", made, fact);
            }
        }
    }

    #[test]
    fn vote_3_what_members_come_to_opens_their_paths_and_who_is_not_waited_for_opens_none(seed: u64) {
        let (revision, history) = play(seed);
        let operations: BTreeMap<_, _> = history.admits().map(|(_, admit)| (admit.request, admit.operation)).collect();
        let members: BTreeSet<PathId> =
            revision.routes.iter().flat_map(|it| &it.tiers).filter_map(|it| it.ensemble.as_ref()).flat_map(|it| it.members.clone()).collect();
        let mut lanes: BTreeMap<AttemptId, (PathId, Operation)> = BTreeMap::new();
        let mut rows: BTreeMap<(PathId, Operation), u32> = BTreeMap::new();
        let mut admits: BTreeMap<(PathId, Operation), bool> = BTreeMap::new();
        for (_, entry) in &history.entries {
            match entry {
                Entry::Output(Output::Start(start)) if members.contains(&start.path) => {
                    lanes.insert(start.attempt, (start.path, operations[&start.request]));
                }
                Entry::Output(Output::Breaker(it)) if it.replica.is_none() => {
                    let trip = it.turn.trip.and_then(|trip| trip.result);
                    prop_assert!(trip != Some(ResultCode::VoteOver), "VOTE-3: {:?}", it.turn);
                    let lane = (it.path, it.operation);
                    admits.insert(lane, it.turn.to <= BreakerState::Ramp);
                    rows.remove(&lane);
                }
                Entry::Output(_) => {}
                Entry::Input(input) => {
                    let sick = |(lane, row): &(&(PathId, Operation), &u32)| {
                        **row >= revision.paths[lane.0.index()].breaker.consecutive && admits.get(lane) != Some(&false)
                    };
                    prop_assert_eq!(rows.iter().find(sick), None, "VOTE-3: it fails and fails, and is asked");
                    if let Input::Attempt { attempt, event: Event::Ended { result, .. } } = input
                        && let Some(lane) = lanes.remove(attempt)
                    {
                        let row = rows.entry(lane).or_default();
                        *row = if result.evidence() == Evidence::Hard { *row + 1 } else { 0 };
                    }
                }
            }
        }
    }

    #[test]
    fn vote_2_a_vote_has_its_quorum_and_nobody_runs_when_it_is_over(seed: u64) {
        let (revision, history) = play(seed);
        let mut running: BTreeMap<RequestId, BTreeSet<AttemptId>> = BTreeMap::new();
        let mut ends = BTreeMap::new();
        for (_, entry) in &history.entries {
            match entry {
                Entry::Output(Output::Start(start)) => {
                    running.entry(start.request).or_default().insert(start.attempt);
                }
                Entry::Output(Output::Cancel { attempt, .. })
                | Entry::Input(Input::Attempt { attempt, event: Event::Ended { .. } }) => {
                    running.values_mut().for_each(|it| it.retain(|one| one != attempt));
                }
                Entry::Output(Output::Answer { request, .. } | Output::Refuse { request, .. }) => {
                    *ends.entry(*request).or_insert(0) += 1;
                    prop_assert!(running.get(request).is_none_or(BTreeSet::is_empty), "VOTE-2: one still runs");
                }
                Entry::Output(Output::Decision(it)) => {
                    prop_assert!(it.rederives(), "rule 10: {:?}", it);
                    let panel = |tier: u8| revision.routes[it.route.index()].tiers[usize::from(tier)].ensemble.as_ref();
                    if let (End::Answered, Some(tier)) = (it.outcome.end, it.outcome.tier)
                        && let Some(ensemble) = panel(tier)
                        && it.attempts.iter().any(|attempt| attempt.tier == tier)
                    {
                        let here = it.attempts.iter().filter(|attempt| attempt.tier == tier);
                        let votes = here.filter(|attempt| attempt.result.is_ok()).count();
                        prop_assert!(votes >= usize::from(ensemble.quorum), "VOTE-2: {:?}", it);
                        let early = it.attempts.iter().any(|it| it.tier == tier && it.result == ResultCode::VoteOver);
                        prop_assert!(!early || ensemble.agree == Permille::new(0), "VOTE-2, every vote counts: {:?}", it);
                        let apart = |it: &&Fact| it.tier == tier && it.signal == Signal::Agreement && it.breached();
                        prop_assert_eq!(it.facts.iter().find(apart), None, "VOTE-2, too little agreement");
                    }
                }
                _ => {}
            }
        }
        prop_assert!(ends.values().all(|it| *it == 1), "rule 1");
    }
}
