//! Events: one record per request, turned into everything that is kept of it: ring, metrics, log line.
//!
//! All of them come from the same record, so they cannot disagree. Nothing here can make a request wait: the ring and
//! the counters are memory.
//!
//! # Invariants
//! - `EV-1`: a record is in the ring before its client can have read the end of its answer.
//! - `EV-2`: the ring holds the last 10,000 records, no more.

pub(crate) mod calibrated;
mod episode;
mod kept;
pub(crate) mod log;
pub(crate) mod metrics;
mod notes;
mod ring;
pub(crate) mod share;
mod trace;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use evenkeel_api as api;
use evenkeel_config::Calibration;
use evenkeel_core::{AttemptId, BreakerTurn, Decision, Output, PathId, ResultCode, Transition};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::broadcast;

pub(crate) use self::log::{certificate_void, drift_alarm, drift_over};
pub(crate) use self::metrics::Count;
use self::{log::Log, metrics::Metrics, ring::Ring, share::Shares};
use crate::{
    ask::Ask,
    bill::Spent,
    cache::Noted,
    enrich::{Enriched, Plan},
    forecast::Forecasts,
    guard::Told,
    path::{Found, ModelFile, Notes, Search, Unsaid},
    quality::{Answered, Quality, Value},
    shadow::Shadowed,
    snapshot::Applied,
    spool::Spool,
    sure::Sure,
    vote::{Cast, Worth},
};

/// Records that a subscriber may lag behind by.
const LAG: usize = 4_096;

/// A record with what only the shell knows of it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: String,
    /// When the request was over.
    pub(crate) at: Timestamp,
    pub(crate) trace: Option<String>,
    pub(crate) decision: Decision,
    /// What its attempts have cost.
    pub(crate) spent: Vec<(AttemptId, Spent)>,
    /// The documents that they found.
    pub(crate) found: Vec<(AttemptId, Search)>,
    /// By which maps their scores were brought to the scale of the first tier.
    pub(crate) calibrated: Vec<(AttemptId, Arc<Calibration>)>,
    /// The files of the models that computed in them.
    pub(crate) models: Vec<(AttemptId, Arc<ModelFile>)>,
    /// How those voted that are members of an ensemble.
    pub(crate) votes: Vec<(AttemptId, Cast)>,
    /// What the votes are worth.
    pub(crate) worth: Option<Worth>,
    /// What its client was told of how likely the answer is right.
    pub(crate) sure: Option<Sure>,
    /// What else only the shell knows of them.
    pub(crate) notes: Vec<(Whose, Notes)>,
    /// What was fetched and imputed, where its route is enriched.
    pub(crate) enriched: Option<Enriched>,
    /// What the cache had to do with it, where its route has one.
    pub(crate) cached: Option<Noted>,
    /// What guards found in its input, where its route asks something of it.
    pub(crate) judged: Option<Told>,
}

impl Record {
    /// Returns the name of its route.
    fn route(&self) -> &str {
        &self.decision.revision.routes[self.decision.route.index()].name
    }
}

/// What only the shell knows of how a request was answered.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// What its attempts have cost.
    pub(crate) spent: Vec<(AttemptId, Spent)>,
    /// The documents that they found.
    pub(crate) found: Vec<(AttemptId, Search)>,
    /// By which maps their scores were brought to the scale of the first tier.
    pub(crate) calibrated: Vec<(AttemptId, Arc<Calibration>)>,
    /// The files of the models that computed in them.
    pub(crate) models: Vec<(AttemptId, Arc<ModelFile>)>,
    /// How they voted.
    pub(crate) votes: Vec<(AttemptId, Cast)>,
    /// What the votes are worth.
    pub(crate) worth: Option<Worth>,
    /// What its client was told of how likely the answer is right.
    pub(crate) sure: Option<Sure>,
    /// What the cache had to do with it, where its route has one.
    pub(crate) cached: Option<Noted>,
    /// What guards found in its input.
    pub(crate) judged: Option<Told>,
    /// What else only we know of them.
    pub(crate) notes: Vec<(Whose, Notes)>,
    /// What is held of the answer until its labels come.
    pub(crate) answered: Answered,
    /// Whether its client wants it explained.
    pub(crate) explain: bool,
}

/// Whose it is, what is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// An attempt.
    Attempt(AttemptId),
    /// An answer that is certain, which is given without one.
    Certain(PathId),
}

/// Something that happened, for those who watch.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A request is over.
    Decision(Arc<api::Decision>),
    /// A route starts at another tier.
    Transition(Arc<api::Transition>),
    /// A copy of a request is over (F-150).
    Shadow(Arc<Shadowed>),
}

/// Where records go.
pub(crate) struct Events {
    ring: Mutex<Ring>,
    pub(crate) metrics: Metrics,
    pub(crate) quality: Quality,
    pub(crate) forecasts: Forecasts,
    pub(crate) shares: Mutex<Shares>,
    watchers: broadcast::Sender<Happened>,
    log: Log,
    /// None where nothing is kept on disk.
    spool: Option<Spool>,
    /// Whether something of requests is kept there.
    decisions: AtomicBool,
}

impl Events {
    pub(crate) fn new(spool: Option<Spool>) -> Self {
        let metrics = Metrics::new();
        Self {
            ring: Mutex::default(),
            quality: Quality::start(metrics.count()),
            forecasts: Forecasts::default(),
            metrics,
            shares: Mutex::default(),
            watchers: broadcast::Sender::new(LAG),
            log: Log::start(std::io::stderr()),
            spool,
            decisions: AtomicBool::new(false),
        }
    }

    /// Keeps the record of a request that is over, with what only the shell knows of its attempts.
    pub(crate) fn decision(&self, decision: Decision, ask: &Ask, attempts: Attempts) {
        let Attempts { spent, found, calibrated, models, votes, worth, sure, notes, cached, judged, answered, explain } =
            attempts;
        let trace = trace::context(&ask.headers);
        let (id, enriched) = (ask.decision.clone(), ask.enriched().cloned());
        let at = Timestamp::now();
        let record = Arc::new(Record {
            id,
            at,
            trace,
            decision,
            spent,
            found,
            calibrated,
            models,
            votes,
            worth,
            sure,
            notes,
            enriched,
            cached,
            judged,
        });
        self.metrics.decision(&record.decision);
        self.metrics.posted(&record);
        if let Some(enriched) = &record.enriched {
            self.metrics.enriched(&record.decision, enriched);
        }
        if let Some(judged) = &record.judged {
            self.metrics.judged(&record.decision, judged);
        }
        if let Some(cached) = &record.cached {
            self.metrics.cached(&record.decision, cached);
        }
        self.shares.lock().decision(&record.decision, record.at);
        self.forecasts.decision(&record.decision, record.judged.as_ref(), &record.notes);
        // An earlier answer has counted, once, under the decision that it was first given by.
        if record.cached.as_ref().is_none_or(|it| it.age.is_none()) {
            self.quality.decided(&record.decision, &record.id, record.at, (answered, record.sure.as_ref()));
        }
        if !self.log.decision(&record) {
            self.metrics.line_dropped();
        }
        if self.watchers.receiver_count() > 0 {
            let _ = self.watchers.send(Happened::Decision(Arc::new(render(&record))));
        }
        if let Some(spool) = self.spool.as_ref().filter(|_| self.decisions.load(Relaxed)) {
            kept::decision(spool, &record, explain);
        }
        self.ring.lock().keep(record);
    }

    /// Keeps what concerns no open request.
    pub(crate) fn news(&self, output: &Output) {
        match output {
            Output::Transition(transition) => self.transition(transition),
            Output::Breaker(change) => {
                self.metrics.breaker(change);
                log::breaker(change);
            }
            Output::Gate(change) => {
                self.metrics.gate(change);
                log::gate(change);
            }
            Output::Proposed(it) => log::proposal(it),
            Output::CancelIgnored { revision, path, .. } => self.metrics.cancel_ignored(revision, *path),
            _ => {}
        }
    }

    /// Keeps what came of a copy of a request, with what it said of each row.
    pub(crate) fn shadow(&self, it: Shadowed, said: Vec<Option<Value>>) {
        self.quality.copied(&it, said);
        self.metrics.shadow(&it);
        log::shadow(&it);
        if self.watchers.receiver_count() > 0 {
            let _ = self.watchers.send(Happened::Shadow(Arc::new(it)));
        }
    }

    /// Keeps a transition.
    fn transition(&self, transition: &Transition) {
        self.metrics.transition(transition);
        let rendered = Arc::new(api::Transition::render(transition, Timestamp::now()));
        log::transition(&rendered, transition.reason.severity());
        if let Some(spool) = &self.spool {
            spool.event(kept::transition(&rendered));
        }
        let _ = self.watchers.send(Happened::Transition(rendered));
    }

    /// Keeps a change of the breaker of a feature server.
    pub(crate) fn feature_server(&self, plan: &Plan, turn: &BreakerTurn) {
        self.metrics.feature_server(plan, turn);
        log::feature_server(plan, turn);
    }

    /// Counts a request that was refused before it was admitted.
    pub(crate) fn refused(&self, kind: &'static str) {
        self.metrics.refused(kind);
    }

    /// Counts a request whose core was lost.
    pub(crate) fn lost(&self) {
        self.metrics.lost();
    }

    /// Notes the revision that is in force.
    pub(crate) fn applied(&self, applied: &Applied) {
        let revision = &applied.deployment.revision;
        self.metrics.applied(revision, &applied.name, applied.at);
        self.shares.lock().keep(revision);
        if let Some(spool) = &self.spool {
            self.decisions.store(applied.deployment.decisions.is_some(), Relaxed);
            let kept = kept::terms(&applied.deployment);
            // Whoever switches it on or off: that is the first line, or the last one.
            if kept.is_some() {
                spool.apply(kept);
            }
            spool.event(kept::applied(applied));
            spool.apply(kept);
        }
    }

    /// Notes a configuration that was refused.
    pub(crate) fn rejected(&self, rejected: &api::Rejected) {
        self.metrics.apply_failed();
        if let Some(spool) = &self.spool {
            spool.event(kept::rejected(rejected));
        }
    }

    /// Says whether anything may be kept on disk, by what is configured.
    pub(crate) fn is_recording(&self) -> bool {
        self.spool.is_some()
    }

    /// Says how what is kept on disk is kept; none where nothing is.
    pub(crate) fn evidence(&self) -> Option<api::evidence::Evidence> {
        self.spool.as_ref().and_then(kept::standing)
    }

    /// Writes what waits to be kept on disk, and how many requests are still open; for a disk that does not answer, it waits a moment
    /// and no longer.
    pub(crate) async fn finish(self: &Arc<Self>, open: usize) {
        if self.spool.is_some() {
            let it = self.clone();
            let finished = tokio::task::spawn_blocking(move || it.spool.iter().for_each(|it| it.finish(open as u64)));
            let _ = finished.await;
        }
    }

    /// Finds a record by its id.
    pub(crate) fn find(&self, id: &str) -> Option<api::Decision> {
        let record = self.ring.lock().find(id)?;
        Some(render(&record))
    }

    /// Returns the last records, the newest first; of one route where that is named.
    pub(crate) fn last(&self, route: Option<&str>, most: usize) -> Vec<api::Decision> {
        let records = self.ring.lock().last(route, most);
        records.iter().map(|record| render(record)).collect()
    }

    /// Watches what happens from now on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Happened> {
        self.watchers.subscribe()
    }
}

fn render(record: &Record) -> api::Decision {
    let mut rendered = api::Decision::render(&record.decision, &record.id, record.at, record.trace.clone());
    rendered.cache = record.cached.as_ref().map(Noted::render);
    rendered.enrichment = record.enriched.as_ref().map(Enriched::render);
    if let Some(judged) = &record.judged {
        let (against, guards) = judged.render(&record.decision.revision, record.decision.route.index());
        (rendered.judged, rendered.guards) = (Some(against), guards);
    }
    for (attempt, of) in rendered.attempts.iter_mut().zip(&record.decision.attempts) {
        let spent = record.spent.iter().find(|(it, _)| *it == of.attempt);
        attempt.usage = spent.map(|(_, Spent { usage, estimated })| api::Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            estimated: *estimated,
        });
        let document = |it: &Found| api::Document {
            id: it.id.clone(),
            confidence_permille: it.confidence_permille,
            window: it.window.map(|it| it.name().into()),
        };
        if let Some((_, search)) = record.found.iter().find(|(it, _)| *it == of.attempt) {
            attempt.documents = search.documents.iter().map(document).collect();
            attempt.embedder =
                search.embedder.map(|it| it.map_or_else(Unsaid::name, |()| ResultCode::Ok.name()).into());
        }
        let by = record.calibrated.iter().find(|(it, _)| *it == of.attempt);
        attempt.calibration = by.map(|(_, by)| calibrated::render(by));
        let model = record.models.iter().find(|(it, _)| *it == of.attempt);
        attempt.model = model.map(|(_, it)| api::Model { sha256: it.sha256.clone(), signed_by: it.signed_by.clone() });
        let cast = record.votes.iter().find(|(it, _)| *it == of.attempt);
        attempt.vote = cast.map(|(_, it)| api::Vote {
            weight_millionths: it.weight,
            rows: it.rows,
            agreed: it.agreed,
            class: it.class,
        });
        attempt.confidence = notes::judged(record, of.attempt);
        let noted = record.notes.iter().filter(|(it, _)| *it == Whose::Attempt(of.attempt));
        attempt.rules = noted.flat_map(|(_, notes)| &notes.rules).map(notes::rule).collect();
    }
    rendered.votes = record.worth.as_ref().map(Worth::render);
    rendered.outcome.confidence = record.sure.as_ref().map(Sure::render);
    rendered.post = notes::posted(record);
    rendered
}

#[cfg(test)]
mod tests;
