//! The shadow of a request: drawn when its client has been answered, heard like an attempt, and told to nobody but the path
//! (F-150 to F-152).
//!
//! It holds a request of its own, as if the same were asked again now of one tier alone: what that tier may be asked, by
//! which clocks it is timed, and what its end says are the same questions, and have the same answers. That request never
//! advances, so it has no outcome and no record.

use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    attempt::Attempt,
    breaker::BreakerState,
    class::ResultCode,
    clock::Nanos,
    decision::{End, Role},
    fact::Fact,
    id::{PathId, ReplicaId},
    input::{Admit, Event},
    output::{Cancelled, Output},
    path::Generation,
    plan::Plan,
    priority::Priority,
    rate::too_little,
    request::{Arrival, Ended, Request, Retry, World},
    revision::{Method, Where},
    route::Phase,
    shadow::{HALF, QUIET},
    timer::Owner,
    unit::Permille,
};

/// A copy of a request that runs on one tier.
#[derive(Debug)]
pub(crate) struct Shadow {
    of: Request,
    slot: u32,
}

/// A tier that may be asked for a shadow, or a member of one: each path is exercised for itself.
type Place = (u8, Option<u8>);

/// A shadow that would be started.
struct Drawn {
    of: Request,
    place: Place,
    replica: ReplicaId,
}

impl Request {
    /// Draws whether the request, whose client has just been answered, is copied to a tier below the one that answered, and
    /// starts that.
    pub(super) fn cast_shadow(&self, now: Nanos, world: &mut World<'_>, (end, answered): (End, Option<u8>)) {
        if self.asked_somebody() {
            world.shadowing.deposit(now, self.admit.cost);
        }
        let Some(answered) = answered.filter(|_| end == End::Answered && self.may_be_copied()) else { return };
        let mut tiers = Vec::new();
        for place in (answered + 1..self.route().tiers.len() as u8).flat_map(|tier| self.places(tier)) {
            if self.draws(now, world, place) {
                tiers.push((self.last_asked(world, place), place));
            }
        }
        // Who was asked longest ago is asked first; one who never was, before all.
        tiers.sort_unstable();
        let drawn = tiers.into_iter().find_map(|(_, place)| self.copy_for(now, world, place));
        if let Some(drawn) = drawn {
            start(now, world, drawn);
        }
    }

    /// Says whether a model was asked for it: who got what was kept, or what another one waited for, costs nothing (SHA-5).
    fn asked_somebody(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// SHA-1. What has other rows for each tier would be another question to each.
    fn may_be_copied(&self) -> bool {
        let Admit { pure, private, sequence, rows, bodies, .. } = &self.admit;
        let shared = self.route().shadow.share > Permille::new(0);
        let room = *bodies <= Priority::Sheddable.share_of_bodies();
        shared && room && *pure && !private && sequence.is_none() && rows.apart == 0
    }

    fn places(&self, tier: u8) -> Vec<Place> {
        match &self.route().tiers[usize::from(tier)].ensemble {
            Some(ensemble) => (0..ensemble.members.len() as u8).map(|member| (tier, Some(member))).collect(),
            None => [(tier, None)].into(),
        }
    }

    fn path_at(&self, (tier, member): Place) -> PathId {
        let of = &self.route().tiers[usize::from(tier)];
        let member = member.and_then(|member| of.ensemble.as_ref()?.members.get(usize::from(member)).copied());
        member.unwrap_or(of.path)
    }

    /// Says whether the lot falls on a tier: by its share, within what shadows may cost, where a model was asked (SHA-5), or
    /// because its hour is over.
    fn draws(&self, now: Nanos, world: &mut World<'_>, place: Place) -> bool {
        let (tier, member) = place;
        let (of, id) = (&self.route().tiers[usize::from(tier)], self.path_at(place));
        let path = self.generation.path(id);
        if path.place == Where::Certain || of.method == Method::Cache || path.effects {
            return false;
        }
        let due = world.paths.state_mut(self.generation.slot(id)).proof.is_due(now);
        // Bits that no other draw is made from, and others for each tier.
        let lot = self.admit.entropy.rotate_left(17).wrapping_add(u64::from(tier) << 40);
        let lot = lot.wrapping_add(member.map_or(0, |member| u64::from(member) + 1) << 48);
        let drawn = self.asked_somebody() && self.route().shadow.share.draws(lot);
        due || (drawn && world.shadowing.purse(now) >= self.cost(id))
    }

    fn last_asked(&self, world: &World<'_>, place: Place) -> Option<Nanos> {
        world.paths.state(self.generation.slot(self.path_at(place))).proof.last_asked()
    }

    /// Copies the request for a tier, where nothing speaks against asking that (SHA-2, SHA-4).
    fn copy_for(&self, now: Nanos, world: &mut World<'_>, place: Place) -> Option<Drawn> {
        let ((tier, member), path) = (place, self.path_at(place));
        let slot = self.generation.slot(path);
        if !world.shadows.has_room(slot) {
            return None;
        }
        let generation = self.generation.clone();
        let phase = Phase::Normal;
        let arrival =
            Arrival { generation, phase, episode: None, held: None, drift: None, stepped: None, member: None };
        let admit = Admit { deadline: None, max_tier: None, spent: 0, ..self.admit.clone() };
        let of = Request::new(now, admit, arrival);
        world.paths.state_mut(slot).lane(self.generation.path(path), self.admit.operation);
        let plan = of.plan(now, world).at(tier, member);
        if plan.facts(tier).iter().any(Fact::breached) {
            return None;
        }
        let replica = plan.replica(tier, None)?;
        if !plan.is_calm(tier, replica) {
            return None;
        }
        Some(Drawn { of, place, replica })
    }
}

impl Plan<'_> {
    /// Says whether a tier and its replica have so much room, and such quiet, that a shadow is in nobody's way (SHA-4).
    fn is_calm(&self, tier: u8, replica: ReplicaId) -> bool {
        let generation = &self.request.generation;
        let path = self.path_id(tier);
        let open = |gate: u32| self.gates.at(gate).is_left(self.now, QUIET);
        let lane = self.paths.state(generation.slot(path)).seen(self.request.admit.operation);
        let whole = lane.is_none_or(|lane| lane.broken.is_left(self.now, QUIET) && lane.state() != BreakerState::Open);
        let quiet = generation.limiter(path, replica).map(|it| self.limits.at(it)).is_none_or(|limiter| {
            let with = limiter.in_flight().saturating_add(self.request.weight(path));
            let room = limiter.limit(self.now).is_none_or(|limit| with <= HALF.of(limit) || limiter.in_flight() == 0);
            let pushed = limiter.pushed(self.now).is_some_and(|at| self.now.saturating_sub(at) < QUIET);
            room && !pushed
        });
        whole && quiet && generation.before(path).on_the_way(replica.index()).all(open)
    }
}

/// Starts a shadow.
fn start(now: Nanos, world: &mut World<'_>, Drawn { mut of, place, replica }: Drawn) {
    let (tier, member) = place;
    let (attempt, start) = of.take_up(now, world, Retry { member, ..Retry::first(tier, replica) });
    let (id, slot) = (attempt.id, of.generation.slot(attempt.path));
    // One that its hour asks for may find less there than it costs.
    let paid = of.cost(attempt.path).min(world.shadowing.purse(now));
    world.shadowing.withdraw(now, paid);
    world.outputs.push_back(Output::Shadow(start));
    world.timers.arm(Owner::Shadow(id), attempt.due());
    of.current = Some(attempt);
    world.shadows.add(id, Shadow { of, slot });
}

impl Shadow {
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    pub(crate) fn generation(&self) -> &Arc<Generation> {
        &self.of.generation
    }

    pub(crate) fn route_name(&self) -> &String {
        &self.of.route().name
    }

    /// Returns when the next of its clocks fires; none once it is over.
    pub(crate) fn due(&self) -> Option<Nanos> {
        self.of.current.as_ref().map(Attempt::due)
    }

    /// Hears what happened to it.
    pub(crate) fn event(&mut self, now: Nanos, event: Event, world: &mut World<'_>) {
        let Some(id) = self.of.current.as_ref().map(|attempt| attempt.id) else { return };
        if matches!(event, Event::Progress | Event::FirstContent | Event::Enough) {
            self.of.breaks_silence(now, id, world);
        }
        let Some(attempt) = self.of.current.as_mut() else { return };
        match event {
            Event::Alive => attempt.alive(),
            Event::Slow { said } => {
                let least = self.of.generation.path(attempt.path).min_rate;
                if too_little(attempt.tier, said, least).is_some() {
                    attempt.slow();
                }
            }
            Event::Ended { result, status, after } => {
                let result = result.in_role(Role::Answer).at_tier(attempt.tier);
                self.of.land(now, world, result);
                self.over(now, world, Ended { result, status, after });
            }
            Event::Progress if attempt.first_content.is_none() => attempt.reasoning(now),
            Event::Progress | Event::FirstContent | Event::Enough => self.content(now, world),
            // Nothing of it is sent, and nobody accepts or refuses rows of it.
            Event::Closed | Event::Unrepeatable | Event::Judged { .. } => {}
            Event::Voted(_) | Event::Similar(_) => {}
        }
        self.of.renew(world);
    }

    fn content(&mut self, now: Nanos, world: &mut World<'_>) {
        let Some(attempt) = self.of.current.as_mut() else { return };
        let first = attempt.first_content.is_none() && self.of.admit.operation.is_stream();
        attempt.content(now);
        let (id, path) = (attempt.id, attempt.path);
        let state = world.paths.state_mut(self.slot);
        let lane = state.lane(self.of.generation.path(path), self.of.admit.operation);
        lane.content(now, id);
        if let Some(attempt) = self.of.current.as_ref().filter(|_| first) {
            self.of.pace(now, world, attempt);
        }
    }

    /// Hears that a clock may have fired.
    pub(crate) fn timeout(&mut self, now: Nanos, world: &mut World<'_>) {
        let Some(result) = self.of.current.as_ref().and_then(|attempt| attempt.fired(now)) else { return };
        self.stop(now, world, (Cancelled::Clock(result), result));
    }

    /// Ends it: a clock has fired, or the process stops.
    pub(crate) fn stop(&mut self, now: Nanos, world: &mut World<'_>, (why, result): (Cancelled, ResultCode)) {
        let Some(attempt) = self.of.current.as_ref() else { return };
        let attempt_id = attempt.id;
        self.of.leave(now, world, attempt);
        world.outputs.push_back(Output::ShadowStop { attempt: attempt_id, why });
        self.over(now, world, Ended { result, status: None, after: None });
    }

    /// Hears that nobody listened for a time.
    pub(crate) fn paused(&mut self, by: Nanos, unheard: Nanos) {
        self.of.current.iter_mut().for_each(|attempt| attempt.pause(by, unheard));
    }

    /// Records what its end says (F-152).
    fn over(&mut self, now: Nanos, world: &mut World<'_>, how: Ended) {
        let Some(attempt) = self.of.current.take() else { return };
        let how = Ended { result: attempt.verified(how.result), ..how };
        self.of.tell_gates(now, world, &attempt, how);
        self.of.tell_streams(now, world, &attempt, how.result);
        self.of.settle(now, world, (&attempt, how.result, how.status), None);
    }
}
