//! Infer: what a column holds, by what stands in it; where that is in doubt, what to write.

use evenkeel_signals::reference::ColumnKind;

use super::tally::{LOOKS, Look, Seen, Tally};
use crate::cmd::counted;

/// What a column is taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) kind: ColumnKind,
    /// What speaks against it: how to settle it.
    pub(crate) doubt: Option<String>,
}

/// Says what a column holds. `files` are the names of the sources.
pub(crate) fn infer(tally: &Tally, files: &[String]) -> Taken {
    let values = tally.values();
    let sure = |kind| Taken { kind, doubt: None };
    let doubt = |kind, doubt: String| Taken { kind, doubt: Some(doubt) };
    let at = |it: &Seen| format!("{}, {}, column `{}`: {}", files[it.file], it.place, tally.name, it.shown);
    if let Some(odd) = tally.first(Look::Odd) {
        let name = &tally.name;
        return doubt(
            ColumnKind::Category,
            format!(
                "{} is nothing that a column can hold: take out of it what a model is given, or --drop {name}",
                at(odd)
            ),
        );
    }
    let looks: Vec<Look> = LOOKS.into_iter().filter(|it| tally.of(*it) > 0).collect();
    match looks[..] {
        [] => sure(ColumnKind::Number),
        [Look::Number] if tally.padded => sure(ColumnKind::Category),
        [Look::Number] => sure(ColumnKind::Number),
        [Look::Bool] => sure(ColumnKind::Category),
        [Look::Name] => names(tally, at),
        [Look::Vector] => vector(tally, at),
        [Look::Time] => {
            let name = &tally.name;
            let first = tally.first(Look::Time).map(at).unwrap_or_default();
            let settle = format!("{first} is a time: --time {name} where it says when a row was, else --drop {name}");
            doubt(ColumnKind::Category, settle)
        }
        _ => {
            let kind = if tally.of(Look::Number) * 2 >= values { ColumnKind::Number } else { ColumnKind::Category };
            doubt(kind, mixed(tally, &looks, at))
        }
    }
}

fn names(tally: &Tally, at: impl Fn(&Seen) -> String) -> Taken {
    if let Some(comma) = &tally.comma {
        let settle = format!("{} has a comma for a point: write points, or --types {}=category", at(comma), tally.name);
        return Taken { kind: ColumnKind::Category, doubt: Some(settle) };
    }
    if let Some(first) = tally.only_dressed() {
        let settle = format!(
            "{} is a number that is written another way: write plain numbers such as 1234.5, or --types {}=category",
            at(first),
            tally.name
        );
        return Taken { kind: ColumnKind::Category, doubt: Some(settle) };
    }
    let kind = if tally.is_prose() { ColumnKind::Text } else { ColumnKind::Category };
    Taken { kind, doubt: None }
}

fn vector(tally: &Tally, at: impl Fn(&Seen) -> String) -> Taken {
    let width = tally.width.unwrap_or_default();
    let kind = ColumnKind::Vector(u32::try_from(width).unwrap_or(u32::MAX));
    let doubt = tally.uneven.as_ref().map(|it| {
        let first = counted(width, "number");
        format!("{}, and the first one has {first}: embeddings are of one length; --drop {}", at(it), tally.name)
    });
    Taken { kind, doubt }
}

/// Says what stands beside what, where, and how to settle it.
fn mixed(tally: &Tally, looks: &[Look], at: impl Fn(&Seen) -> String) -> String {
    let name = &tally.name;
    let word = |look: &Look| match look {
        Look::Number => "numbers",
        Look::Bool => "truth values",
        Look::Name => "names",
        Look::Time => "times",
        Look::Vector => "lists",
        Look::Odd => "others",
    };
    let parts: Vec<_> = looks.iter().map(|it| format!("{} {}", tally.of(*it), word(it))).collect();
    // The rarer one is the one that somebody has to look at.
    let rare = looks.iter().min_by_key(|it| tally.of(**it)).and_then(|it| tally.first(*it));
    let rare = rare.map(at).unwrap_or_default();
    let null = tally.only_text().filter(|_| looks == [Look::Number, Look::Name]);
    let null = null.map(|it| format!("--null '{it}' where it stands for nothing, ")).unwrap_or_default();
    format!(
        "{rare}, in a column of {}: {null}--types {name}=number (what is none is invalid), {name}=category, or --drop {name}",
        parts.join(" and ")
    )
}

/// Reads the name of a kind; a vector is as wide as its values.
pub(crate) fn kind(name: &str, tally: Option<&Tally>) -> Option<ColumnKind> {
    match name {
        "number" => Some(ColumnKind::Number),
        "category" => Some(ColumnKind::Category),
        "text" => Some(ColumnKind::Text),
        "vector" => {
            let width = tally.and_then(|it| it.width)?;
            Some(ColumnKind::Vector(u32::try_from(width).ok()?))
        }
        _ => None,
    }
}

/// Returns the name of a kind.
pub(crate) fn name(kind: ColumnKind) -> String {
    match kind {
        ColumnKind::Number => "number".into(),
        ColumnKind::Category => "category".into(),
        ColumnKind::Text => "text".into(),
        ColumnKind::Vector(width) => format!("vector of {width}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{cell::Cell, read::Place},
        *,
    };

    fn taken(values: &[Cell]) -> Taken {
        let mut tally = Tally::new("x", 0);
        values.iter().zip(2..).for_each(|(it, line)| tally.add(it, 0, Place::Line(line)));
        infer(&tally, &["a.csv".into()])
    }

    #[test]
    fn kinds_are_those_of_the_values_and_doubts_say_where_and_how_to_settle_them() {
        let raw = |it: &[&str]| it.iter().map(|it| Cell::Raw((*it).into())).collect::<Vec<_>>();
        let sure = |kind| (kind, None);
        for (values, (kind, part)) in [
            (raw(&["1", "2.5", "-1e3", "nan"]), sure(ColumnKind::Number)),
            (raw(&["01234", "98765"]), sure(ColumnKind::Category)),
            (raw(&["red", "blue", "red"]), sure(ColumnKind::Category)),
            (raw(&["How do I open a port?", "Where is my own parcel?"]), sure(ColumnKind::Text)),
            (vec![Cell::Bool(true)], sure(ColumnKind::Category)),
            (vec![Cell::Numbers(vec![1.0; 3])], sure(ColumnKind::Vector(3))),
            (vec![Cell::Missing], sure(ColumnKind::Number)),
            (
                raw(&["1", "2", "NA"]),
                (
                    ColumnKind::Number,
                    Some("a.csv, line 4, column `x`: `NA`, in a column of 2 numbers and 1 names: --null 'NA'"),
                ),
            ),
            (raw(&["a", "b", "3"]), (ColumnKind::Category, Some("line 4, column `x`: `3`"))),
            (raw(&["2024-01-02", "2024-01-03"]), (ColumnKind::Category, Some("--time x"))),
            (raw(&["3,5", "4,5"]), (ColumnKind::Category, Some("a comma for a point"))),
            (
                raw(&["6%", "7.5%"]),
                (ColumnKind::Category, Some("line 2, column `x`: `6%` is a number that is written another")),
            ),
            (vec![Cell::Text("12".into())], (ColumnKind::Category, Some("--types x=category"))),
            (
                vec![Cell::Numbers(vec![1.0; 3]), Cell::Numbers(vec![])],
                (ColumnKind::Vector(3), Some("embeddings are of one length")),
            ),
            (
                vec![Cell::Number(1.0), Cell::Odd("an object")],
                (ColumnKind::Category, Some("line 3, column `x`: an object")),
            ),
        ] {
            let found = taken(&values);
            assert_eq!(found.kind, kind, "{values:?}");
            let doubt = found.doubt.unwrap_or_default();
            assert!(part.map_or(doubt.is_empty(), |part| doubt.contains(part)), "{values:?}: {doubt}");
        }
    }
}
