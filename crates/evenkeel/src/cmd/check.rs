//! `evenkeel check FILE`: all diagnostics at once, with line, key and hint.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::json;

use super::counted;
use crate::wire;

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
        if self.json {
            println!("{}", json!({"ok": ok, "diagnostics": loaded.diagnostics}));
            return Ok(code(ok));
        }
        for diagnostic in &loaded.diagnostics {
            println!("{diagnostic}");
        }
        match &loaded.deployment {
            Some(_) if !ok => println!("{}: {}, denied", self.file.display(), counted(warnings, "warning")),
            Some(deployment) => {
                let routes = counted(deployment.revision.routes.len(), "route");
                println!("{}: fine ({routes}, {})", self.file.display(), deployment.name());
            }
            None => println!("{}: {}", self.file.display(), counted(loaded.errors(), "error")),
        }
        Ok(code(ok))
    }
}

fn code(ok: bool) -> ExitCode {
    ExitCode::from(u8::from(!ok))
}
