//! `evenkeel config schema|example`: what a configuration may say.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::output;

/// Prints the JSON schema or a commented example of a configuration.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The JSON schema (draft 2020-12), for editors.
    Schema,
    /// A commented example that works once its servers do.
    Example,
}

impl Config {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Schema => output::line(serde_json::to_string_pretty(&evenkeel_config::json_schema())?)?,
            What::Example => output::text(evenkeel_config::EXAMPLE)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
