//! `evenkeel check FILE`: all diagnostics at once, with line, key and hint.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use evenkeel_config::Loaded;
use serde_json::json;

use super::counted;
use crate::{output, wire};

/// Reads a configuration and prints everything that is wrong with it.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration.
    file: PathBuf,
    /// Prints `{ok, diagnostics: […]}` instead of text.
    #[arg(long)]
    json: bool,
    /// Takes a warning for a mistake, for builds that shall not pass with one: exit code 1.
    #[arg(long)]
    deny_warnings: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if !self.file.is_file() {
            anyhow::bail!("cannot read {}: there is no such file", self.file.display());
        }
        let loaded = wire::read(&self.file);
        let warnings = loaded.diagnostics.len() - loaded.errors();
        let ok = loaded.deployment.is_some() && !(self.deny_warnings && warnings > 0);
        let printed = match self.json {
            true => output::line(json!({"ok": ok, "diagnostics": loaded.diagnostics})),
            false => self.tell(&loaded, ok),
        };
        output::whoever_reads(printed)?;
        Ok(ExitCode::from(u8::from(!ok)))
    }

    /// Prints what was found, and what comes of it.
    fn tell(&self, loaded: &Loaded, ok: bool) -> anyhow::Result<()> {
        for diagnostic in &loaded.diagnostics {
            output::line(diagnostic)?;
        }
        let warnings = loaded.diagnostics.len() - loaded.errors();
        let verdict = match &loaded.deployment {
            Some(_) if !ok => format!("{}, denied", counted(warnings, "warning")),
            Some(deployment) => {
                format!("fine ({}, {})", counted(deployment.revision.routes.len(), "route"), deployment.name())
            }
            None => counted(loaded.errors(), "error"),
        };
        output::line(format_args!("{}: {verdict}", self.file.display()))
    }
}
