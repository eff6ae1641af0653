//! Enriched: brings the features that a client left out, where its route has a feature server, before the core hears of the
//! request (F-037).

use evenkeel_core::Nanos;

use super::{Fault, admit::Prepared};
use crate::{ask::Question, enrich::Moment, gateway::Shared, protocol::problem::Problem, snapshot::Applied};

/// Brings what is missing; returns how long that took, with what was `spent` on the request before. Of a route that nothing
/// enriches nothing is changed.
///
/// # Errors
/// What its client got wrong.
pub(super) async fn complete(
    shared: &Shared,
    applied: &Applied,
    prepared: Prepared,
    (deadline, spent, entropy): (Option<Nanos>, Nanos, u64),
) -> Result<(Prepared, Nanos), Fault> {
    let Prepared { route, question, size } = prepared;
    let (mut inference, enrich) = match (question, &applied.enrichers[route.index()]) {
        (Question::Infer(inference), Some(enrich)) => (inference, enrich),
        (question, _) => return Ok((Prepared { route, question, size }, spent)),
    };
    let clock = shared.driver.clock;
    let begun = clock.now();
    let whole = applied.deployment.revision.routes[route.index()].deadline;
    let left = deadline.map_or(whole, |client| client.min(whole)).saturating_sub(spent);
    let done = enrich.enrich(inference.infer, Moment { clock, left, entropy }).await;
    let done = done.map_err(|wrong| Fault::new(Problem::Invalid, "bad_request", wrong.to_string()))?;
    if let Some(turn) = &done.turn {
        shared.events.feature_server(&enrich.plan, turn);
    }
    (inference.infer, inference.enriched) = (done.infer, Some(done.enriched));
    let spent = spent.saturating_add(clock.now().saturating_sub(begun));
    Ok((Prepared { route, question: Question::Infer(inference), size }, spent))
}
