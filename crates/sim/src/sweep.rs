//! Sweep: many seeds of many scenarios, on as many threads as there are, told in the order of the seeds.
//!
//! # Invariants
//! - `SWEEP-1`: what is told does not depend on the number of threads, nor on which was first.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use evenkeel_core::Nanos;

use crate::{
    report::{Counts, Failure, Report, Sweep, verdict},
    scenario::Scenario,
    world::{Outcome, Run, World},
};

/// Failing seeds of a scenario that are told.
const TOLD: usize = 20;

/// Which seeds, and how.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The first.
    pub first: u64,
    /// How many, one after the other.
    pub count: u64,
    /// Threads that run them.
    pub threads: usize,
}

/// Plays a scenario once, with the hash of its output log; with fewer `requests` than it has, it is judged by its rules alone.
pub fn play(scenario: &Scenario, seed: u64, requests: Option<u64>) -> Report {
    let outcome = World::play(scenario, Run { seed, requests, logged: true });
    let mut report = Report::new(scenario, outcome, requests.unwrap_or(scenario.requests));
    if !report.holds() {
        let fewer = arrived(scenario, &report.outcome).map(|requests| fewest(scenario, seed, requests));
        report.command = Some(command(scenario, seed, fewer));
    }
    report
}

/// What is kept of a run.
struct Kept {
    seed: u64,
    failover: Option<Nanos>,
    recovery: Option<Nanos>,
    failed: Option<(Vec<String>, Option<u64>)>,
}

/// Plays a scenario with many seeds; `progress` is called after each run.
pub fn sweep(scenario: &Scenario, seeds: Seeds, progress: &(dyn Fn() + Sync)) -> Sweep {
    let next = AtomicU64::new(0);
    let all: Mutex<(Vec<Kept>, Counts)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..seeds.threads.max(1) {
            scope.spawn(|| {
                let (mut kept, mut counts) = (Vec::new(), Counts::default());
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= seeds.count {
                        break;
                    }
                    let seed = seeds.first.wrapping_add(at);
                    let outcome = World::play(scenario, Run { seed, requests: None, logged: false });
                    counts.merge(&outcome.tally.counts);
                    kept.push(keep(scenario, &outcome));
                    progress();
                }
                let mut all = all.lock().expect("no thread panics while it holds this");
                all.0.append(&mut kept);
                all.1.merge(&counts);
            });
        }
    });
    let (mut kept, counts) = all.into_inner().expect("all threads are done");
    kept.sort_by_key(|it| it.seed.wrapping_sub(seeds.first));
    let sorted = |of: &dyn Fn(&Kept) -> Option<Nanos>| {
        let mut times: Vec<Nanos> = kept.iter().filter_map(of).collect();
        times.sort_unstable();
        times
    };
    let (failovers, recoveries) = (sorted(&|it| it.failover), sorted(&|it| it.recovery));
    let failed = kept.into_iter().filter_map(|it| it.failed.map(|failed| (it.seed, failed)));
    let failures = failed.enumerate().map(|(n, (seed, (what, requests)))| {
        let requests = requests.filter(|_| n < TOLD).map(|requests| fewest(scenario, seed, requests));
        Failure { seed, what, command: command(scenario, seed, requests) }
    });
    let failures = failures.collect();
    let revision = &scenario.revision;
    let path = |it: &evenkeel_core::Path| format!("{} {}", revision.routes[it.route.index()].name, it.name);
    let paths = revision.paths.iter().map(path).collect();
    Sweep { name: scenario.name.clone(), paths, seeds: seeds.count, counts, failovers, recoveries, failures }
}

fn keep(scenario: &Scenario, outcome: &Outcome) -> Kept {
    let tally = &outcome.tally;
    let what = match &outcome.violation {
        Some(violation) => vec![violation.to_string()],
        None => verdict(scenario, tally),
    };
    let failed = (!what.is_empty()).then(|| (what, arrived(scenario, outcome)));
    Kept { seed: outcome.seed, failover: tally.failover, recovery: tally.recovery(), failed }
}

/// Returns how many requests had arrived when a rule was broken, where that were not all.
fn arrived(scenario: &Scenario, outcome: &Outcome) -> Option<u64> {
    let arrived = outcome.tally.counts.arrived;
    (outcome.violation.is_some() && arrived < scenario.requests).then_some(arrived)
}

/// Returns the fewest requests with which a seed still breaks a rule: the first requests of a run are those of a shorter
/// one, so what has arrived when it breaks is enough, and often fewer are.
fn fewest(scenario: &Scenario, seed: u64, requests: u64) -> u64 {
    let breaks = |requests: u64| {
        let run = Run { seed, requests: Some(requests), logged: false };
        World::play(scenario, run).violation.is_some()
    };
    let (mut low, mut high) = (0, requests);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if breaks(middle) { high = middle } else { low = middle }
    }
    high
}

/// Returns the one command that plays a seed again.
fn command(scenario: &Scenario, seed: u64, requests: Option<u64>) -> String {
    let config = scenario.config.as_ref().map_or(String::new(), |config| format!(" --config {config}"));
    let requests = requests.map_or(String::new(), |requests| format!(" --requests {requests}"));
    format!("evenkeel simulate {}{config} --seed {seed}{requests}", scenario.file)
}
