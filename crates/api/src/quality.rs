//! How often the tiers of a route are right, from labels that come after the answer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How often tiers are right, by route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// When this was read.
    pub as_of: Timestamp,
    /// By route.
    pub routes: Vec<RouteQuality>,
}

/// How often the tiers of a route are right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteQuality {
    /// The route.
    pub route: String,
    /// When this was read.
    pub as_of: Timestamp,
    /// Answers that are held, labelled or not: all figures are of these.
    pub held: u64,
    /// Answers that had to leave for want of memory, since the process began.
    pub forgotten: u64,
    /// Its tiers, in order.
    pub tiers: Vec<TierQuality>,
}

/// How often a tier is right, by every method for which there is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierQuality {
    /// Its number.
    pub tier: u8,
    /// Its name.
    pub name: String,
    /// Rows of it that are held.
    pub rows: u64,
    /// Those with a label.
    pub labels: u64,
    /// What is to be said where nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// By the rows that have labels; its interval holds at every look at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Figure>,
    /// The same, each label weighed by how likely one of its age is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed: Option<Figure>,
    /// Between what the accuracy of all rows lies, whatever labels are still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[f64; 2]>,
    /// By labels and the confidences of all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub powered: Option<Figure>,
    /// By confidences alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_free: Option<Figure>,
    /// By the confidences of its last 1,000 rows, where more are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_free_recent: Option<Figure>,
    /// Since about when labels have shown that confidences are off: `label_free` and `label_free_recent` are withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
    /// How often it would have been right on all labelled rows of its route, by copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<Figure>,
    /// How often its copies agreed with what clients got, right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Score>,
    /// The mean of the scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
}

/// A share of right answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The share.
    pub value: f64,
    /// The lower end of its interval at 95 %; the share itself where the method has none.
    pub low: f64,
    /// The upper end likewise.
    pub high: f64,
    /// The rows behind it.
    pub n: u64,
    /// The time of the latest of them.
    pub as_of: Timestamp,
    /// How it was found: `labels`, `delayed`, `powered`, `label_free`, `label_free_recent`, `doubly_robust`.
    pub method: String,
    /// What it takes for granted.
    pub assumption: String,
}

impl Figure {
    /// Says whether it has an interval. By confidences alone there is none: `low` and `high` are the value.
    pub fn has_interval(&self) -> bool {
        !self.method.starts_with("label_free")
    }
}

/// A mean without an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The mean.
    pub value: f64,
    /// The rows behind it.
    pub n: u64,
    /// The time of the latest of them.
    pub as_of: Timestamp,
}

impl TierQuality {
    /// Returns every figure that there is.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        let free = [&self.label_free, &self.label_free_recent];
        [&self.accuracy, &self.delayed, &self.powered].into_iter().chain(free).chain([&self.copies]).flatten()
    }
}
