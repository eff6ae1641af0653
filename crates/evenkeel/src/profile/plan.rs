//! Plan: what a reference is built of: what was said of columns, and for the rest what stands in them.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anyhow::{bail, ensure};
use evenkeel_signals::reference::{Column, ColumnKind, Keyed, Meaning, Plan, Repeats, Role};

use super::{
    infer::{self, Taken},
    live::Live,
    tally::Tally,
};
use crate::cmd::counted;

/// What is said of columns, and of the reference as a whole.
#[derive(Debug)]
pub(crate) struct Wishes {
    pub(crate) route: String,
    /// Name and kind: `number`, `category`, `text`, `vector`.
    pub(crate) kinds: Vec<(String, String)>,
    pub(crate) labels: Vec<String>,
    /// Columns of what came out.
    pub(crate) answers: Vec<String>,
    /// The column of how sure a model was of that.
    pub(crate) confidence: Option<String>,
    pub(crate) private: Vec<String>,
    pub(crate) dropped: Vec<String>,
    pub(crate) time: Option<String>,
    /// Columns as they are declared elsewhere: in a schema, a reference, a route. Of others nothing is taken.
    pub(crate) declared: Vec<Column>,
    /// How rows are read where they are served; some columns are computed there.
    pub(crate) live: Live,
    /// Names with what was said of them, as it was said.
    pub(crate) said: Vec<(String, &'static str)>,
    pub(crate) keyed: Option<Keyed>,
    pub(crate) seed: u64,
    pub(crate) false_alarms_per_million: u32,
    pub(crate) repeats: Repeats,
    /// Whether what is in doubt is taken as it looks.
    pub(crate) sure: bool,
    /// Who says what the texts mean, where that is to be known.
    pub(crate) meaning: Option<Meant>,
}

/// Who says what texts mean.
#[derive(Clone, Debug)]
pub(crate) enum Meant {
    /// A column of lists of numbers, which a model has said.
    Column { column: String, model: String },
    /// A server, in so many numbers.
    Asked { numbers: u32, model: String },
}

/// A plan, with what was settled on the way.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) time: Option<String>,
    /// Columns of the files that are no part of it.
    pub(crate) left_out: Vec<String>,
    /// What was passed over because somebody is sure.
    pub(crate) doubts: Vec<String>,
    /// Columns that were declared, and stand in no file.
    pub(crate) lacking: Vec<String>,
    pub(crate) live: Live,
}

/// What is in doubt, all of it at once.
#[derive(Debug)]
pub(crate) struct Doubts(pub(crate) Vec<String>);

impl fmt::Display for Doubts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is in doubt what columns hold (--yes takes them as they look):")?;
        self.0.iter().try_for_each(|it| write!(f, "\n  {it}"))
    }
}

impl std::error::Error for Doubts {}

impl Wishes {
    /// Plans a reference of columns as they were counted, in files of these names.
    ///
    /// # Errors
    /// A name is that of no column, or is said to be two things; or columns are in doubt ([`Doubts`]).
    pub(crate) fn plan(&self, tallies: &[Tally], files: &[String]) -> anyhow::Result<Planned> {
        let by_name: BTreeMap<&str, &Tally> = tallies.iter().map(|it| (it.name.as_str(), it)).collect();
        self.check(&by_name)?;
        let (mut schema, mut doubts, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let computed: Vec<&Column> = self.live.derived().filter(|it| !self.dropped.contains(&it.name)).collect();
        schema.extend(computed.iter().map(|it| self.computed(it)).collect::<anyhow::Result<Vec<_>>>()?);
        for tally in tallies {
            if schema.iter().any(|it: &Column| it.name == tally.name) {
                // Where it is served, it is computed and not sent.
                continue;
            }
            if self.time.as_ref() == Some(&tally.name) {
                continue;
            }
            match self.column(tally, files, &mut doubts)? {
                Some(column) => schema.push(column),
                None => left_out.push(tally.name.clone()),
            }
        }
        if let Some(meant) = &self.meaning {
            mean(&mut schema, meant)?;
        }
        // The order of columns is that of their names: it does not depend on which file was first.
        schema.sort_by(|a, b| a.name.cmp(&b.name));
        if !self.declared.is_empty() {
            // Who has declared them has put them into an order.
            let place = |it: &Column| self.declared.iter().position(|other| other.name == it.name);
            schema.sort_by_key(|it| place(it).unwrap_or(usize::MAX));
        }
        ensure!(!schema.is_empty(), "no column is left: {} are all left out", counted(tallies.len(), "column"));
        ensure!(
            schema.iter().any(|it| it.role == Role::Input),
            "there is no input: every column is a label, an answer or left out"
        );
        if !self.sure && !doubts.is_empty() {
            return Err(Doubts(doubts).into());
        }
        let plan = Plan {
            seed: self.seed,
            false_alarms_per_million: self.false_alarms_per_million,
            repeats: self.repeats,
            keyed: self.keyed.clone(),
            ..Plan::new(&*self.route, schema)
        };
        let there = |it: &&Column| plan.schema.iter().any(|other| other.name == it.name);
        let wanted = self.declared.iter().filter(|it| !self.dropped.contains(&it.name));
        let lacking = wanted.filter(|it| !there(it)).map(|it| it.name.clone()).collect();
        Ok(Planned { plan, time: self.time.clone(), left_out, doubts, lacking, live: self.live.clone() })
    }

    /// Refuses names of no column, and two things said of one.
    fn check(&self, columns: &BTreeMap<&str, &Tally>) -> anyhow::Result<()> {
        let mut roles = BTreeMap::<&str, &str>::new();
        for (name, what) in &self.said {
            if ["--types", "--text", "--private"].contains(what) {
                continue;
            }
            let before = roles.insert(name.as_str(), what).unwrap_or(what);
            ensure!(before == *what, "column `{name}` cannot be what {before} and {what} say at once");
        }
        let all = || columns.keys().take(30).copied().collect::<Vec<_>>().join(", ");
        let is_there = |name: &str| columns.contains_key(name) || self.live.derived().any(|it| it.name == name);
        for (name, what) in &self.said {
            ensure!(is_there(name), "{what} {name}: there is no column `{name}`; there are: {}", all());
        }
        let declared: Vec<&str> = self.declared.iter().map(|it| it.name.as_str()).collect();
        ensure!(
            declared.is_empty() || declared.iter().any(|it| columns.contains_key(it)),
            "none of the columns that are declared stands in the data: {} are, and there are: {}",
            declared.join(", "),
            all()
        );
        for column in &self.declared {
            let there = is_there(&column.name);
            ensure!(there || !column.required, "the column `{}` is required, and no file has it", column.name);
        }
        Ok(())
    }

    /// A column that is computed, as it is wished.
    fn computed(&self, column: &Column) -> anyhow::Result<Column> {
        let name = &column.name;
        let is = |all: &[String]| all.contains(name);
        let role = if is(&self.answers) {
            Role::Output
        } else if is(self.confidence.as_slice()) {
            Role::Confidence
        } else if is(&self.labels) {
            Role::Label
        } else {
            column.role
        };
        let wished = self.kinds.iter().rev().find(|it| it.0 == *name);
        let kind = match wished.map(|it| it.1.as_str()) {
            None => column.kind,
            Some("text") if column.kind == ColumnKind::Category => ColumnKind::Text,
            Some(kind) if infer::kind(kind, None) == Some(column.kind) => column.kind,
            Some(kind) => bail!("--types {name}={kind}: it is computed, and is no {kind}"),
        };
        Ok(Column { role, kind, private: column.private || is(&self.private), ..column.clone() })
    }

    /// What a column is; none where it is left out.
    fn column(&self, tally: &Tally, files: &[String], doubts: &mut Vec<String>) -> anyhow::Result<Option<Column>> {
        let name = &tally.name;
        let is = |all: &[String]| all.contains(name);
        if is(&self.dropped) {
            return Ok(None);
        }
        let declared = self.declared.iter().find(|it| it.name == *name);
        let role = match declared {
            _ if is(&self.labels) => Role::Label,
            _ if is(&self.answers) => Role::Output,
            _ if is(self.confidence.as_slice()) => Role::Confidence,
            _ if matches!(&self.meaning, Some(Meant::Column { column, .. }) if column == name) => Role::Input,
            Some(it) => it.role,
            // What a route does not take is no input of it.
            None if !self.declared.is_empty() => return Ok(None),
            None => Role::Input,
        };
        let wished = self.kinds.iter().rev().find(|it| it.0 == *name);
        let kind = match (wished, declared) {
            (Some((_, kind)), _) => match infer::kind(kind, Some(tally)) {
                Some(kind) => kind,
                None if kind == "vector" => bail!("--types {name}=vector: no list of numbers stands in it"),
                None => bail!("--types {name}={kind}: a column is a number, category, text or vector"),
            },
            (None, Some(it)) => it.kind,
            (None, None) => {
                let Taken { kind, doubt } = infer::infer(tally, files);
                doubts.extend(doubt);
                kind
            }
        };
        let column = declared.cloned().unwrap_or_else(|| Column::new(name, kind, role));
        let private = column.private || is(&self.private);
        Ok(Some(Column { kind, role, private, ..column }))
    }
}

/// Adds the column of what the one text means.
fn mean(schema: &mut Vec<Column>, meant: &Meant) -> anyhow::Result<()> {
    let texts: Vec<&Column> =
        schema.iter().filter(|it| it.kind == ColumnKind::Text && it.role == Role::Input).collect();
    let names = || texts.iter().map(|it| format!("`{}`", it.name)).collect::<Vec<_>>().join(", ");
    let [text] = texts[..] else {
        match texts.is_empty() {
            true => bail!("it is to be known what a text means, and no input is a text: name its column by --text"),
            false => bail!("it is to be known what one text means, and there are {}: --drop the others", names()),
        }
    };
    let of = text.name.clone();
    ensure!(!text.private, "`{of}` is private, and what it means tells what it says: leave out --private, or --model");
    let column = match meant {
        Meant::Asked { numbers, model } => {
            let name = format!("{of}.meaning");
            ensure!(
                schema.iter().all(|it| it.name != name),
                "there is a column `{name}`: --drop it, or take it by --vectors"
            );
            Column::meaning(&name, *numbers, Meaning { of, model: model.clone() })
        }
        Meant::Column { column, model } => {
            let at = schema.iter().position(|it| it.name == *column);
            let kind = at.map(|at| schema.remove(at).kind);
            let Some(ColumnKind::Vector(numbers)) = kind else {
                bail!("--vectors {column}: it holds no lists of numbers of one length");
            };
            Column::meaning(column, numbers, Meaning { of, model: model.clone() })
        }
    };
    schema.push(column);
    Ok(())
}

impl Planned {
    /// Writes what is to be built, column by column.
    pub(crate) fn table(&self, tallies: &[Tally]) -> String {
        let mut text = String::new();
        for column in &self.plan.schema {
            let role = match column.role {
                Role::Input => "input",
                Role::Output => "answer",
                Role::Confidence => "confidence",
                Role::Label => "label",
                Role::Meaning => "meaning",
            };
            let tally = tallies.iter().find(|it| it.name == column.name);
            let distinct = tally.map(|it| it.distinct().map_or("many values".into(), values));
            let distinct = distinct.unwrap_or_else(|| "computed".into());
            let missing = tally.map_or(0, |it| it.missing);
            let missing = if missing > 0 { format!(", {missing} missing") } else { String::new() };
            let private = if column.private { ", private" } else { "" };
            let _ = writeln!(
                text,
                "  {:24} {:14} {role}, {distinct}{missing}{private}",
                column.name,
                infer::name(column.kind)
            );
        }
        for (what, names) in [("time", self.time.as_slice()), ("left out", &self.left_out)] {
            if !names.is_empty() {
                let _ = writeln!(text, "  {what}: {}", names.join(", "));
            }
        }
        text
    }
}

fn values(distinct: u64) -> String {
    counted(usize::try_from(distinct).unwrap_or(usize::MAX), "value")
}
