//! The rules of the core, one property each, over random histories and beside a naive model.
//!
//! `world` plays clients and upstreams by seed, with the revisions of `sample`, and writes down everything that went in and came
//! out, a `history`; `naive` says again, slowly and without cleverness, when a path may be asked. Each test below `properties` is
//! one rule, named after it; that of `replay` notices every change, also one that is right; those of `log` hold what is written
//! down of a history to it.

mod ballot;
mod drift;
mod follow;
mod history;
mod naive;
mod properties;
mod replay;
mod sample;
mod upstream;
mod world;
