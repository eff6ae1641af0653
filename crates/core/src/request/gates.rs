//! What an attempt's end says to the gates that it passed (F-051, F-054).
//!
//! That a result closes a gate, and which, is a column of the class table; here it becomes one of the gates before a path,
//! and a time.

use alloc::boxed::Box;

use crate::{
    attempt::Attempt,
    change::{GateChange, GateKind},
    class::{Closes, ResultCode},
    clock::{Nanos, SECOND},
    domain::{Closing, Word},
    output::Output,
    request::{Ended, Request, World},
};

/// How long a gate closes without a word of the server, at first and at most (F-054).
const RATE: [Nanos; 2] = [SECOND, 60 * SECOND];
const QUOTA: [Nanos; 2] = [60 * SECOND, 300 * SECOND];
/// How long a refused credential is not tried again.
const CREDENTIAL: [Nanos; 2] = [60 * SECOND, 60 * SECOND];

impl Request {
    /// Closes, lifts or leaves the gates of an attempt that has ended.
    pub(super) fn tell_gates(&self, now: Nanos, world: &mut World<'_>, attempt: &Attempt, how: Ended) {
        let closed = self.gate_of(attempt, how.result);
        let [first, most] = match how.result.closes() {
            Closes::Quota => QUOTA,
            Closes::Credential => CREDENTIAL,
            Closes::Rate | Closes::Replica | Closes::Nothing => RATE,
        };
        let before = self.generation.before(attempt.path);
        for gate in before.on_the_way(attempt.replica.index()) {
            let word = match closed == Some(gate) {
                true => Word::Close(Closing { told: how.after, first, most }),
                false if how.result.is_answer() => Word::Lift,
                false => Word::Nothing,
            };
            let Some(turn) = world.gates.at_mut(gate).hear(now, attempt.id, word) else { continue };
            let kind = match Some(gate) {
                gate if gate == before.domain => GateKind::Domain,
                gate if gate == before.credential => GateKind::Credential,
                _ => GateKind::Replica(attempt.replica),
            };
            world.outputs.push_back(Output::Gate(Box::new(GateChange {
                at: now,
                revision: self.generation.revision.clone(),
                path: attempt.path,
                gate: kind,
                result: how.result,
                turn,
            })));
        }
    }

    /// Keeps new streams off a path for a moment after one broke on it that the client had begun to get, and lifts that with
    /// the end of one that did not (F-077, F-133).
    pub(super) fn tell_streams(&self, now: Nanos, world: &mut World<'_>, attempt: &Attempt, result: ResultCode) {
        let path = self.generation.path(attempt.path);
        let Some(state) = world.paths.find_mut(self.generation.slot(attempt.path)) else { return };
        let Some(lane) = state.lanes.iter_mut().find(|lane| lane.operation == self.admit.operation) else { return };
        let closing = Closing { told: None, first: path.after_break, most: path.after_break };
        let word = match result.is_answer() {
            true => Word::Lift,
            false if attempt.sent && result.is_break() => Word::Close(closing),
            false => Word::Nothing,
        };
        lane.broken.hear(now, attempt.id, word);
    }

    /// Says whether a result closes the gate of this replica alone: each of the others is a domain of its own (F-051).
    pub(super) fn closes_one_of_several(&self, attempt: &Attempt, result: ResultCode) -> bool {
        let replicas = &self.generation.before(attempt.path).replicas;
        let own = replicas.get(attempt.replica.index()).copied();
        replicas.len() > 1 && own.is_some() && self.gate_of(attempt, result) == own
    }

    /// Returns the gate that a result closes.
    pub(super) fn gate_of(&self, attempt: &Attempt, result: ResultCode) -> Option<u32> {
        let before = self.generation.before(attempt.path);
        let replica = before.replicas.get(attempt.replica.index()).copied();
        match result.closes() {
            Closes::Nothing => None,
            Closes::Rate | Closes::Quota => before.domain.or(replica),
            Closes::Replica => replica,
            Closes::Credential => before.credential,
        }
    }
}
