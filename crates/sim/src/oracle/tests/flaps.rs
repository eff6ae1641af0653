//! Routes that switch more often than they may.

use super::*;

/// Tells the oracle of a switch of the route by a path; returns the rule that it breaks.
fn switch(forger: &mut Forger, path: u16, (from, to): (u8, u8), at: Nanos) -> Option<&'static str> {
    let reason = evenkeel_core::Reason::UpstreamReset;
    let transition = evenkeel_core::Transition {
        at,
        revision: forger.core.revision().clone(),
        route: RouteId(0),
        from,
        to,
        reason,
        rule: evenkeel_core::Rule::Breaker,
        path: evenkeel_core::PathId(path),
        trip: Some(evenkeel_core::Trip { rule: "F-062a", result: Some(R::Reset), bad: 5, of: 5, reason }),
        episode: 1,
    };
    forger.oracle.hear(at, &Output::Transition(Box::new(transition))).err().map(|it| it.rule)
}

#[test]
fn rule_08_one_switch_too_many_and_one_from_nowhere_are_found() {
    let mut forger = Forger::new();
    assert_eq!(switch(&mut forger, 0, (0, 1), SECOND), None);
    assert_eq!(switch(&mut forger, 0, (1, 0), 2 * SECOND), Some("rule 8"), "two within a dwell");
    assert_eq!(switch(&mut forger, 0, (2, 1), 60 * SECOND), Some("rule 8"), "it did not start at tier 2");
}

#[test]
fn rule_08_f_182_a_path_that_was_left_unseen_is_counted_from_then() {
    let mut forger = Forger::new();
    assert_eq!(switch(&mut forger, 0, (0, 2), 60 * SECOND), None, "tier 1 was open already");
    assert_eq!(switch(&mut forger, 1, (2, 1), 70 * SECOND), None);
    assert_eq!(switch(&mut forger, 1, (1, 2), 71 * SECOND), None, "fail-over never waits");
    assert_eq!(switch(&mut forger, 1, (2, 1), 72 * SECOND), Some("rule 8"), "fail-back does");
}
