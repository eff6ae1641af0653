//! How the outputs of a route are made of what one of its tiers answers, as the gateway does it.

use super::FixedTensor;
use crate::schema::{contract::Datatype, map, path::Site};

/// An output of a route that a tier does not give as the route promises it.
#[derive(Clone, Debug, PartialEq)]
pub struct MappedOutput {
    /// The name that the route has for it.
    pub name: String,
    /// What it is made of.
    pub source: MapSource,
}

/// What an output is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum MapSource {
    /// An output of the tier.
    Picked(Pick),
    /// Nothing: it is written down.
    Default(FixedTensor),
}

/// What is done to an output of a tier, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Pick {
    /// What the tier calls it.
    pub from: String,
    /// Which column of its last axis is taken.
    pub column: Option<u32>,
    /// The type that it is converted to; none where it is not, or where `labels` take the place of numbers.
    pub datatype: Option<Datatype>,
    /// Whether fractions may become whole numbers.
    pub round: bool,
    /// The dimensions that it gets; one below 0 is what remains.
    pub shape: Option<Vec<i64>>,
    /// The words that whole numbers stand for; none where they stand for themselves.
    pub labels: Vec<String>,
}

/// Makes what the gateway gets of the map of a tier.
pub(super) fn map(site: Site<'_>) -> Vec<MappedOutput> {
    let tensors = site.route.output.as_ref().map(|it| &it.tensors);
    let mapped = |(name, it): (&String, &map::MappedOutput)| {
        let contract = tensors.and_then(|tensors| tensors.get(name));
        let source = match (&it.default, it.source(name)) {
            (Some(default), _) => MapSource::Default(FixedTensor::new(name, default, contract)),
            (None, from) => MapSource::Picked(Pick {
                from: from.unwrap_or(name).into(),
                column: it.column,
                datatype: it.datatype.filter(|_| it.labels.is_empty()),
                round: it.round,
                shape: it.shape.clone(),
                labels: it.labels.clone(),
            }),
        };
        MappedOutput { name: name.clone(), source }
    };
    site.tier.map.iter().map(mapped).collect()
}
