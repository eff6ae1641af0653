//! Signatures: whose fault a 5xx is, the server's or that of a request that it cannot read.
//!
//! Servers answer 500 to what is a client's mistake: a wrong count of features, a `null` where none may stand. A client that sends
//! such requests all day must not have the path cut off for everybody, and a server that is broken must not go unnoticed.
//!
//! Kinds of requests are told apart by what a server can stumble over before it looks at values: the names, datatypes and shapes
//! of the inputs. Of a kind that the path has answered before, a 5xx is the server's fault. Of one that it never answered it
//! is the client's, as long as others show that the server is well.
//!
//! # Invariants
//! - `SIGN-1`: a request of a kind that was answered before is never blamed.
//! - `SIGN-2`: no request is blamed unless one of a known kind was answered within [`WELL`], and none has failed since.
//! - `SIGN-3`: a failure that no request can cause, as that of a proxy, is not blamed on one.
//!
//! # When it misleads
//! A server that fails at one kind alone, from the start, is taken to be well; those requests are answered by the next tier, or
//! get its word. After a start or a reload of the path nothing is known, and the first failures count against the server.
//!
//! # Source
//! `docs/design/protocols.md`, section 1; OIP-39, F-002, F-065.

use std::sync::Arc;

use evenkeel_core::{Nanos, ResultCode, SECOND};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    path::Ended,
    tensor::{Contract, Infer, Known},
};

/// Kinds that are remembered; those that were not seen for longest are forgotten. Many, so that one who makes up kinds which a
/// server happens to answer needs many to make it forget the others.
const MOST: usize = 256;
/// For so long an answer shows that a server is well. Longer, and what broke meanwhile would be blamed on its clients.
const WELL: Nanos = 10 * SECOND;

/// Judges the failures of one path.
pub(super) struct Signatures {
    clock: Clock,
    known: Arc<Known>,
    memory: Mutex<Memory>,
}

impl Signatures {
    pub(super) fn new(clock: Clock, known: Arc<Known>) -> Self {
        Self { clock, known, memory: Mutex::default() }
    }

    /// Takes in how an attempt ended, and says whose fault it is.
    pub(super) fn judge(&self, request: &Infer, ended: Ended) -> Ended {
        if !matches!(ended.result, ResultCode::Ok | ResultCode::Status5xx) {
            return ended;
        }
        let signature = Signature::of(request, &self.known.now());
        let result = self.memory.lock().judge(self.clock.now(), signature, (ended.result, ended.status));
        Ended { result, ..ended }
    }
}

/// A kind of requests: a digest of what their inputs are, so that long names take no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signature([u8; 32]);

impl Signature {
    fn of(request: &Infer, contract: &Contract) -> Self {
        let mut tensors: Vec<_> = request.inputs.iter().map(|input| &input.tensor).collect();
        tensors.sort_unstable_by_key(|tensor| tensor.name());
        let mut hash = Sha256::new();
        for tensor in tensors {
            let dimensions = contract.closed(tensor);
            for part in [tensor.name(), tensor.datatype().name()] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
            hash.update((dimensions.len() as u64).to_le_bytes());
            dimensions.iter().for_each(|dimension| hash.update(dimension.to_le_bytes()));
        }
        Self(hash.finalize().into())
    }
}

/// What a path has answered.
#[derive(Default)]
struct Memory {
    /// The kinds that were answered, the one that was seen last first.
    known: Vec<Signature>,
    /// When one was answered, if none of them has failed since.
    well: Option<Nanos>,
}

impl Memory {
    fn judge(&mut self, now: Nanos, of: Signature, (result, status): (ResultCode, Option<u16>)) -> ResultCode {
        let at = self.known.iter().position(|known| *known == of);
        match (result, at) {
            (ResultCode::Ok, at) => {
                self.well = Some(now);
                self.remember(at, of);
            }
            (_, Some(at)) => {
                self.well = None;
                self.remember(Some(at), of);
            }
            (_, None) => {
                let well = self.well.is_some_and(|well| now.saturating_sub(well) <= WELL);
                if well && !result.blameless(status) {
                    return ResultCode::CallerSuspected;
                }
            }
        }
        result
    }

    /// Puts a kind first.
    fn remember(&mut self, at: Option<usize>, of: Signature) {
        match at {
            Some(at) => self.known[..=at].rotate_right(1),
            None => {
                self.known.truncate(MOST - 1);
                self.known.insert(0, of);
            }
        }
    }
}

#[cfg(test)]
mod tests;
