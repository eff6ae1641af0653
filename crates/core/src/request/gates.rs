//! What an attempt's end says to the gates that it passed (F-051, F-054).
//!
//! The class table says that a result gates something; this says what, and for how long.

use crate::{
    attempt::Attempt,
    class::ResultCode,
    clock::{Nanos, SECOND},
    domain::{Closing, Word},
    request::{Ended, Request, World},
};

/// How long a gate closes without a word of the server, at first and at most (F-054).
const RATE: (Nanos, Nanos) = (SECOND, 60 * SECOND);
const QUOTA: (Nanos, Nanos) = (60 * SECOND, 300 * SECOND);
/// How long a refused credential is not tried again.
const CREDENTIAL: (Nanos, Nanos) = (60 * SECOND, 60 * SECOND);

impl Request {
    /// Closes, lifts or leaves the gates of an attempt that has ended.
    pub(super) fn tell_gates(&self, now: Nanos, world: &mut World<'_>, attempt: &Attempt, how: Ended) {
        let before = self.generation.before(attempt.path);
        let replica = before.replicas.get(attempt.replica.index()).copied();
        let closed = closes(how.result).map(|(gate, (first, most))| {
            let gate = match gate {
                Which::Domain => before.domain.or(replica),
                Which::Replica => replica,
                Which::Credential => before.credential,
            };
            (gate, Word::Close(Closing { told: how.after, first, most }))
        });
        for gate in before.on_the_way(attempt.replica.index()) {
            let word = match closed {
                Some((which, word)) if which == Some(gate) => word,
                _ if how.result.is_ok() => Word::Lift,
                _ => Word::Nothing,
            };
            world.gates.at_mut(gate).hear(now, attempt.id, word);
        }
    }

    /// Returns the gate that a result has closed for the request to wait at, where it may.
    pub(super) fn gate_of(&self, attempt: &Attempt, result: ResultCode) -> Option<u32> {
        let before = self.generation.before(attempt.path);
        let replica = before.replicas.get(attempt.replica.index()).copied();
        match closes(result)?.0 {
            Which::Domain => before.domain.or(replica),
            Which::Replica => replica,
            Which::Credential => None,
        }
    }
}

/// Which of the gates before a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Domain,
    Replica,
    Credential,
}

fn closes(result: ResultCode) -> Option<(Which, (Nanos, Nanos))> {
    match result {
        ResultCode::RateLimited => Some((Which::Domain, RATE)),
        ResultCode::QuotaExhausted => Some((Which::Domain, QUOTA)),
        ResultCode::PushBack => Some((Which::Replica, RATE)),
        ResultCode::CredentialRejected | ResultCode::CredentialForbidden => Some((Which::Credential, CREDENTIAL)),
        _ => None,
    }
}
