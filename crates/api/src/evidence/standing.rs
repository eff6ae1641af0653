//! Standing: how a process keeps what it keeps on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a process keeps what it keeps on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The name of its folder; none before there was anything to keep.
    pub instance: Option<String>,
    /// Its streams, by name.
    pub streams: BTreeMap<String, StreamState>,
    /// Bytes that wait on disk for whoever reads them.
    pub spool_bytes: u64,
    /// Why nothing can be written; none where all is well.
    pub trouble: Option<String>,
}

/// How one stream is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    /// The number of the last line that is on disk, with all before it: up to it, lines are acknowledged (G-096).
    pub durable: u64,
    /// Lines that are missing since the process started, by why; a stop that nobody counted is one.
    pub missing: BTreeMap<String, u64>,
}
