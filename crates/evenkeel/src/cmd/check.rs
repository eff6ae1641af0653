//! `evenkeel check FILE`: all diagnostics at once, with line, key and hint.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::json;

use crate::wire;

/// Reads a configuration and prints everything that is wrong with it.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration.
    file: PathBuf,
    /// Prints `{ok, diagnostics: […]}` instead of text.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if !self.file.is_file() {
            anyhow::bail!("cannot read {}: there is no such file", self.file.display());
        }
        let loaded = wire::read(&self.file);
        let ok = loaded.deployment.is_some();
        if self.json {
            println!("{}", json!({"ok": ok, "diagnostics": loaded.diagnostics}));
            return Ok(code(ok));
        }
        for diagnostic in &loaded.diagnostics {
            println!("{diagnostic}");
        }
        match &loaded.deployment {
            Some(deployment) => {
                let routes = deployment.revision.routes.len();
                println!("{}: fine ({routes} routes, {})", self.file.display(), deployment.name());
            }
            None => println!("{}: {} errors", self.file.display(), loaded.errors()),
        }
        Ok(code(ok))
    }
}

fn code(ok: bool) -> ExitCode {
    ExitCode::from(u8::from(!ok))
}
