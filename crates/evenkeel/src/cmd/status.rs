//! `evenkeel status`: how the routes and tiers of a running gateway stand, in words.

mod drift;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use evenkeel_api::{Certificate, Figure, Forecast, RouteState, Standing, TierQuality, TierState};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::{output, wire};

/// How long the gateway may take to say how it stands.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says how the routes and tiers of a running gateway stand, and which of its tiers count as redundancy.
///
/// A tier counts that is certain, or that has answered well lately, a request or a copy of one (`shadow`, `rehearsal`), and that
/// a request may be started on now.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// The configuration that it runs, whose `server.admin` is asked.
    #[arg(short, long, default_value = "evenkeel.yaml")]
    config: PathBuf,
    /// The admin plane, in place of the one that the configuration names: http://HOST:PORT.
    #[arg(long, conflicts_with = "config")]
    url: Option<String>,
    /// Prints `{status, routes: […]}` instead of text.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let url = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", admin(&self.config)?),
        };
        let body = super::runtime()?.block_on(get(&format!("{url}/api/v1/standing")));
        let body = body.with_context(|| format!("cannot ask {url}"))?;
        let standing: Standing = serde_json::from_slice(&body).context("cannot read the answer")?;
        let printed = match self.json {
            true => output::line(String::from_utf8_lossy(&body)),
            false => tell(&standing),
        };
        output::whoever_reads(printed)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the address of the admin plane, as a configuration says.
///
/// # Errors
/// It cannot be read.
pub(super) fn admin(config: &Path) -> anyhow::Result<String> {
    let file = config.display();
    let loaded = wire::read(config);
    let deployment = loaded.deployment.with_context(|| format!("cannot read {file}; `--url` names the admin plane"))?;
    Ok(deployment.server.admin.clone())
}

async fn get(url: &str) -> anyhow::Result<Bytes> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let asking = tokio::time::timeout(PATIENCE, client.get(url.parse()?));
    let response = asking.await.context("no answer in 10 s")??;
    let status = response.status();
    anyhow::ensure!(status == 200, "it answers {status}, as nothing that serves Evenkeel's admin plane does");
    Ok(response.into_body().collect().await?.to_bytes())
}

fn tell(standing: &Standing) -> anyhow::Result<()> {
    for (at, route) in standing.routes.iter().enumerate() {
        if at > 0 {
            output::line("")?;
        }
        output::text(told(route))?;
    }
    Ok(())
}

/// Writes how one route stands.
fn told(route: &RouteState) -> String {
    let start = route.tier.and_then(|tier| route.tiers.get(usize::from(tier)));
    let from = start.map_or("no tier is left".into(), |tier| format!("starts at tier {} ({})", tier.tier, tier.name));
    let mut text = format!("{}: {}, {from}, {} since {}\n", route.route, route.phase, route.reason, route.since);
    for tier in &route.tiers {
        let TierState { tier: number, name, method, breaker, .. } = tier;
        let mut line = format!("  {number} {name:<16} {method:<10} {breaker:<9} {}", exercised(tier));
        if let Some(why) = why_not(tier).filter(|_| *number > 0) {
            line = format!("{line}; does not count as redundancy: {why}");
        }
        text += &format!("{line}\n");
        if let Some(quality) = &tier.quality {
            text += &format!("    {}\n", quality_in_words(quality));
        }
    }
    if let Some(forecast) = route.forecast.as_ref().filter(|it| it.warns) {
        text += &format!("  {}\n", forecast_in_words(forecast));
    }
    text += &route.drift.as_ref().map(drift::told).unwrap_or_default();
    let below = route.tiers.get(1..).unwrap_or_default();
    let counts = below.iter().filter(|tier| tier.redundancy == "counts").count();
    text += &route.certificate.as_ref().map(promised).unwrap_or_default();
    text + &format!("  redundancy: {counts} of {} below tier 0\n", super::counted(below.len(), "tier"))
}

/// Writes what is promised of the thresholds of a route, and whether that holds.
fn promised(it: &Certificate) -> String {
    let Certificate { standing, until, epsilon, against, delta, at_least, .. } = it;
    let tested = format!(", tested on {} in service", super::counted(it.tested as usize, "row"));
    let tested = Some(tested).filter(|_| it.tested > 0).unwrap_or_default();
    let standing = match (standing.as_str(), &it.because, it.since) {
        ("void", Some(why), Some(since)) => format!("void since {since}: {why}"),
        ("void", Some(why), None) => format!("void: {why}"),
        ("expired", ..) => format!("expired since {until}"),
        (other, ..) => format!("{other} until {until}{tested}"),
    };
    let stepped = match (it.steps, it.stepped_to) {
        (0, _) => String::new(),
        (steps, Some(least)) => format!("; {} back, from {least} on", super::counted(steps.into(), "step")),
        (_, None) => format!("; {against} answers alone"),
    };
    format!(
        "  certificate: from {at_least} on, wrong at most {epsilon} more often than {against}, but for a chance of {delta}; {standing}{stepped}\n"
    )
}

fn exercised(tier: &TierState) -> String {
    match tier.last_exercised {
        Some(at) => format!("last exercised {at}"),
        None if tier.redundancy == "counts" => "certain".into(),
        None => "not exercised".into(),
    }
}

/// Says how often a tier is right: by labels, else by confidences with what they take for granted.
fn quality_in_words(it: &TierQuality) -> String {
    let Some(right) = &it.accuracy else {
        let unknown = it.note.clone().unwrap_or_else(|| "not enough data".into());
        return match (&it.label_free, it.withdrawn) {
            (Some(guess), _) => {
                let Figure { value, n, as_of, assumption, .. } = guess;
                let recent = it.label_free_recent.as_ref();
                let recent = recent.map(|it| format!(", of the last {} {:.3}", it.n, it.value)).unwrap_or_default();
                format!("{unknown}; by confidence {value:.3}, n = {n}{recent}, as of {as_of}, {assumption}")
            }
            (None, Some(since)) => format!("{unknown}; by confidence withdrawn: labels disagree since {since}"),
            (None, None) => unknown,
        };
    };
    let Figure { value, low, high, n, as_of, .. } = right;
    let mut text = format!("accuracy {value:.3}, between {low:.3} and {high:.3}, n = {n}, as of {as_of}");
    if let (Some([least, most]), Some(awaited @ 1..)) = (it.bounds, it.rows.checked_sub(it.labels)) {
        let awaited = super::counted(usize::try_from(awaited).unwrap_or(usize::MAX), "label");
        text += &format!("; {awaited} awaited, with them between {least:.3} and {most:.3}");
    }
    text
}

fn forecast_in_words(it: &Forecast) -> String {
    let Forecast { probability, within_s, because, .. } = it;
    format!("likely to fall back within {} min: {probability:.1}, because {because}", within_s / 60)
}

/// Says why a tier does not count; none where it does.
fn why_not(tier: &TierState) -> Option<String> {
    match (tier.redundancy.as_str(), &tier.gate) {
        ("counts", _) => None,
        ("barred", Some(gate)) => Some(format!("closed until {} ({})", gate.until, gate.reason)),
        ("barred", None) if !tier.readiness.is_empty() && tier.readiness.iter().all(|it| it == "out") => {
            Some("all its replicas are out".into())
        }
        ("barred", None) => Some(format!("its breaker is {}", tier.breaker)),
        ("unproven", _) => Some("it has not answered well since this process has it".into()),
        ("stale", _) => Some("its last good answer is older than `rehearsal`".into()),
        (other, _) => Some(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn tier(number: u8, redundancy: &str, breaker: &str, exercised: Value) -> Value {
        json!({
            "tier": number, "name": format!("t{number}"), "method": "distilled", "breaker": breaker, "operations": {},
            "gate": null, "share": 0.0, "eligible": true, "readiness": [], "last_exercised": exercised,
            "redundancy": redundancy,
        })
    }

    #[test]
    fn a_certificate_is_told_with_its_standing_never_as_a_bare_yes() {
        let certificate = |standing: &str, because: Value| -> Certificate {
            let it = json!({
                "certificate": "sha256:0", "standing": standing, "until": "2026-01-01T00:00:00Z", "because": because,
                "epsilon": 0.01, "against": "large", "delta": 0.05, "at_least": 0.9, "n": 2000,
            });
            serde_json::from_value(it).expect("a certificate")
        };
        let start = "  certificate: from 0.9 on, wrong at most 0.01 more often than large, but for a chance of 0.05; ";
        for (it, end) in [
            (certificate("valid", Value::Null), "valid until 2026-01-01T00:00:00Z\n"),
            (certificate("expired", Value::Null), "expired since 2026-01-01T00:00:00Z\n"),
            (certificate("void", json!("another model")), "void: another model\n"),
        ] {
            assert_eq!(promised(&it), format!("{start}{end}"));
        }
        let tested = Certificate { tested: 1, ..certificate("valid", Value::Null) };
        assert_eq!(promised(&tested), format!("{start}valid until 2026-01-01T00:00:00Z, tested on 1 row in service\n"));
        let broken = certificate("void", json!("more is lost"));
        let broken = Certificate { since: Some(broken.until), tested: 1, ..broken };
        let void = "void since 2026-01-01T00:00:00Z: more is lost";
        assert_eq!(promised(&broken), format!("{start}{void}\n"));
        let stepped = Certificate { steps: 2, stepped_to: Some(0.95), ..broken.clone() };
        assert_eq!(promised(&stepped), format!("{start}{void}; 2 steps back, from 0.95 on\n"));
        let last = Certificate { steps: 3, ..broken };
        assert_eq!(promised(&last), format!("{start}{void}; large answers alone\n"));
    }

    #[test]
    fn what_is_known_of_quality_and_of_the_future_is_told_with_its_numbers() {
        let at = json!("2026-01-01T00:00:00Z");
        let figure = |value: f64, n: u64, method: &str| json!({"value": value, "low": value - 0.05, "high": value + 0.05, "n": n, "as_of": at, "method": method, "assumption": "true if so"});
        let with = |number: u8, quality: Value| {
            let mut tier = tier(number, "counts", "closed", at.clone());
            tier["quality"] = quality;
            tier
        };
        let mut route = json!({
            "route": "score", "phase": "normal", "tier": 0, "method": "primary", "degraded": false,
            "reason": "PRIMARY_HEALTHY", "since": at, "revision": "r", "tiers": [
                with(0, json!({"tier": 0, "name": "t0", "rows": 150, "labels": 120, "accuracy": figure(0.91, 120, "labels"), "bounds": [0.728, 0.928]})),
                with(1, json!({"tier": 1, "name": "t1", "rows": 3, "labels": 0, "note": "no labels: accuracy unknown"})),
                with(2, json!({"tier": 2, "name": "t2", "rows": 3, "labels": 0, "note": "no labels: accuracy unknown", "label_free": figure(0.8, 3000, "label_free"), "label_free_recent": figure(0.6, 1000, "label_free_recent")})),
            ],
            "forecast": {"probability": 0.84, "within_s": 300, "because": "p95 latency", "value": 180.0, "threshold": 200.0, "warns": true,
                "crosses_in_s": 120, "judged": 1000, "brier": 0.01, "skill": 0.6, "as_of": at},
        });
        let text = told(&serde_json::from_value(route.clone()).expect("a route"));
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(
            lines[2],
            "accuracy 0.910, between 0.860 and 0.960, n = 120, as of 2026-01-01T00:00:00Z; 30 labels awaited, with them between 0.728 and 0.928"
        );
        assert_eq!(lines[4], "no labels: accuracy unknown");
        assert_eq!(
            lines[6],
            "no labels: accuracy unknown; by confidence 0.800, n = 3000, of the last 1000 0.600, as of 2026-01-01T00:00:00Z, true if so"
        );
        assert_eq!(lines[7], "likely to fall back within 5 min: 0.8, because p95 latency");
        route["forecast"]["warns"] = false.into();
        let quiet = told(&serde_json::from_value(route).expect("a route"));
        assert!(!quiet.contains("likely"), "{quiet}");
    }

    #[test]
    fn f_153_what_counts_as_redundancy_is_told_and_why_the_rest_does_not() {
        let (at, never) = (json!("2026-01-01T00:00:00Z"), Value::Null);
        let mut route = json!({
            "route": "chat", "phase": "normal", "tier": 0, "method": "primary", "degraded": false,
            "reason": "PRIMARY_HEALTHY", "since": "2026-01-01T00:00:00Z", "revision": "r", "tiers": [
                tier(0, "unproven", "closed", never.clone()), tier(1, "barred", "open", at.clone()),
                tier(2, "unproven", "closed", never.clone()), tier(3, "stale", "closed", at.clone()),
                tier(4, "counts", "closed", at), tier(5, "counts", "closed", never),
            ],
        });
        let mut out = tier(6, "barred", "closed", json!("2026-01-01T00:00:00Z"));
        out["readiness"] = json!(["out", "out"]);
        route["tiers"].as_array_mut().expect("a list").push(out);
        let text = told(&serde_json::from_value(route).expect("a route"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "chat: normal, starts at tier 0 (t0), PRIMARY_HEALTHY since 2026-01-01T00:00:00Z");
        for (line, end) in [
            (1, "not exercised"),
            (2, "does not count as redundancy: its breaker is open"),
            (3, "not exercised; does not count as redundancy: it has not answered well since this process has it"),
            (4, "does not count as redundancy: its last good answer is older than `rehearsal`"),
            (5, "last exercised 2026-01-01T00:00:00Z"),
            (6, "certain"),
            (7, "does not count as redundancy: all its replicas are out"),
            (8, "redundancy: 2 of 6 tiers below tier 0"),
        ] {
            assert!(lines[line].ends_with(end), "{end}: {text}");
        }
    }
}
