//! Inputs as bytes.

use alloc::vec::Vec;

use super::{Malformed, Reader, Wire, choices, fields, numbers, words};
use crate::{
    cache::{Lookup, Near, Stored},
    capability::Wants,
    class::ResultCode,
    drift::RouteSignal,
    ensemble::Tally,
    fact::Signal,
    guard::GuardVerdict,
    id::{AttemptId, PathId, ProbeId, ReplicaId, RequestId, RouteId, UpstreamId},
    input::{Admit, Event, Input, Splice},
    machine::Origin,
    probe::Found,
    revision::{Features, Operation},
    rows::Rows,
    sequence::Sequence,
    unit::Permille,
};

numbers! { AttemptId PathId ProbeId ReplicaId RequestId RouteId UpstreamId Features }

words! { ResultCode Signal }

impl Wire for Permille {
    fn put(&self, into: &mut Vec<u8>) {
        self.thousandths().put(into);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let wrong = from.wrong("a share beyond all");
        let thousandths = u16::take(from)?;
        Some(Self::new(thousandths)).filter(|it| it.thousandths() == thousandths).ok_or(wrong)
    }
}

impl Wire for GuardVerdict {
    fn put(&self, into: &mut Vec<u8>) {
        (self.all().len() as u64).put(into);
        for (signal, value) in self.all() {
            signal.put(into);
            value.put(into);
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut verdict = Self::default();
        for _ in 0..from.length()? {
            let wrong = from.wrong("a signal that was measured twice");
            let (signal, value) = (Signal::take(from)?, u64::take(from)?);
            if verdict.of(signal).is_some() {
                return Err(wrong);
            }
            verdict.note(signal, value);
        }
        Ok(verdict)
    }
}

choices! {
    Input {
        0 = Admit(it),
        1 = Attempt { attempt, event },
        2 = Splice { attempt, splice },
        3 = Landed { request, kept },
        4 = ClientGone { request },
        5 = Probed { probe, found },
        6 = Signal { route, name, value, samples },
        7 = Revision(it),
        8 = Timeout,
        9 = Drain,
    }
    Event {
        0 = FirstContent,
        1 = Enough,
        2 = Progress,
        3 = Unrepeatable,
        4 = Slow { said },
        5 = Judged { low, sure },
        6 = Similar(near),
        7 = Voted(tally),
        8 = Alive,
        9 = Closed,
        10 = Ended { result, status, after },
    }
    Splice { 0 = Matched, 1 = Diverged }
    Operation { 0 = Chat, 1 = ChatStream, 2 = Embeddings, 3 = Infer }
    RouteSignal { 0 = Drift, 1 = OutputDrift, 2 = Certificate }
    Found { 0 = Good, 1 = Refused, 2 = Busy, 3 = Unknown }
}

fields! {
    Admit {
        request, route, operation, deadline, entropy, cost, weight, needs, wants, tokens, max_tier, min_confidence, pure, private,
        bodies, spent, imputed, rows, sequence, cache, verdict,
    }
    Wants { languages, datatypes, regions }
    Rows { all, apart }
    Sequence { key, start, end }
    Lookup { key, stored, max_age, others, near }
    Near { similarity, stored }
    Stored { age, tier }
    Tally { heard, votes, open, agreement, leader }
    Origin { revision, attempts, probes, draining }
}
