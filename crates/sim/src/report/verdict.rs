//! Verdict: what a run came to, held against what its scenario expects.

use evenkeel_core::Nanos;

use super::{Tally, time};
use crate::scenario::Scenario;

/// Requests after the trouble, from which goodput is judged.
const ENOUGH: u64 = 20;
/// What is answered afterwards of what was answered before, by whichever tier, in permille (F-190). No scenario may ask for
/// less: what it may say (`expect.restored`) is how much of it tiers 0 answer.
const ANSWERED: u64 = 990;

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
    at_most("found", tally.found.unwrap_or(Nanos::MAX), expect.found, &or_never);
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

/// F-190: goodput is back at its share of what it was: answers of any tier, and, as far as the scenario says, of tiers 0.
fn restored(scenario: &Scenario, tally: &Tally) -> Vec<String> {
    let (before, after) = (tally.before, tally.after);
    if tally.trouble.is_none() {
        return Vec::new();
    }
    if after.all < ENOUGH {
        let few = after.all;
        return vec![format!("F-190: {few} requests come once all is well; fewer than {ENOUGH} show nothing")];
    }
    let parts = [
        ("F-190: all tiers", before.answered, after.answered, ANSWERED),
        ("expect.restored: tiers 0", before.good, after.good, scenario.expect.restored_permille),
    ];
    let short = |(what, was, is, least): (&str, u64, u64, u64)| {
        // Nothing before the trouble counts as all of nothing.
        let (was, of) = if before.all == 0 { (1, 1) } else { (was, before.all) };
        let share = u128::from(is) * u128::from(of) * 1_000;
        (share < u128::from(least) * u128::from(was) * u128::from(after.all))
            .then(|| format!("{what} answer {is} of {} afterwards, {was} of {of} before", after.all))
    };
    parts.into_iter().filter_map(short).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use evenkeel_core::SECOND;

    use super::*;
    use crate::report::tally::Goodput;

    const PLAIN: &str = include_str!("../../../../scenarios/plain.yaml");

    #[test]
    fn f_190_goodput_is_judged_of_all_tiers_and_of_tiers_0_and_of_no_handful() {
        let scenario = Scenario::read("plain.yaml", PLAIN, None).expect("nothing is wrong with it");
        let told = |trouble, after: [u64; 3]| {
            let mut tally = Tally::new(&Arc::clone(&scenario.revision), trouble, None);
            let [good, answered, all] = after;
            (tally.before, tally.after) =
                (Goodput { good: 50, answered: 50, all: 50 }, Goodput { good, answered, all });
            restored(&scenario, &tally)
        };
        let trouble = Some((SECOND, 2 * SECOND));
        assert!(told(trouble, [198, 198, 200]).is_empty() && told(None, [0, 0, 0]).is_empty());
        assert_eq!(
            told(trouble, [197, 198, 200]),
            ["expect.restored: tiers 0 answer 197 of 200 afterwards, 50 of 50 before"]
        );
        assert_eq!(
            told(trouble, [197, 197, 200]),
            [
                "F-190: all tiers answer 197 of 200 afterwards, 50 of 50 before",
                "expect.restored: tiers 0 answer 197 of 200 afterwards, 50 of 50 before"
            ]
        );
        assert_eq!(
            told(trouble, [19, 19, 19]),
            ["F-190: 19 requests come once all is well; fewer than 20 show nothing"]
        );
    }
}
