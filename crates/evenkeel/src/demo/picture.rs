//! The live picture: tiers, shares, the current reason and a bar to the end; plain lines where there is no terminal.

use std::{io::IsTerminal, net::SocketAddr, sync::Arc, time::Duration};

use evenkeel_gateway::Gateway;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use tokio::time::{Instant, interval};

use super::summary::Tally;
use crate::output;

/// Returns what a reader needs for the picture, and where to ask while it lasts.
pub(super) fn legend(gateway: SocketAddr) -> String {
    let marks = "x cut off, ? being tried, / getting its traffic back; % of the last 1,000 answers of the route";
    let ask = "curl -s http://";
    format!("tiers: {marks}\nmeanwhile: {ask}{gateway}/v1/status, {ask}{gateway}/v1/routes/support-chat/state")
}

/// Draws until it is stopped.
pub(super) async fn draw(gateway: Gateway, tally: Arc<Mutex<Tally>>, length: Duration) {
    match std::io::stderr().is_terminal() {
        true => live(&gateway, &tally, length).await,
        false => lines(&gateway, &tally).await,
    }
}

async fn lines(gateway: &Gateway, tally: &Mutex<Tally>) {
    let (start, mut ticks) = (Instant::now(), interval(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        for line in describe(gateway, tally) {
            output::note(format_args!("{:>3} s  {line}", start.elapsed().as_secs()));
        }
    }
}

async fn live(gateway: &Gateway, tally: &Mutex<Tally>, length: Duration) {
    let screen = MultiProgress::new();
    let plain = ProgressStyle::with_template("{msg}").expect("a fixed template");
    let texts: Vec<ProgressBar> = describe(gateway, tally)
        .iter()
        .map(|_| screen.add(ProgressBar::new_spinner().with_style(plain.clone())))
        .collect();
    let whole = ProgressStyle::with_template("{bar:50} {elapsed} of {msg}").expect("a fixed template");
    let bar = screen.add(ProgressBar::new(length.as_millis() as u64).with_style(whole));
    bar.set_message(format!("{} s", length.as_secs()));
    let (start, mut ticks) = (Instant::now(), interval(Duration::from_millis(200)));
    loop {
        ticks.tick().await;
        for (text, line) in texts.iter().zip(describe(gateway, tally)) {
            text.set_message(line);
        }
        bar.set_position(start.elapsed().as_millis() as u64);
    }
}

/// One line a route, and one of what is broken and what came of it.
fn describe(gateway: &Gateway, tally: &Mutex<Tally>) -> Vec<String> {
    let tally = tally.lock();
    let mut lines: Vec<String> = Vec::new();
    for route in gateway.status().routes {
        let Some(state) = gateway.route_state(&route.route) else { continue };
        let tiers: Vec<String> = state
            .tiers
            .iter()
            .map(|tier| {
                let mark = match tier.breaker.as_str() {
                    "open" => "x",
                    "half_open" => "?",
                    "ramp" => "/",
                    _ => " ",
                };
                format!("{} {}{mark} {:>3.0} %", tier.tier, tier.name, tier.share * 100.0)
            })
            .collect();
        lines.push(format!("{:<14} {:<10} [{}] {}", state.route, state.phase, tiers.join(" | "), state.reason));
    }
    let broken: Vec<String> = tally.broken.iter().map(|(tier, words)| format!("tier {tier} {words}")).collect();
    let summary = tally.summary();
    let failover = summary.failover_ms.max.map_or(String::new(), |max| format!(", fail-over within {max} ms"));
    let broken = if broken.is_empty() { "nothing".into() } else { broken.join(", ") };
    lines.push(format!(
        "broken: {broken}; {} requests, {} failed, {} truncated, {} late{failover}",
        summary.requests, summary.failed, summary.truncated, summary.late
    ));
    lines
}
