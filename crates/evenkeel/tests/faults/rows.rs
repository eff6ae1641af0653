//! Rows: the registry, a file or a folder per chapter of the catalogue, in its order.

mod clients;
mod configuration;
mod encryption;
mod overload;
mod overload_starred;
mod processes;
mod protocols;
mod security;
mod streams;
mod streams_starred;
mod tensors;
mod upstream;
mod upstream_starred;

use crate::{later, row::Row};

/// Returns all rows that are played.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [
        clients::ROWS,
        &[protocols::ROWS, encryption::ROWS, upstream_starred::ROWS],
        upstream::ROWS,
        &[streams_starred::ROWS, streams::ROWS, tensors::ROWS, configuration::ROWS, processes::ROWS, security::ROWS],
        &[overload_starred::ROWS],
        overload::ROWS,
    ]
    .into_iter()
    .flat_map(|chapter| chapter.iter().copied().flatten())
    .filter(|row| later::why(row.id).is_none())
}
