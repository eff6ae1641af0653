//! `evenkeel serve`: the gateway and what governs it.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::counted;
use crate::{log, output, wire};

/// Runs the gateway. A saved file or SIGHUP reloads; SIGTERM drains, a second one hurries.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The configuration.
    #[arg(short, long, default_value = "evenkeel.yaml")]
    config: PathBuf,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let loaded = wire::read(&self.config);
        for diagnostic in &loaded.diagnostics {
            output::note(diagnostic);
        }
        let Some(deployment) = loaded.deployment.clone() else {
            anyhow::bail!("cannot serve {}: {}", self.config.display(), counted(loaded.errors(), "error"));
        };
        log::start();
        super::runtime()?.block_on(wire::serve(deployment, loaded.sources))?;
        Ok(ExitCode::SUCCESS)
    }
}
