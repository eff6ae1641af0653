//! Plan: which tiers a request may be answered by, and ([`time`]) how much of its time each may use.
//!
//! It compares and computes; it starts nothing and changes nothing. What it compares becomes the record's facts.
//!
//! # Invariants
//! - `PLAN-1`: a tier is admitted exactly when none of its facts is breached, but for those of single members of an ensemble.

mod members;
mod time;

use alloc::vec::Vec;

use crate::{
    breaker::{BreakerState, Question},
    capability::Can,
    clock::Nanos,
    domain::{Before, Gates},
    fact::{Fact, Signal},
    id::ReplicaId,
    limiter::Room,
    limits::Limits,
    path::{Asker, Generation, Lane, Paths},
    request::Request,
    revision::{Method, Path, Where},
    unit::Permille,
};

/// Crashes under one request that may be chance; what breaks a second time is the request itself (F-035).
pub(crate) const CHANCE: u64 = 1;

/// A request in its surroundings, to be looked at.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) now: Nanos,
    pub(crate) request: &'a Request,
    pub(crate) paths: &'a Paths,
    pub(crate) gates: &'a Gates,
    pub(crate) limits: &'a Limits,
    /// The member of an ensemble that is looked at, and of which tier; none where the tier as a whole is.
    pub(crate) member: Option<(u8, u8)>,
}

impl<'a> Plan<'a> {
    fn generation(&self) -> &'a Generation {
        &self.request.generation
    }

    fn tiers(&self) -> u8 {
        self.request.route().tiers.len() as u8
    }

    fn path(&self, tier: u8) -> &'a Path {
        self.generation().path(self.path_id(tier))
    }

    fn lane(&self, tier: u8) -> Option<&'a Lane> {
        let slot = self.generation().slot(self.path_id(tier));
        self.paths.state(slot).seen(self.request.admit.operation)
    }

    /// Returns everything that is compared for a tier, the path's own state last; of the members of an ensemble what speaks
    /// against them.
    pub(crate) fn facts(&self, tier: u8) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(4);
        self.ask(tier, &mut |signal, value, threshold| facts.push(Fact::new(tier, signal, value, threshold)));
        facts.extend(self.against_members(tier));
        facts
    }

    /// Says whether a tier would be admitted now.
    pub(crate) fn admits(&self, tier: u8) -> bool {
        let mut admits = true;
        self.ask(tier, &mut |signal, value, threshold| {
            admits &= !signal.breached_when().holds(value, threshold);
        });
        admits
    }

    fn ask(&self, tier: u8, add: &mut impl FnMut(Signal, u64, u64)) {
        self.ask_standing(tier, add);
        if let Some(left) = self.broken_for(tier) {
            add(Signal::StreamBroken, left, 0);
        }
        if let Some(left) = self.held_for(tier) {
            add(Signal::RouteHeld, left, 0);
        }
    }

    /// Returns for how long a tier is left alone because its route is pinned below it, where another model below can answer
    /// (F-183).
    fn held_for(&self, tier: u8) -> Option<Nanos> {
        let held = self.request.held?;
        Some(held.left(self.now, tier)).filter(|left| *left > 0 && self.has_model_from(held.tier))
    }

    /// Returns for how long a tier is left alone because a stream broke on it, while another model below could answer: a
    /// canned answer would help nobody (F-077).
    fn broken_for(&self, tier: u8) -> Option<Nanos> {
        // A stream that has begun and broke is mended where it can be.
        let new = self.request.admit.operation.is_stream() && !self.request.has_begun();
        let lane = self.lane(tier).filter(|_| new)?;
        // A tier below on which streams broke is asked, too, where no other is left: the lowest always is.
        lane.broken.ask(self.now).filter(|left| *left == 0 || !self.last_of_its_kind(tier))
    }

    /// Compares all but whether a stream broke a moment ago, and whether the route is pinned.
    fn ask_standing(&self, tier: u8, add: &mut impl FnMut(Signal, u64, u64)) {
        let path = self.path(tier);
        let mut barred = false;
        let note = &mut |signal: Signal, value, threshold| {
            barred |= signal.breached_when().holds(value, threshold);
            add(signal, value, threshold);
        };
        self.ask_request(tier, path, note);
        // What is held of an earlier answer is there; one to other words has to be looked for.
        if path.place == Where::Certain || path.place == Where::Stored && !self.request.seeks() {
            return;
        }
        // The deadline of a stream ends at its commit.
        if !self.request.has_begun() {
            let last = tier + 1 == self.tiers();
            note(Signal::TimeLeft, self.left(), if last { 1 } else { self.enough(tier) });
        }
        if let Some((eligible, quorum)) = self.quorum(tier) {
            return note(Signal::Members, eligible, quorum);
        }
        self.ask_gates(tier, note);
        // Where it is barred anyway, nobody needs to know whether it is the only one left. Else that is asked once: to be asked
        // again for each replica would cost a walk down the ladder each.
        let asker = if barred { self.asker(false) } else { self.asker_of(tier) };
        if let Some(Room { value, threshold }) = self.most_room(tier, asker) {
            add(Signal::InFlight, value, threshold);
        }
        let Some(lane) = self.lane(tier) else { return };
        let (breaker, replicas) = lane.ask(asker, |replica| self.passable(tier, replica));
        for Question { signal, value, threshold } in core::iter::once(breaker).chain(replicas) {
            add(signal, value, threshold);
        }
    }

    fn asker(&self, alone: bool) -> Asker {
        Asker { now: self.now, entropy: self.request.admit.entropy, alone }
    }

    /// Returns how the request asks a lane: as one that only this tier can answer, where no lower one is admitted, not even a
    /// safe default. Those above have been asked, or are barred.
    fn asker_of(&self, tier: u8) -> Asker {
        let ramping = self.lane(tier).is_some_and(Lane::is_ramping);
        // From the bottom up: the last one has none below it that would have to be asked in turn.
        self.asker(ramping && !(tier + 1..self.tiers()).rev().any(|below| self.admits(below)))
    }

    /// Compares the gates that were ever closed: those of quota and credential, and, where none of its replicas may be
    /// asked, the one that opens first.
    fn ask_gates(&self, tier: u8, add: &mut impl FnMut(Signal, u64, u64)) {
        let before = self.before(tier);
        let closed = |gate: u32| self.gates.at(gate).ask(self.now);
        if let Some(left) = before.domain.and_then(closed) {
            add(Signal::GateFor, left, 0);
        }
        if let Some(left) = before.credential.and_then(closed) {
            add(Signal::CredentialFor, left, 0);
        }
        if let Some(left) =
            self.replica_gates(tier).map(|gate| closed(gate).unwrap_or(0)).min().filter(|left| *left > 0)
        {
            add(Signal::GateFor, left, 0);
        }
    }

    /// Returns how long until a tier may be asked, as far as it is known; for room, which is a guess, at most `guess`.
    pub(crate) fn recovers_in(&self, tier: u8, guess: Nanos) -> Nanos {
        if let Some(soonest) = self.quorum_of(tier, |member| member.recovers_in(tier, guess)) {
            return soonest;
        }
        let lane = self.lane(tier).map_or(0, |lane| lane.recovers_in(self.now));
        lane.max(self.gates_open_in(tier)).max(self.room_in(tier).min(guess))
    }

    /// Returns how long until all the gates before a tier may be open, as far as it is known.
    fn gates_open_in(&self, tier: u8) -> Nanos {
        let before = self.before(tier);
        let left = |gate: &u32| self.gates.at(*gate).opens_in(self.now);
        let shared = before.domain.iter().chain(&before.credential).map(left).max();
        shared.max(self.replica_gates(tier).map(|gate| left(&gate)).min()).unwrap_or(0)
    }

    /// Returns the gates of the replicas that the request may be asked of.
    fn replica_gates(&self, tier: u8) -> impl Iterator<Item = u32> {
        let gates = self.before(tier).replicas.iter().enumerate();
        gates.filter(|(replica, _)| self.request.may_ask(*replica)).map(|(_, gate)| *gate)
    }

    /// Says whether the gate of a replica lets a request pass, and its sequence does not hold it elsewhere.
    pub(crate) fn passable(&self, tier: u8, replica: usize) -> bool {
        let gate = self.before(tier).replicas.get(replica);
        self.request.may_ask(replica) && gate.is_none_or(|&gate| self.gates.at(gate).admits(self.now))
    }

    /// Says whether one replica of a tier may be asked, by its breaker, its gate and its limiter: all may have moved while a
    /// request waited for it.
    pub(crate) fn admits_replica(&self, tier: u8, replica: ReplicaId) -> bool {
        self.is_well(tier, replica, self.asker_of(tier)) && self.has_room(tier, replica.index())
    }

    /// Says whether neither the breaker nor the gate of a replica speaks against it.
    fn is_well(&self, tier: u8, replica: ReplicaId, asker: Asker) -> bool {
        self.passable(tier, replica.index()) && self.lane(tier).is_none_or(|lane| lane.admits(asker, replica))
    }

    /// Returns what the limiter of a replica compares; none where there is no limit.
    fn room(&self, tier: u8, limiter: u32) -> Option<Room> {
        let (admit, route) = (&self.request.admit, self.request.route());
        let weight = self.request.weight(self.path_id(tier));
        self.limits.at(limiter).ask(self.now, admit.entropy, weight, route.priority)
    }

    fn limiters(&self, tier: u8) -> &'a [u32] {
        &self.generation().limiters[self.path_id(tier).index()]
    }

    /// Says whether a replica has room for the request.
    fn has_room(&self, tier: u8, replica: usize) -> bool {
        let limiter = self.limiters(tier).get(replica);
        limiter.and_then(|limiter| self.room(tier, *limiter)).is_none_or(Room::admits)
    }

    /// Returns what is compared at the replica with the most room, of those that nothing else speaks against; none where one
    /// of them has no limit.
    fn most_room(&self, tier: u8, asker: Asker) -> Option<Room> {
        if !self.limiters(tier).iter().any(|limiter| self.limits.at(*limiter).limit(self.now).is_some()) {
            return None;
        }
        let well = |at: &(usize, &u32)| self.is_well(tier, ReplicaId(at.0 as u16), asker);
        let rooms = self.limiters(tier).iter().enumerate().filter(well).map(|(_, limiter)| self.room(tier, *limiter));
        // None, for no limit, comes before every room.
        rooms.min_by_key(|room| room.map(|room| i128::from(room.value) - i128::from(room.threshold))).flatten()
    }

    /// Returns how long until a full tier may have room, as far as it is known; 0 where it has some.
    fn room_in(&self, tier: u8) -> Nanos {
        if self.most_room(tier, self.asker_of(tier)).is_none_or(Room::admits) {
            return 0;
        }
        let each = |limiter: &u32| self.limits.at(*limiter).recovers_in(self.now);
        self.limiters(tier).iter().map(each).min().unwrap_or(0).max(1)
    }

    fn before(&self, tier: u8) -> &'a Before {
        self.generation().before(self.path_id(tier))
    }

    /// Returns an admitted replica of a tier, other than the one that was tried.
    pub(crate) fn replica(&self, tier: u8, tried: Option<ReplicaId>) -> Option<ReplicaId> {
        let lane = self.lane(tier)?;
        lane.choose(self.asker_of(tier), tried, |replica| self.passable(tier, replica) && self.has_room(tier, replica))
    }

    /// Compares what lies in the request itself. Of an ensemble and its members each comparison is made once: with the tier, or
    /// with what is called.
    fn ask_request(&self, tier: u8, path: &Path, add: &mut impl FnMut(Signal, u64, u64)) {
        let request = self.request;
        let method = request.route().tiers[usize::from(tier)].method;
        let (as_tier, as_path) = (!self.is_of_member(tier), path.place != Where::Ensemble);
        if let Some(max) = request.admit.max_tier.filter(|_| as_tier) {
            add(Signal::MaxTier, u64::from(tier), u64::from(max));
        }
        if let Some(least) = request.admit.min_confidence.filter(|_| as_tier) {
            add(Signal::MinConfidence, path.sure.thousandths().into(), least.thousandths().into());
        }
        if as_path {
            self.ask_abilities(path, add);
        }
        if request.only_default && as_tier {
            add(Signal::OnlyDefault, u64::from(method != Method::Default), 0);
        }
        if method == Method::Default {
            add(Signal::DefaultBarred, u64::from(request.default_barred()), 0);
        }
        if as_path && self.suspects(tier) {
            add(Signal::Crashes, u64::from(request.crashes), CHANCE);
        }
        if matches!(path.place, Where::Remote(_)) && request.admit.bodies > Permille::new(0) {
            let most = request.route().priority.share_of_bodies();
            add(Signal::Bodies, request.admit.bodies.thousandths().into(), most.thousandths().into());
        }
        if as_tier {
            self.ask_tier(tier, add);
        }
        if path.place == Where::Certain && method != Method::Default && request.admit.max_tier.is_none() {
            // A path that asks nothing still leaves a fact, so that the record tells "reached" from "not reached".
            add(Signal::FeaturesMissing, 0, 0);
        }
    }

    /// Compares what a path can do with what is needed (F-036).
    fn ask_abilities(&self, path: &Path, add: &mut impl FnMut(Signal, u64, u64)) {
        let request = self.request;
        if !request.admit.needs.is_empty() {
            let missing = request.admit.needs.missing_in(path.features).0;
            add(Signal::FeaturesMissing, u64::from(missing), 0);
        }
        // What is held of an earlier answer is in this process; to look for one to other words may take the question elsewhere.
        let stays = path.place == Where::Stored && !request.seeks();
        Can { regions: if stays { 0 } else { path.can.regions }, ..path.can }.ask(request.admit.wants, add);
        if let Some(context) = path.context {
            add(Signal::Context, request.admit.tokens.saturating_add(path.added.least), context);
        }
        if let Some(floor) = request.too_small {
            add(Signal::LargerContext, path.context.unwrap_or(u64::MAX).saturating_sub(path.added.least), floor);
        }
    }

    /// Compares the rows, the sequence and the attempts of a request with what a tier takes, whoever answers on it.
    fn ask_tier(&self, tier: u8, add: &mut impl FnMut(Signal, u64, u64)) {
        let (request, imputed) = (self.request, self.request.imputed());
        if request.lacks_state(tier).is_none() {
            self.ask_signals(tier, add);
        }
        if imputed.sets_apart(tier) {
            // Where none was set apart, the tier takes what there is, be it nothing.
            add(Signal::RowsFit, request.rows_of(tier), request.rows.apart.min(1));
        } else if tier < imputed.start_at {
            add(Signal::Imputed, request.admit.imputed.thousandths().into(), imputed.most.thousandths().into());
        }
        if self.path(tier).place == Where::Stored && !self.request.seeks() {
            self.ask_cache(add);
        }
        if let Some(lacks) = request.lacks_state(tier) {
            add(Signal::Sequence, lacks.into(), 0);
        }
        if self.path(tier).place == Where::Ensemble {
            add(Signal::Several, u64::from(!request.may_ask_several()), 0);
        }
        if self.is_remote(tier) {
            add(Signal::Attempts, u64::from(request.remote), u64::from(request.route().max_attempts));
        }
    }

    /// Compares what guards have measured, and then whether the route is held lower for drift (G-003), or for a promise that
    /// was not kept (STEP-3). What goes on with a sequence is not compared (GRD-2).
    fn ask_signals(&self, tier: u8, add: &mut impl FnMut(Signal, u64, u64)) {
        let request = self.request;
        for guard in request.route().guards.iter().filter(|guard| tier < guard.start_at) {
            if let Some(value) = request.admit.verdict.of(guard.signal) {
                add(guard.signal, value, guard.threshold);
            }
        }
        if let Some(kept) = request.drift.filter(|kept| tier < kept.start_at) {
            let (signal, value, threshold) = kept.ask(request.admit.entropy);
            add(signal, value, threshold);
        }
        if let Some((signal, value, threshold)) = request.stepped.and_then(|it| it.ask(tier)) {
            add(signal, value, threshold);
        }
    }

    /// Compares what is held of an earlier answer (F-143).
    fn ask_cache(&self, add: &mut impl FnMut(Signal, u64, u64)) {
        let (policy, lookup) = (self.request.route().cache, &self.request.admit.cache);
        add(Signal::CacheMissing, u64::from(policy.is_none() || lookup.stored.is_none()), 0);
        if let Some((policy, stored)) = policy.zip(lookup.stored) {
            add(Signal::CacheStale, stored.age, policy.stale_if_error);
            if let Some(most) = lookup.max_age {
                // Of which the client wants none: older than nothing (CACHE-1).
                let age = if lookup.wants_new() { stored.age.max(1) } else { stored.age };
                add(Signal::ClientMaxAge, age, most);
            }
        }
    }

    /// Says whether a model is better not asked, since the request has broken models before and a tier without one can
    /// answer it (F-035).
    pub(crate) fn suspects(&self, tier: u8) -> bool {
        u64::from(self.request.crashes) > CHANCE
            && self.is_remote(tier)
            && (tier + 1..self.tiers()).any(|below| !self.is_remote(below) && self.admits(below))
    }

    /// Says whether nothing below a tier but a safe default could answer (F-028).
    pub(crate) fn last_of_its_kind(&self, tier: u8) -> bool {
        !self.has_model_from(tier + 1)
    }

    /// Says whether some tier from this one down that is no safe default could answer.
    fn has_model_from(&self, first: u8) -> bool {
        let method = |tier: u8| self.request.route().tiers[usize::from(tier)].method;
        (first..self.tiers()).any(|tier| method(tier) != Method::Default && self.stands(tier))
    }

    /// Says whether a tier would be admitted but for a stream that broke on it a moment ago, and for a pin.
    fn stands(&self, tier: u8) -> bool {
        let mut stands = true;
        self.ask_standing(tier, &mut |signal, value, threshold| {
            stands &= !signal.breached_when().holds(value, threshold);
        });
        stands
    }

    /// Says whether the next request like this one would have another model below a tier: what this one has used up, of its
    /// time and of its attempts, is not the next one's (F-064).
    pub(crate) fn next_has_another(&self, tier: u8) -> bool {
        let method = |below: u8| self.request.route().tiers[usize::from(below)].method;
        (tier + 1..self.tiers()).filter(|&below| method(below) != Method::Default).any(|below| {
            let mut admitted = true;
            self.ask(below, &mut |signal, value, threshold| {
                let used_up = matches!(signal, Signal::TimeLeft | Signal::Attempts | Signal::Crashes);
                admitted &= used_up || !signal.breached_when().holds(value, threshold);
            });
            admitted
        })
    }

    /// Compares what a paid retry needs: time for pause and path above the reserve, and a path that is Closed (F-040).
    pub(crate) fn retry_facts(&self, tier: u8, pause: Nanos) -> [Fact; 2] {
        let usable = self.left().saturating_sub(self.reserve(tier));
        let needed = pause.saturating_add(self.need(tier));
        [Fact::new(tier, Signal::RetryTime, usable, needed), self.is_closed(tier)]
    }

    /// Compares whether a path that is to be asked again is Closed.
    pub(crate) fn is_closed(&self, tier: u8) -> Fact {
        let (state, closed) = (self.lane(tier).map_or(BreakerState::Closed, Lane::state), BreakerState::Closed);
        Fact::new(tier, Signal::RetryBreaker, state as u64, closed as u64)
    }
}
