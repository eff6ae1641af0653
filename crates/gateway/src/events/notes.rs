//! Notes: what only the shell knows of attempts, in the words of the record.

use evenkeel_api as api;
use evenkeel_core::{AttemptId, digest_name};

use super::{Record, Whose};
use crate::{
    path::{Notes, Ruled},
    sure::time,
};

/// Renders what a rule has answered.
pub(super) fn rule(it: &Ruled) -> api::RuleRows {
    api::RuleRows { rule: it.rule.clone(), failed: it.failed.clone(), rows: it.rows }
}

/// Renders how sure the model of an attempt was.
pub(super) fn judged(record: &Record, attempt: AttemptId) -> Option<api::Sureness> {
    let of = |(whose, notes): &'_ (Whose, Notes)| notes.judged.clone().filter(|_| *whose == Whose::Attempt(attempt));
    let judged = record.notes.iter().find_map(of)?;
    let learnt = judged.by.as_ref().map(|by| api::LearntBy {
        calibration: digest_name(&by.sha256),
        n: by.learnt.n,
        as_of: time(by.learnt.as_of),
    });
    Some(api::Sureness {
        said: judged.least.map(|it| it.to_string()),
        at_least: judged.at_least.to_string(),
        low: judged.low,
        right_permille: judged.rows.as_ref().and_then(|it| it.iter().min().copied()),
        learnt,
    })
}

/// Renders what the steps of the route did to answers, in the order of these.
pub(super) fn posted(record: &Record) -> Vec<api::Posted> {
    let decision = &record.decision;
    let path = |of: Whose| match of {
        Whose::Certain(path) => Some(path),
        Whose::Attempt(attempt) => decision.attempts.iter().find(|it| it.attempt == attempt).map(|it| it.path),
    };
    let name = |of| path(of).map(|path| decision.revision.paths[path.index()].name.clone()).unwrap_or_default();
    let render = |(of, notes): &(Whose, Notes)| {
        let path = name(*of);
        let posted = notes.posted.clone().into_iter();
        posted.map(move |it| api::Posted {
            path: path.clone(),
            step: it.step,
            name: it.name.into(),
            output: it.output,
            part: it.part,
            changes: it.changes,
            failed: it.failed,
        })
    };
    record.notes.iter().flat_map(render).collect()
}
