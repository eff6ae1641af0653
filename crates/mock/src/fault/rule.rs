//! Rule: a fault with the requests it is meant for.
//!
//! It is not the counting of matches: `table` does that, per rule, from the moment the list was set.

use serde_json::{Map, Value};

use super::Fault;

/// Which kind of request a rule is meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum On {
    /// Chat completions, embeddings and inference.
    #[default]
    Work,
    /// Health, metadata and model lists, by which others judge a server's readiness (UP-33 – UP-35).
    Probes,
    /// Both.
    All,
}

impl On {
    const WORDS: [(&'static str, On); 3] = [("work", On::Work), ("probes", On::Probes), ("all", On::All)];

    pub(super) fn parse(word: &str) -> Option<On> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, on)| *on)
    }

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, on)| *on == self).map_or("work", |(name, _)| name)
    }
}

/// One entry of the list of faults; the first entry that matches a request applies.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The model it is meant for; absent or `*` is every model.
    pub model: Option<String>,
    /// What happens.
    pub fault: Fault,
    /// The share of matching requests that meet the fault, 0 to 1, drawn by seed.
    pub share: f64,
    /// How many requests meet the fault before the rule is spent; absent is no end.
    pub times: Option<u64>,
    /// The kind of request.
    pub on: On,
}

impl Rule {
    /// Makes a rule that breaks every request of every model.
    pub fn new(fault: Fault) -> Rule {
        Rule { model: None, fault, share: 1.0, times: None, on: On::Work }
    }

    /// Keeps the rule to one model.
    pub fn model(mut self, model: impl Into<String>) -> Rule {
        self.model = Some(model.into());
        self
    }

    /// Lets only a share of the requests, 0 to 1, meet the fault.
    pub fn share(mut self, share: f64) -> Rule {
        self.share = share;
        self
    }

    /// Lets only the first so many requests meet the fault.
    pub fn times(mut self, times: u64) -> Rule {
        self.times = Some(times);
        self
    }

    /// Turns the rule to another kind of request.
    pub fn on(mut self, on: On) -> Rule {
        self.on = on;
        self
    }

    /// Returns the name of the fault, as it stands in lists and in the log.
    pub fn name(&self) -> String {
        self.tagged().0
    }

    /// Returns the entry as it is written in a list.
    pub fn to_json(&self) -> Value {
        let (name, parameters) = self.tagged();
        let mut entry = Map::new();
        entry.insert("model".to_owned(), self.model.clone().unwrap_or_else(|| "*".to_owned()).into());
        entry.insert("fault".to_owned(), name.into());
        entry.extend(parameters);
        entry.insert("share".to_owned(), self.share.into());
        if let Some(times) = self.times {
            entry.insert("times".to_owned(), times.into());
        }
        entry.insert("on".to_owned(), self.on.word().into());
        Value::Object(entry)
    }

    /// Splits the fault into its name and its parameters, by the one declaration of both: the enum.
    fn tagged(&self) -> (String, Map<String, Value>) {
        let value = serde_json::to_value(&self.fault).expect("a fault is plain data");
        let Value::Object(tagged) = value else { unreachable!("every fault is a variant with named parameters") };
        let (name, parameters) = tagged.into_iter().next().expect("a variant has its name as its only key");
        let Value::Object(parameters) = parameters else { unreachable!("every fault has named parameters") };
        (name, parameters)
    }
}
