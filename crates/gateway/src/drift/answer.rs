//! Answer: what of the first tier's answers stands in a reference, scalar by scalar.
//!
//! # Invariants
//! - `ANS-2`: how sure a tier was is compared as it said it, before any calibration, and whether or not it was accepted: as
//!   `evenkeel calibrate` reads it.

use evenkeel_config::{Answered, Answers};
use evenkeel_signals::reference::Reference;

/// An output of the first tier that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) is: Answered,
    /// It is a label; a number otherwise.
    pub(crate) names: bool,
}

/// The same, and where it stands in the reference.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) output: Output,
    pub(super) scalar: usize,
    /// The name of its column, and its place among the scalars of that.
    pub(super) column: (String, usize),
}

/// The outputs of a reference that the first tier gives.
pub(super) fn outputs(reference: &Reference, answers: Answers) -> Vec<Given> {
    let (scalars, schema) = (reference.scalars(), &reference.header().schema);
    let mut given = Vec::new();
    for (at, column) in schema.iter().enumerate() {
        let Some(is) = answers.column(schema, at) else { continue };
        let own = scalars.iter().enumerate().filter(|it| it.1.column == at);
        let own = own.enumerate().filter(|it| !reference.buckets(it.1.0).is_empty());
        given.extend(own.map(|(number, (scalar, it))| Given {
            output: Output { name: it.name.clone(), is, names: it.names },
            scalar,
            column: (column.name.clone(), number),
        }));
    }
    given
}
