//! The line of a certificate that does not keep in service what it promised.

use evenkeel_config::Issued;
use evenkeel_core::digest_name;

use crate::quality::Tested;

/// Writes the line.
pub(crate) fn certificate_void(it: &Issued, tested: &Tested) {
    let certified = &it.certified;
    tracing::warn!(
        target: "evenkeel::certificate",
        route = certified.route,
        certificate = digest_name(&it.sha256),
        against = certified.tiers.last().map(|it| it.name.as_str()),
        epsilon = certified.epsilon,
        samples = tested.rows,
        steps = tested.steps,
        stepped_to = it.stepped(tested.steps),
        "the certificate is void: in service answers are wrong more often than it promised",
    );
}
