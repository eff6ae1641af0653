//! Changes: what the core tells of its breakers is what they do (F-060).

use std::collections::BTreeMap;

use evenkeel_core::{BreakerChange, BreakerState, Operation, PathId, ReplicaId};

use super::Broken;

/// The breakers of a path and operation, as far as they have been told of.
#[derive(Debug, Default)]
struct Told {
    path: Option<BreakerState>,
    replicas: BTreeMap<ReplicaId, BreakerState>,
}

/// What was told of all breakers; of whom nothing was told is Closed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    told: BTreeMap<(PathId, &'static str), Told>,
}

impl Changes {
    /// Notes a change; it has to begin where the one before ended, and a way to Open has to have a cause.
    pub(super) fn told(&mut self, it: &BreakerChange) -> Result<(), Broken> {
        let told = self.told.entry((it.path, it.operation.name())).or_default();
        let before = match it.replica {
            Some(replica) => told.replicas.insert(replica, it.turn.to),
            None => told.path.replace(it.turn.to),
        };
        let (before, from, to) = (before.unwrap_or(BreakerState::Closed), it.turn.from, it.turn.to);
        if before != from || from == to || (to == BreakerState::Open) != it.turn.trip.is_some() {
            let what =
                format!("a breaker that was {} is told to go from {} to {}", before.name(), from.name(), to.name());
            return Err(("F-060", None, what));
        }
        Ok(())
    }

    /// Holds what was told against the state of a path: that of its own breaker, or of the best of its replicas where that is
    /// worse. A replica of which nothing was told is Closed, and there may be such.
    pub(super) fn judge(&self, of: (PathId, Operation), state: BreakerState) -> Result<(), Broken> {
        let told = self.told.get(&(of.0, of.1.name()));
        let path = told.and_then(|it| it.path).unwrap_or(BreakerState::Closed);
        let replicas = told.map(|it| it.replicas.values().copied().min().unwrap_or(BreakerState::Closed));
        let worst = path.max(replicas.unwrap_or(BreakerState::Closed));
        // The best of the replicas is no worse than the best of those that were told of.
        if (path..=worst).contains(&state) {
            return Ok(());
        }
        Err(("F-060", None, format!("a path is {}, and {} by what was told", state.name(), worst.name())))
    }
}
