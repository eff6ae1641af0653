//! Table: the faults in force, and which one a request meets.
//!
//! It is not the breaking. It is asked once per request and counts what it gave out.
//!
//! # Invariants
//! - `TABLE-1`: the first rule that matches applies. A rule that is spent, not drawn or idle (a spike between two peaks)
//!   does not match, and the next one is tried.
//! - `TABLE-2`: `times` counts requests that met the fault, not requests that were looked at.
//! - `TABLE-3`: a draw is made only for a rule with a share between 0 and 1, from the request's own numbers; so the same
//!   seed and the same order of requests give the same faults.

use std::{sync::Arc, time::Duration};

use super::{Fault, On, Rule};
use crate::{
    draw::Draw,
    protocol::{Work, openai},
};

/// What a rule is matched against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) model: &'a str,
    pub(crate) work: Work,
    pub(crate) body: &'a [u8],
    /// The connection carried a request before.
    pub(crate) reused: bool,
    /// Time since the mock started.
    pub(crate) now: Duration,
}

/// How the model port is closed by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    /// For how long; `None` is until the list changes.
    pub(crate) wait: Option<Duration>,
    /// Attempts to connect hang instead of being refused.
    pub(crate) swallow: bool,
}

/// A fault that was given out.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    pub(crate) fault: Arc<Fault>,
    pub(crate) name: Arc<str>,
}

/// The rules in force, in order.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rules: Vec<Active>,
}

#[derive(Debug)]
struct Active {
    rule: Rule,
    fault: Arc<Fault>,
    name: Arc<str>,
    since: Duration,
    met: u64,
}

impl Table {
    /// Makes a table of rules that are in force from now on.
    pub(crate) fn new(rules: Vec<Rule>, now: Duration) -> Table {
        Table { rules: rules.into_iter().map(|rule| Active::new(rule, now)).collect() }
    }

    /// Puts rules in the place of those of one model, before all others. Those of other models go on, and their counts.
    pub(crate) fn replace(&mut self, model: &str, rules: Vec<Rule>, now: Duration) {
        self.rules.retain(|active| active.rule.model.as_deref() != Some(model));
        self.rules.splice(0..0, rules.into_iter().map(|rule| Active::new(rule, now)));
    }

    /// Returns the rules, in order.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|active| &active.rule)
    }

    /// Returns how the model port is to be closed, if a rule says so.
    pub(crate) fn closing(&self) -> Option<Closing> {
        self.rules.iter().find_map(|active| active.rule.fault.closing())
    }

    /// Gives the request its fault, if any, and counts it.
    pub(crate) fn pick(&mut self, facts: Facts<'_>, draw: &mut Draw) -> Option<Picked> {
        let active = self.rules.iter_mut().find(|active| active.matches(facts) && draw.share(active.rule.share))?;
        active.met += 1;
        Some(Picked { fault: active.fault.clone(), name: active.name.clone() })
    }
}

impl Active {
    fn new(rule: Rule, now: Duration) -> Active {
        Active { fault: Arc::new(rule.fault.clone()), name: rule.name().into(), rule, since: now, met: 0 }
    }

    fn matches(&self, facts: Facts<'_>) -> bool {
        let on = match self.rule.on {
            On::Work => facts.work != Work::Probe,
            On::Probes => facts.work == Work::Probe,
            On::All => true,
        };
        on && self.rule.model.as_deref().is_none_or(|model| model == facts.model)
            && self.rule.times.is_none_or(|times| self.met < times)
            && self.fault.concerns(facts.work)
            && match *self.fault {
                Fault::ResetReused { .. } => facts.reused,
                Fault::PrefillRejected {} => openai::is_prefilled(facts.body),
                Fault::LatencySpike { every_ms, for_ms, .. } => {
                    let into = facts.now.saturating_sub(self.since).as_millis() % u128::from(every_ms);
                    into < u128::from(for_ms)
                }
                _ => true,
            }
    }
}
