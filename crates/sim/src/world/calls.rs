//! Calls: attempts as their upstream sees them, from its reception to its last piece.
//!
//! # Invariants
//! - `CALL-1`: a place in the table is used again only under another serial, so a late event of a call that is over is
//!   nobody's.

use std::collections::VecDeque;

use evenkeel_core::{AttemptId, Nanos, PathId, RequestId};

use crate::fault::Finish;

/// A call in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallRef {
    pub(crate) at: u32,
    pub(crate) serial: u32,
}

/// What a call will do, unless it is cancelled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Until its first piece, or its end where it has none.
    pub(crate) delay: Nanos,
    /// Pieces that it still sends.
    pub(crate) pieces: u32,
    /// Between two of them.
    pub(crate) gap: Nanos,
    pub(crate) ending: Ending,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Finish(Finish),
    /// Never, in silence.
    Silence,
    /// Never, with keep-alives.
    Alive,
}

/// Whether a call holds a slot of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// None: the server has no slots, or is not well.
    Free,
    Queued,
    Slot,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) serial: u32,
    pub(crate) attempt: AttemptId,
    pub(crate) request: RequestId,
    pub(crate) path: PathId,
    /// None for work in this process.
    pub(crate) upstream: Option<u16>,
    pub(crate) replica: u16,
    pub(crate) plan: Plan,
    pub(crate) hold: Hold,
    /// Pieces that it has sent.
    pub(crate) said: u32,
    /// Since when its pieces are counted for its rate, and how many there were then.
    pub(crate) counted: Option<(Nanos, u32)>,
    /// Rows that it is asked for.
    pub(crate) rows: u64,
    /// What it is to say again of a stream that broke, until it has.
    pub(crate) mends: Option<Mends>,
}

/// What a call is to say again of a stream that broke.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mends {
    /// Pieces that were sent.
    pub(crate) pieces: u32,
    /// Whether its words are the same.
    pub(crate) alike: bool,
}

/// All calls that are not over.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    table: Vec<Option<Call>>,
    free: Vec<u32>,
    serial: u32,
    /// By attempt, from `first` on.
    attempts: VecDeque<Option<CallRef>>,
    first: u64,
}

impl Calls {
    /// Adds the call of an attempt; the core numbers attempts one by one.
    pub(crate) fn add(&mut self, mut call: Call) -> CallRef {
        self.serial = self.serial.wrapping_add(1);
        call.serial = self.serial;
        let at = self.free.pop().unwrap_or_else(|| {
            self.table.push(None);
            self.table.len() as u32 - 1
        });
        let reference = CallRef { at, serial: call.serial };
        while self.first + (self.attempts.len() as u64) < call.attempt.0 {
            self.attempts.push_back(None);
        }
        self.attempts.push_back(Some(reference));
        self.table[at as usize] = Some(call);
        reference
    }

    /// Returns a call that is not over.
    pub(crate) fn find(&mut self, of: CallRef) -> Option<&mut Call> {
        self.table[of.at as usize].as_mut().filter(|call| call.serial == of.serial)
    }

    /// Returns the call of an attempt.
    pub(crate) fn of(&self, attempt: AttemptId) -> Option<CallRef> {
        let at = attempt.0.checked_sub(self.first)?;
        self.attempts.get(at as usize).copied().flatten()
    }

    /// Ends a call.
    pub(crate) fn remove(&mut self, of: CallRef) {
        let Some(call) = self.find(of).copied() else { return };
        self.table[of.at as usize] = None;
        self.free.push(of.at);
        if let Some(entry) = call.attempt.0.checked_sub(self.first).and_then(|at| self.attempts.get_mut(at as usize)) {
            *entry = None;
        }
        while let Some(None) = self.attempts.front() {
            self.attempts.pop_front();
            self.first += 1;
        }
    }

    /// Returns all calls at an upstream, or at one replica of it.
    pub(crate) fn at(&self, upstream: u16, replica: Option<u16>) -> Vec<CallRef> {
        let here = |call: &Call| call.upstream == Some(upstream) && replica.is_none_or(|it| it == call.replica);
        let calls = (0..).zip(&self.table).filter_map(|(at, call)| Some((at, call.as_ref()?)));
        calls.filter(|(_, call)| here(call)).map(|(at, call)| CallRef { at, serial: call.serial }).collect()
    }

    /// Counts those that are not over.
    pub(crate) fn running(&self) -> usize {
        self.table.len() - self.free.len()
    }
}
