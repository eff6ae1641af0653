//! Route: the columns that a configuration declares: what a route takes, and what it gives.

use std::path::Path;

use anyhow::{Context, ensure};
use evenkeel_config::{Datatype, FeatureKind};
use evenkeel_signals::reference::{Column, ColumnKind, Role};

use crate::{cmd::counted, output, wire};

/// Returns the features of a route in their order, then its outputs, of one value a row.
///
/// # Errors
/// The configuration cannot be read, has no such route, or the route does not say what it takes.
pub(super) fn columns(config: &Path, route: &str) -> anyhow::Result<Vec<Column>> {
    let loaded = wire::read(config);
    let Some(whole) = &loaded.deployment else {
        loaded.diagnostics.iter().for_each(output::note);
        anyhow::bail!("cannot read {}: {}", config.display(), counted(loaded.errors(), "error"));
    };
    let at = whole.revision.route(route);
    let at = at.with_context(|| format!("{} has no route `{route}`: name one by --route", config.display()))?.index();
    let features = whole.routes[at].input.as_ref().map(|it| &it.features[..]).unwrap_or_default();
    ensure!(
        !features.is_empty(),
        "route `{route}` declares no features: leave out -c, and columns are taken as they look"
    );
    let feature = |it: &evenkeel_config::Feature| {
        let kind = match it.kind {
            FeatureKind::Float | FeatureKind::Int => ColumnKind::Number,
            FeatureKind::Category | FeatureKind::String | FeatureKind::Bool => ColumnKind::Category,
        };
        let range = it.min.zip(it.max).map(|(least, most)| [least, most].map(|it| it.to_string()));
        Column { required: it.required, range, ..Column::new(&it.name, kind, Role::Input) }
    };
    let tensor = |it: &evenkeel_config::OutputTensor| {
        let kind = match it.datatype {
            Datatype::Bytes | Datatype::Bool => ColumnKind::Category,
            _ => ColumnKind::Number,
        };
        (it.shape.len() == 1).then(|| Column::new(&it.name, kind, Role::Output))
    };
    let outputs = whole.routes[at].output.iter().flat_map(|it| &it.tensors).filter_map(tensor);
    let inputs = features.iter().map(feature);
    let outputs: Vec<Column> = outputs.filter(|it| features.iter().all(|feature| feature.name != it.name)).collect();
    Ok(inputs.chain(outputs).collect())
}
