//! The line of a proposal that a route start lower, which a person has to follow, and of its end.

use evenkeel_core::{Proposal, digest_name};

/// Writes the line of a proposal.
pub(in crate::events) fn proposal(it: &Proposal) {
    let route = &it.revision.routes[it.route.index()];
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                target: "evenkeel::proposal",
                route = route.name,
                start_at = route.tiers.get(usize::from(it.start_at)).map(|tier| tier.name.as_str()),
                rule = "drift",
                reason = it.reason.name(),
                samples = it.samples,
                revision = digest_name(&it.revision.digest),
                $text,
            )
        };
    }
    match it.stands {
        true => line!(warn, "the route is proposed to start lower: nothing was done"),
        false => line!(info, "the route is no more proposed to start lower"),
    }
}
