//! The decision store, on both engines: what is asked of it, and what it outlives.

#![expect(clippy::disallowed_methods, reason = "processes run on real time")]

mod ingest;
mod kit;
mod outage;
mod process;
mod queries;
mod rate;
mod retention;
#[expect(dead_code, reason = "tests of documents use more of it")]
#[path = "../../../evenkeel/tests/it/postgres/server.rs"]
mod server;
