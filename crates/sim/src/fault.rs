//! Fault: what a scenario lets happen to an attempt, in the words of the mock and of `fault-catalogue.md`.
//!
//! It says what an upstream does while it is ill. How the gateway reads a wire event as a result is the codec's; here a
//! fault names the result that it leads to, and what the result means is the core's.

use evenkeel_core::{MILLISECOND, Nanos, ResultCode, SECOND};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::dice::{Dice, Purpose};

/// The names of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// The server is gone: what runs is reset, connections are refused (UP-13).
    Refuse,
    /// The connection ends before an answer (UP-10).
    Reset,
    /// A reused connection is reset before an answer byte (UP-11).
    ResetReused,
    /// The request is read and never answered (UP-15).
    Silence,
    /// Keep-alives and nothing else (UP-17).
    KeepaliveOnly,
    /// The answer starts late: by a time, by a factor, or both.
    Latency,
    /// The first token is late, the rest is as usual (UP-16).
    SlowFirstToken,
    /// An error status (UP-06, UP-07); 503 with `retry_after` is push-back.
    Status,
    /// 429 (UP-01 to UP-03).
    RateLimited,
    /// A spent quota (UP-05).
    QuotaExhausted,
    /// 401 for our credential (UP-21).
    CredentialRejected,
    /// 404: the model is not there (UP-23).
    ModelMissing,
    /// 400 `context_length_exceeded` (UP-24).
    ContextLengthExceeded,
    /// 400 of the content policy (UP-25).
    ContentFilter,
    /// 400 for a parameter that the model lacks (UP-26).
    UnsupportedFeature,
    /// 400 of the caller's making.
    CallerInvalid,
    /// The answer breaks off after so many tokens (ST-01).
    Cut,
    /// Silence after so many tokens (ST-02).
    Stall,
    /// An error event after so many tokens (ST-07).
    ErrorEvent,
    /// So long from one token to the next (ST-16).
    SlowTokens,
    /// 200 and nothing in it (UP-27).
    EmptyAnswer,
    /// One of all the others, drawn for each attempt.
    Any,
}

/// What a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum On {
    /// Requests.
    #[default]
    Work,
    /// Probes of readiness (UP-33 to UP-35).
    Probes,
    /// Both.
    All,
}

/// What a fault does to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It ends at once, without an answer.
    End(Finish),
    /// It hears nothing.
    Silence,
    /// It hears keep-alives.
    Alive,
    /// It starts later: by a time, after so many times its time.
    Late { delay: Nanos, factor: u32 },
    /// It ends after so many tokens.
    Cut { tokens: u32, finish: Finish },
    /// It falls silent after so many tokens.
    Stall { tokens: u32 },
    /// Its tokens come so far from one another.
    Slow { every: Nanos },
    /// One of all the others.
    Any,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finish {
    pub(crate) result: ResultCode,
    pub(crate) status: Option<u16>,
    pub(crate) after: Option<Nanos>,
    /// How long that takes.
    pub(crate) took: Nanos,
}

impl Finish {
    /// An error that a server that works sends.
    pub(crate) const fn error(result: ResultCode, status: u16) -> Self {
        Self { result, status: Some(status), after: None, took: 5 * MILLISECOND }
    }

    /// A connection that does not work.
    pub(crate) const fn unconnected(result: ResultCode) -> Self {
        Self { result, status: None, after: None, took: MILLISECOND / 2 }
    }

    /// The verified end of a good answer.
    pub(crate) const OK: Self = Self { result: ResultCode::Ok, status: Some(200), after: None, took: 0 };
}

/// A fault of a scenario, before a seed has said when exactly.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) at: Nanos,
    pub(crate) length: Nanos,
    pub(crate) spread: Nanos,
    pub(crate) times: u32,
    pub(crate) every: Nanos,
    pub(crate) upstream: usize,
    pub(crate) replica: Option<u16>,
    pub(crate) share: u16,
    pub(crate) effect: Effect,
    /// What runs when it begins is reset.
    pub(crate) kills: bool,
    /// It strikes requests.
    pub(crate) work: bool,
    /// It strikes probes.
    pub(crate) probes: bool,
}

/// One time in which a fault lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spell {
    pub(crate) from: Nanos,
    pub(crate) until: Nanos,
    /// The position of the fault in the scenario.
    pub(crate) fault: usize,
}

/// Draws when the faults of a scenario come and go; in their order, earlier spells of one before later ones.
pub(crate) fn spells(faults: &[Fault], seed: u64) -> Vec<Spell> {
    let mut dice = Dice::new(seed, Purpose::Script);
    let mut spells = Vec::new();
    for (at, fault) in faults.iter().enumerate() {
        for time in 0..u64::from(fault.times) {
            let from = fault.at + time * fault.every + dice.below(fault.spread);
            spells.push(Spell { from, until: from + fault.length, fault: at });
        }
    }
    spells
}

/// Draws one of all the effects there are.
pub(crate) fn any(dice: &mut Dice) -> Effect {
    use ResultCode as R;
    let tokens = dice.below(4) as u32;
    let after = (dice.below(2) == 0).then_some(1 + dice.below(3 * SECOND));
    let error = |result, status| Effect::End(Finish { after, ..Finish::error(result, status) });
    // What shuts a path for a minute is rare, or nothing else would be seen.
    match dice.below(500) {
        0 => return error(R::QuotaExhausted, 402),
        1 => return error(R::CredentialRejected, 401),
        _ => {}
    }
    match dice.below(17) {
        0 => Effect::Silence,
        1 => Effect::Alive,
        2 => Effect::Late { delay: dice.below(20 * SECOND), factor: 1 },
        3 => Effect::Cut { tokens, finish: Finish::error(R::Truncated, 200) },
        4 => Effect::Stall { tokens },
        5 => Effect::Cut { tokens, finish: Finish::error(R::ErrorInStream, 200) },
        6 => error(R::Status5xx, 500),
        7 => error(R::Status5xx, 503),
        8 => error(R::RateLimited, 429),
        9 => error(R::PushBack, 503),
        10 => error(R::ContextExceeded, 400),
        11 => error(R::ContentFiltered, 400),
        12 => error(R::CallerInvalid, 400),
        13 => error(R::EmptyAnswer, 200),
        14 => Effect::End(Finish::unconnected(R::ConnectFailed)),
        15 => Effect::Slow { every: 200 * MILLISECOND + dice.below(2 * SECOND) },
        _ => Effect::End(Finish::unconnected([R::Reset, R::Unsent][tokens as usize % 2])),
    }
}
