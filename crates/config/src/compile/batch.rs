//! Batch: how many rows one request of a route may have.
//!
//! What a client claims in a few bytes, a row of one byte, may cost many: a fixed text for each row. So rows are bounded
//! where nothing is said, and the answers made here in any case.
//!
//! # Invariants
//! - `BATCH-1`: no answer of `rules` or `fixed`, and nothing that `map` writes in its place, is larger than [`OWN_ANSWER`],
//!   whatever is asked (SE-09).

use std::collections::BTreeMap;

use crate::{
    outside::Outside,
    schema::{contract::InputTensor, map::MappedOutput, route::Route, tensor::FixedOutput, tier::Tier},
};

/// Rows of a request where nothing is said; more make one request a burden to all others of its tier.
const MAX_BATCH: u64 = 65_536;
/// Bytes of an answer that is made here, before it is written as JSON in about three times as many.
const OWN_ANSWER: u64 = 16 << 20;

/// Returns the most rows of a request: as written, else [`MAX_BATCH`] where the input says what a row is; never more
/// than answers made here may fill. None where the first dimension of an input can mean anything.
pub(crate) fn most(route: &Route, outside: &Outside) -> Option<u64> {
    let written = route.max_batch.or(counts_rows(route, outside).then_some(MAX_BATCH));
    let row = |tier: &Tier| {
        let own = tier.kinds.given().iter().map(|(_, kind)| kind.row(outside)).max().unwrap_or(0);
        own.saturating_add(mapped(tier, route))
    };
    let widest = route.tiers.iter().flat_map(Tier::asked).map(row).max().unwrap_or(0);
    let held = OWN_ANSWER.checked_div(widest).map(|rows| rows.max(1));
    written.into_iter().chain(held).min()
}

/// Says whether the input of a route says what a row is.
fn counts_rows(route: &Route, outside: &Outside) -> bool {
    let Some(input) = &route.input else { return false };
    let batched = |it: &InputTensor| it.shape.first() == Some(&-1);
    let sampled = input.sample.as_ref().map(|file| outside.sample(file));
    let mut tensors = input.tensors.values().chain(sampled.iter().flat_map(BTreeMap::values));
    input.tensor.is_some() || !input.features.is_empty() || tensors.any(batched)
}

/// Returns the bytes, at most, that the map of a tier makes of one row.
fn mapped(tier: &Tier, route: &Route) -> u64 {
    let tensors = route.output.as_ref().map(|it| &it.tensors);
    let row = |(name, mapped): (&String, &MappedOutput)| {
        let element = match &mapped.default {
            Some(FixedOutput::PerRow(value)) => value.size(),
            Some(FixedOutput::Whole(_)) => 0,
            None => mapped.labels.iter().map(|label| label.len() as u64 + 4).max().unwrap_or(0),
        };
        let shape = tensors.and_then(|tensors| tensors.get(name)).map_or(&[][..], |it| it.shape.as_slice());
        let elements = shape.iter().filter_map(|it| u64::try_from(*it).ok()).fold(1, u64::saturating_mul);
        element.saturating_mul(elements)
    };
    tier.map.iter().map(row).fold(0, u64::saturating_add)
}
