//! Look: one request under the eyes of its guards, row after row, and what they make of it in the end.
//!
//! Of a request of several rows each guard says what it found in any of them; how rare the row is that decides depends on its rule.
//!
//! # Invariants
//! - `LOOK-1`: what is off leaves nothing behind: no value, no feature, no number for the core.
//! - `LOOK-2`: where any row of several is enough, p is that of all of them together, so that the promised rate is that of requests,
//!   not of rows.
//! - `LOOK-3`: a row that cannot be scored has no p; where none can, nothing is said of how rare the request is.

use std::{borrow::Cow, collections::BTreeSet};

use evenkeel_config::{Asks, Guarding, MILLIONTHS};
use evenkeel_core::{Nanos, RowRule};
use evenkeel_signals::{
    RATIO,
    anomaly::{PValue, Score, together},
    guards::{Code, Given, Guards, Names, Rule, TAIL},
    quantise, risk,
    row::Value,
};

use super::{
    Guard, Judged,
    rows::Rows,
    seen::Seen,
    told::{Found, Odd, Strangers, Told},
};

/// Bytes of a client's name that stand in a record, at most.
const MOST_TOLD: usize = 64;
/// Features that a guard names, at most.
pub(super) const MOST_NAMED: usize = 16;

/// Returns the first bytes of a name, with an ellipsis where that is not all.
pub(super) fn short(name: &str, most: usize) -> Cow<'_, str> {
    if name.len() <= most {
        return name.into();
    }
    format!("{}…", &name[..name.floor_char_boundary(most)]).into()
}

/// Returns the checks of a route that need no statistics.
pub(super) fn checks(spec: &Guarding) -> Guards {
    let mut checks = match &spec.reference {
        Some(reference) => reference.0.guards(f64::INFINITY),
        None => {
            Guards { rules: spec.columns.iter().map(|it| Rule::new(it.kind)).collect(), missing_ratio: f64::INFINITY }
        }
    };
    for guard in &spec.guards {
        if let Asks::Norm(Some(bounds)) = guard.asks {
            let vectors =
                checks.rules.iter_mut().filter(|it| matches!(it.kind, evenkeel_signals::row::Kind::Vector(_)));
            vectors.for_each(|it| it.range = Some(bounds));
        }
    }
    // A list of all names that were seen is not asked where nobody asks of unseen ones.
    if !spec.guards.iter().any(|it| it.asks == Asks::Unseen) {
        checks.rules.iter_mut().for_each(|it| it.names = None::<Names>);
    }
    checks
}

/// A request that is looked at.
pub(super) struct Look<'a> {
    guard: &'a Guard,
    rows: &'a Rows<'a>,
    breaches: BTreeSet<(Code, usize)>,
    missing_ratio: f64,
    /// Numbers in the outer hundredth, and all.
    tail: (u64, u64),
    /// The rows that were scored, by how far they are.
    scores: Vec<(Score, usize)>,
    kept: Vec<Seen>,
}

impl<'a> Look<'a> {
    pub(super) fn new(guard: &'a Guard, rows: &'a Rows<'a>) -> Self {
        Self {
            guard,
            rows,
            breaches: BTreeSet::new(),
            missing_ratio: 0.0,
            tail: (0, 0),
            scores: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Looks at a row.
    pub(super) fn row(&mut self, at: usize) {
        let mut values = Vec::with_capacity(self.guard.spec.columns.len());
        self.rows.row(at, &mut values);
        let given: Vec<Given<'_>> = values.iter().copied().map(Given::of).collect();
        let verdict = self.guard.checks.check(&given);
        self.breaches.extend(verdict.breaches.iter().filter_map(|it| Some((it.code, it.feature?))));
        self.missing_ratio = self.missing_ratio.max(verdict.missing_ratio);
        let Some(against) = &self.guard.against else { return };
        let mut scalars = Vec::with_capacity(against.live.scalars().len());
        against.live.row(&values, &mut scalars);
        self.tail_of(&scalars);
        let score = against.score.as_ref().and_then(|score| {
            let scored: Vec<Value<'_>> = against.live.scored().iter().map(|at| scalars[*at]).collect();
            score.score(&scored).ok()
        });
        self.scores.extend(score.map(|it| (it, at)));
        if self.guard.keeps {
            self.kept.push(Seen { scalars: scalars.into_iter().collect(), score });
        }
    }

    /// Counts the numbers of a row that lie in the outer hundredth.
    fn tail_of(&mut self, scalars: &[Value<'_>]) {
        let Some(against) = &self.guard.against else { return };
        for (value, outer) in scalars.iter().zip(&against.outer) {
            // The reference of the hour is that of drift: a row is held against all hours.
            let (Value::Number(number), Some(outer)) = (value, outer) else { continue };
            self.tail.1 += 1;
            self.tail.0 += u64::from(outer.has(*number));
        }
    }

    /// Says what was found.
    pub(super) fn done(mut self, now: Nanos, age: Option<u64>) -> Judged {
        let (noisy, p) = (self.noise(), self.deciding(RowRule::Any).map(|it| it.0));
        let drift = self.guard.drifts();
        let seen = risk::Seen { missing_ratio: self.missing_ratio, p, drift, noisy: noisy == Some(true) };
        let found = self.guard.spec.guards.iter().map(|it| {
            let moves = it.start_at.map(|_| it.threshold);
            let (value, features, odd) = match it.asks {
                Asks::Contract => self.of(&[Code::Type, Code::MissingRequired]),
                Asks::Range => self.of(&[Code::Range]),
                Asks::Unseen => self.of(&[Code::UnseenCategory]),
                Asks::Norm(_) => self.of(&[Code::Norm]),
                Asks::Missing => (quantised(self.missing_ratio), Vec::new(), None),
                Asks::Noise => (noisy.map(u64::from), Vec::new(), None),
                Asks::Staleness => (age, Vec::new(), None),
                Asks::Anomaly(rule) => self.anomaly(rule, it.threshold),
                // Whoever says what a text means is heard of later.
                Asks::Distance => (None, Vec::new(), None),
                Asks::FallbackRisk => {
                    let risk = self.guard.risk.as_ref().and_then(|it| it.read(now, &seen, moves));
                    (risk, Vec::new(), None)
                }
            };
            Found { value, features, odd }
        });
        let found = found.collect();
        let (read, of) = (self.rows.read as u64, self.rows.of as u64);
        let named = self.rows.strangers.iter().take(MOST_NAMED).map(|it| short(it, MOST_TOLD).into()).collect();
        let strangers = Strangers { named, all: self.rows.strangers.len() };
        let told = Told { spec: self.guard.spec.clone(), read, of, stale: drift == 2, found, meaning: None, strangers };
        let seen = self.guard.risk.is_some().then_some(seen);
        Judged { told, seen, rows: std::mem::take(&mut self.kept) }
    }

    /// Returns how many features are in breach of these, and which.
    fn of(&self, codes: &[Code]) -> (Option<u64>, Vec<usize>, Option<Odd>) {
        let features: BTreeSet<usize> =
            self.breaches.iter().filter(|it| codes.contains(&it.0)).map(|it| it.1).collect();
        let strangers = if codes.contains(&Code::Type) { self.rows.strangers.len() } else { 0 };
        let count = (features.len() + strangers) as u64;
        (Some(count), features.into_iter().collect(), None)
    }

    /// Says whether more than their share of the numbers lie in the outer hundredth; nothing where there is no number.
    fn noise(&self) -> Option<bool> {
        let (outer, all) = self.tail;
        // The roughness of a series would need a reference of that, which none has.
        (all > 0).then(|| outer as f64 / all as f64 > TAIL)
    }

    /// Returns the p that decides, and whose it is.
    fn deciding(&self, rule: RowRule) -> Option<(PValue, Score, usize)> {
        let mut scores = self.scores.clone();
        scores.sort_by(|a, b| b.0.s.total_cmp(&a.0.s).then(a.1.cmp(&b.1)));
        let at = match rule {
            RowRule::Any | RowRule::Split => {
                let mut all: Vec<PValue> = scores.iter().map(|it| it.0.p).collect();
                let (score, row) = *scores.first()?;
                return together(&mut all).map(|p| (p, score, row));
            }
            rule => usize::try_from(rule.borne(scores.len() as u64)).unwrap_or(usize::MAX),
        };
        let (score, row) = *scores.get(at)?;
        Some((score.p, score, row))
    }

    fn anomaly(&self, rule: RowRule, threshold: u64) -> (Option<u64>, Vec<usize>, Option<Odd>) {
        let Some((p, _, row)) = self.deciding(rule) else { return (None, Vec::new(), None) };
        let value = u64::from(p.millionths().min(MILLIONTHS));
        let odd = (value <= threshold).then(|| self.odd(row)).flatten();
        (Some(value), Vec::new(), odd)
    }

    /// Says why a row is so far from all others.
    fn odd(&self, row: usize) -> Option<Odd> {
        let against = self.guard.against.as_ref()?;
        let (mut values, mut scalars) = (Vec::new(), Vec::new());
        self.rows.row(row, &mut values);
        against.live.row(&values, &mut scalars);
        let scored: Vec<Value<'_>> = against.live.scored().iter().map(|at| scalars[*at]).collect();
        let explained = against.score.as_ref()?.explain(&scored).ok()?;
        let name = |at: usize| against.scalars[against.live.scored()[at]].name.clone();
        let permille = |share: f64| quantise(share, 1_000).and_then(|it| u16::try_from(it).ok()).unwrap_or(0);
        let columns = explained.shares.into_iter().map(|(at, share)| (name(at), permille(share))).collect();
        Some(Odd { columns, nearest: explained.row })
    }
}

/// A ratio in the steps in which it is compared.
pub(super) fn quantised(ratio: f64) -> Option<u64> {
    quantise(ratio, RATIO).and_then(|it| u64::try_from(it).ok())
}
