//! Told: what is said of an enriched request, to the core, its client, the record and the log.
//!
//! # Invariants
//! - `TOLD-1`: all are told from here, so they cannot disagree, and no value is in it.
//! - `TOLD-2`: what a client reads has at most [`MOST_NAMED`] entries, and says how many more there are.

use evenkeel_api as api;
use evenkeel_core::{Nanos, Permille, RowRule, SECOND};

use super::choice::Choice;

/// Entries that a client reads, at most.
const MOST_NAMED: usize = 16;

/// What came of enriching a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enriched {
    /// The name of the feature server.
    pub(crate) server: String,
    /// How it answered: `ok`, a result of an attempt, `breaker_open` or `nothing_missing`.
    pub(crate) result: &'static str,
    /// How long it took, from what was missing to the last value.
    pub(crate) spent: Nanos,
    /// What was imputed, in the order of the features.
    pub(crate) imputed: Vec<Imputed>,
    /// The age of the oldest value that was fetched or stands in, in ms; none where nobody says any.
    pub(crate) oldest_ms: Option<u64>,
    /// The share of imputed values in the row that decides: the one that has the most of them, or as its route says.
    pub(crate) share: Permille,
    /// The rows that have more than the upper tiers take, in ascending order, where each starts by itself (OIP-35).
    pub(crate) apart: Vec<usize>,
}

/// A feature that was imputed, in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imputed {
    pub(crate) feature: String,
    pub(crate) stand: Stand,
    /// In how many rows.
    pub(crate) rows: u64,
    /// The greatest age of what stands in, in nanoseconds; 0 for a default, which has none.
    pub(crate) age: u64,
}

/// What stands in for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    LastKnown,
    Default,
}

impl Stand {
    /// Returns the word that clients, records and metrics read.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LastKnown => "last_known",
            Self::Default => "default",
        }
    }
}

/// Counts what places get.
pub(super) struct Tally {
    /// By feature: the rows in which the last known value stands in, and those in which the default does, each with the greatest
    /// age.
    places: Vec<[(u64, u64); 2]>,
    /// Imputed features of each row.
    rows: Vec<u8>,
}

/// Which rows decide where a batch starts, and what the upper tiers take of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) rows: RowRule,
    pub(super) most: Permille,
}

impl Tally {
    pub(super) fn new(features: usize) -> Self {
        Self { places: vec![[(0, 0); 2]; features], rows: Vec::new() }
    }

    /// Takes note of what the places of a row got, each with its feature.
    pub(super) fn row(&mut self, choices: impl Iterator<Item = (usize, Choice)>) {
        let mut imputed = 0_u8;
        for (feature, choice) in choices {
            let [known, default] = &mut self.places[feature];
            let (place, age) = match choice {
                Choice::Fetched(_) => continue,
                Choice::LastKnown(_, age) => (known, age),
                Choice::Default(_) => (default, 0),
            };
            (place.0, place.1) = (place.0 + 1, place.1.max(age));
            imputed = imputed.saturating_add(1);
        }
        self.rows.push(imputed);
    }

    /// Returns the share of a row in which so many are imputed, rounded up.
    fn share(&self, imputed: u8) -> Permille {
        let share = (usize::from(imputed) * 1_000).div_ceil(self.places.len().max(1));
        Permille::new(share.min(1_000) as u16)
    }

    /// Returns the share of the row that decides: of those that have the most, as many may be as the rule bears.
    fn deciding(&self, rule: Rule) -> Permille {
        let mut rows = self.rows.clone();
        rows.sort_unstable_by(|a, b| b.cmp(a));
        let borne = match rule.rows {
            // Where each starts by itself, the batch as a whole starts below only where all do.
            RowRule::Split => RowRule::All,
            rule => rule,
        };
        let at = usize::try_from(borne.borne(rows.len() as u64)).unwrap_or(usize::MAX);
        rows.get(at).map_or(Permille::new(0), |imputed| self.share(*imputed))
    }

    fn apart(&self, rule: Rule) -> Vec<usize> {
        let rows = self.rows.iter().enumerate().filter(|(_, imputed)| self.share(**imputed) > rule.most);
        if rule.rows == RowRule::Split { rows.map(|(row, _)| row).collect() } else { Vec::new() }
    }
}

impl Imputed {
    /// Returns the age in milliseconds, of what has one.
    fn age_ms(&self) -> Option<u64> {
        (self.stand == Stand::LastKnown).then_some(self.age / 1_000_000)
    }
}

impl Enriched {
    pub(super) fn new(server: &str, result: &'static str) -> Self {
        Self {
            server: server.into(),
            result,
            spent: 0,
            imputed: Vec::new(),
            oldest_ms: None,
            share: Permille::new(0),
            apart: Vec::new(),
        }
    }

    /// Takes over what was counted, of features with these names.
    pub(super) fn count<'a>(&mut self, (tally, rule): (&Tally, Rule), names: impl Iterator<Item = &'a str>) {
        (self.share, self.apart) = (tally.deciding(rule), tally.apart(rule));
        for (name, place) in names.zip(&tally.places) {
            let stands = [Stand::LastKnown, Stand::Default].into_iter().zip(place);
            self.imputed.extend(stands.filter(|(_, (rows, _))| *rows > 0).map(|(stand, (rows, age))| Imputed {
                feature: name.into(),
                stand,
                rows: *rows,
                age: *age,
            }));
        }
    }

    /// Returns what a client reads: `txn_7d;from=last_known;rows=2;age=3600, avg;from=default;rows=1`, ages in whole seconds;
    /// none where nothing was imputed.
    pub(crate) fn text(&self) -> Option<String> {
        let entry = |it: &Imputed| {
            let told = format!("{};from={};rows={}", it.feature, it.stand.name(), it.rows);
            if it.stand == Stand::LastKnown { format!("{told};age={}", it.age / SECOND) } else { told }
        };
        let mut entries: Vec<_> = self.imputed.iter().take(MOST_NAMED).map(entry).collect();
        if self.imputed.len() > MOST_NAMED {
            entries.push(format!("more={}", self.imputed.len() - MOST_NAMED));
        }
        (!entries.is_empty()).then(|| entries.join(", "))
    }

    /// Writes it for the record.
    pub(crate) fn render(&self) -> api::Enrichment {
        let imputed = |it: &Imputed| api::Imputed {
            feature: it.feature.clone(),
            from: it.stand.name().into(),
            rows: it.rows,
            age_ms: it.age_ms(),
        };
        api::Enrichment {
            upstream: self.server.clone(),
            result: self.result.into(),
            duration_us: self.spent / 1_000,
            imputed: self.imputed.iter().map(imputed).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of rows, each with the choices for its features.
    fn told(features: &[&str], rows: &[&[(usize, Choice)]]) -> Enriched {
        by(RowRule::Any, features, rows)
    }

    fn by(rule: RowRule, features: &[&str], rows: &[&[(usize, Choice)]]) -> Enriched {
        let (mut tally, mut enriched) = (Tally::new(features.len()), Enriched::new("feast", "ok"));
        rows.iter().for_each(|row| tally.row(row.iter().copied()));
        let rule = Rule { rows: rule, most: Permille::new(500) };
        enriched.count((&tally, rule), features.iter().copied());
        enriched
    }

    #[test]
    fn oip_35_the_row_that_decides_is_the_one_of_the_rule() {
        let row = [0, 1, 2].map(|at| (at, Choice::Default(0.0)));
        let rows: Vec<&[_]> = [2, 0, 3, 1, 1].into_iter().map(|some| &row[..some]).collect();
        let share = |permille| RowRule::Share(Permille::new(permille));
        for (rule, expected, apart) in [
            (RowRule::Any, 1_000, vec![]),
            (RowRule::All, 0, vec![]),
            (share(200), 1_000, vec![]),
            (share(201), 667, vec![]),
            (share(600), 334, vec![]),
            (share(1_000), 0, vec![]),
            (RowRule::Split, 0, vec![0, 2]),
        ] {
            let enriched = by(rule, &["a", "b", "c"], &rows);
            assert_eq!((enriched.share.thousandths(), enriched.apart), (expected, apart), "{rule:?}");
        }
        assert_eq!(by(RowRule::All, &["a", "b", "c"], &[]).share.thousandths(), 0, "no rows");
    }

    #[test]
    fn f_037_what_was_imputed_is_told_by_name_rows_and_greatest_age() {
        use Choice::{Default, Fetched, LastKnown};
        assert_eq!(told(&["a"], &[&[(0, Fetched(1.0))]]).text(), None);
        let enriched = told(
            &["a", "b"],
            &[
                &[(0, LastKnown(1.0, 5 * SECOND)), (1, Default(0.0))],
                &[(0, LastKnown(2.0, 9 * SECOND + 1))],
                &[(0, Default(0.0)), (1, Fetched(1.0))],
            ],
        );
        let text = "a;from=last_known;rows=2;age=9, a;from=default;rows=1, b;from=default;rows=1";
        assert_eq!(enriched.text().as_deref(), Some(text));
        let ages: Vec<_> = enriched.render().imputed.iter().map(|it| it.age_ms).collect();
        assert_eq!(ages, [Some(9_000), None, None]);
    }

    #[test]
    fn told_2_a_client_reads_a_bounded_list() {
        let names: Vec<_> = (0..20).map(|at| format!("f{at}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let row: Vec<_> = (0..20).map(|at| (at, Choice::Default(0.0))).collect();
        let text = told(&names, &[&row]).text().expect("something");
        assert!(text.starts_with("f0;from=default;rows=1, ") && text.ends_with("f15;from=default;rows=1, more=4"));
    }

    #[test]
    fn f_037_the_share_is_that_of_the_worst_row_rounded_up() {
        let row = [0, 1, 2].map(|at| (at, Choice::Default(0.0)));
        let share = |rows: &[&[(usize, Choice)]]| told(&["a", "b", "c"], rows).share.thousandths();
        assert_eq!(share(&[&[]]), 0);
        assert_eq!([1, 2, 3].map(|some| share(&[&[], &row[..some], &[]])), [334, 667, 1_000]);
    }
}
