//! Attempt: one call of one path for one request, and its three clocks (F-020 to F-025).
//!
//! It holds time and progress only. What its end means is `class`'s, what comes next is `request`'s.
//!
//! # Invariants
//! - `ATT-1`: only content and reasoning move a clock; bytes and signs of life do not (F-023, F-024).
//! - `ATT-2`: every attempt has a time at which it ends by itself.

use crate::{
    cache::Near,
    class::ResultCode,
    clock::Nanos,
    decision::{AttemptRecord, KeptRows, Role},
    fact::{Fact, Signal},
    id::{AttemptId, PathId, ReplicaId},
    path::Leased,
    unit::Permille,
};

/// One running attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    pub(crate) tier: u8,
    pub(crate) path: PathId,
    /// Which member of the tier's ensemble it asks.
    pub(crate) member: Option<u8>,
    pub(crate) replica: ReplicaId,
    pub(crate) started: Nanos,
    pub(crate) leased: Leased,
    /// The client gave it less time than the path needs.
    pub(crate) hurried: bool,
    pub(crate) first_content: Option<Nanos>,
    pub(crate) role: Role,
    /// What it says goes to the client.
    pub(crate) sent: bool,
    /// When the first content or reasoning must be there; none for an answer in one piece.
    first_by: Option<Nanos>,
    /// How long that was from the start, while a clock holds that was learned (F-022).
    pub(crate) learned: Option<Nanos>,
    /// When the answer, or for a stream the commit, must be there at the latest.
    commit_by: Nanos,
    /// When the attempt is over, whatever it does.
    total_by: Nanos,
    /// The longest silence after the first content or reasoning; none for an answer in one piece.
    stall: Option<Nanos>,
    /// The last piece of content or reasoning.
    spoke: Option<Nanos>,
    alive: bool,
    /// How long this process may have stood still while it ran.
    paused: Nanos,
    /// It has said less than a stream of its path must (F-029).
    slow: bool,
    /// Rows that it is asked for, where somebody counts them, and those of its answer that its tier does not accept (OIP-35).
    pub(crate) rows: u64,
    pub(crate) low: Option<u64>,
    /// How sure its model was, in the row in which it was least.
    pub(crate) sure: Permille,
    /// The nearest earlier answer that it has found.
    pub(crate) near: Option<Near>,
}

/// What an attempt is started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// None for an answer in one piece.
    pub(crate) first_content: Option<Nanos>,
    /// That is a clock which was learned.
    pub(crate) learned: bool,
    /// None for an answer in one piece.
    pub(crate) stall: Option<Nanos>,
    /// Time to the commit, or to the answer; for the recovery of a stream, to have said again what was sent of it.
    pub(crate) commit: Nanos,
    pub(crate) total: Nanos,
    pub(crate) hurried: bool,
}

impl Timing {
    /// Returns the time within which the upstream must have shown something.
    pub(crate) fn budget(&self) -> Nanos {
        self.first_content.unwrap_or(Nanos::MAX).min(self.commit).min(self.total)
    }
}

/// What an attempt serves: who asked, and whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) id: AttemptId,
    pub(crate) tier: u8,
    pub(crate) path: PathId,
    pub(crate) member: Option<u8>,
    pub(crate) replica: ReplicaId,
    pub(crate) role: Role,
}

impl Attempt {
    pub(crate) fn start(now: Nanos, target: Target, timing: Timing) -> Self {
        let Target { id, tier, path, member, replica, .. } = target;
        Self {
            id,
            tier,
            path,
            member,
            replica,
            started: now,
            leased: Leased::default(),
            hurried: timing.hurried,
            first_content: None,
            role: target.role,
            sent: false,
            first_by: timing.first_content.map(|clock| now.saturating_add(clock)),
            learned: timing.first_content.filter(|_| timing.learned),
            commit_by: now.saturating_add(timing.commit),
            total_by: now.saturating_add(timing.total),
            stall: timing.stall,
            spoke: None,
            alive: false,
            paused: 0,
            slow: false,
            rows: 0,
            low: None,
            sure: Permille::new(0),
            near: None,
        }
    }

    /// Returns the tier as which a refusal of the request is read: what one of several says alone is not the last word (F-002).
    pub(crate) fn counts_as(&self) -> u8 {
        if self.member.is_some() { self.tier.max(1) } else { self.tier }
    }

    /// Notes a piece of content.
    pub(crate) fn content(&mut self, now: Nanos) {
        self.first_content.get_or_insert(now);
        self.spoke = Some(now);
    }

    /// Notes a piece of reasoning: it stops the first clock and starts the second, and commits nothing.
    pub(crate) fn reasoning(&mut self, now: Nanos) {
        self.spoke = Some(now);
    }

    /// Notes bytes that are neither.
    pub(crate) fn alive(&mut self) {
        self.alive = true;
    }

    /// Notes that it says less than it must; says whether that is new.
    pub(crate) fn slow(&mut self) -> bool {
        !core::mem::replace(&mut self.slow, true)
    }

    /// Moves the clocks that time its silence by as long as nobody was there to hear it; the deadline stays.
    ///
    /// `unheard` is how long nobody may have listened: the process may have stood still long before its first clock was due.
    pub(crate) fn pause(&mut self, by: Nanos, unheard: Nanos) {
        self.paused = self.paused.saturating_add(unheard);
        self.first_by = self.first_by.map(|at| at.saturating_add(by));
        self.spoke = self.spoke.map(|at| at.saturating_add(by));
        self.total_by = self.total_by.saturating_add(by);
    }

    /// Gives it all the time that is left above the reserve, where it was the first-content clock that fired (F-028).
    pub(crate) fn grace(&mut self, now: Nanos, commit: Nanos) {
        (self.first_by, self.learned) = (None, None);
        self.commit_by = now.saturating_add(commit);
    }

    /// Says whether neither content nor reasoning has come.
    pub(crate) fn is_silent(&self) -> bool {
        self.spoke.is_none()
    }

    /// Compares how long it has been silent with a learned clock, where one holds. What nobody was there to hear does not count.
    pub(crate) fn silence(&self, now: Nanos) -> Option<Fact> {
        let (clock, by) = (self.learned?, self.first_by?);
        let silent = clock.saturating_add(now).saturating_sub(by);
        self.is_silent().then(|| Fact::new(self.tier, Signal::FirstToken, silent, clock).of(self.member))
    }

    /// Returns how long it has had content.
    pub(crate) fn spoken_for(&self, now: Nanos) -> Nanos {
        self.first_content.map_or(0, |first| now.saturating_sub(first))
    }

    /// Says whether the first-content clock, and no other, has fired.
    pub(crate) fn waits_too_long(&self, now: Nanos) -> bool {
        self.spoke.is_none() && self.first_by.is_some_and(|by| by <= now) && self.commit_by.min(self.total_by) > now
    }

    /// Reads an end: one that ends before it has said again what was sent says something else (F-124), and one that is
    /// whole in the end and was slow is no plain success (F-029).
    pub(crate) fn verified(&self, result: ResultCode) -> ResultCode {
        match result {
            _ if self.catches_up() && result.is_ok() => ResultCode::SpliceDiverged,
            ResultCode::Ok | ResultCode::OkDoneMissing if self.slow => ResultCode::OkSlow,
            other => other,
        }
    }

    /// Says whether it is still to say again what was sent by another.
    pub(crate) fn catches_up(&self) -> bool {
        self.role != Role::Answer && !self.sent
    }

    /// Says whether it has content, and no time is left to hold it back.
    pub(crate) fn holds_too_long(&self, now: Nanos) -> bool {
        !self.sent && self.first_content.is_some() && self.commit_by <= now && self.silence_ends() > now
    }

    /// Returns when the next of its clocks fires.
    pub(crate) fn due(&self) -> Nanos {
        let first = self.first_by.filter(|_| self.spoke.is_none()).unwrap_or(Nanos::MAX);
        let commit = if self.sent { Nanos::MAX } else { self.commit_by };
        first.min(commit).min(self.total_by).min(self.silence_ends())
    }

    /// Returns the result of the clock that has fired.
    pub(crate) fn fired(&self, now: Nanos) -> Option<ResultCode> {
        let waiting = (self.first_by.is_some() || self.stall.is_some()) && self.first_content.is_none();
        let silent = if self.alive { ResultCode::KeepaliveOnly } else { ResultCode::FirstTokenTimeout };
        if self.spoke.is_none() && self.first_by.is_some_and(|by| by <= now) {
            return Some(silent);
        }
        if self.silence_ends() <= now {
            return Some(ResultCode::Stall);
        }
        if !self.sent && self.commit_by <= now {
            let late = if waiting { silent } else { ResultCode::TotalTimeout };
            return Some(if self.unheard(now) { ResultCode::LocalPause } else { late });
        }
        (self.total_by <= now).then_some(ResultCode::TotalTimeout)
    }

    /// Says whether too little of its time was listened to for its silence to say anything: less than two thirds (PR-09).
    fn unheard(&self, now: Nanos) -> bool {
        let (took, given) = (now.saturating_sub(self.started), self.commit_by.saturating_sub(self.started));
        self.paused > 0 && took.saturating_sub(self.paused) < given - given / 3
    }

    /// Writes down how it went.
    pub(crate) fn record(&self, now: Nanos, admitted: Nanos, result: ResultCode, status: Option<u16>) -> AttemptRecord {
        AttemptRecord {
            attempt: self.id,
            tier: self.tier,
            path: self.path,
            replica: self.replica,
            start: self.started.saturating_sub(admitted),
            duration: now.saturating_sub(self.started),
            first_content: self.first_content.map(|at| at.saturating_sub(self.started)),
            result,
            status,
            probe: self.leased.path,
            role: self.role,
            sent: self.sent,
            rows: (self.rows > 0).then_some(KeptRows { asked: self.rows, kept: 0 }),
        }
    }

    fn silence_ends(&self) -> Nanos {
        match (self.spoke, self.stall) {
            (Some(spoke), Some(stall)) => spoke.saturating_add(stall),
            _ => Nanos::MAX,
        }
    }
}
