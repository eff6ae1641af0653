//! Worth: what calls cost and how often answers are right, by what somebody else knows of that.
//!
//! Neither a price nor a label is in a log. Here are sums over what is given, and how much is left of which nothing is known.
//!
//! # When it misleads
//! A tier is taken to be as often right on the requests that it answers here as on those by which its figure was found. Where
//! a request goes to the strong model because it is hard, that flatters whoever it would go to instead; a figure that was found by
//! copies (`doubly_robust`) is of all requests of the route.

use std::collections::BTreeMap;

use super::Side;

/// What is known beside the log.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// What a thousand units cost, by `route/path`; of tokens, or of KiB of inferences.
    pub prices: BTreeMap<String, f64>,
    /// How often the answers of a tier are right, by route and tier.
    pub right: BTreeMap<(String, String), Right>,
}

/// How often something is right.
#[derive(Clone, Debug, PartialEq)]
pub struct Right {
    /// The share.
    pub value: f64,
    /// The lower end of its interval,
    pub low: f64,
    /// and the upper one.
    pub high: f64,
    /// The rows behind it.
    pub n: u64,
    /// How it was found.
    pub method: String,
}

/// What calls cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Those that have a price.
    pub known: f64,
    /// Of which are estimates.
    pub estimated: f64,
    /// Calls without one.
    pub unpriced: u64,
}

/// How often answers are right; an estimate in any case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rightness {
    /// The share.
    pub value: f64,
    /// What it is where each tier is at the lower end of its interval,
    pub low: f64,
    /// and at the upper one.
    pub high: f64,
    /// The answers that it is of.
    pub answers: u64,
    /// Answers of tiers of which nothing is known.
    pub unknown: u64,
    /// The fewest rows behind the figure of a tier.
    pub n: u64,
}

impl Given {
    /// Returns what the calls of one side cost; none where nothing has a price.
    pub fn cost(&self, route: &str, side: &Side) -> Option<Cost> {
        let mut cost = None;
        for (called, calls) in &side.calls {
            let price = self.prices.get(&format!("{route}/{}", called.path));
            let it: &mut Cost = cost.get_or_insert_default();
            match price {
                // Thousandths of a unit, at a price of a thousand units.
                Some(price) => {
                    it.known += calls.asked as f64 * price / 1e6;
                    it.estimated += calls.estimated_asked as f64 * price / 1e6;
                }
                None => it.unpriced += calls.calls,
            }
        }
        cost.or_else(|| Some(Cost::default())).filter(|_| !self.prices.is_empty())
    }

    /// Returns how often the answers of one side are right; none where nothing is known of who answered.
    pub fn rightness(&self, route: &str, side: &Side) -> Option<Rightness> {
        let mut it = Rightness { value: 0.0, low: 0.0, high: 0.0, answers: 0, unknown: 0, n: u64::MAX };
        for (tier, answers) in &side.answers {
            let Some(right) = self.right.get(&(route.to_owned(), tier.clone())) else {
                it.unknown += answers;
                continue;
            };
            let weight = *answers as f64;
            it.value += weight * right.value;
            it.low += weight * right.low;
            it.high += weight * right.high;
            (it.answers, it.n) = (it.answers + answers, it.n.min(right.n));
        }
        let all = it.answers as f64;
        let mean = Rightness { value: it.value / all, low: it.low / all, high: it.high / all, ..it };
        (it.answers > 0).then_some(mean)
    }
}
