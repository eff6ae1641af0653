//! Documents in PostgreSQL: built there of a folder, found there by full text search and by vectors, judged as the index in files judges its own.
//!
//! This crate keeps sqlx from the rest: none of its types is in a public signature, and whoever changes the gateway does not build
//! it again. Not here: which tier answers, clocks of requests, threads that judge what was found.
//!
//! # Invariants
//! - `PG-1`: what expired or was never verified is never found: the moment of the question goes into the query.
//! - `PG-2`: whoever searches sees one build, whole: a build is one transaction, and a search is one snapshot.
//! - `PG-3`: a password is in no message, whatever fails.
//! - `PG-4`: a search that nobody waits for any more holds nothing: its connection is closed.
//! - `PG-5`: a table that this crate did not make is not touched.
//!
//! # Source
//! PostgreSQL's documentation, chapter 12 (full text search) and section 12.9 (its limits); pgvector's README, for vectors.

mod build;
mod documents;
mod fault;
mod lexemes;
mod near;
mod pool;
mod schema;
mod search;
mod target;

pub use build::{BuildError, build};
pub use documents::{Documents, Standing};
pub use fault::{Fault, Kind};
pub use search::Candidates;
pub use target::Target;
