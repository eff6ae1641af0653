//! `evenkeel mock`: a model server that breaks on demand (OpenAI and OIP).

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use evenkeel_mock::{Mock as Server, Options, parse_faults_yaml};

use crate::wire;

/// Runs a model server that breaks on demand. `PUT /mock/faults` switches faults, `GET /mock/log` shows what it saw.
#[derive(Debug, Args)]
pub(super) struct Mock {
    /// Where models are served.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Faults from the start: a YAML list of `{model, fault, …}`.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// What answers and draws follow from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl Mock {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let faults = match &self.faults {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                parse_faults_yaml(&text).with_context(|| format!("cannot use {}", file.display()))?
            }
            None => Vec::new(),
        };
        let options = Options { listen: self.listen, seed: self.seed, faults, ..Options::default() };
        super::runtime()?.block_on(async {
            let mock = Server::start(options).await.context("cannot start")?;
            println!("models at http://{}/v1, control at http://{}/mock", mock.address(), mock.control_address());
            wire::stopped().await?;
            mock.stop().await;
            Ok(ExitCode::SUCCESS)
        })
    }
}
