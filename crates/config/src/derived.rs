//! Derived: a feature that is computed of others before an input is judged; typed when the file is read, and no tier sees it.

use evenkeel_signals::row::Kind;

use crate::{
    compile::{Absent, guards::missing},
    expr::{Computed, Expr, Problem, Row, Type, Uncomputed},
    schema::contract::Input,
};

/// A feature that is computed of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    inputs: Vec<(String, Type)>,
    named: Vec<Named>,
    expr: Expr,
}

/// A feature of the request that something is computed of.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its place in the tensor of columns; none where it is a tensor of its own.
    pub column: Option<usize>,
    /// What a client writes where there is no value.
    pub missing: Option<Absent>,
}

/// The features that may be named, with their types, sorted.
fn inputs(input: &Input) -> Vec<(String, Type)> {
    let mut names: Vec<&String> = input.columns.iter().chain(input.features.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| Some((name.clone(), input.kind_of(name)?.in_rules()))).collect()
}

impl Derived {
    /// Reads what computes it of the features of a route; returns also of which type it is.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn read(source: &str, input: &Input) -> Result<(Self, Type), Vec<Problem>> {
        let mut inputs = inputs(input);
        let (expr, found) = Expr::of_features(source, &inputs)?;
        let used = expr.names();
        inputs.retain(|it| used.contains(&it.0));
        let named = inputs.iter().map(|(name, _)| Named {
            name: name.clone(),
            column: input.columns.iter().position(|it| it == name),
            missing: missing(name, input),
        });
        Ok((Self { named: named.collect(), inputs, expr }, found))
    }

    /// Returns the features that it names, sorted: the positions that [`Row::value`] is asked for.
    pub fn named(&self) -> impl Iterator<Item = &Named> {
        self.named.iter()
    }

    /// Computes it for a row.
    ///
    /// # Errors
    /// Why it cannot be computed for this row.
    pub fn of(&self, row: &dyn Row) -> Result<Computed, Uncomputed> {
        self.expr.value(&self.inputs, row)
    }
}

/// Says whether a column of this kind can hold what is computed.
pub(crate) fn fits(found: Type, kind: Kind) -> bool {
    match kind {
        Kind::Number => matches!(found, Type::Int | Type::Float),
        Kind::Category => matches!(found, Type::Text | Type::Bool),
        Kind::Text => matches!(found, Type::Text),
        Kind::Vector(_) => false,
    }
}
