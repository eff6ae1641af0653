//! Cell: one value as a file has it, and what it is in a column of a kind.

use evenkeel_signals::{reference::ColumnKind, row::Value};

/// A value as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Nothing stands there.
    Missing,
    /// Characters that may mean a number: of a file whose cells have no types.
    Raw(String),
    /// A text, of a file that knows types.
    Text(String),
    Number(f64),
    Bool(bool),
    /// A time, ns since the epoch.
    Time(i128),
    Numbers(Vec<f32>),
    /// Something that no column can hold: what it is.
    Odd(&'static str),
}

impl Cell {
    /// Returns the number that it is, or stands for.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(it) => Some(*it),
            Self::Raw(it) => it.trim().parse().ok(),
            _ => None,
        }
    }

    /// Returns its characters; none where it has none.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Raw(it) | Self::Text(it) => Some(it),
            _ => None,
        }
    }

    /// Makes it what a column of this kind holds, as far as it can be.
    pub(crate) fn suited(self, kind: ColumnKind) -> Self {
        match (kind, self) {
            (ColumnKind::Number, Self::Bool(it)) => Self::Number(f64::from(u8::from(it))),
            (ColumnKind::Number, it @ Self::Raw(_)) => it.number().map_or(it, Self::Number),
            // A name is written as the shortest number that is it.
            (ColumnKind::Category, Self::Number(it)) if it.is_finite() => Self::Text(it.to_string()),
            (ColumnKind::Category, Self::Bool(it)) => Self::Text(it.to_string()),
            (_, it) => it,
        }
    }

    /// Returns what a row has of it, once it is [suited](Self::suited).
    pub(crate) fn value(&self, kind: ColumnKind) -> Value<'_> {
        match (self, kind) {
            (Self::Missing, _) => Value::Missing,
            (Self::Number(it), ColumnKind::Number) => Value::Number(*it),
            (Self::Raw(it) | Self::Text(it), ColumnKind::Category) => Value::Category(it),
            (Self::Raw(it) | Self::Text(it), ColumnKind::Text) => Value::Text(it),
            (Self::Numbers(it), ColumnKind::Vector(_)) => Value::Vector(it),
            _ => Value::Invalid,
        }
    }

    /// Writes it for a message, not more than the beginning.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Missing => "nothing".into(),
            Self::Raw(it) | Self::Text(it) => {
                let begin: String = it.chars().take(40).collect();
                let more = if begin.len() < it.len() { "…" } else { "" };
                format!("`{begin}{more}`")
            }
            Self::Number(it) => format!("`{it}`"),
            Self::Bool(it) => format!("`{it}`"),
            Self::Time(it) => super::time::shown(*it).map_or_else(|| "a time".into(), |it| format!("`{it}`")),
            Self::Numbers(it) => format!("a list of {}", crate::cmd::counted(it.len(), "number")),
            Self::Odd(what) => (*what).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_what_its_column_holds_and_invalid_otherwise() {
        let is = |cell: Cell, kind| match cell.suited(kind).value(kind) {
            Value::Number(it) => format!("number {it}"),
            Value::Category(it) => format!("name {it}"),
            Value::Text(it) => format!("text {it}"),
            Value::Vector(it) => format!("vector {it:?}"),
            Value::Missing => "missing".into(),
            Value::Invalid => "invalid".into(),
        };
        let (number, category, text) = (ColumnKind::Number, ColumnKind::Category, ColumnKind::Text);
        for (cell, kind, expected) in [
            (Cell::Raw(" 1e3 ".into()), number, "number 1000"),
            (Cell::Raw("x".into()), number, "invalid"),
            (Cell::Text("12".into()), number, "invalid"),
            (Cell::Bool(true), number, "number 1"),
            (Cell::Raw("007".into()), category, "name 007"),
            (Cell::Number(7.0), category, "name 7"),
            (Cell::Bool(false), category, "name false"),
            (Cell::Number(f64::NAN), category, "invalid"),
            (Cell::Text(String::new()), text, "text "),
            (Cell::Number(1.0), text, "invalid"),
            (Cell::Numbers(vec![1.0]), ColumnKind::Vector(1), "vector [1.0]"),
            (Cell::Missing, number, "missing"),
            (Cell::Odd("an object"), text, "invalid"),
        ] {
            assert_eq!(is(cell.clone(), kind), expected, "{cell:?} {kind:?}");
        }
        assert_eq!(Cell::Text("a".repeat(50)).shown(), format!("`{}…`", "a".repeat(40)));
    }
}
