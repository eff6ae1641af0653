//! Where gateways keep answers together, as the gateway uses it.

use crate::{outside::Outside, schema::shared, secret::Secret};

/// The Redis or Valkey in which gateways keep answers together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// `redis[s]://[[user]:password@]host[:port][/database]`.
    pub url: Secret,
    /// Those who may have issued its certificate, as PEM; without it the public issuers.
    pub issuers: Option<Secret>,
}

/// Compiles where answers are kept together; none where they are not.
pub(super) fn shared(it: &shared::Shared, outside: &Outside) -> Option<Store> {
    Some(Store { url: outside.secret(it.url()?), issuers: it.ca().map(|file| outside.pem(file)) })
}

/// Writes in one way what can be written in several.
pub(super) fn write_out(it: shared::Shared) -> Option<shared::Shared> {
    let url = it.url()?.to_owned();
    Some(match it.ca() {
        None => shared::Shared::At(url),
        Some(_) => it,
    })
}
