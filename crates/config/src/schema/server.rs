//! `server`: addresses and limits of the process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Duration, Size};

/// Where Evenkeel listens, and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address of the data plane: what clients call.
    pub listen: String,
    /// Address of the admin plane: metrics, health, readiness.
    pub admin: String,
    /// What the data plane encrypts with; without it clients speak to it in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The folder of what is kept on disk: records of requests, and what is made of them. It is made where it is not there; one that
    /// cannot be written keeps no request from being answered.
    pub data_dir: String,
    /// The largest request body, at most 2 GiB; a larger one is answered 413.
    pub max_body: Size,
    /// Bytes of request bodies that are held at once, of all requests, uncompressed; attempts hold a copy each besides.
    /// The last fifth is for tiers of this process: requests
    /// that come when less is left are not sent to models, those of the lowest `priority` first; beyond it all are refused.
    pub body_bytes: Size,
    /// How long a client may take to send its headers.
    pub read_timeout: Duration,
    /// How long an answer may wait for a client that does not read.
    pub write: Duration,
    /// The most connections of clients at once; those beyond it are answered 503.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections: u32,
    /// How long the process may go on after SIGTERM, for open requests to end; the last 2 s of it, at most a quarter, are for
    /// telling those that do not.
    pub drain: Duration,
}

/// Files of the data plane's own certificate; one that is replaced counts from the next connection on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// A PEM file: the certificate of this server, then those of its issuers.
    pub certificate: String,
    /// A PEM file: the private key of that certificate.
    pub key: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            admin: "127.0.0.1:9090".into(),
            tls: None,
            data_dir: "./evenkeel-data".into(),
            max_body: Size(64 << 20),
            body_bytes: Size(1 << 30),
            read_timeout: Duration::seconds(30),
            write: Duration::seconds(30),
            connections: 10_000,
            drain: Duration::seconds(30),
        }
    }
}
