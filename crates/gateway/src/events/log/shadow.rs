//! The log line of a copy of a request.

use crate::shadow::Shadowed;

/// Writes it: codes and numbers, not a word of what was said.
pub(crate) fn shadow(it: &Shadowed) {
    let compared = it.compared.as_ref();
    tracing::info!(
        target: "evenkeel::shadow",
        decision = it.decision,
        route = it.route,
        tier = it.tier,
        path = it.path,
        result = it.result,
        took_us = it.took / 1_000,
        rows = compared.map(|it| it.rows),
        agreed = compared.map(|it| it.agreed),
        "shadowed"
    );
}
