//! Verify: holds a log against its own claims, from files alone (G-094, G-095).
//!
//! It is written to be read in one sitting by somebody who trusts nothing else here: it shares no storage code with the writer,
//! asks no service, and believes nothing before the signature over it holds. What it needs besides is SHA-256, Ed25519,
//! gzip, JSON, its canonical form (`evidence::canonical`) and base64, the last two as the writer has them.
//!
//! # Source
//! C2SP `tlog-tiles`, `tlog-checkpoint`, `signed-note`, `tlog-cosignature` (version 1, Ed25519), `tlog-policy` and `tlog-proof`, as of
//! July 2026; RFC 6962, section 2.1; RFC 9162, section 2.1.3.2.

mod files;
mod hash;
mod log;
mod note;
mod policy;
mod proof;
mod report;
mod segments;

pub use files::{Bundles, ReadError};
pub use log::{Asked, verify};
pub use note::{Checkpoint, NotAKey, Vkey};
pub use policy::{Policy, PolicyError};
pub use proof::{Proof, check, record};
pub use report::{Check, Found, Report};

pub(super) use files::{WIDTH, read};
pub(super) use hash::{Hash, leaf, node};
pub(super) use segments::lines;

/// Says whether a name below the folder of a log is that of a tile or a bundle.
pub fn is_a_tile(name: &str) -> bool {
    files::Name::read(name).is_some()
}

#[cfg(test)]
mod tests;
