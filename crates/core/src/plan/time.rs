//! Time: what a tier needs of it, what is kept for those below, and the clocks of an attempt.
//!
//! # Invariants
//! - `PLAN-2`: what an attempt may use plus what is kept for the tiers below is at most what is left (F-027).
//! - `PLAN-3`: the reserve is at most half the deadline, and half of what is left; when it would be more, the tiers in the
//!   middle lose theirs first, from the top, and the last keeps its own.

use super::Plan;
use crate::{
    attempt::Timing,
    clock::{Nanos, SECOND},
    first::First,
    revision::FirstClock,
    size::Size,
};

/// A retry is paused 100 ms and a share of another 200 ms (F-041).
const PAUSE: Nanos = SECOND / 10;
const PAUSE_SPREAD: Nanos = SECOND / 5;

impl Plan<'_> {
    /// Returns the time to the deadline.
    pub(crate) fn left(&self) -> Nanos {
        self.request.deadline_at.saturating_sub(self.now)
    }

    /// Returns the time that a tier needs to commit: one and a half times its p95, or the revision's figure (F-027). An
    /// ensemble needs as long as the quickest that can decide its vote.
    pub(crate) fn need(&self, tier: u8) -> Nanos {
        if let Some(need) = self.quorum_of(tier, |member| member.need(tier)) {
            return need;
        }
        // A tier that could never start would never learn its own time, whatever time its clients give.
        self.learned(tier).unwrap_or(self.path(tier).need.min(self.request.deadline / 4))
    }

    fn learned(&self, tier: u8) -> Option<Nanos> {
        self.lane(tier)?.latency.p95().map(|p95| p95.saturating_mul(3) / 2)
    }

    /// Returns the time with which a tier may still be started: two thirds of its need, which is its p95 where that is
    /// known. All of the need is kept for it; so a clock that fires late does not cost the tier that it was kept for (F-030).
    /// Half of the route's deadline is always enough: a tier that was slow for a time would never be asked again, and so
    /// never show that it is quick again.
    pub(crate) fn enough(&self, tier: u8) -> Nanos {
        two_thirds(self.need(tier)).min(self.request.route().deadline / 2).max(1)
    }

    /// Returns the time that is kept for the eligible tiers below one (PLAN-3).
    pub(crate) fn reserve(&self, tier: u8) -> Nanos {
        // Half of what is left as well: a tier that is started has no less time than all that are kept for.
        let cap = (self.request.deadline / 2).min(self.left() / 2);
        let below = (tier + 1..self.tiers()).rev().filter(|&below| self.admits(below));
        // From the bottom up: the last one is kept first, and what no longer fits is what stands nearest the top.
        below.fold(0, |kept: Nanos, below| match kept.saturating_add(self.need(below)) {
            more if more <= cap => more,
            _ if kept == 0 => cap,
            _ => kept,
        })
    }

    /// Returns the clocks of an attempt on a tier (F-022, F-025, F-027, F-028).
    pub(crate) fn timing(&self, tier: u8) -> Timing {
        let clocks = self.path(tier).clocks;
        if self.request.has_begun() {
            // To say again what was sent: by these two and not by the deadline (F-122).
            let (first, stall) = (self.first_clock(tier), clocks.stall);
            return Timing {
                first_content: Some(first),
                learned: clocks.first_content == FirstClock::Auto,
                stall: Some(stall),
                commit: first.saturating_add(stall),
                total: clocks.total,
                hurried: false,
            };
        }
        let commit = self.left().saturating_sub(self.reserve(tier)).max(1);
        let hurried = self.hurried(tier);
        if !self.request.admit.operation.is_stream() {
            let (first_content, stall, total) = (None, None, clocks.total);
            return Timing { first_content, learned: false, stall, commit, total, hurried };
        }
        let own = if self.last_of_its_kind(tier) { commit } else { self.first_clock(tier) };
        Timing {
            first_content: Some(own.min(commit)),
            // Where the deadline is nearer, that is what ends it.
            learned: clocks.first_content == FirstClock::Auto && own < commit,
            stall: Some(clocks.stall),
            commit,
            total: clocks.total,
            hurried,
        }
    }

    /// Returns how long the first content of a stream may take by the word of its path, or by what that has shown (F-022).
    fn first_clock(&self, tier: u8) -> Nanos {
        match self.path(tier).clocks.first_content {
            FirstClock::Fixed(clock) => clock,
            FirstClock::Auto => {
                let known = self.lane(tier).and_then(|lane| lane.first.as_deref());
                known.map_or(First::UNKNOWN, |first| first.clock(Size::of_request(&self.request.admit)))
            }
        }
    }

    /// Says whether the client gives a tier less time than it needs, so that a clock that fires is not the path's fault.
    pub(crate) fn hurried(&self, tier: u8) -> bool {
        let usual = two_thirds(self.learned(tier).unwrap_or(self.path(tier).need));
        self.request.is_shortened() && self.left().saturating_sub(self.reserve(tier)) < usual
    }

    /// Returns the pause before a paid retry (F-041).
    pub(crate) fn pause(&self) -> Nanos {
        let spread = (self.request.admit.entropy >> 16) % PAUSE_SPREAD;
        (PAUSE + spread).min(self.left() / 4)
    }
}

fn two_thirds(need: Nanos) -> Nanos {
    need - need / 3
}
