//! `evenkeel serve-path`: one tier that is computed in this process, as an Open Inference Protocol server of its own.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use evenkeel_config::Alone;

use super::counted;
use crate::{log, output, wire};

/// Serves one path alone, as the model of its route's name. Of the configuration it needs the secrets and files of that path.
#[derive(Debug, Args)]
pub(super) struct ServePath {
    /// The configuration.
    config: PathBuf,
    /// The route and its tier, such as `home-value/distilled`: one of kind `onnx`, `rules` or `fixed`, of an `oip` route.
    #[arg(value_name = "ROUTE/TIER")]
    path: Named,
    /// The address of the server, in place of the configuration's.
    #[arg(long)]
    listen: Option<String>,
    /// The address of metrics and health, in place of the configuration's.
    #[arg(long)]
    admin: Option<String>,
}

/// A route and its tier.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) route: String,
    pub(super) tier: String,
}

impl std::str::FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (route, tier) = text.rsplit_once('/').ok_or("write it as ROUTE/TIER")?;
        Ok(Self { route: route.into(), tier: tier.into() })
    }
}

impl ServePath {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { config, path: Named { route, tier }, listen, admin } = self;
        let loaded = wire::read_alone(&config, &Alone { route, tier });
        for diagnostic in &loaded.diagnostics {
            output::note(diagnostic);
        }
        let Some(alone) = loaded.deployment.clone() else {
            anyhow::bail!("cannot serve {}: {}", config.display(), counted(loaded.errors(), "error"));
        };
        let change: wire::Change = Arc::new(move |mut alone| {
            listen.iter().for_each(|listen| alone.server.listen.clone_from(listen));
            admin.iter().for_each(|admin| alone.server.admin.clone_from(admin));
            alone
        });
        log::start();
        super::runtime()?.block_on(wire::serve_changed(alone, loaded.sources, change))?;
        Ok(ExitCode::SUCCESS)
    }
}
