//! Guard: holds the input of a request against what inputs were like when all was well, and says what it found.
//!
//! It goes one way: what a request brings is read row by row ([`rows`]), held against the reference ([`look`]), and told ([`told`]):
//! to the core as numbers beside thresholds, to the record and the metrics by the names of features. It decides nothing about
//! tiers, and no value of an input is in what it says.
//!
//! # Invariants
//! - `JUDGE-1`: a verdict depends on the input, the reference and the configuration; but for `fallback_risk`, which is learnt.
//! - `JUDGE-2`: other requests get their turn: after each [`TURN`] rows the work pauses.
//! - `JUDGE-3`: where no guard can move a request, nothing waits for it: it is judged beside the first attempt.
//!
//! # Source
//! `docs/design/signals.md`, section 7.

pub(crate) mod decimal;
mod look;
mod meaning;
mod risk;
pub(crate) mod rows;
mod seen;
pub(crate) mod told;

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use evenkeel_config::{Against, Asks, Guarding, RouteSpec, kind::Embeddings};
use evenkeel_core::Nanos;
use evenkeel_signals::{
    anomaly::RowScore,
    guards::{Guards, Outer},
    reference::{Live, Scalar},
};

use self::{look::Look, rows::Rows};
pub(crate) use self::{
    meaning::{Encoder, Meaning},
    risk::{Lesson, Risk},
    seen::{Scalars, Seen},
    told::Told,
};
use crate::{ask::Question, meant::Meant, path::Embedder, protocol::openai::question::last_words};

/// Rows that are judged before others get their turn: at 2 µs each, and some more for texts.
const TURN: usize = 64;

/// What judges the inputs of one route.
pub(crate) struct Guard {
    pub(crate) spec: Arc<Guarding>,
    /// The tensor of columns.
    tensor: Option<String>,
    checks: Guards,
    against: Option<Reading>,
    /// Who says what texts mean, where somebody asks.
    encoder: Option<Encoder>,
    /// What became of requests that looked alike, where somebody asks.
    pub(crate) risk: Option<Arc<Risk>>,
    /// The state of drift of the route: 0 stable, 1 warning, 2 drift. While it drifts, what is anomalous is told as stale.
    drift: Arc<AtomicU8>,
    /// Whether rows are kept for whoever looks at them later.
    keeps: bool,
}

/// A reference, as rows are held against it.
struct Reading {
    live: Live,
    /// The scalars of a row, in the order of `live`.
    scalars: Vec<Scalar>,
    /// Where the outer hundredth of each begins; none where it holds no numbers.
    outer: Vec<Option<Outer>>,
    /// None where no guard scores rows, and nobody keeps them.
    score: Option<RowScore>,
}

/// A request that was judged.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) told: Told,
    /// What it looked like, where that teaches how likely a fallback is.
    pub(crate) seen: Option<evenkeel_signals::risk::Seen>,
    /// Its rows, where they are kept.
    pub(crate) rows: Vec<Seen>,
}

impl Guard {
    /// Makes what judges a route; none where nothing is asked of its inputs.
    pub(crate) fn new(
        route: &RouteSpec,
        keeps: bool,
        embedder: impl FnOnce(&Embeddings) -> Option<Embedder>,
    ) -> Option<Self> {
        let spec = route.guarding.clone()?;
        let encoder = Encoder::of(&spec, embedder);
        let asks = |which: fn(&Asks) -> bool| spec.guards.iter().any(|it| which(&it.asks));
        let scores = keeps || asks(|it| matches!(it, Asks::Anomaly(_) | Asks::FallbackRisk));
        let against = spec.reference.as_ref().map(|it| Reading::new(it, scores));
        let risk = asks(|it| *it == Asks::FallbackRisk).then(Arc::<Risk>::default);
        let tensor = route.input.as_ref().and_then(|it| it.tensor.clone());
        let checks = look::checks(&spec);
        Some(Self { tensor, checks, against, encoder, risk, drift: Arc::default(), keeps, spec })
    }

    /// Says whether a breach could move a request, so that it is judged before it is admitted.
    pub(crate) fn decides(&self) -> bool {
        self.spec.guards.iter().any(|it| it.start_at.is_some())
    }

    /// Says whether that may be by what its text means.
    pub(crate) fn weighs_meaning(&self) -> bool {
        self.spec.guards.iter().any(|it| it.asks == Asks::Distance && it.start_at.is_some())
    }

    /// Says whether somebody is asked what texts mean.
    pub(crate) fn has_encoder(&self) -> bool {
        self.encoder.is_some()
    }

    /// Asks what the text of a request means; none where nobody asks that.
    pub(crate) async fn meaning(&self, body: &[u8], asking: (&Arc<Meant>, (u64, Nanos))) -> Option<Meaning> {
        Some(self.encoder.as_ref()?.ask(&self.spec, body, asking).await)
    }

    /// Goes on with what another one has learnt of fallbacks, where both hold inputs against the same.
    pub(crate) fn inherit(&mut self, before: &Self) {
        if self.spec.reference == before.spec.reference
            && self.spec.columns == before.spec.columns
            && let (Some(risk), Some(old)) = (&mut self.risk, &before.risk)
        {
            *risk = old.clone();
        }
    }

    /// Goes on with the state of drift of another one: whoever watches the route is the same.
    pub(crate) fn goes_on(&mut self, before: &Self) {
        self.drift = before.drift.clone();
    }

    /// Returns where the state of drift of the route is kept.
    pub(crate) fn drift(&self) -> &Arc<AtomicU8> {
        &self.drift
    }

    /// Judges a request; `age` is that of the oldest feature that was fetched or stands in, in ms.
    pub(crate) async fn judge(&self, question: &Question, body: &[u8], (now, age): (Nanos, Option<u64>)) -> Judged {
        let rows = match question {
            Question::Infer(inference) => Rows::of(&inference.infer, &self.spec, self.tensor.as_deref()),
            Question::Chat(_) => Rows::of_text(last_words(body), &self.spec),
            Question::Embeddings(_) => Rows::of_text(None, &self.spec),
        };
        let mut look = Look::new(self, &rows);
        for at in 0..rows.read {
            if at > 0 && at % TURN == 0 {
                tokio::task::yield_now().await;
            }
            look.row(at);
        }
        look.done(now, age)
    }

    fn drifts(&self) -> u8 {
        self.drift.load(Ordering::Relaxed)
    }
}

impl Reading {
    fn new(reference: &Against, scores: bool) -> Self {
        let (live, all) = (reference.0.live(), reference.0.scalars());
        let scalars = live.scalars().iter().map(|at| all[*at].clone()).collect();
        let outer = live.scalars().iter().map(|at| reference.0.outer(*at)).collect();
        let score = if scores { reference.0.row_score().ok() } else { None };
        Self { live, scalars, outer, score }
    }
}

#[cfg(test)]
mod tests;
