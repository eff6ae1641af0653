//! The tamper-evident log of what was decided and done (`governance.md`, section 10).
//!
//! `log` writes it, `sequence` reads the spools that it is made of, `service` runs both. Whoever doubts it reads `verify`, which
//! shares none of their code but base64, and the canonical form of JSON (`evidence::canonical`).

mod anchor;
mod base64;
mod disk;
mod entry;
mod key;
#[cfg(test)]
mod kit;
mod log;
mod note;
mod prove;
mod remember;
mod sequence;
mod service;
mod tree;
pub mod verify;

pub use anchor::Repository;
pub use entry::{Draft, Source};
pub use key::{KeyError, Signer};
pub use log::LogError;
pub use note::note;
pub use prove::{Exported, ProveError, Proved, Wanted, export, prove};
pub use remember::remember;
pub use sequence::READER;
pub use service::{AppendError, Audit, Given, Settings, State};
