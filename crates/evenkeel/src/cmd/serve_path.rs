//! `evenkeel serve-path`: one tier that is computed in this process, as an Open Inference Protocol server of its own.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;

use super::counted;
use crate::{log, output, wire};

/// Serves one path alone, as the model of its route's name.
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
        let loaded = wire::read(&self.config);
        for diagnostic in &loaded.diagnostics {
            output::note(diagnostic);
        }
        let Some(whole) = &loaded.deployment else {
            anyhow::bail!("cannot serve {}: {}", self.config.display(), counted(loaded.errors(), "error"));
        };
        let Self { path: Named { route, tier }, listen, admin, .. } = self;
        let cut: wire::Cut = Arc::new(move |whole| {
            let mut alone = whole.only(&route, &tier)?;
            listen.iter().for_each(|listen| alone.server.listen.clone_from(listen));
            admin.iter().for_each(|admin| alone.server.admin.clone_from(admin));
            Ok(alone)
        });
        let alone = cut(whole)?;
        log::start();
        super::runtime()?.block_on(wire::serve_cut(Arc::new(alone), loaded.sources, cut))?;
        Ok(ExitCode::SUCCESS)
    }
}
