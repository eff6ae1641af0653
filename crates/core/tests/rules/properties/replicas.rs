//! Which of several replicas is asked, and which is taken out (`failures.md`, section 7).

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    history::{Entry, History},
    sample::sample,
    upstream::Grey,
    world::World,
};

/// Later than the others: more than a comparison lets pass, and nothing that a breaker counts.
const LATE: Grey = Grey::Late(800 * MILLISECOND);
/// Fails more often than the others, which fail in `ILL` of a thousand attempts. Where they never do it is asked so seldom by
/// F-100 that there is little to compare.
const FAILS: Grey = Grey::Fails(300);
const ILL: u64 = 50;

proptest! {
    // Each of these is a minute of work, or some of them.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_100_of_two_replicas_the_one_that_takes_less_time_is_asked(seed: u64) {
        let history = Greyish { replicas: 2, min_available: 1, grey: &[1], how: LATE }.play(seed);
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
        let grey = (seed % 4) as u16;
        for how in [LATE, FAILS] {
            let found = Greyish { replicas: 4, min_available: 1, grey: &[grey], how }.taken_out(seed)?;
            prop_assert_eq!(found, BTreeSet::from([grey]), "{:?}", how);
        }
    }

    #[test]
    fn f_103_two_replicas_are_not_compared(seed: u64) {
        for how in [LATE, FAILS] {
            let found = Greyish { replicas: 2, min_available: 1, grey: &[1], how }.taken_out(seed)?;
            prop_assert_eq!(found, BTreeSet::new(), "{:?}", how);
        }
    }

    #[test]
    fn f_104_a_comparison_leaves_as_many_as_have_to_be_there(seed: u64) {
        let grey = [(seed % 5) as u16, (seed % 5 + 2) as u16 % 5];
        for how in [LATE, FAILS] {
            let all = Greyish { replicas: 5, min_available: 5, grey: &grey, how }.taken_out(seed)?;
            prop_assert_eq!(all, BTreeSet::new(), "{:?}", how);
            let found = Greyish { replicas: 5, min_available: 4, grey: &grey, how }.taken_out(seed)?;
            prop_assert!(found.iter().all(|it| grey.contains(it)), "{:?}: {:?}", how, found);
            // Two of five that fail may hide one another, as long as nobody is out.
            prop_assert!(matches!(how, Grey::Fails(_)) || !found.is_empty(), "none was taken out");
        }
    }
}

/// A minute with several replicas of the primary, of which some are worse than the others.
struct Greyish<'a> {
    replicas: usize,
    min_available: u16,
    grey: &'a [u16],
    how: Grey,
}

impl Greyish<'_> {
    /// Plays it with breakers that count nothing: only the comparison takes a replica out that is neither half open nor in its
    /// ramp.
    fn play(&self, seed: u64) -> History {
        let mut revision = sample(seed);
        revision.upstreams[0].replicas = (0..self.replicas).map(|at| format!("http://{at}")).collect();
        revision.upstreams[0].min_available = self.min_available;
        for path in &mut revision.paths {
            path.breaker = BreakerPolicy { consecutive: u32::MAX, low: [u32::MAX; 2], ..path.breaker.clone() };
            (path.breaker.fast.samples, path.breaker.slow.samples) = (u32::MAX, u32::MAX);
            path.clocks.first_content = FirstClock::Fixed(2 * SECOND);
            (path.limit, path.objective) = (LimitPolicy::Fixed(u64::MAX), Some(600 * SECOND));
        }
        let mut world = World::new(seed, revision);
        (world.churn, world.impatience, world.only) = (false, false, Some(ResultCode::Status5xx));
        // Answers of no time at all would make every other one a million times too late.
        world.least = 5 * MILLISECOND;
        for round in 0..3_000 {
            if round == 600 {
                // Until now all were well, and showed enough for traffic not to be low (F-063).
                world.grey = self.grey.iter().map(|at| (ReplicaId(*at), self.how)).collect();
                world.illness.insert(0, if matches!(self.how, Grey::Fails(_)) { ILL } else { 0 });
            }
            world.run_until(world.now + 20 * MILLISECOND);
            world.arrive_at(RouteId(0));
        }
        world.run_until(world.now + 20 * SECOND);
        world.history
    }

    /// Returns who was taken out by comparison; whatever was, was so by the rules.
    fn taken_out(&self, seed: u64) -> Result<BTreeSet<u16>, TestCaseError> {
        let mut seen = Seen { open: sample(seed).paths[0].breaker.open, ..Seen::default() };
        let mut found = BTreeSet::new();
        for (at, entry) in &self.play(seed).entries {
            if let Entry::Input(_) = entry
                && let Some((since, operation, replica)) = seen.told.take()
            {
                self.judge(&seen, (since, operation, replica))?;
                seen.out.insert((operation, replica), since);
                found.insert(replica.0);
            }
            seen.note(*at, entry)?;
        }
        Ok(found)
    }

    /// F-103, F-104: three or more replicas with twenty samples each in a minute, twice in a row with ten seconds in between, and
    /// as many are left as have to be.
    fn judge(&self, seen: &Seen, (at, operation, replica): Ejection) -> Result<(), TestCaseError> {
        let replicas = || (0..self.replicas as u16).map(ReplicaId);
        let recent = |of: &ReplicaId| {
            let known = |it: &&Ejection| (it.1, it.2) == (operation, *of) && it.0 + 60 * SECOND >= at;
            seen.outcomes.iter().filter(known).count()
        };
        prop_assert!(recent(&replica) >= 20, "F-103: {:?} is known by {} outcomes", replica, recent(&replica));
        let compared = replicas().filter(|of| recent(of) >= 20).count();
        prop_assert!(compared >= 3, "F-103: {} have shown enough", compared);
        let left = replicas().filter(|of| *of != replica && seen.is_admitted((at, operation, *of))).count();
        prop_assert!(left >= usize::from(self.min_available), "F-104: {} are left", left);
        let before = seen.out.iter().filter(|((of, _), _)| *of == operation).map(|(_, since)| *since).max();
        let since = at - before.unwrap_or(0);
        prop_assert!(since >= 20 * SECOND, "F-104: after {} ns the counts did not start at zero", since);
        Ok(())
    }
}

/// When, for which operation, which replica of the first path.
type Ejection = (Nanos, Operation, ReplicaId);

/// What has been seen of the replicas of the first path.
#[derive(Default)]
struct Seen {
    /// The shortest open time.
    open: Nanos,
    operations: BTreeMap<RequestId, Operation>,
    running: BTreeMap<AttemptId, (Operation, ReplicaId)>,
    /// What an attempt has shown: its first content, its end, or that a clock ended it.
    outcomes: Vec<Ejection>,
    /// Since when a replica stands as it does, how it stood before, and how it stands.
    states: BTreeMap<(Operation, ReplicaId), (Nanos, BreakerState, BreakerState)>,
    /// Who was taken out by comparison with the input that came last.
    told: Option<Ejection>,
    /// When a replica was taken out last.
    out: BTreeMap<(Operation, ReplicaId), Nanos>,
}

impl Seen {
    fn note(&mut self, at: Nanos, entry: &Entry) -> Result<(), TestCaseError> {
        match entry {
            Entry::Input(Input::Admit(admit)) => {
                self.operations.insert(admit.request, admit.operation);
            }
            Entry::Output(Output::Start(start)) if start.path == PathId(0) => {
                let of = (self.operations[&start.request], start.replica);
                let alone = self.out.get(&of).is_none_or(|since| *since + self.open <= at);
                prop_assert!(alone, "F-066: {:?} was taken out less than {} ns ago", start, self.open);
                self.running.insert(start.attempt, of);
            }
            Entry::Input(Input::Attempt { attempt, event: Event::FirstContent | Event::Ended { .. } })
            | Entry::Output(Output::Cancel { attempt, why: Cancelled::Clock(_), .. }) => {
                self.outcomes.extend(self.running.get(attempt).map(|(operation, replica)| (at, *operation, *replica)));
            }
            Entry::Output(Output::Breaker(it)) if it.path == PathId(0) => {
                let Some(replica) = it.replica else { return Ok(()) };
                self.states.insert((it.operation, replica), (at, it.turn.from, it.turn.to));
                if it.turn.trip.is_some_and(|trip| trip.rule == "F-103") {
                    self.told = Some((at, it.operation, replica));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Says whether a replica is admitted, or was until this very moment.
    fn is_admitted(&self, (at, operation, replica): Ejection) -> bool {
        self.states.get(&(operation, replica)).is_none_or(|(since, before, state)| {
            *state <= BreakerState::Ramp || (*since == at && *before <= BreakerState::Ramp)
        })
    }
}
