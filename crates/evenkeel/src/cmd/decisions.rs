//! `evenkeel decisions`: the records of requests, as a running gateway holds them, or a file of them.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use evenkeel_api::{Decision, Decisions as Told, explain};
use serde_json::json;

use super::{counted, runtime};
use crate::{client::look, output};

/// The longest line of a file of records: G-111 allows 60 KiB.
const LINE: u64 = 1 << 20;

/// Shows how requests were decided, and says why in words.
#[derive(Debug, Args)]
pub(super) struct Decisions {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Prints the last decisions, the newest first.
    ///
    /// With --json a record in JSON on each line, which --log reads again. Exit code 1: there is none.
    List(List),
    /// Prints the record of a decision in JSON. Exit code 1: it is not there.
    Show(One),
    /// Says in words, step by step, why this tier answered, and what was done to its answer. Exit code 1: it is not there.
    Explain(One),
}

/// Where the records are.
#[derive(Debug, Args)]
struct Place {
    /// The admin address of a running gateway, which holds its last 10,000 records.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9090", conflicts_with_all = ["log", "config"])]
    url: String,
    /// The configuration that it runs, whose `server.admin` is asked, in place of an address.
    #[arg(short, long, value_name = "FILE", conflicts_with = "log")]
    config: Option<PathBuf>,
    /// A file with a record on each line, as `decisions list --json` prints them, in place of a gateway. Lines of another
    /// kind are passed over.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct List {
    /// Decisions of this route alone.
    #[arg(long)]
    route: Option<String>,
    /// How many, at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    last: u16,
    /// Prints records in JSON, one a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct One {
    /// The decision, as the header `evenkeel-decision` names it.
    id: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Decisions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::List(list) => list.run(),
            Verb::Show(one) => one.run(|record, _| Ok(serde_json::to_string_pretty(record)? + "\n")),
            Verb::Explain(one) => one.run(|record, json| {
                let explained = explain(record);
                if !json {
                    return Ok(explained.to_string());
                }
                let section = |it: &evenkeel_api::Section| json!({"title": it.title, "lines": it.lines});
                let sections: Vec<_> = explained.sections.iter().map(section).collect();
                Ok(format!("{}\n", json!({"decision": record.id, "sections": sections})))
            }),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let records = match &self.place.log {
            Some(file) => self.of_file(file)?,
            None => self.of_gateway()?,
        };
        if records.is_empty() && !self.json {
            output::note("there is no such decision");
        }
        output::whoever_reads(self.print(&records))?;
        Ok(ExitCode::from(u8::from(records.is_empty())))
    }

    fn print(&self, records: &[Decision]) -> anyhow::Result<()> {
        for record in records {
            if self.json {
                output::line(serde_json::to_string(record)?)?;
                continue;
            }
            let (who, tier) = match (&record.outcome.path, record.outcome.tier) {
                (Some(path), Some(tier)) => (path.as_str(), tier.to_string()),
                _ => ("-", "-".into()),
            };
            let Decision { id, time, route, reason, outcome, attempts, .. } = record;
            let attempts = counted(attempts.len(), "attempt");
            output::line(format_args!(
                "{id}  {time:.0}  {route}  tier {tier} ({who})  {reason}  {}  {attempts}",
                outcome.status
            ))?;
        }
        Ok(())
    }

    fn of_file(&self, file: &Path) -> anyhow::Result<Vec<Decision>> {
        let mut records = read(file)?;
        records.retain(|it| self.route.as_ref().is_none_or(|route| it.route == *route));
        records.sort_by_key(|it| std::cmp::Reverse(it.time));
        records.truncate(usize::from(self.last));
        Ok(records)
    }

    fn of_gateway(&self) -> anyhow::Result<Vec<Decision>> {
        let route = self.route.as_ref().map(|route| format!("&route={}", encoded(route))).unwrap_or_default();
        let (status, body) = self.place.ask(&format!("/api/v1/decisions?last={}{route}", self.last))?;
        if status != 200 {
            bail!("cannot list decisions: {} answered {status}", self.place.named());
        }
        let told: Told = serde_json::from_slice(&body).context("cannot read what the gateway tells")?;
        Ok(told.decisions)
    }
}

impl One {
    fn run(self, render: impl FnOnce(&Decision, bool) -> anyhow::Result<String>) -> anyhow::Result<ExitCode> {
        let found = match &self.place.log {
            Some(file) => read(file)?.into_iter().rfind(|it| it.id == self.id),
            None => self.of_gateway()?,
        };
        let Some(record) = found else {
            output::note(format_args!("there is no decision {} {}", self.id, self.place.words()));
            return Ok(ExitCode::from(1));
        };
        output::whoever_reads(output::text(render(&record, self.json)?))?;
        Ok(ExitCode::SUCCESS)
    }

    fn of_gateway(&self) -> anyhow::Result<Option<Decision>> {
        let (status, body) = self.place.ask(&format!("/api/v1/decisions/{}", encoded(&self.id)))?;
        match status {
            200 => Ok(Some(serde_json::from_slice(&body).context("cannot read what the gateway tells")?)),
            404 => Ok(None),
            status => bail!("cannot show a decision: {} answered {status}", self.place.named()),
        }
    }
}

impl Place {
    fn ask(&self, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let at = match &self.config {
            Some(config) => format!("http://{}", super::status::admin(config)?),
            None => self.url.trim_end_matches('/').to_owned(),
        };
        runtime()?
            .block_on(look(&format!("{at}{path}")))
            .with_context(|| format!("cannot ask {at}; `--url` names another gateway"))
    }

    /// Names the gateway that is asked.
    fn named(&self) -> String {
        self.config.as_ref().map_or_else(|| self.url.clone(), |it| format!("the gateway of {}", it.display()))
    }

    fn words(&self) -> String {
        match &self.log {
            Some(file) => format!("in {}", file.display()),
            None => format!("among the last ones of {}", self.named()),
        }
    }
}

/// Reads the records of a file.
fn read(file: &Path) -> anyhow::Result<Vec<Decision>> {
    let name = || format!("cannot read {}", file.display());
    let mut lines = BufReader::new(File::open(file).with_context(name)?);
    let mut records = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = std::io::Read::take(&mut lines, LINE).read_until(b'\n', &mut line).with_context(name)?;
        if read == 0 {
            return Ok(records);
        }
        records.extend(serde_json::from_slice::<Decision>(&line).ok());
    }
}

/// Writes a name as a part of an address.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes().map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") }).collect()
}
