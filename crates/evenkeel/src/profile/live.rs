//! Live: rows of a file as the gateway reads them where the route is served: what is missing, what is computed.
//!
//! # Invariants
//! - `LIVE-ROWS`: what is missing, true, composed or computed there is so here, by the same declarations and the same code; so a row of
//!   the reference passes the guards that hold it against that reference.

use std::borrow::Cow;

use evenkeel_config::{
    self as config, Absent, Computed, Derived, FeatureKind, Profiled, ProfiledFeature, Scalar, Uncomputed, Unicode,
};
use evenkeel_signals::{
    reference::Column,
    text::{Form, composed},
};

use super::cell::Cell;

/// How the columns of a route are read; of another column nothing is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live(Profiled);

impl Live {
    /// Takes what a route says of its rows.
    pub(crate) fn of(said: Profiled) -> Self {
        Self(said)
    }

    fn feature(&self, name: &str) -> Option<&ProfiledFeature> {
        self.0.features.iter().find(|it| it.column.name == name)
    }

    /// Returns the columns that are computed.
    pub(crate) fn derived(&self) -> impl Iterator<Item = &Column> {
        self.0.derived.iter().map(|it| &it.0)
    }

    /// Makes a cell what a request would have of it.
    pub(crate) fn read(&self, name: &str, cell: Cell) -> Cell {
        let Some(feature) = self.feature(name) else { return cell };
        if feature.missing.as_ref().is_some_and(|it| is_absent(it, &cell)) {
            return Cell::Missing;
        }
        match (feature.kind, cell) {
            (FeatureKind::Bool, it) => truth(&it).map_or(it, Cell::Bool),
            (FeatureKind::Category | FeatureKind::String, Cell::Raw(it)) => Cell::Raw(formed(it, feature.unicode)),
            (FeatureKind::Category | FeatureKind::String, Cell::Text(it)) => Cell::Text(formed(it, feature.unicode)),
            (_, it) => it,
        }
    }

    /// Computes a column of a row whose cells are [read](Self::read), and stand under these names; none where it is not computed.
    pub(crate) fn computed(&self, name: &str, names: &[String], cells: &[Cell]) -> Option<Cell> {
        let (_, derived) = self.0.derived.iter().find(|it| it.0.name == name)?;
        Some(match derived.of(&Row { live: self, derived, names, cells }) {
            Ok(Computed::Number(number)) => Cell::Number(number),
            Ok(Computed::Flag(flag)) => Cell::Bool(flag),
            Ok(Computed::Text(text)) => Cell::Text(text),
            Err(Uncomputed::Absent(_)) => Cell::Missing,
            Err(Uncomputed::Impossible(_)) => Cell::Odd("what cannot be computed"),
        })
    }
}

fn is_absent(absent: &Absent, cell: &Cell) -> bool {
    match absent {
        Absent::Text(word) => cell.text() == Some(word.as_str()),
        Absent::Nan | Absent::Number(_) => cell.number().is_some_and(|it| absent.is_number(it)),
    }
}

fn truth(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Bool(it) => Some(*it),
        Cell::Raw(it) | Cell::Text(it) => match it.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        Cell::Number(it) if *it == 0.0 || *it == 1.0 => Some(*it == 1.0),
        _ => None,
    }
}

fn formed(text: String, unicode: Unicode) -> String {
    let form = match unicode {
        Unicode::AsItIs => return text,
        Unicode::Nfc => Form::Nfc,
        Unicode::Nfkc => Form::Nfkc,
    };
    match composed(&text, form) {
        Cow::Borrowed(_) => text,
        Cow::Owned(formed) => formed,
    }
}

/// A row, for what is computed of it.
struct Row<'r> {
    live: &'r Live,
    derived: &'r Derived,
    names: &'r [String],
    cells: &'r [Cell],
}

impl config::Row for Row<'_> {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        let named = self.derived.named().nth(input)?;
        let cell = self.cells.get(self.names.iter().position(|it| *it == named.name)?)?;
        match self.live.feature(&named.name)?.kind {
            FeatureKind::Float | FeatureKind::Int => cell.number().map(Scalar::Float),
            FeatureKind::Bool => truth(cell).map(Scalar::Bool),
            FeatureKind::Category | FeatureKind::String => cell.text().map(Scalar::Text),
        }
    }
}
