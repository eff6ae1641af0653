//! `evenkeel profile`: a reference made of rows, shown, merged.

mod columns;
mod files;
mod meaning;
mod merge;
mod route;
mod show;

use std::{
    io::{BufRead, IsTerminal},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use evenkeel_signals::reference::{Reference, Repeats};
use serde_json::json;

use self::{columns::Columns, files::Progress, meaning::Meanings};
use super::over::{Made, may_write};
use crate::{
    output,
    profile::{
        self,
        build::{self, Asks, Counted, Taking, rows},
        plan::{Planned, Wishes},
        read::{Format, Source},
        show::Shown,
    },
};

/// Makes a reference of rows that were well.
///
/// Types are inferred from all rows and shown; on a terminal they are confirmed. What is in doubt is named with file, line and column,
/// and with what settles it. The same files give the same bytes, in whatever order they are named. Exit code 2: there is no reference.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Profile {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Files of rows: CSV with a head, Parquet (uncompressed, Snappy, gzip) or JSON lines. Or references, which are merged.
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// The file of the reference.
    #[arg(short, long, value_name = "REF", required = true)]
    output: Option<PathBuf>,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    meanings: Meanings,
    #[command(flatten)]
    reading: Reading,
    /// How traffic repeats itself: each hour of the day, or of the week, has a distribution of its own, neighbours joined until there
    /// are 1,000 rows. Wants --time.
    #[arg(long, value_enum, default_value_t = Seasons::None)]
    seasons: Seasons,
    /// What all draws depend on. References merge only where it is the same.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The rate of false alarms that the row score's calibrating rows should suffice for.
    #[arg(long, value_name = "RATE", default_value_t = 0.001)]
    false_alarm_rate: f64,
    /// Leaves out the sample of rows: no row can be read from the file but the 256 that the row score compares with, and it merges only with one
    /// of the same cells.
    #[arg(long)]
    no_sample: bool,
    /// Replaces the file of -o where one of the kind is there: a running gateway that uses it takes the new one at once.
    #[arg(long)]
    force: bool,
    /// Takes what is in doubt as it looks, and asks nothing.
    #[arg(short, long)]
    yes: bool,
    /// Prints one object in JSON instead of text, and asks nothing.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints a reference as tables and small plots; with --against what it says of other rows.
    Show(Box<show::Show>),
    /// Puts references together: the one that all their rows would have made.
    Merge(merge::Merge),
}

/// How files are read.
#[derive(Debug, Args)]
struct Reading {
    /// The delimiter of CSV, one character or `\t`; a comma where it is not said, a tab for .tsv.
    #[arg(long, value_name = "CHARACTER", value_parser = files::delimiter)]
    delimiter: Option<u8>,
    /// A text that stands for nothing, such as NA; an empty cell of CSV and null always do.
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    null: Vec<String>,
    /// The column that says when a row was: RFC 3339, or seconds (ms, µs, ns) since the epoch. Times are no input.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
}

/// How traffic repeats itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Seasons {
    None,
    Hours,
    Week,
}

impl Profile {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Some(Verb::Show(verb)) => verb.run(),
            Some(Verb::Merge(verb)) => verb.run(),
            None => self.build(),
        }
    }

    fn build(self) -> anyhow::Result<ExitCode> {
        let file = self.output.clone().context("name the file of the reference by -o")?;
        let sources = build::look(&self.data, self.reading.delimiter)?;
        let references = sources.iter().filter(|it| it.format == Format::Reference).count();
        if references == sources.len() {
            return merge::merge(&self.data, &file, (self.json, self.force));
        }
        ensure!(
            references == 0,
            "rows and references cannot be taken together: make a reference of the rows first, then merge"
        );
        let read = self.data.iter().map(PathBuf::as_path).chain(self.columns.files());
        may_write(&file, Made::Reference, read, self.force)?;
        let mut wishes = self.wishes()?;
        let mut asking = self.meanings.wish(&mut wishes)?;
        let progress = Progress::new(self.json);
        let reading = build::Reading { nulls: &self.reading.null, live: &wishes.live };
        let counted = build::count(&sources, reading, &mut progress.tell("counting"))?;
        let names: Vec<String> = sources.iter().map(|it| it.path.display().to_string()).collect();
        let planned = wishes.plan(&counted.tallies, &names)?;
        progress.clear();
        if !self.agreed(&planned, &counted, sources.len())? {
            output::note("nothing is written");
            return Ok(ExitCode::FAILURE);
        }
        let taking = Taking { planned: &planned, nulls: &self.reading.null };
        let mut asks = asking.as_mut().map(|it| meaning::ask(it, &progress, (counted.rows, sources.len())));
        let asks = asks.as_mut().map(|it| it as &mut Asks<'_>);
        let reference = taking.build(&sources, &mut progress.tell("building"), asks)?;
        progress.clear();
        refuse_copies(&reference)?;
        self.write(reference, &file, &sources)
    }

    fn wishes(&self) -> anyhow::Result<Wishes> {
        let rate = self.false_alarm_rate * 1e6;
        ensure!(
            (1.0..1e6).contains(&rate),
            "--false-alarm-rate {}: it is a share between 0.000001 and 1",
            self.false_alarm_rate
        );
        let repeats = match self.seasons {
            Seasons::None => Repeats::Never,
            Seasons::Hours => Repeats::Daily,
            Seasons::Week => Repeats::Weekly,
        };
        ensure!(
            repeats == Repeats::Never || self.reading.time.is_some(),
            "seasons need times: name their column by --time"
        );
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        let false_alarms_per_million = rate.round() as u32;
        let wishes = self.columns.wishes(self.reading.time.clone())?;
        let sure = self.yes;
        Ok(Wishes { seed: self.seed, false_alarms_per_million, repeats, sure, ..wishes })
    }

    /// Shows what is to be built, and asks where somebody can answer.
    fn agreed(&self, planned: &Planned, counted: &Counted, files: usize) -> anyhow::Result<bool> {
        if !planned.lacking.is_empty() {
            let names = planned.lacking.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
            output::note(format_args!(
                "warning: no file has {names}, which is declared: the reference is made without it"
            ));
        }
        if self.json {
            return Ok(true);
        }
        let files = super::counted(files, "file");
        output::note(format_args!(
            "{} of {files}:\n{}",
            rows(counted.rows),
            planned.table(&counted.tallies).trim_end()
        ));
        planned.doubts.iter().for_each(|it| output::note(format_args!("taken as it looks: {it}")));
        let asks = !self.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if !asks {
            return Ok(true);
        }
        output::note("Is that right? [Y/n] (--types NAME=KIND, --label, --drop and others change it)");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes"))
    }

    fn write(&self, reference: Reference, file: &std::path::Path, sources: &[Source]) -> anyhow::Result<ExitCode> {
        // What is said of it is said of all that it is made of, the sample included.
        let shown = Shown::of(&reference, show::EVERY_NS);
        let name = file.display().to_string();
        let (text, mut told) = (shown.text(&name), shown.json());
        let reference = if self.no_sample { reference.clone().without_sample() } else { reference.clone() };
        files::write(file, &reference.encode())?;
        match self.json {
            true => {
                let digest = profile::hex(&reference.digest());
                let paths: Vec<_> = sources.iter().map(|it| it.path.display().to_string()).collect();
                told["digest"] = json!(format!("sha256:{digest}"));
                told["files"] = json!(paths);
                output::line(told)?;
            }
            false => output::text(text)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses inputs that are the label again: whatever was made of them would know it.
fn refuse_copies(reference: &Reference) -> anyhow::Result<()> {
    let copies = profile::telling(reference).into_iter().filter(|it| it.1);
    let copies: Vec<String> = copies.map(|it| it.0.message).collect();
    ensure!(copies.is_empty(), "the label stands among the inputs: {}", copies.join("; "));
    Ok(())
}
