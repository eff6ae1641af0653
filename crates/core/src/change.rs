//! Change: the record of a change of a breaker (F-060) or of a gate (F-051).
//!
//! A path, each operation of it and each replica have breakers of their own, and most of what those do moves no route: the
//! route stays where it is while one replica of three is left alone, and while a tier below it recovers. Who asks why a replica
//! gets nothing reads it here.
//!
//! # Invariants
//! - `CHG-1`: the changes of one breaker follow one another: each begins in the state in which the one before ended, the first
//!   in Closed.
//! - `CHG-2`: a change to Open names what tripped it, with its counts.

use alloc::sync::Arc;

use crate::{
    breaker::BreakerState,
    class::ResultCode,
    clock::Nanos,
    id::{PathId, ReplicaId},
    reason::Reason,
    revision::{Operation, Revision},
    transition::Trip,
};

/// A change of a breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerChange {
    /// When, on the shell's clock.
    pub at: Nanos,
    /// The revision that it cites.
    pub revision: Arc<Revision>,
    /// The path.
    pub path: PathId,
    /// What is asked of the path.
    pub operation: Operation,
    /// The replica whose breaker it is; none for the path's own.
    pub replica: Option<ReplicaId>,
    /// How it moved, and why.
    pub turn: BreakerTurn,
}

/// A gate that has closed or was lifted: that of a quota, of a credential, or of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateChange {
    /// When, on the shell's clock.
    pub at: Nanos,
    /// The revision that it cites.
    pub revision: Arc<Revision>,
    /// The path whose attempt moved it; others may stand behind the same gate.
    pub path: PathId,
    /// What it stands for.
    pub gate: GateKind,
    /// How that attempt ended.
    pub result: ResultCode,
    /// How it moved.
    pub turn: GateTurn,
}

/// What a gate stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateKind {
    /// A capacity domain.
    Domain,
    /// Our credential at an upstream.
    Credential,
    /// One replica.
    Replica(ReplicaId),
}

impl GateKind {
    /// Returns the word that log and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Credential => "credential",
            Self::Replica(_) => "replica",
        }
    }
}

/// How a gate has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateTurn {
    /// Closed, for the first time or again, until then.
    Closed(Nanos),
    /// Lifted by an answer.
    Lifted,
}

/// From which state to which a breaker has moved, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerTurn {
    /// The state before.
    pub from: BreakerState,
    /// The state now.
    pub to: BreakerState,
    /// What tripped it, on the way to Open.
    pub trip: Option<Trip>,
    /// Readiness alone had opened it.
    by_readiness: bool,
}

impl BreakerTurn {
    /// Makes a turn of a breaker that this had tripped.
    pub(crate) fn new(from: BreakerState, to: BreakerState, tripped: Option<Trip>) -> Self {
        let by_readiness = tripped.is_some_and(|trip| trip.reason == Reason::HealthcheckFailed);
        Self { from, to, trip: tripped.filter(|_| to == BreakerState::Open), by_readiness }
    }

    /// Returns the cause.
    pub fn reason(&self) -> Reason {
        self.trip.map_or(Reason::RecoveryRamp, |trip| trip.reason)
    }

    /// Returns the rule that moved it, as `failures.md` numbers it.
    pub fn rule(&self) -> &'static str {
        match (self.trip, self.to) {
            (Some(trip), _) => trip.rule,
            (None, BreakerState::Ramp) => "F-070",
            (None, BreakerState::HalfOpen) if self.by_readiness => "F-113",
            (None, BreakerState::HalfOpen) => "F-066",
            // From Ramp; or, where readiness alone had opened it, with another operation of its path, or because that is its
            // replica's own from now on.
            (None, BreakerState::Closed) if self.from != BreakerState::Ramp => "F-113",
            (None, BreakerState::Closed | BreakerState::Open) => "F-071",
        }
    }
}
