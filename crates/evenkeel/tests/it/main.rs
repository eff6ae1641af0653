//! The binary and the planes end to end: the command line, reloads, real clients, the demo, an outage under load.

#![expect(clippy::disallowed_methods, reason = "processes and load run on real time")]

mod audit;
mod bombs;
mod cli;
mod decisions;
mod demo;
mod descriptors;
mod drain;
mod evidence;
mod examples;
mod feast;
mod guards;
mod guides;
mod hedge;
mod index;
mod interop;
mod large;
mod mlserver;
mod openai_sdk;
mod outage;
mod overload;
mod pause;
mod postgres;
mod process;
mod profile;
mod readme;
mod reconcile;
mod replayed;
mod serve;
mod serve_path;
mod simulate;
mod slow;
mod status;
mod stored;
mod swap;
mod under_load;
