//! Kept: what goes on disk of requests and of what happened (G-112).

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_api::{
    self as api,
    evidence::{DecisionLine, Evidence, Jcs, StreamState},
};
use evenkeel_config::{Deployment, Kept};
use evenkeel_core::{End, Permille};
use serde_json::json;

use super::{Record, render};
use crate::{
    snapshot::Applied,
    spool::{Line, Noted, Spool},
};

/// About what an attempt, a fact or a note of a record takes in memory, with what hangs on it.
const PART: usize = 256;

/// Says how much is kept: of what happened also where nothing is of requests, as long as it is to be in an audit log.
pub(super) fn terms(deployment: &Deployment) -> Option<Kept> {
    deployment.decisions.or_else(|| deployment.audit.as_ref().map(|_| Kept::default()))
}

/// Hands on a record: whole where it is not ordinary, or where its lot falls into the share of those that are; else a line of it.
pub(super) fn decision(spool: &Spool, record: &Arc<Record>, explain: bool) {
    let Some(kept) = spool.kept() else { return };
    let outcome = &record.decision.outcome;
    let ordinary = outcome.tier == Some(0) && outcome.end == End::Answered;
    // Bits that no other draw is made from: whether a record is whole does not go hand in hand with how its request was answered.
    let drawn = || Permille::new(kept.sample.0).draws(record.decision.entropy.rotate_left(43));
    spool.decision(record.clone(), explain || !ordinary || drawn());
}

impl Line for Record {
    fn weight(&self) -> usize {
        let decision = &self.decision;
        let parts = decision.facts.len() + decision.candidates.len() + decision.attempts.len() + self.notes.len();
        let found: usize = self.found.iter().map(|(_, it)| it.documents.len()).sum();
        size_of::<Self>() + PART * (parts + found + self.votes.len() + usize::from(self.judged.is_some()))
    }

    fn write(&self, whole: bool, jcs: &mut Jcs, to: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match whole {
            true => jcs.append(&render(self), to),
            false => jcs.append(&DecisionLine::render(&self.decision, &self.id, self.at), to),
        }
    }
}

/// A route starts at another tier.
pub(super) fn transition(it: &api::Transition) -> Noted {
    let data = serde_json::to_value(it).expect("names and numbers are JSON");
    Noted { at: it.time, kind: "route.transition", actor: format!("rule:{}", it.rule), data }
}

/// A configuration is in force.
pub(super) fn applied(it: &Applied) -> Noted {
    let digest: String = it.deployment.revision.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let data = json!({"digest": format!("sha256:{digest}"), "revision": it.name});
    Noted { at: it.at, kind: "config.applied", actor: ACTOR.into(), data }
}

/// A configuration was refused. What is wrong with it is for readiness and the log: it may cite values.
pub(super) fn rejected(it: &api::Rejected) -> Noted {
    let data = json!({"diagnostics": it.diagnostics, "digest": it.digest});
    Noted { at: it.at, kind: "config.rejected", actor: ACTOR.into(), data }
}

/// Who does what nobody has ordered by name: a file was saved, or a process started.
const ACTOR: &str = "system:gateway";

/// Says how what is kept on disk is kept; none where nothing is.
pub(super) fn standing(spool: &Spool) -> Option<Evidence> {
    spool.kept()?;
    let it = spool.standing();
    let missing = |of| {
        let missed = it.missed.iter().filter(|((stream, _), _)| *stream == of);
        missed.map(|((_, why), count)| (why.name().to_owned(), *count)).collect::<BTreeMap<_, _>>()
    };
    let state = |(stream, durable): &_| StreamState { durable: *durable, missing: missing(*stream) };
    let streams = it.durable.iter().map(|of| (of.0.name().to_owned(), state(of))).collect();
    Some(Evidence { instance: it.instance.clone(), streams, spool_bytes: it.waiting, trouble: it.trouble })
}
