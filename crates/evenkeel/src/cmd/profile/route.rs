//! Route: the columns that a configuration declares: what a route takes, what is computed of it, and what it gives.

use std::path::Path;

use anyhow::ensure;
use evenkeel_config::load_to_profile;
use evenkeel_signals::reference::Column;

use crate::{cmd::counted, output, profile::live::Live};

/// Returns the features of a route in their order, then what is computed of them, then its outputs, of one value a row; and how rows are
/// read there. The reference that it names need not be there yet.
///
/// # Errors
/// The configuration cannot be read, has no such route, or the route does not say what it takes.
pub(super) fn columns(config: &Path, route: &str) -> anyhow::Result<(Vec<Column>, Live)> {
    let said = match load_to_profile(config, route) {
        Ok(said) => said,
        Err(found) if found.iter().any(|it| it.code == "unknown-route") => {
            anyhow::bail!("{} has no route `{route}`: name one by --route", config.display())
        }
        Err(found) => {
            found.iter().for_each(output::note);
            anyhow::bail!("cannot read {}: {}", config.display(), counted(found.len(), "error"))
        }
    };
    ensure!(
        !said.features.is_empty(),
        "route `{route}` declares no features: leave out -c, and columns are taken as they look"
    );
    let columns = said.features.iter().map(|it| &it.column).chain(said.derived.iter().map(|it| &it.0));
    let columns = columns.chain(&said.outputs).cloned().collect();
    Ok((columns, Live::of(said)))
}
