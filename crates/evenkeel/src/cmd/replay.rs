//! `evenkeel replay LOG`: everything that entered the core of a gateway, once more, and whether the same follows.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use evenkeel_api::{Quality, TierQuality};
use evenkeel_config::{Deployment, load_file};
use evenkeel_core::Followed;
use evenkeel_sim::{Difference, End, Given, Log, Missing, Place, Process, Replayed, Right, replay, what_if};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::counted;
use crate::output;

/// Outputs of a difference that are printed; `--json` has all.
const TOLD: usize = 12;

/// Makes every decision of a log again, and compares bit for bit.
///
/// A gateway writes down everything that enters its core, where `decisions.inputs` keeps that. With --config it says what would
/// have become of the same requests under another configuration. Exit code 0: identical; 1: something differs, is damaged, or was
/// decided by other rules; 2: it cannot be read.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The log: a folder of segments (*.ekin), one above it, or one segment.
    log: PathBuf,
    /// Says what would have been under this configuration.
    #[arg(short, long, value_name = "NEW")]
    config: Option<PathBuf>,
    /// The seed of estimates.
    #[arg(long, default_value_t = 1, requires = "config")]
    seed: u64,
    /// What a thousand tokens of a path cost, or a thousand KiB of inferences, in a unit that all share; a path without one stays without.
    #[arg(long, value_name = "ROUTE/TIER=NUMBER", requires = "config")]
    price: Vec<Price>,
    /// How often tiers are right: a file of what `GET /api/v1/quality` of a gateway says.
    #[arg(long, value_name = "FILE", requires = "config")]
    quality: Option<PathBuf>,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (log, given) = (Log::open(&self.log)?, self.given()?);
        let bar = self.bar(log.bytes());
        let mut progress = |bytes| bar.set_position(bytes);
        let (replayed, asked) = match &self.config {
            None => (replay(&log, &mut progress)?, None),
            Some(config) => {
                let revision = Arc::new((*read(config)?.revision).clone());
                let asked = what_if(&log, &revision, self.seed, &mut progress)?;
                (asked.replayed.clone(), Some(asked))
            }
        };
        bar.finish_and_clear();
        let (identical, took) = (replayed.is_identical(), bar.elapsed().max(Duration::from_millis(1)));
        let per_second = (replayed.decisions() as f64 / took.as_secs_f64()) as u64;
        output::whoever_reads(if self.json {
            let missing: Vec<Value> =
                replayed.missing.iter().map(|it| json!({"at": place_json(&it.place), "what": it.what})).collect();
            let processes: Vec<Value> = replayed.processes.iter().map(process_json).collect();
            output::line(json!({
                "identical": identical, "processes": processes, "missing": missing, "segments": log.segments(), "bytes": log.bytes(),
                "records": replayed.records(), "decisions": replayed.decisions(), "decisions_per_second": per_second,
                "what_if": asked.as_ref().map(|it| it.to_json(&given)),
            }))
        } else {
            output::text(text(&log, &replayed)).and_then(|()| match &asked {
                Some(asked) => output::text(asked.told(&given)),
                None => output::line(format_args!(
                    "{} made again in {:.1} s, {per_second} a second: {}",
                    counted(replayed.decisions() as usize, "decision"),
                    took.as_secs_f64(),
                    verdict(&replayed)
                )),
            })
        })?;
        let broken = asked.is_some_and(|it| it.broken);
        Ok(ExitCode::from(u8::from(!identical || broken)))
    }

    /// Returns what is known beside the log.
    fn given(&self) -> anyhow::Result<Given> {
        let prices = self.price.iter().map(|it| (it.of.clone(), it.price)).collect();
        let Some(file) = &self.quality else { return Ok(Given { prices, right: BTreeMap::new() }) };
        let of = || format!("cannot read {} as what GET /api/v1/quality says", file.display());
        let text = std::fs::read_to_string(file).with_context(of)?;
        let quality: Quality = serde_json::from_str(&text).with_context(of)?;
        let tiers =
            quality.routes.iter().flat_map(|route| route.tiers.iter().map(move |tier| (route.route.clone(), tier)));
        let right = tiers.filter_map(|(route, tier)| Some(((route, tier.name.clone()), known(tier)?)));
        Ok(Given { prices, right: right.collect() })
    }

    /// A bar on a terminal, nothing elsewhere.
    fn bar(&self, bytes: u64) -> ProgressBar {
        let bar = if self.json { ProgressBar::hidden() } else { ProgressBar::new(bytes) };
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left");
        bar.set_style(style.expect("the template is right"));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// A path with its price.
#[derive(Clone, Debug)]
struct Price {
    of: String,
    price: f64,
}

impl FromStr for Price {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected ROUTE/TIER=NUMBER, such as chat/primary=0.5";
        let (of, price) = text.rsplit_once('=').filter(|(of, _)| of.contains('/')).ok_or(expected)?;
        let price = price.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0).ok_or(expected)?;
        Ok(Self { of: of.into(), price })
    }
}

/// Returns what is known best of how often a tier is right: on all requests of its route, then on its own by labels, then by
/// confidences alone.
fn known(tier: &TierQuality) -> Option<Right> {
    let TierQuality { copies, powered, delayed, accuracy, label_free, .. } = tier;
    let figure = [copies, powered, delayed, accuracy, label_free].into_iter().flatten().next()?;
    let evenkeel_api::Figure { value, low, high, n, method, .. } = figure;
    Some(Right { value: *value, low: *low, high: *high, n: *n, method: method.clone() })
}

fn read(config: &Path) -> anyhow::Result<Arc<Deployment>> {
    let loaded = load_file(config);
    loaded.diagnostics.iter().for_each(output::note);
    let errors = counted(loaded.errors(), "error");
    loaded.deployment.ok_or_else(|| anyhow::anyhow!("cannot replay under {}: {errors}", config.display()))
}

fn text(log: &Log, replayed: &Replayed) -> String {
    let processes = match replayed.processes.len() {
        1 => "1 process".to_owned(),
        many => format!("{many} processes"),
    };
    let mut text = format!("{}, {} bytes, {processes}\n", counted(log.segments(), "segment"), log.bytes());
    for process in &replayed.processes {
        let (records, decisions) =
            (counted(process.records as usize, "record"), counted(process.decisions as usize, "decision"));
        let span = process.span_ms.filter(|_| process.records > 0);
        let span = span.map_or(String::new(), |(from, to)| format!("{} to {}, ", wall(from), wall(to)));
        text += &format!("process of record {}: {span}{records}, {decisions}\n", process.first);
        if process.lost > 0 {
            text += &format!(
                "  {} lost to a panic and started anew, now as then\n",
                counted(process.lost as usize, "core")
            );
        }
        text += &match (&process.end, process.records) {
            (End::Untold, 0) => "  nothing of it was written\n".into(),
            (end, _) => format!("  {}\n", words(end)),
        };
    }
    for Missing { place, what } in &replayed.missing {
        text += &format!("MISSING before {}: {what}\n", place.file);
    }
    text
}

fn verdict(replayed: &Replayed) -> &'static str {
    match (replayed.is_identical(), replayed.records()) {
        (true, _) => "IDENTICAL",
        (false, 0) => "NOTHING WAS COMPARED",
        (false, _) => "NOT IDENTICAL",
    }
}

fn words(end: &End) -> String {
    let at = |Place { file, byte, record }: &Place| format!("record {record}, in the block at byte {byte} of {file}");
    match end {
        End::Told(ending) => format!("identical to its end ({})", ending.name()),
        End::Untold => {
            "identical as far as it goes; it does not say that it ends: the process was killed, or still runs".into()
        }
        End::Torn { place, bytes } => {
            let bytes = counted(*bytes, "byte");
            format!(
                "identical as far as it goes; its tail is torn: the process was killed while it wrote, and {bytes} from {} are left out",
                at(place)
            )
        }
        End::Damaged { place, what } => format!("DAMAGED at {}: {what}; nothing after it is replayed", at(place)),
        End::Foreign { core, what } => format!("NOT REPLAYED: {what} (written by version {core})"),
        End::Differs(it) => differs(it, &at(&it.place)),
    }
}

fn differs(it: &Difference, at: &str) -> String {
    let Difference { wall_ms, decision, input, then, now, outputs, .. } = it;
    let of = decision.as_ref().map_or(String::new(), |it| format!(", decision {it}"));
    let followed = |it: &Followed| format!("{} with hash {:#018x}", counted(it.outputs as usize, "output"), it.hash);
    let mut text = format!("DIFFERS at {at}, {}{of}\n", wall(*wall_ms));
    text += &format!("    {input}\n    then: {}\n    now:  {}", followed(then), followed(now));
    for line in outputs.iter().take(TOLD) {
        text += &format!("\n          {line}");
    }
    if let Some(more @ 1..) = outputs.len().checked_sub(TOLD) {
        text += &format!("\n          and {more} more");
    }
    text
}

fn wall(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or_else(|| "a time beyond all times".into(), |at| format!("{at:.3}"))
}

fn place_json(Place { file, byte, record }: &Place) -> Value {
    json!({"file": file, "byte": byte, "record": record})
}

fn process_json(process: &Process) -> Value {
    let Process { first, records, decisions, lost, span_ms, end } = process;
    let place = place_json;
    let span = span_ms.map_or(Value::Null, |(from, to)| json!([wall(from), wall(to)]));
    let end = match end {
        End::Told(ending) => json!({"is": "identical", "ended": ending.name()}),
        End::Untold => json!({"is": "identical", "ended": null}),
        End::Torn { place: at, bytes } => {
            json!({"is": "identical", "ended": null, "torn": place(at), "left_out_bytes": bytes})
        }
        End::Damaged { place: at, what } => json!({"is": "damaged", "at": place(at), "what": what}),
        End::Foreign { core, what } => json!({"is": "not_replayed", "what": what, "written_by": core}),
        End::Differs(it) => {
            let followed = |it: &Followed| json!({"outputs": it.outputs, "hash": format!("{:#018x}", it.hash)});
            json!({
                "is": "different", "at": place(&it.place), "time": wall(it.wall_ms), "decision": it.decision, "input": it.input,
                "then": followed(&it.then), "now": followed(&it.now), "outputs": it.outputs,
            })
        }
    };
    json!({
        "first": first, "records": records, "decisions": decisions, "cores_lost": lost, "from": span[0], "to": span[1],
        "end": end,
    })
}

#[cfg(test)]
mod tests;
