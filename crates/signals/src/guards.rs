//! Guards: what is wrong with a row before any model is asked, by rules that need no statistics at the time (`signals.md` §7).
//!
//! They look at one row alone, feature by feature, and always in the same order: type, missing required, share of missing, range,
//! unseen name, norm, status, age. All that is found is said: the policy picks what it acts on.
//!
//! # Invariants
//! - `GUARD-1`: a breach names its feature, never a value.
//! - `GUARD-2`: the same row gives the same breaches in the same order.
//! - `GUARD-3`: what has the wrong type is in breach of that alone: nothing else is asked of it.
//!
//! # When it misleads
//! A range of the reference is wide (three quartile distances beyond the thousandths), but where a column hardly ever changes it is
//! narrow: then any other value is outside. A name is unseen only where the reference had at most some 65,000: with more, not all
//! are known. Whether values fit each other is not asked: that is the row score's part.
//!
//! # Example
//! With `amount` required and in [0, 900] the row `amount: 12` passes, and `amount: 5000` is in breach of `range`:
//!
//! ```
//! use evenkeel_signals::{guards::{Breach, Code, Guards, Given, Rule}, row::{Kind, Value}};
//!
//! let amount = Rule { required: true, range: Some([0.0, 900.0]), ..Rule::new(Kind::Number) };
//! let guards = Guards { rules: vec![amount], missing_ratio: 0.2 };
//! assert!(guards.check(&[Given::of(Value::Number(12.0))]).breaches.is_empty());
//! let strange = guards.check(&[Given::of(Value::Number(5_000.0))]);
//! assert_eq!(strange.breaches, [Breach { code: Code::Range, feature: Some(0) }]);
//! ```

mod noise;

pub use noise::{Outer, ROUGH, TAIL, roughness};

use crate::{
    cells::Categories,
    row::{Kind, Value},
};

/// Quartile distances by which the range of a reference is wider than from its thousandth to its last thousandth.
const WIDER: f64 = 3.0;

/// What a row can be in breach of, in the order in which it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// Not what the column holds; NaN and the infinities are no numbers.
    Type,
    /// A required feature has no value.
    MissingRequired,
    /// Too large a share of the features has none.
    MissingRatio,
    /// A number outside its range.
    Range,
    /// A name that the reference has not.
    UnseenCategory,
    /// A vector whose length is outside its range.
    Norm,
    /// Whoever keeps the feature says that its value is not to be used.
    Status,
    /// Older than it may be.
    Stale,
}

impl Code {
    /// Returns its name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::MissingRequired => "missing_required",
            Self::MissingRatio => "missing_ratio",
            Self::Range => "range",
            Self::UnseenCategory => "unseen_category",
            Self::Norm => "norm",
            Self::Status => "status",
            Self::Stale => "stale",
        }
    }
}

/// What is asked of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it holds.
    pub kind: Kind,
    /// Whether it must have a value.
    pub required: bool,
    /// The least and the most that its number, or the length of its vector, may be; both are allowed.
    pub range: Option<[f64; 2]>,
    /// The names that it may have; none: any.
    pub names: Option<Names>,
    /// How old it may be, ms.
    pub max_age_ms: Option<u64>,
}

/// Names that a feature may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// These, ascending by their bytes.
    Listed(Vec<String>),
    /// All that the reference saw, in whichever season.
    Seen(Vec<Categories>),
}

impl Names {
    fn has(&self, name: &str) -> bool {
        match self {
            Self::Listed(names) => names.binary_search_by(|it| it.as_str().cmp(name)).is_ok(),
            Self::Seen(seasons) => seasons.iter().any(|it| it.cell(name) + 1 < it.cells()),
        }
    }
}

impl Rule {
    /// Asks for nothing but the type.
    pub fn new(kind: Kind) -> Self {
        Self { kind, required: false, range: None, names: None, max_age_ms: None }
    }
}

/// A feature as it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Given<'a> {
    /// Its value.
    pub value: Value<'a>,
    /// Whether whoever keeps it says that it may be used.
    pub usable: bool,
    /// How old it is, ms; none where nobody says.
    pub age_ms: Option<u64>,
}

impl<'a> Given<'a> {
    /// A value that came with the request itself.
    pub fn of(value: Value<'a>) -> Self {
        Self { value, usable: true, age_ms: None }
    }
}

/// One thing that is wrong (`GUARD-1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What.
    pub code: Code,
    /// The place of the feature; none where it is the row as a whole.
    pub feature: Option<usize>,
}

/// What was found in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// In the order of the codes, then of the features.
    pub breaches: Vec<Breach>,
    /// The share of features without a value.
    pub missing_ratio: f64,
    /// The age of the oldest feature, ms; none where nobody says any.
    pub staleness_ms: Option<u64>,
}

impl Verdict {
    /// Returns the names of what is wrong, each once, in the order of names.
    pub fn codes(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> = self.breaches.iter().map(|it| it.code.name()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// The guards of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Guards {
    /// One per feature.
    pub rules: Vec<Rule>,
    /// The share of features that may be without a value.
    pub missing_ratio: f64,
}

/// Returns the range that a reference makes likely: from `thousandth` to `last` and three times the distance of the quartiles beyond.
pub fn range(thousandth: f64, quartiles: [f64; 2], last: f64) -> [f64; 2] {
    let wider = WIDER * (quartiles[1] - quartiles[0]);
    [thousandth - wider, last + wider]
}

impl Guards {
    /// Checks a row, whose features stand in the order of the rules; one that is not there is missing, and one too many is of a
    /// wrong type.
    ///
    /// # Cost
    /// One comparison or two a feature, and a search among at most 254 names; `bench/signals/instructions` counts it.
    pub fn check(&self, row: &[Given<'_>]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut missing = 0;
        for (feature, rule) in self.rules.iter().enumerate() {
            let given = row.get(feature).copied().unwrap_or(Given::of(Value::Missing));
            let mut breach = |code| verdict.breaches.push(Breach { code, feature: Some(feature) });
            if given.value == Value::Missing {
                missing += 1;
                if rule.required {
                    breach(Code::MissingRequired);
                }
            } else if !given.value.fits(rule.kind) {
                // GUARD-3.
                breach(Code::Type);
                continue;
            } else if let Some(code) = rule.of(given.value) {
                breach(code);
            }
            if !given.usable {
                breach(Code::Status);
            }
            if given.age_ms.zip(rule.max_age_ms).is_some_and(|(age, most)| age > most) {
                breach(Code::Stale);
            }
            verdict.staleness_ms = verdict.staleness_ms.max(given.age_ms);
        }
        for feature in self.rules.len()..row.len() {
            verdict.breaches.push(Breach { code: Code::Type, feature: Some(feature) });
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of features")]
        let ratio = f64::from(missing) / self.rules.len().max(1) as f64;
        verdict.missing_ratio = ratio;
        if ratio > self.missing_ratio {
            verdict.breaches.push(Breach { code: Code::MissingRatio, feature: None });
        }
        verdict.breaches.sort_by_key(|it| (it.code, it.feature));
        verdict
    }
}

impl Rule {
    /// What a value of the right type is in breach of.
    fn of(&self, value: Value<'_>) -> Option<Code> {
        let outside = |number: f64| self.range.is_some_and(|[least, most]| !(least..=most).contains(&number));
        match value {
            Value::Number(number) => outside(number).then_some(Code::Range),
            Value::Category(name) => {
                let names = self.names.as_ref()?;
                (!names.has(name)).then_some(Code::UnseenCategory)
            }
            Value::Vector(vector) => {
                let length = vector.iter().map(|it| f64::from(*it) * f64::from(*it)).sum::<f64>().sqrt();
                outside(length).then_some(Code::Norm)
            }
            Value::Text(_) | Value::Missing | Value::Invalid => None,
        }
    }
}

#[cfg(test)]
mod tests;
