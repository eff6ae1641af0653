//! `evenkeel`: the command line. One file a verb; where everything meets is `wire`.

#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

mod calibrate;
mod client;
mod cmd;
mod demo;
mod descriptors;
mod log;
mod output;
mod plot;
mod profile;
mod served;
mod wire;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One provider of cryptography in the whole process; a second installation is the only way to fail, and harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cmd::Cli::parse().run() {
        Ok(code) => code,
        // Who has read enough has got what it wanted.
        Err(error) if error.is::<output::Unread>() => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("evenkeel: {error:#}"));
            ExitCode::from(2)
        }
    }
}
