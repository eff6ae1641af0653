//! `evenkeel simulate SCENARIO…`: the core in a modelled world, held to its rules at every event.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use evenkeel_config::{Deployment, Diagnostic, load_file};
use evenkeel_sim::{Report, Scenario, Seeds, Sweep, compare, play, sweep};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::counted;
use crate::output;

/// Failing seeds of a scenario that are printed; `--json` has all.
const TOLD: usize = 5;

/// Plays scenarios of clients, servers and faults around the same core, and holds it to its rules.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Scenarios, such as scenarios/primary-dies.yaml.
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// The configuration to run them under, in place of their own.
    #[arg(long, value_name = "CONFIG")]
    config: Option<PathBuf>,
    /// Two configurations to put side by side, in place of their own.
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "config")]
    compare: Option<Vec<PathBuf>>,
    /// How many seeds to try for each scenario. With more than one, a line for each scenario is printed, not its report.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lets only so many requests arrive, to see again which rule a failing seed broke; expectations are not judged then.
    #[arg(long, conflicts_with_all = ["seeds", "compare"])]
    requests: Option<u64>,
    /// Threads; by default as many as there are cores.
    #[arg(long)]
    threads: Option<usize>,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let holds = match (&self.compare, self.seeds) {
            (Some(configs), _) => self.compare(&[configs[0].clone(), configs[1].clone()])?,
            (None, 1) => self.play()?,
            (None, _) => self.sweep()?,
        };
        Ok(ExitCode::from(u8::from(!holds)))
    }

    /// Plays each scenario once and prints its report.
    fn play(&self) -> anyhow::Result<bool> {
        let scenarios = self.load(self.config.as_ref())?;
        let reports: Vec<Report> = scenarios.iter().map(|it| play(it, self.seed, self.requests)).collect();
        output::whoever_reads(if self.json {
            output::line(json!({"runs": reports.iter().map(Report::to_json).collect::<Vec<_>>()}))
        } else {
            let reports: Vec<String> = reports.iter().map(ToString::to_string).collect();
            output::text(reports.join("\n"))
        })?;
        Ok(reports.iter().all(Report::holds))
    }

    /// Plays each scenario with many seeds and prints a line for each, with the commands of those that fail.
    fn sweep(&self) -> anyhow::Result<bool> {
        let scenarios = self.load(self.config.as_ref())?;
        let bar = self.bar(scenarios.len());
        if !self.json {
            bar.suspend(|| output::line(Sweep::head()))?;
        }
        let mut sweeps = Vec::new();
        for scenario in &scenarios {
            let sweep = sweep(scenario, self.seeds(), &|| bar.inc(1));
            if !self.json {
                bar.suspend(|| told(&sweep))?;
            }
            sweeps.push(sweep);
        }
        bar.finish_and_clear();
        let requests: u64 = sweeps.iter().map(Sweep::requests).sum();
        let (seeds, took) = (sweeps.iter().map(|it| it.seeds).sum::<u64>(), bar.elapsed().as_secs_f64());
        let holds = sweeps.iter().all(Sweep::holds);
        output::whoever_reads(if self.json {
            output::line(json!({"holds": holds, "sweeps": sweeps.iter().map(Sweep::to_json).collect::<Vec<_>>()}))
        } else {
            let words = if holds { "every rule and every expectation holds" } else { "something does not hold" };
            let seeds = counted(seeds as usize, "seed");
            output::line(format_args!("{seeds}, {requests} requests in {took:.1} s: {words}\n{}", Sweep::legend()))
        })?;
        Ok(holds)
    }

    /// Plays each scenario under two configurations and prints them side by side.
    fn compare(&self, configs: &[PathBuf; 2]) -> anyhow::Result<bool> {
        let [a, b] = configs.each_ref().map(|config| self.load(Some(config)));
        let (a, b) = (a?, b?);
        let bar = self.bar(2 * a.len());
        let pairs: Vec<[Sweep; 2]> =
            a.iter().zip(&b).map(|(a, b)| [a, b].map(|it| sweep(it, self.seeds(), &|| bar.inc(1)))).collect();
        bar.finish_and_clear();
        let names = configs.each_ref().map(|it| it.display().to_string());
        output::whoever_reads(if self.json {
            let pairs: Vec<_> = pairs.iter().map(|[a, b]| json!({"a": a.to_json(), "b": b.to_json()})).collect();
            output::line(json!({"a": names[0], "b": names[1], "scenarios": pairs}))
        } else {
            let tables: Vec<_> = pairs.iter().map(|[a, b]| compare([&names[0], &names[1]], [a, b])).collect();
            output::text(tables.join("\n"))
        })?;
        Ok(pairs.iter().flatten().all(Sweep::holds))
    }

    /// Reads every scenario; everything that is wrong with any of them is printed.
    fn load(&self, config: Option<&PathBuf>) -> anyhow::Result<Vec<Scenario>> {
        let deployment = config.map(|config| read(config)).transpose()?;
        let read = self.scenarios.iter().map(|path| Scenario::load(path, deployment.as_deref()));
        let (mut scenarios, mut wrong) = (Vec::new(), Vec::new());
        for it in read {
            it.map_or_else(|found| wrong.extend(found), |scenario| scenarios.push(scenario));
        }
        let under = config.map(|config| config.display().to_string());
        scenarios.iter_mut().for_each(|it| it.config.clone_from(&under));
        match wrong.len() {
            0 => Ok(scenarios),
            errors => {
                say(&wrong);
                anyhow::bail!("cannot simulate: {}", counted(errors, "error"))
            }
        }
    }

    fn seeds(&self) -> Seeds {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Seeds { first: self.seed, count: self.seeds, threads: self.threads.unwrap_or(cores) }
    }

    /// A bar on a terminal, nothing elsewhere: there the lines of the scenarios say how far it is.
    fn bar(&self, runs: usize) -> ProgressBar {
        let bar = if self.json { ProgressBar::hidden() } else { ProgressBar::new(runs as u64 * self.seeds) };
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} runs, {per_sec}, {eta} left");
        bar.set_style(style.expect("the template is right"));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// Prints a sweep, and how to see again what failed.
fn told(sweep: &Sweep) -> anyhow::Result<()> {
    output::line(sweep)?;
    for failure in sweep.failures.iter().take(TOLD) {
        let (seed, what) = (failure.seed, failure.what.join("; "));
        output::line(format_args!("  seed {seed}: {what}\n    {}", failure.command))?;
    }
    match sweep.failures.len().checked_sub(TOLD) {
        Some(more @ 1..) => output::line(format_args!("  and {more} more")),
        _ => Ok(()),
    }
}

fn read(config: &Path) -> anyhow::Result<Arc<Deployment>> {
    let loaded = load_file(config);
    say(&loaded.diagnostics);
    let errors = counted(loaded.errors(), "error");
    loaded.deployment.ok_or_else(|| anyhow::anyhow!("cannot simulate under {}: {errors}", config.display()))
}

fn say(diagnostics: &[Diagnostic]) {
    diagnostics.iter().for_each(output::note);
}
