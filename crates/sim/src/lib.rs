//! The simulator: the same core that serves, in a world of modelled clients and servers, without a clock or a socket.
//!
//! A **scenario** names a configuration, the servers behind it, who calls, what breaks and what is expected. A **world**
//! plays it by a seed: event queue, clock and dice, nothing else. The **oracle** holds the core to its rules at every
//! event, in two phases: safety while there is trouble, then liveness, when all must be well again by itself (F-192).
//! The **report** says what it came to.
//!
//! Production code decides; the simulation supplies only the world. No thread of it waits, no clock is read, no bit comes
//! from anywhere but the seed: the same scenario and seed give the same run on every machine (rule 12).
//!
//! A **replay** needs no world: it feeds the core what a log says, and compares; **what if** lets what a log knows of calls
//! and clients be the world of another configuration.
//!
//! # Reading order
//! `scenarios/primary-dies.yaml` with its golden output, `scenario`, `world`, `oracle`; then `server`, `fault`, `workload`.

mod dice;
mod fault;
mod oracle;
mod replay;
mod report;
mod scenario;
mod server;
mod spread;
mod sweep;
mod what_if;
mod workload;
mod world;

pub use oracle::Violation;
pub use replay::{Difference, End, Log, LogError, Missing, Place, Process, Replayed, record, replay};
pub use report::{Failure, Report, Sweep, compare};
pub use scenario::Scenario;
pub use sweep::{Seeds, play, sweep};
pub use what_if::{Called, Calls, Cost, Given, Right, Rightness, RouteChange, Side, Told, WhatIf, what_if};
