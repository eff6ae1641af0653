//! Verdict: what a run came to, held against what its scenario expects.

use evenkeel_core::Nanos;

use super::{Tally, time};
use crate::scenario::Scenario;

/// Requests after the trouble, from which goodput is judged.
const ENOUGH: u64 = 20;

/// Returns what a whole run misses of what is expected.
pub(crate) fn verdict(scenario: &Scenario, tally: &Tally) -> Vec<String> {
    let (expect, counts) = (&scenario.expect, &tally.counts);
    let mut misses = Vec::new();
    let mut at_most = |key: &str, found: u64, most: Option<u64>, write: &dyn Fn(u64) -> String| {
        if let Some(most) = most.filter(|most| found > *most) {
            misses.push(format!("expect.{key}: {} is more than {}", write(found), write(most)));
        }
    };
    let number = |it: u64| it.to_string();
    at_most("failed", counts.failed(), expect.failed, &number);
    at_most("broken", counts.broken, expect.broken, &number);
    at_most("transitions", counts.transitions, expect.transitions, &number);
    at_most("tried_in_fault", tally.tried, expect.tried_in_fault, &number);
    at_most("refused_within", tally.slowest_refusal, expect.refused_within, &|it| time(it));
    let attempts = counts.remote * 1_000 / counts.requests.max(1);
    at_most("attempts_permille", attempts, expect.attempts_permille, &number);
    let tail = |it: &evenkeel_core::Route| counts.answers[it.tiers[0].path.index()].quantile(999).unwrap_or(0);
    at_most("p999", scenario.revision.routes.iter().map(tail).max().unwrap_or(0), expect.p999, &|it| time(it));
    let or_never = |it: u64| if it == Nanos::MAX { "never".into() } else { time(it) };
    at_most("back", tally.back.unwrap_or(Nanos::MAX), expect.back, &or_never);
    at_most("failover", tally.failover.unwrap_or(Nanos::MAX), expect.failover, &or_never);
    let first: u64 = scenario.revision.routes.iter().map(|it| counts.answers[it.tiers[0].path.index()].count()).sum();
    let least = expect.tier0_permille.unwrap_or(0);
    if first * 1_000 < least * counts.requests {
        misses.push(format!("expect.tier0: {first} of {} is less than {least} of 1000", counts.requests));
    }
    if let Some(least) = expect.carried.filter(|least| tally.carried < *least) {
        misses.push(format!("expect.carried: {} is less than {least}", tally.carried));
    }
    let (mended, broken) = (counts.mended, counts.mended + counts.broken);
    if let Some(least) = expect.mended_permille.filter(|least| mended * 1_000 < least * broken) {
        misses.push(format!("expect.mended: {mended} of {broken} streams that broke is less than {least} of 1000"));
    }
    misses.extend(restored(scenario, tally));
    misses
}

/// F-190: goodput is back at its share of what it was.
fn restored(scenario: &Scenario, tally: &Tally) -> Option<String> {
    let (before, after) = (tally.before, tally.after);
    if tally.trouble.is_none() || after.all < ENOUGH {
        return None;
    }
    // Nothing before the trouble counts as all of nothing.
    let before = if before.all == 0 { (1, 1) } else { (before.good, before.all) };
    let least = u128::from(scenario.expect.restored_permille);
    let short = u128::from(after.good) * u128::from(before.1) * 1_000 < least * u128::from(before.0 * after.all);
    short.then(|| {
        let (good, all) = (after.good, after.all);
        format!("expect.restored: tiers 0 answer {good} of {all} afterwards, {} of {} before", before.0, before.1)
    })
}
