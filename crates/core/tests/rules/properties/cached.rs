//! F-141 to F-147: what is kept of answers and shared, over random histories of clients that ask the same few questions.

use super::*;

/// How near an answer to other words must be.
const AT_LEAST: Permille = Permille::new(950);

/// Two routes that keep answers, with a tier that gives older ones, and few places to wait in.
fn caching(seed: u64) -> Revision {
    let mut revision = sample(seed);
    for at in 0..revision.routes.len() {
        let policy = CachePolicy {
            ttl: [1, 20][seed as usize % 2] * SECOND,
            stale_if_error: 60 * SECOND,
            fresh: !seed.is_multiple_of(5),
            waiters: [0, 2, 1_000][seed as usize % 3],
            similar: (!seed.is_multiple_of(3))
                .then_some(SimilarPolicy { at_least: AT_LEAST, fresh: seed.is_multiple_of(2) }),
        };
        let path = PathId(revision.paths.len() as u16);
        let route = &mut revision.routes[at];
        route.cache = Some(policy);
        let below = revision.paths[route.tiers[0].path.index()].clone();
        let tier = Tier { name: "earlier".into(), method: Method::Cache, path, ensemble: None };
        // Above the last, which is a safe default on some routes.
        route.tiers.insert(route.tiers.len() - 1, tier);
        revision.paths.push(Path { name: "earlier".into(), place: Where::Stored, domain: None, accept: None, ..below });
    }
    revision
}

fn play(seed: u64) -> History {
    let mut world = World::new(seed, caching(seed));
    (world.questions, world.sequences) = (1 + seed % 4, false);
    world.history_of(ARRIVALS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_145_whoever_waits_ends_once_and_nothing_is_left(seed: u64) {
        let history = play(seed);
        prop_assert_eq!((history.left_in_flight, history.left_waiting), (0, 0));
        let mut ended = BTreeMap::new();
        for (_, output) in history.outputs() {
            match output {
                Output::Answer { request, .. } | Output::Refuse { request, .. } => *ended.entry(*request).or_insert(0) += 1,
                Output::Decision(decision) => prop_assert!(decision.rederives(), "rule 10: {decision:?}"),
                _ => {}
            }
        }
        let admitted = history.inputs().filter(|(_, input)| matches!(input, Input::Admit(_))).count();
        prop_assert_eq!((ended.len(), ended.values().max()), (admitted, Some(&1)), "rule 1");
    }

    #[test]
    fn f_142_f_143_no_answer_is_older_than_its_route_and_its_client_say(seed: u64) {
        let history = play(seed);
        let revision = caching(seed);
        let admits: BTreeMap<_, _> = history.inputs().filter_map(|(_, input)| match input {
            Input::Admit(admit) => Some((admit.request, admit.clone())),
            _ => None,
        }).collect();
        for (_, output) in history.outputs() {
            let Output::Decision(decision) = output else { continue };
            let (admit, policy) = (&admits[&decision.request], revision.routes[decision.route.index()].cache);
            let (policy, Lookup { key, stored, max_age, .. }) = (policy.expect("it has one"), admit.cache);
            let shared = decision.facts.iter().any(|fact| fact.signal == Signal::FlightWaited && !fact.breached());
            let most = match decision.reason {
                Reason::CacheFreshHit if shared && decision.attempts.is_empty() => {
                    prop_assert!(policy.waiters > 0 && max_age != Some(0));
                    continue;
                }
                Reason::CacheFreshHit => fresh_for(policy.ttl, key.expect("kept by a key")),
                Reason::CacheStaleHit => policy.stale_if_error,
                _ => continue,
            };
            let stored = stored.expect("what is given is held");
            prop_assert!(stored.age <= max_age.map_or(most, |takes| takes.min(most)), "CACHE-1: {decision:?}");
            prop_assert_eq!(decision.method(), Some(Method::Cache));
            if decision.reason == Reason::CacheFreshHit {
                prop_assert_eq!(decision.outcome.tier, Some(stored.tier), "CACHE-2");
                prop_assert!(policy.fresh);
            }
        }
    }

    #[test]
    fn f_147_an_answer_to_other_words_is_near_enough_young_enough_and_never_before_one_to_the_same(seed: u64) {
        let history = play(seed);
        let revision = caching(seed);
        let (mut admits, mut found, mut searches) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (_, entry) in &history.entries {
            match entry {
                Entry::Input(Input::Admit(admit)) => drop(admits.insert(admit.request, admit.clone())),
                Entry::Input(Input::Attempt { attempt, event: Event::Similar(near) }) => drop(found.insert(*attempt, *near)),
                Entry::Output(Output::Start(start)) if revision.paths[start.path.index()].place == Where::Stored => {
                    let (admit, policy) = (&admits[&start.request], revision.routes[0].cache.expect("it has one"));
                    let held = |it: Stored| it.age <= policy.stale_if_error.min(admit.cache.max_age.unwrap_or(Nanos::MAX));
                    prop_assert!(policy.similar.is_some() && admit.cache.others, "nobody looks for what cannot be there");
                    prop_assert!(!admit.cache.stored.is_some_and(held), "CACHE-3: one to the same words goes before");
                    prop_assert!(searches.insert(start.request, start.attempt).is_none(), "once");
                }
                Entry::Output(Output::Decision(decision)) if decision.reason == Reason::CacheSemanticHit => {
                    let admit = &admits[&decision.request];
                    let policy = revision.routes[decision.route.index()].cache.expect("it has one");
                    let (near, most) = match decision.attempts.is_empty() {
                        true => (admit.cache.near, fresh_for(policy.ttl, admit.cache.key.unwrap_or(0))),
                        false => (found.get(&searches[&decision.request]).copied(), policy.stale_if_error),
                    };
                    let near = near.expect("what is given was found");
                    prop_assert!(near.similarity >= AT_LEAST, "CACHE-3: {decision:?}");
                    prop_assert!(near.stored.age <= most.min(admit.cache.max_age.unwrap_or(Nanos::MAX)), "CACHE-1");
                    prop_assert_eq!(decision.method(), Some(Method::Cache));
                    let given = |it: &Candidate| it.verdict == Verdict::Selected && Some(it.tier) == decision.outcome.tier;
                    prop_assert!(decision.candidates.iter().any(given), "{decision:?}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn f_145_a_tier_is_not_asked_twice_at_once_for_one_answer(seed: u64) {
        // With room to wait, and nobody who may not. Several histories: in one there may be few who ask.
        let first = seed / 2;
        let first = first - first % 15 + 2;
        let (mut twice, mut starts) = (0, 0);
        for seed in (0..12).map(|at| first.wrapping_add(at * 15)) {
            let history = play(seed);
            let mut keys = BTreeMap::new();
            let mut running: BTreeMap<AttemptId, (u64, RequestId)> = BTreeMap::new();
            for (_, entry) in &history.entries {
                match entry {
                    Entry::Input(Input::Admit(admit)) => {
                        let key = admit.cache.key.filter(|_| admit.cache.max_age != Some(0));
                        keys.extend(key.map(|key| (admit.request, key)));
                    }
                    Entry::Input(Input::Attempt { attempt, event: Event::Ended { .. } }) => drop(running.remove(attempt)),
                    Entry::Output(Output::Cancel { attempt, .. }) => drop(running.remove(attempt)),
                    Entry::Output(Output::Start(start)) => {
                        let Some(key) = keys.get(&start.request).filter(|_| start.tier == 0) else { continue };
                        starts += 1;
                        twice += usize::from(running.values().any(|(it, of)| it == key && *of != start.request));
                        running.insert(start.attempt, (*key, start.request));
                    }
                    _ => {}
                }
            }
        }
        // Those that go alone: from an answer that could not be shared, and halfway from a stream that speaks.
        prop_assert!(twice * 3 <= starts, "{twice} of {starts}");
    }
}
