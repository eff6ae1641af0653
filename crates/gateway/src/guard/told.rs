//! Told: what guards found in a request, for the core, the record, the metrics and the log.
//!
//! # Invariants
//! - `TELL-1`: all are told from here, so they cannot disagree; names of features are in it, never a value.
//! - `TELL-2`: a record is bounded: of each guard at most 16 features are named, and it is said how many more there are.

use std::sync::Arc;

use evenkeel_api as api;
use evenkeel_config::{Asks, Guard, Guarding};
use evenkeel_core::{GuardVerdict, Revision};
use evenkeel_signals::row::RowId;

use super::{look::MOST_NAMED, meaning::Meaning};

/// What guards found.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) spec: Arc<Guarding>,
    /// Rows that were looked at.
    pub(crate) read: u64,
    /// Rows that there are.
    pub(crate) of: u64,
    /// The route drifted: what is anomalous may be usual by now.
    pub(crate) stale: bool,
    /// By guard, in the order of the specification.
    pub(crate) found: Vec<Found>,
    /// How asking what its text means has ended, where somebody asked.
    pub(crate) meaning: Option<&'static str>,
    pub(crate) strangers: Strangers,
}

/// Tensors that the reference does not know, and nobody has declared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strangers {
    /// The first of them; their names are the client's, and cut.
    pub(crate) named: Vec<String>,
    /// How many there are.
    pub(crate) all: usize,
}

/// What one guard found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// What was measured, quantised; none where that could not be.
    pub(crate) value: Option<u64>,
    /// The columns that are in breach, by their places.
    pub(crate) features: Vec<usize>,
    /// Why the row that decides is so far from all others, where it is in breach.
    pub(crate) odd: Option<Odd>,
}

/// Why a row is far from all others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Odd {
    /// The columns with the largest share of the distance, in thousandths.
    pub(crate) columns: Vec<(String, u16)>,
    /// The nearest row of the reference.
    pub(crate) nearest: RowId,
}

/// What came of a guard, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Came {
    Passed,
    Breached,
    Unmeasured,
}

impl Came {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Breached => "breached",
            Self::Unmeasured => "unmeasured",
        }
    }
}

impl Told {
    fn each(&self) -> impl Iterator<Item = (&Guard, &Found)> {
        self.spec.guards.iter().zip(&self.found)
    }

    /// Takes in what came of asking what its text means.
    pub(crate) fn hear(&mut self, meaning: Meaning) {
        self.meaning = Some(meaning.ended);
        for (guard, found) in self.spec.guards.iter().zip(&mut self.found).filter(|it| it.0.asks == Asks::Distance) {
            let breached = meaning.p.is_some_and(|it| guard.asks.breached(it, guard.threshold));
            let nearest = meaning.nearest.filter(|_| breached);
            *found = Found {
                value: meaning.p,
                features: Vec::new(),
                odd: nearest.map(|nearest| Odd { columns: Vec::new(), nearest }),
            };
        }
    }

    /// Returns what came of each guard.
    pub(crate) fn came(&self) -> impl Iterator<Item = (&'static str, Came)> {
        self.each().map(|(guard, found)| {
            let came = match found.value {
                None => Came::Unmeasured,
                Some(value) if guard.asks.breached(value, guard.threshold) => Came::Breached,
                Some(_) => Came::Passed,
            };
            (guard.asks.name(), came)
        })
    }

    /// Returns of each guard whose breach decides something, and that could measure the request, whether it moves it.
    pub(crate) fn moves(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let decides = self.each().filter(|(guard, _)| guard.start_at.is_some());
        decides
            .filter_map(|(guard, found)| Some((guard.asks.name(), guard.asks.breached(found.value?, guard.threshold))))
    }

    /// Returns what the core compares: of guards whose breach decides something, and that could be measured.
    pub(crate) fn verdict(&self) -> GuardVerdict {
        let decides = self.each().filter(|(guard, _)| guard.start_at.is_some());
        decides.filter_map(|(guard, found)| Some((guard.asks.signal(), found.value?))).collect()
    }

    /// Writes it for the record, with the names of tiers.
    pub(crate) fn render(&self, revision: &Revision, route: usize) -> (api::Judged, Vec<api::Guard>) {
        let tier = |at: u8| revision.routes[route].tiers.get(usize::from(at)).map(|it| it.name.clone());
        let guards = self.each().map(|(guard, found)| {
            let named = |at: &usize| self.spec.columns.get(*at).map(|it| it.name.clone());
            let strangers = Some(&self.strangers).filter(|_| guard.asks == Asks::Contract);
            let strange = strangers.into_iter().flat_map(|it| it.named.iter().cloned());
            let mut features: Vec<String> = found.features.iter().filter_map(named).chain(strange).collect();
            features.truncate(MOST_NAMED);
            let more = (found.features.len() + strangers.map_or(0, |it| it.all)).saturating_sub(features.len());
            let columns = found.odd.iter().flat_map(|it| &it.columns);
            api::Guard {
                guard: guard.asks.name().into(),
                value: found.value.map(|it| written(guard.asks, it)),
                threshold: written(guard.asks, guard.threshold),
                breached: found.value.is_some_and(|it| guard.asks.breached(it, guard.threshold)),
                start_at: guard.start_at.and_then(tier),
                features,
                more: more as u64,
                columns: columns
                    .map(|(column, share)| api::Share { column: column.clone(), permille: *share })
                    .collect(),
                nearest: found.odd.as_ref().map(|it| format!("{:016x}/{}", it.nearest.source, it.nearest.number)),
                stale: self.stale && matches!(guard.asks, Asks::Anomaly(_) | Asks::Distance),
                embedder: self.meaning.filter(|_| guard.asks == Asks::Distance).map(str::to_owned),
            }
        });
        let reference = self.spec.reference.as_ref().map(evenkeel_config::Against::name);
        (api::Judged { reference, rows: self.read, of: self.of }, guards.collect())
    }
}

/// Writes a number in its unit, with the places in which it was compared.
fn written(asks: Asks, value: u64) -> String {
    let places = match asks {
        Asks::Anomaly(_) | Asks::Distance => 6,
        Asks::Missing | Asks::FallbackRisk => 4,
        Asks::Contract | Asks::Range | Asks::Unseen | Asks::Norm(_) | Asks::Noise | Asks::Staleness => {
            return value.to_string();
        }
    };
    let one = 10_u64.pow(places);
    format!("{}.{:0width$}", value / one, value % one, width = places as usize)
}
