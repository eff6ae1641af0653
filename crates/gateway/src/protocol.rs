//! Protocols: what goes over the wire, as pure functions over bytes.
//!
//! Not here: sockets, clocks, tiers. A protocol never knows tiers, and nothing in this folder waits for anything.
//!
//! # Invariants
//! - `PROTO-1`: what a client got wrong is found before dispatch and never reaches an upstream.
//! - `PROTO-2`: bytes pass untouched where nothing has to change.
//! - `PROTO-3`: no function recurses over what a peer sent, and none allocates more than a multiple of it.
//!
//! # Source
//! `docs/design/protocols.md`.

pub(crate) mod feast;
pub(crate) mod front;
pub(crate) mod json;
#[cfg(test)]
mod matrix;
pub(crate) mod oip_grpc;
pub(crate) mod oip_rest;
pub(crate) mod openai;
pub(crate) mod patch;
pub(crate) mod problem;
mod sanitise;
