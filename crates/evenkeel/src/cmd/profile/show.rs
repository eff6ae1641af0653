//! `evenkeel profile show`: a reference for people, for programs, and as pictures; and other rows beside it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::Args;
use evenkeel_signals::reference::Keyed;
use jiff::SignedDuration;

use super::{
    Reading,
    files::{self, Progress},
    route,
};
use crate::{
    output,
    plot::Figure,
    profile::{
        against::{self, Asked, Compared},
        build,
        show::Shown,
    },
};

/// The wanted mean time between false alarms where nobody says another: 30 days, ns.
pub(super) const EVERY_NS: u64 = 30 * 86_400 * 1_000_000_000;
/// What a plot takes of a terminal.
const COLUMNS: usize = 72;
const ROWS: usize = 12;

/// Prints a reference as tables and small plots.
///
/// With --against it says what the drift detector would have said of other rows, in their order, and how far each column is from the
/// reference: PSI and JS stand beside what they are when nothing has changed.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The reference.
    reference: PathBuf,
    /// Files of rows that are compared with it, one after the other.
    #[arg(long, value_name = "DATA", num_args = 1..)]
    against: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// The configuration in which the route of the reference says what stands for no value, and what is computed.
    #[arg(short, long, value_name = "FILE", requires = "against")]
    config: Option<PathBuf>,
    /// The key of private names, as for `profile`; without it private columns are not compared.
    #[arg(long, value_name = "SECRET", value_parser = files::key, requires = "against")]
    key: Option<Keyed>,
    /// The wanted mean time between false alarms, such as `30d`; 10,000 rows where rows have no times.
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = span)]
    false_alarm_every: u64,
    /// Draws each column in the terminal, too.
    #[arg(long)]
    plots: bool,
    /// Writes plots as SVG into a folder, which is made where it is not there.
    #[arg(long, value_name = "FOLDER")]
    svg: Option<PathBuf>,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let reference = files::reference(&self.reference)?;
        if !self.against.is_empty() {
            let sources = build::look(&self.against, self.reading.delimiter)?;
            let route = reference.header().route.as_str();
            let live = self.config.as_ref().map(|it| route::columns(it, route).map(|it| it.1)).transpose()?;
            let asked = Asked {
                live: live.unwrap_or_default(),
                time: self.reading.time.clone(),
                nulls: self.reading.null.clone(),
                keyed: self.key.clone(),
                every_ns: self.false_alarm_every,
            };
            let progress = Progress::new(self.json);
            let found = against::compare(&reference, &sources, &asked, &mut progress.tell("comparing"));
            progress.clear();
            return self.compared(&found.with_context(|| format!("cannot compare with {}", self.reference.display()))?);
        }
        ensure!(self.reading.time.is_none(), "--time says how rows are read: name them by --against");
        let shown = Shown::of(&reference, self.false_alarm_every);
        let figures = shown.figures();
        if let Some(folder) = &self.svg {
            pictures(folder, &figures)?;
        }
        match self.json {
            true => output::line(shown.json())?,
            false => {
                output::text(shown.text(&self.reference.display().to_string()))?;
                self.draw(&figures)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn compared(&self, found: &Compared) -> anyhow::Result<ExitCode> {
        let figures = [("drift".to_owned(), found.figure())];
        if let Some(folder) = &self.svg {
            pictures(folder, &figures)?;
        }
        match self.json {
            true => output::line(found.json())?,
            false => {
                output::text(found.text())?;
                self.draw(&figures)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn draw(&self, figures: &[(String, Figure)]) -> anyhow::Result<()> {
        let drawn = figures.iter().filter(|_| self.plots);
        // More lines than two are but a tangle of dots.
        let few = |it: &Figure| Figure { series: it.series.iter().take(2).cloned().collect(), ..it.clone() };
        drawn.map(|it| few(&it.1).terminal(COLUMNS, ROWS)).try_for_each(|it| output::text(format_args!("\n{it}")))
    }
}

/// Writes figures; a name that is no name of a file is made one.
fn pictures(folder: &Path, figures: &[(String, Figure)]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut taken = std::collections::BTreeSet::new();
    for (name, figure) in figures {
        let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let mut name: String = name.chars().take(100).map(safe).collect::<String>().trim_start_matches('.').into();
        while !taken.insert(name.clone()) {
            name.push('_');
        }
        files::write(&folder.join(format!("{name}.svg")), figure.svg().as_bytes())?;
    }
    Ok(())
}

fn span(text: &str) -> Result<u64, String> {
    let hours =
        text.strip_suffix('d').and_then(|it| it.parse::<u32>().ok()).map(|it| format!("{}h", u64::from(it) * 24));
    let span: SignedDuration =
        hours.as_deref().unwrap_or(text).parse().map_err(|_| "write a span such as 30d or 12h")?;
    let ns = u64::try_from(span.as_nanos()).ok().filter(|it| *it > 0);
    ns.ok_or_else(|| "it is a span above 0, and below 500 years".into())
}
