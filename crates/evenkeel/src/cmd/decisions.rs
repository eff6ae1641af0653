//! `evenkeel decisions`: the records of requests, as a running gateway tells them, its store, or a file of them.

mod source;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use evenkeel_api::{Told, evidence::DecisionLine};
use evenkeel_control::store::Wanted;
use serde_json::json;

use self::source::Source;
use super::counted;
use crate::output;

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
    /// Prints the record of a decision in JSON, or the line that was kept of it. Exit code 1: it is not there.
    Show(One),
    /// Says in words, step by step, why this tier answered, and what was done to its answer. Exit code 1: it is not there.
    Explain(One),
}

#[derive(Debug, Args)]
struct List {
    /// Decisions of this route alone.
    #[arg(long)]
    route: Option<String>,
    /// Those that this tier answered, by its number.
    #[arg(long)]
    tier: Option<u8>,
    /// Those with this reason, such as UPSTREAM_5XX.
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Those that ended then or later, such as 2026-11-23T08:51:07Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Those that ended before.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Those that another tier than the first answered.
    #[arg(long)]
    degraded: bool,
    /// Those with this status of HTTP.
    #[arg(long)]
    status: Option<u16>,
    /// Those that follow a list that was cut, as its last line says.
    #[arg(long, value_name = "NEXT")]
    before: Option<String>,
    /// How many, at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    last: u16,
    /// Prints records in JSON, one a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Args)]
struct One {
    /// The decision, as the header `evenkeel-decision` names it.
    id: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

impl Decisions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::List(list) => list.run(),
            Verb::Show(one) => one.run(|told, _| Ok(serde_json::to_string_pretty(told)? + "\n")),
            Verb::Explain(one) => one.run(|told, json| {
                let explained = told.explain();
                if !json {
                    return Ok(explained.to_string());
                }
                let section = |it: &evenkeel_api::Section| json!({"title": it.title, "lines": it.lines});
                let sections: Vec<_> = explained.sections.iter().map(section).collect();
                Ok(format!("{}\n", json!({"decision": told.id(), "sections": sections})))
            }),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let query = self.query();
        let pairs = query.iter().map(|(key, value)| (*key, value.as_str()));
        let wanted = Wanted::read(pairs).map_err(|why| anyhow::anyhow!("cannot list decisions: {why}"))?;
        let found = self.source.list(&wanted, &query)?;
        if found.decisions.is_empty() && !self.json {
            output::note("there is no such decision");
        }
        output::whoever_reads(self.print(&found.decisions))?;
        found.incomplete.iter().for_each(|why| output::note(format_args!("there may be more: {why}")));
        found.next.iter().for_each(|next| output::note(format_args!("older ones: --before {next}")));
        Ok(ExitCode::from(u8::from(found.decisions.is_empty())))
    }

    /// Returns what is wanted, as the query of an address has it.
    fn query(&self) -> Vec<(&'static str, String)> {
        let text = |it: &Option<String>| it.clone();
        let all = [
            ("last", Some(self.last.to_string())),
            ("route", text(&self.route)),
            ("tier", self.tier.map(|it| it.to_string())),
            ("reason", text(&self.reason)),
            ("from", text(&self.from)),
            ("to", text(&self.to)),
            ("degraded", self.degraded.then(|| "true".into())),
            ("status", self.status.map(|it| it.to_string())),
            ("before", text(&self.before)),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    fn print(&self, all: &[Told]) -> anyhow::Result<()> {
        for told in all {
            if self.json {
                output::line(serde_json::to_string(told)?)?;
                continue;
            }
            let line = told.line();
            let tier = line.tier.map_or("-".into(), |tier| tier.to_string());
            // A line has no name of a path: its kind is the next best.
            let who = match told {
                Told::Whole(record) => record.outcome.path.as_ref(),
                Told::Line(line) => line.method.as_ref(),
            };
            let who = who.map_or("-", String::as_str);
            let attempts = counted(line.attempts as usize, "attempt");
            let DecisionLine { id, time, route, reason, status, .. } = &line;
            output::line(format_args!(
                "{id}  {time:.0}  {route}  tier {tier} ({who})  {reason}  {status}  {attempts}"
            ))?;
        }
        Ok(())
    }
}

impl One {
    fn run(self, render: impl FnOnce(&Told, bool) -> anyhow::Result<String>) -> anyhow::Result<ExitCode> {
        let Some(told) = self.source.find(&self.id)? else {
            output::note(format_args!("there is no decision {} {}", self.id, self.source.words()));
            return Ok(ExitCode::from(1));
        };
        output::whoever_reads(output::text(render(&told, self.json)?))?;
        Ok(ExitCode::SUCCESS)
    }
}
