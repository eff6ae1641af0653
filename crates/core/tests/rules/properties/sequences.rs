//! OIP-36: where the requests of a sequence go, beside a model that keeps every sequence by plain counting.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    history::{Entry, History},
    sample::sample,
    world::{ARRIVALS, World},
};

/// What has the state of a sequence.
type Place = (PathId, ReplicaId);

/// One sequence, as a client would keep it.
struct Kept {
    begun: RequestId,
    /// None while its start is being answered.
    place: Option<Place>,
    open: BTreeSet<RequestId>,
    /// When its last request ended.
    since: Nanos,
}

/// What was seen of one history.
#[derive(Default)]
struct Seen {
    kept: BTreeMap<u128, Kept>,
    /// Of each request of a sequence: the sequence, who began it, and where it may go: anywhere, one place, or nowhere.
    members: BTreeMap<RequestId, (Sequence, RequestId, Option<Option<Place>>)>,
    went_on: usize,
    lost: usize,
}

impl Seen {
    fn admit(&mut self, now: Nanos, request: RequestId, of: Sequence) {
        self.kept.retain(|_, it| !it.open.is_empty() || now < it.since + 60 * SECOND);
        let kept = self.kept.get_mut(&of.key).filter(|it| !of.start || it.place.is_none());
        let (begun, may) = match kept {
            // Its start is being answered: nobody is asked.
            Some(Kept { place: None, .. }) => (request, Some(None)),
            Some(it) => {
                it.open.insert(request);
                (it.begun, Some(it.place))
            }
            None if of.start => {
                self.kept.insert(of.key, Kept { begun: request, place: None, open: [request].into(), since: now });
                (request, None)
            }
            None => (request, Some(None)),
        };
        self.members.insert(request, (of, begun, may));
    }

    fn start(&self, start: &Start) -> Result<(), String> {
        match self.members.get(&start.request) {
            Some((.., Some(may))) if *may != Some((start.path, start.replica)) => {
                Err(format!("{start:?} goes on with what is at {may:?}"))
            }
            _ => Ok(()),
        }
    }

    fn over(&mut self, now: Nanos, decision: &Decision) -> Result<(), String> {
        let Some((of, begun, may)) = self.members.remove(&decision.request) else { return Ok(()) };
        let fault = |what: &str| {
            let Decision { request, facts, attempts, outcome, .. } = decision;
            Err(format!("{what}: {request:?} of {of:?} at {may:?}: {outcome:?} {attempts:?} {facts:?}"))
        };
        let again = decision.attempts.windows(2).filter(|pair| pair[0].path == pair[1].path);
        // A start that was probably not taken may be sent again, what follows may not.
        let resent = |result| may.is_none() && result == ResultCode::Unsent;
        if again.into_iter().any(|pair| !pair[0].result.left_nothing() && !resent(pair[0].result)) {
            return fault("asked twice");
        }
        if may.is_some() && decision.attempts.iter().any(|it| it.tier != decision.attempts[0].tier) {
            return fault("asked of two");
        }
        let (end, asked) = (decision.outcome.end, !decision.attempts.is_empty());
        let lost = matches!(end, End::Refused(Refusal::SequenceLost));
        let refused = lost || end == End::Refused(Refusal::SequenceBusy);
        match may {
            None if lost => return fault("a start has nothing to lose"),
            Some(None) if asked || !refused => return fault("nothing has its state"),
            Some(Some(_)) if lost && !asked => {
                let against = |fact: &&Fact| fact.breached() && fact.signal != Signal::Sequence;
                if !decision.facts.iter().any(|fact| against(&fact)) {
                    return fault("lost, and nothing speaks against what has it");
                }
            }
            _ => {}
        }
        self.lost += usize::from(lost);
        self.went_on += usize::from(may.is_some() && end == End::Answered);
        let Some(it) = self.kept.get_mut(&of.key).filter(|it| it.begun == begun) else { return Ok(()) };
        it.open.remove(&decision.request);
        it.since = now;
        let gone = end == End::Refused(Refusal::ClientGone) && asked;
        match decision.attempts.last().filter(|_| end == End::Answered) {
            Some(answer) if of.start => it.place = Some((answer.path, answer.replica)),
            None if of.start => drop(self.kept.remove(&of.key)),
            _ => {}
        }
        if lost || gone || (of.end && end == End::Answered) {
            self.kept.remove(&of.key);
        }
        Ok(())
    }
}

fn follow(history: &History) -> Result<Seen, String> {
    let mut seen = Seen::default();
    // Clocks that have fired are heard before what comes with them (CORE-3): a call joins once it says something itself.
    let mut coming: Option<(Nanos, RequestId, Sequence)> = None;
    for (at, entry) in &history.entries {
        let of = match entry {
            Entry::Output(Output::Start(start)) => Some(start.request),
            Entry::Output(Output::Decision(decision)) => Some(decision.request),
            Entry::Output(_) => continue,
            Entry::Input(_) => None,
        };
        if let Some((at, request, sequence)) = coming.take_if(|it| of.is_none_or(|of| of == it.1)) {
            seen.admit(at, request, sequence);
        }
        match entry {
            Entry::Input(Input::Admit(admit)) => coming = admit.sequence.map(|it| (*at, admit.request, it)),
            Entry::Output(Output::Start(start)) => seen.start(start)?,
            Entry::Output(Output::Decision(decision)) => seen.over(*at, decision)?,
            _ => {}
        }
    }
    Ok(seen)
}

/// Plays calls of sequences among others, in all weathers, until nothing is left of them.
fn play(seed: u64) -> Result<Seen, String> {
    let mut world = World::new(seed, sample(seed));
    for _ in 0..2 * ARRIVALS {
        let gap = world.dice.below(160) * MILLISECOND;
        world.run_until(world.now + gap);
        world.weather();
        world.arrive_at(RouteId(1));
    }
    world.run_until(world.now + 60 * SECOND);
    let seen = follow(&world.history)?;
    world.run_until(world.now + 60 * SECOND);
    world.feed(Input::Timeout);
    match (world.core.sequences(), world.core.open()) {
        (0, 0) => Ok(seen),
        left => Err(format!("SEQ-2: {left:?} are kept for ever")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn oip_36_a_sequence_is_answered_by_one_replica_and_by_nobody_else(seed: u64) {
        let seen = play(seed);
        prop_assert!(seen.is_ok(), "{}", seen.err().unwrap_or_default());
    }
}

#[test]
fn oip_36_some_sequences_go_on_and_some_are_lost() {
    let seen: Vec<_> =
        (0..10).chain([2_594_284_695_893_863_776]).map(|seed| play(seed).expect("as the property says")).collect();
    let (went_on, lost): (usize, usize) = (seen.iter().map(|it| it.went_on).sum(), seen.iter().map(|it| it.lost).sum());
    assert!(went_on > 50 && lost > 50, "{went_on} went on, {lost} were lost");
}
