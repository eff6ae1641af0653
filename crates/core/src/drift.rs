//! Drift: a route whose inputs have moved is left for a lower tier, proposed to be left, or merely watched.
//!
//! It detects nothing: the shell does, and says how the route stands as a signal. Here is what follows from that, and how the
//! route comes back.
//!
//! # Why a ramp by time
//! What has moved is the input, not the path: no outcome of a probe could tell whether it has moved back. So each step stands for
//! its time, and a new alarm takes the route down at once.
//!
//! # Invariants
//! - `DRIFT-1`: a signal older than [`MAX_AGE`] is unknown, and unknown never breaches (F-184): what it held comes back by its
//!   ramp, not at once.
//! - `DRIFT-2`: only `enforce` moves a route; `recommend` proposes once for an alarm and once for its end, and moves nothing.
//! - `DRIFT-3`: the ramp begins one step's time after the route was left at the earliest (F-182), so that however often the signal
//!   turns, the switches are at most 1 + 2 × elapsed / `every` (rule 8).
//! - `DRIFT-4`: shares rise only, until the route is back or an alarm takes it down.
//! - `DRIFT-5`: the reason is that of what was said last: that inputs have moved, or outputs alone.
//!
//! # When it misleads
//! A quiet detector looks like a stale one: a shell says what it knows every ten seconds, or the route goes back.
//!
//! # Source
//! `docs/design/signals.md`, sections 2 and 5; `docs/design/failures.md`, F-181, F-182, F-184.

use alloc::vec::Vec;

use crate::{
    clock::{Nanos, SECOND},
    fact::Signal,
    reason::Reason,
    transition::Trip,
    unit::Permille,
};

/// For so long a signal is believed.
pub(crate) const MAX_AGE: Nanos = 60 * SECOND;
/// The value of the signal that is an alarm.
pub(crate) const ALARM: u64 = 2;

/// What the shell may say of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteSignal {
    /// Whether its inputs and outputs are those of its reference: 0 stable, 1 warning, 2 drift.
    #[default]
    Drift,
    /// The same, where all that has moved is what it answers.
    OutputDrift,
    /// How many steps it has gone back from the thresholds of its certificate.
    Certificate,
}

impl RouteSignal {
    /// Returns the word that logs use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::OutputDrift => "output_drift",
            Self::Certificate => "certificate",
        }
    }

    /// Returns what a request compares of it.
    const fn compared(self) -> Signal {
        match self {
            Self::Drift => Signal::Drift,
            Self::OutputDrift => Signal::OutputDrift,
            Self::Certificate => Signal::CertificateSteps,
        }
    }
}

/// What follows from drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftMode {
    /// Nothing.
    Observe,
    /// It is proposed to start lower.
    #[default]
    Recommend,
    /// The route starts lower.
    Enforce,
}

impl DriftMode {
    /// Returns the word that configuration, records and status use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Recommend => "recommend",
            Self::Enforce => "enforce",
        }
    }
}

/// What a route does about drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftPolicy {
    /// The tier at which it starts, or is proposed to, while its inputs are not those that the tiers above were made for.
    pub start_at: u8,
    /// What follows from drift.
    pub mode: DriftMode,
    /// The shares that the tiers above get on the way back: they ascend and end at 1,000 permille.
    pub ramp: Vec<Permille>,
    /// How long each step stands.
    pub every: Nanos,
}

/// How a route stands with drift, for status and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriftState {
    /// What was said last and for how many rows, where that is not too old.
    pub told: Option<(u64, u64)>,
    /// The share of requests that the tiers above [`DriftPolicy::start_at`] get, where that is not all.
    pub share: Option<Permille>,
    /// The tier that is proposed to start at, where one is.
    pub proposed: Option<u8>,
    /// Since when that holds, or is proposed.
    pub since: Option<Nanos>,
}

/// What a request finds that comes while a route is held lower, or on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Those above it are compared.
    pub(crate) start_at: u8,
    /// The share that they get; none while the alarm stands.
    share: Option<Permille>,
    /// What the alarm is about.
    about: RouteSignal,
}

impl Kept {
    /// Says whether no request may be answered by a tier.
    pub(crate) fn leaves_alone(self, tier: u8) -> bool {
        tier < self.start_at && self.share.is_none_or(|share| share == Permille::new(0))
    }

    /// Compares for a request.
    pub(crate) fn ask(self, entropy: u64) -> (Signal, u64, u64) {
        match self.share {
            None => (self.about.compared(), ALARM, ALARM),
            // Of other bits than the lots of breakers: who has a high one there would never have a low one here.
            Some(share) => {
                let lot = Permille::lot(entropy.rotate_left(17));
                (Signal::DriftLot, lot.into(), share.thousandths().into())
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Turn {
    #[default]
    Off,
    Proposed {
        since: Nanos,
    },
    Held {
        since: Nanos,
    },
    /// On the way back: since when the first step stands, or will.
    Back {
        since: Nanos,
        first: Nanos,
    },
}

/// What was told, on the shell's clock.
#[derive(Clone, Copy, Debug)]
struct Told {
    name: RouteSignal,
    value: u64,
    samples: u64,
    at: Nanos,
}

/// What is known of a route's drift, and what follows from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drift {
    told: Option<Told>,
    turn: Turn,
    /// Tiers above this one are left alone, or on their way back.
    above: u8,
}

impl Drift {
    /// Takes in what the shell says.
    pub(crate) fn hear(&mut self, now: Nanos, name: RouteSignal, (value, samples): (u64, u64)) {
        self.told = Some(Told { name, value, samples, at: now });
    }

    fn known(&self, now: Nanos) -> Option<Told> {
        self.told.filter(|it| now.saturating_sub(it.at) <= MAX_AGE)
    }

    /// Lets what is known, and time, do what they do; says whether a proposal begins, or why one ends.
    pub(crate) fn turn(&mut self, now: Nanos, policy: Option<&DriftPolicy>) -> Option<Proposing> {
        let known = self.known(now);
        let alarm = known.is_some_and(|it| it.value >= ALARM);
        let mode = policy.map_or(DriftMode::Observe, |it| it.mode);
        let before = self.turn;
        self.turn = match (mode, before) {
            (DriftMode::Observe, _) => Turn::Off,
            (DriftMode::Recommend, Turn::Proposed { .. }) if alarm => before,
            (DriftMode::Recommend, _) if alarm => Turn::Proposed { since: now },
            (DriftMode::Recommend, _) => Turn::Off,
            (DriftMode::Enforce, Turn::Held { .. }) if alarm => before,
            (DriftMode::Enforce, _) if alarm => Turn::Held { since: now },
            (DriftMode::Enforce, Turn::Held { since }) => {
                let every = policy.map_or(0, |it| it.every);
                Turn::Back { since: now, first: now.max(since.saturating_add(every)) }
            }
            (DriftMode::Enforce, Turn::Back { .. }) => before,
            (DriftMode::Enforce, Turn::Off | Turn::Proposed { .. }) => Turn::Off,
        };
        if let (Turn::Back { .. }, Some(policy)) = (self.turn, policy)
            && self.share(now, policy) >= Permille::ALL
        {
            self.turn = Turn::Off;
        }
        self.above = match self.turn {
            Turn::Held { .. } | Turn::Back { .. } => policy.map_or(0, |it| it.start_at),
            Turn::Off | Turn::Proposed { .. } => 0,
        };
        let proposed = |turn| matches!(turn, Turn::Proposed { .. });
        match (proposed(before), proposed(self.turn)) {
            (false, true) => Some(Proposing::Begins),
            (true, false) if known.is_none() => Some(Proposing::Ends(Reason::SignalStale)),
            (true, false) => Some(Proposing::Ends(Reason::PrimaryHealthy)),
            _ => None,
        }
    }

    /// Returns when to look again, if nothing is heard.
    pub(crate) fn due(&self, now: Nanos, policy: Option<&DriftPolicy>) -> Option<Nanos> {
        match self.turn {
            Turn::Off => None,
            Turn::Proposed { .. } | Turn::Held { .. } => self.told.map(|it| it.at.saturating_add(MAX_AGE + 1)),
            Turn::Back { first, .. } if now < first => Some(first),
            Turn::Back { first, .. } => {
                let every = policy?.every.max(1);
                Some(first.saturating_add(((now - first) / every + 1).saturating_mul(every)))
            }
        }
    }

    /// Returns the share of the tiers above on the way back.
    fn share(&self, now: Nanos, policy: &DriftPolicy) -> Permille {
        match self.turn {
            Turn::Back { first, .. } if now < first => Permille::new(0),
            Turn::Back { first, .. } => {
                let step = (now - first) / policy.every.max(1);
                let at = usize::try_from(step).unwrap_or(usize::MAX);
                policy.ramp.get(at).copied().unwrap_or(Permille::ALL)
            }
            Turn::Held { .. } => Permille::new(0),
            Turn::Off | Turn::Proposed { .. } => Permille::ALL,
        }
    }

    /// Returns what a request finds that is admitted now.
    pub(crate) fn kept(&self, now: Nanos, policy: Option<&DriftPolicy>) -> Option<Kept> {
        let policy = policy?;
        let share = match self.turn {
            Turn::Off | Turn::Proposed { .. } => return None,
            Turn::Held { .. } => None,
            Turn::Back { .. } => Some(self.share(now, policy)),
        };
        Some(Kept { start_at: self.above, share, about: self.about() })
    }

    /// Returns what was said last.
    fn about(&self) -> RouteSignal {
        self.told.map_or(RouteSignal::default(), |it| it.name)
    }

    /// Returns the reason of an alarm (DRIFT-5).
    pub(crate) fn reason(&self) -> Reason {
        self.about().compared().reason()
    }

    /// Returns the tier above which the route may not start.
    pub(crate) fn above(&self) -> u8 {
        self.above
    }

    /// Says whether the route may not start at a tier.
    pub(crate) fn bars(&self, tier: usize) -> bool {
        tier < usize::from(self.above)
    }

    /// Says whether the tiers above get their traffic back, step by step.
    pub(crate) fn is_returning(&self) -> bool {
        matches!(self.turn, Turn::Back { .. })
    }

    /// Returns what took the route down, while it is held.
    pub(crate) fn trip(&self) -> Option<Trip> {
        let held = matches!(self.turn, Turn::Held { .. });
        held.then_some(Trip { rule: "drift", result: None, bad: ALARM as u32, of: ALARM as u32, reason: self.reason() })
    }

    /// Returns the state for people and programs; none where the route has no policy.
    pub(crate) fn state(&self, now: Nanos, policy: Option<&DriftPolicy>) -> Option<DriftState> {
        let policy = policy?;
        let since = match self.turn {
            Turn::Off => None,
            Turn::Proposed { since } | Turn::Held { since } | Turn::Back { since, .. } => Some(since),
        };
        Some(DriftState {
            told: self.known(now).map(|it| (it.value, it.samples)),
            share: Some(self.share(now, policy)).filter(|share| *share < Permille::ALL),
            proposed: matches!(self.turn, Turn::Proposed { .. }).then_some(policy.start_at),
            since,
        })
    }

    /// Returns for how many rows the last word was.
    pub(crate) fn samples(&self) -> u64 {
        self.told.map_or(0, |it| it.samples)
    }
}

/// What becomes of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proposing {
    Begins,
    Ends(Reason),
}
