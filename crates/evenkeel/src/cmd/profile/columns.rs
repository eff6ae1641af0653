//! Columns: what is said of them on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use evenkeel_signals::reference::{Column, Keyed, Repeats, Role};

use super::{files, route};
use crate::profile::{live::Live, plan::Wishes};

/// What columns are.
#[derive(Debug, Args)]
pub(super) struct Columns {
    /// The route that the reference is for; kept in it.
    #[arg(long, default_value = "")]
    route: String,
    /// The configuration in which --route declares its features and outputs; other columns are left out.
    #[arg(short, long, value_name = "FILE", requires = "route", conflicts_with = "schema")]
    config: Option<PathBuf>,
    /// What columns hold, where it is not what they look like: number, category, text or vector.
    #[arg(long, value_name = "COLUMN=KIND", value_delimiter = ',', value_parser = pair)]
    types: Vec<(String, String)>,
    /// Columns as they are declared: an earlier reference, or a list in JSON as `header.schema` of `profile show --json` has it. Other
    /// columns are left out.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// A column of texts, such as what users wrote.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    text: Vec<String>,
    /// A column of what is true; it is kept apart from the inputs.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    label: Vec<String>,
    /// A column of what a model answered: a prediction, a length, a latency. Drift of these shows first.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    answer: Vec<String>,
    /// The column of how sure the model was, a number, as the `confidence` of its `accept` says it. Drift of this shows first, too.
    #[arg(long, value_name = "COLUMN")]
    confidence: Option<String>,
    /// A column of which no value may be kept: cells and counts alone, names by a keyed hash.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    private: Vec<String>,
    /// The key of private names, 64 hexadecimal digits: `${env:NAME}` or `${file:PATH}`.
    #[arg(long, value_name = "SECRET", value_parser = files::key)]
    key: Option<Keyed>,
    /// A column that is no part of it.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    drop: Vec<String>,
}

impl Columns {
    /// Returns the files that say what columns are.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.config, &self.schema].into_iter().flatten().map(PathBuf::as_path)
    }

    pub(super) fn wishes(&self, time: Option<String>) -> anyhow::Result<Wishes> {
        let named = |all: &[String], what: &'static str| all.iter().map(|it| (it.clone(), what)).collect::<Vec<_>>();
        let types: Vec<String> = self.types.iter().map(|it| it.0.clone()).collect();
        let said = [
            named(&types, "--types"),
            named(&self.text, "--text"),
            named(&self.label, "--label"),
            named(&self.answer, "--answer"),
            named(self.confidence.as_slice(), "--confidence"),
            named(time.as_slice(), "--time"),
            named(&self.drop, "--drop"),
            named(&self.private, "--private"),
        ];
        let mut kinds = self.types.clone();
        kinds.extend(self.text.iter().map(|it| (it.clone(), "text".into())));
        kinds.extend(self.confidence.iter().map(|it| (it.clone(), "number".into())));
        let (declared, live) = match (&self.schema, &self.config) {
            (Some(file), _) => {
                let mut declared = schema(file)?;
                // What texts mean is asked anew, or not known.
                declared.retain(|it| it.role != Role::Meaning);
                (declared, Live::default())
            }
            (None, Some(config)) => route::columns(config, &self.route)?,
            (None, None) => (Vec::new(), Live::default()),
        };
        Ok(Wishes {
            route: self.route.clone(),
            kinds,
            labels: self.label.clone(),
            answers: self.answer.clone(),
            confidence: self.confidence.clone(),
            private: self.private.clone(),
            dropped: self.drop.clone(),
            time,
            declared,
            live,
            said: said.concat(),
            keyed: self.key.clone(),
            seed: 0,
            false_alarms_per_million: 1_000,
            repeats: Repeats::Never,
            sure: false,
            meaning: None,
        })
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, kind) = text.split_once('=').ok_or("write COLUMN=KIND")?;
    Ok((name.to_owned(), kind.to_owned()))
}

/// Reads declared columns.
fn schema(file: &Path) -> anyhow::Result<Vec<Column>> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    if bytes.starts_with(b"EKREF") {
        return Ok(files::reference(file)?.header().schema.clone());
    }
    let read: Result<Vec<Column>, _> = serde_json::from_slice::<serde_json::Value>(&bytes).and_then(|it| {
        let list = it.pointer("/header/schema").or_else(|| it.get("schema")).unwrap_or(&it).clone();
        serde_json::from_value(list)
    });
    match read {
        Ok(it) if it.is_empty() => bail!("{} declares no column", file.display()),
        Ok(it) => Ok(it),
        Err(why) => bail!("{} is neither a reference nor a list of columns: {why}", file.display()),
    }
}
