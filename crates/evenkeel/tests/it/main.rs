//! The binary and the planes end to end: the command line, reloads, real clients, an outage under load.

mod cli;
mod examples;
mod guides;
mod openai_sdk;
mod outage;
mod process;
mod serve;
