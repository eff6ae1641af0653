//! Upstream: what a server does with an attempt, well or ill.

use evenkeel_core::*;

use crate::world::Dice;

/// What an upstream does with an attempt: events, each after a while.
pub(crate) type Script = Vec<(Nanos, Event)>;

/// How a replica is worse than its peers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grey {
    /// It answers later than they do, by a time.
    Late(Nanos),
    /// So many of its attempts go wrong, in permille.
    Fails(u64),
}

/// What an upstream does with an attempt, well or ill.
pub(crate) fn script(dice: &mut Dice, only: Option<ResultCode>, (illness, stream): (u64, bool)) -> Script {
    let ill = dice.below(1_000) < illness;
    let start = dice.below(400) * MILLISECOND;
    let told = dice.one_in(2).then(|| dice.below(3 * SECOND));
    let end = |after, result, status| {
        let told = told.filter(|_| result == ResultCode::RateLimited);
        (after, Event::Ended { result, status, after: told })
    };
    if !ill {
        return match stream {
            false => vec![end(start, ResultCode::Ok, Some(200))],
            true => speak(start, 1 + dice.below(5), end(0, ResultCode::Ok, Some(200)).1),
        };
    }
    match only {
        Some(ResultCode::Truncated) if stream => return cut(start),
        Some(result) => return vec![end(start, result, Some(500))],
        None => {}
    }
    use ResultCode as R;
    match dice.below(15) {
        0 => Vec::new(),
        1 => vec![end(start, R::Status5xx, Some(500))],
        2 => vec![end(start, R::Status5xx, Some(503))],
        3 => vec![end(start / 100, R::ConnectFailed, None)],
        4 => vec![end(start / 100, R::Reset, None)],
        5 => vec![end(start, R::RateLimited, Some(429))],
        6 => vec![end(start, R::CallerInvalid, Some(400))],
        7 => vec![end(start, R::ContextExceeded, Some(400))],
        8 => vec![end(start, R::ContentFiltered, Some(400))],
        9 => vec![(start, Event::Alive), (2 * start, Event::Alive)],
        10 if stream => cut(start),
        11 if stream => speak(start, 3, Event::Alive),
        12 => vec![end(start, R::CredentialRejected, Some(401))],
        13 => vec![end(start, R::PushBack, Some(503))],
        14 if !stream => vec![end(start + SECOND, R::Ok, Some(200))],
        _ => vec![end(start, R::EmptyAnswer, Some(200))],
    }
}

/// An answer that breaks off after two pieces.
fn cut(start: Nanos) -> Script {
    speak(start, 2, Event::Ended { result: ResultCode::Truncated, status: Some(200), after: None })
}

/// Reasoning, content, more content, then an end.
fn speak(start: Nanos, pieces: u64, end: Event) -> Script {
    let mut script = vec![(start, Event::Progress), (start + 50 * MILLISECOND, Event::FirstContent)];
    let piece = |n| (start + (50 + 100 * n) * MILLISECOND, Event::Progress);
    script.extend((1..=pieces).map(piece));
    script.push((start + (60 + 100 * pieces) * MILLISECOND, end));
    script
}
