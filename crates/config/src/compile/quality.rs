//! What counts as right where the truth of an answer comes later.

use crate::{
    schema::{
        quality::{self, Labeller},
        route::Route,
    },
    truth::Truth,
};

/// What counts as right where the truth of an answer comes later, and who may say it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// What a label is compared with; none where the route takes no label.
    pub truth: Option<Truth>,
    /// How far a number may be from its label.
    pub abs_tol: f64,
    /// The same, as a share of the label.
    pub rel_tol: f64,
    /// The score from which an answer is right.
    pub right_at: f64,
    /// Whoever knows the id of a decision may label it.
    pub anyone: bool,
    /// Headers that tell whose a request is, besides its credential; lower case, sorted, each once.
    pub vary: Vec<String>,
    /// The memory that answers may take, in bytes.
    pub memory: u64,
    /// How long a label is waited for that speaks of a certificate, ns.
    pub label_delay: u64,
}

/// After that no label counts, ns.
pub(crate) const MOST_DELAY: u64 = 14 * 86_400 * 1_000_000_000;

impl Quality {
    /// Says whether a number is as its label says.
    pub fn is_near(&self, said: f64, label: f64) -> bool {
        let far = self.abs_tol.max(self.rel_tol * label.abs());
        let written = self.truth.as_ref().map_or(label, |it| it.as_said(label));
        said == written || (said - label).abs() <= far
    }
}

pub(super) fn quality(route: &Route) -> Quality {
    let quality::Quality { output, label, abs_tol, rel_tol, right_at, from, vary, memory, label_delay } =
        &route.quality;
    let outputs = route.output.as_ref().map(|it| &it.tensors);
    let truth = outputs.and_then(|outputs| match (output, label) {
        (Some(name), _) => Some(Truth::output(name, outputs).expect("checked: it has one value a row")),
        (None, Some(source)) => Some(Truth::label(source, outputs).expect("checked: it is sound")),
        (None, None) => None,
    });
    Quality {
        truth,
        abs_tol: *abs_tol,
        rel_tol: *rel_tol,
        right_at: f64::from(right_at.0) / 1e3,
        anyone: *from == Labeller::Anyone,
        vary: vary.clone(),
        memory: memory.0,
        label_delay: label_delay.map_or(MOST_DELAY, |it| it.0),
    }
}
