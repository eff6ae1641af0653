//! The log lines of a decision and of a transition: one each, structured, without a word of any payload.

use evenkeel_api::Transition;
use evenkeel_core::End;

use super::Record;

/// Writes the line of a decision.
pub(super) fn decision(record: &Record) {
    let decision = &record.decision;
    let route = &decision.revision.routes[decision.route.index()];
    let tier = decision.outcome.tier.map(|tier| &route.tiers[usize::from(tier)]);
    let attempts: Vec<String> = decision
        .attempts
        .iter()
        .map(|it| format!("{}={}", decision.revision.paths[it.path.index()].name, it.result.name()))
        .collect();
    tracing::info!(
        target: "evenkeel::decision",
        decision = record.id,
        route = route.name,
        tier = decision.outcome.tier,
        method = tier.map(|tier| tier.method.name()),
        path = tier.map(|tier| tier.name.as_str()),
        degraded = decision.outcome.tier.is_some_and(|tier| tier > 0),
        reason = decision.reason.name(),
        status = decision.outcome.status,
        broken = matches!(decision.outcome.end, End::Broken(_)),
        latency_us = decision.outcome.latency / 1_000,
        attempts = attempts.join(","),
        "decided",
    );
}

/// Writes the line of a transition.
pub(super) fn transition(it: &Transition) {
    tracing::warn!(
        target: "evenkeel::transition",
        route = it.route,
        from = it.from,
        to = it.to,
        reason = it.reason,
        path = it.path,
        rule = it.trip.as_ref().map(|trip| trip.rule.as_str()),
        episode = it.episode,
        "the route starts at another tier",
    );
}
