//! What is under way, who waits, and what is left to pay with, for metrics. Changes nothing.

use alloc::vec::Vec;

use super::Core;
use crate::{
    budget::Budget,
    clock::Nanos,
    id::{PathId, ReplicaId, RouteId},
};

/// The work that the model of a path has at one of its replicas, whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Which path.
    pub path: PathId,
    /// Which of its replicas.
    pub replica: ReplicaId,
    /// The weight in flight.
    pub in_flight: u64,
    /// The most that may be; none where there is no limit.
    pub limit: Option<u64>,
}

/// What a purse holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purse {
    /// In thousandths of its unit of cost.
    pub balance: u64,
    /// Attempts that cost nothing while it is empty.
    pub floor: u32,
}

impl Core {
    /// Returns the work of every path that an upstream runs, replica by replica. A model that several paths name has the same work
    /// at each of them.
    pub fn work(&self, now: Nanos) -> Vec<Work> {
        let paths = self.generation.limiters.iter().enumerate();
        let replicas = paths.flat_map(|(path, limiters)| limiters.iter().enumerate().map(move |it| (path, it)));
        let work = replicas.map(|(path, (replica, limiter))| {
            let limiter = self.limits.at(*limiter);
            let (path, replica) = (PathId(path as u16), ReplicaId(replica as u16));
            Work { path, replica, in_flight: limiter.in_flight(), limit: limiter.limit(now) }
        });
        work.collect()
    }

    /// Returns how many requests wait for a gate that stands before a path, of whichever path that shares it (F-052).
    pub fn waiting_at(&self, path: PathId) -> u64 {
        self.generation.before(path).all().map(|gate| u64::from(self.gates.at(gate).waiting())).sum()
    }

    /// Returns how many requests of a route wait for one of its tiers to recover (F-166).
    pub fn recovery_waiters(&self, route: RouteId) -> usize {
        self.routes[&self.generation.revision.routes[route.index()].name].waiting.len()
    }

    /// Returns what is left of the purses of a route, by what they pay.
    pub fn purses(&self, now: Nanos, route: RouteId) -> [(&'static str, Purse); 2] {
        let of = &self.routes[&self.generation.revision.routes[route.index()].name];
        let left = |it: &Budget| Purse { balance: it.balance(now), floor: it.floor_left(now) };
        [("retry", left(&of.budget)), ("hedge", left(&of.hedges))]
    }
}
