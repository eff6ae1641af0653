//! `evenkeel mock`: a model server that breaks on demand (OpenAI and OIP).

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Args;
use evenkeel_mock::{Mock as Server, Options, parse_faults_yaml};

use crate::{descriptors, output, served::served, wire};

/// Runs a model server that breaks on demand. `PUT /mock/faults` switches faults, `GET /mock/log` shows what it saw.
#[derive(Debug, Args)]
pub(super) struct Mock {
    /// Where models are served.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where faults are switched and the log is read, also while a fault keeps the models' port closed; port 0 takes a
    /// free one, which the first line names.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Faults from the start: a YAML list of `{model, fault, …}`.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// A model of the Open Inference Protocol, computed from an ONNX file. May be given several times.
    #[arg(long, value_name = "NAME=FILE.onnx", value_parser = named)]
    oip: Vec<(String, PathBuf)>,
    /// What answers and draws follow from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Every model says the same words to the same messages, so that one can finish what another has begun.
    #[arg(long)]
    alike: bool,
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
        let mut oip = BTreeMap::new();
        for (name, file) in self.oip {
            let reading = || format!("cannot serve {}", file.display());
            let bytes = std::fs::read(&file).with_context(reading)?;
            oip.insert(name, served(&bytes).with_context(reading)?);
        }
        let Self { listen, control, seed, alike, .. } = self;
        let options = Options { listen, control, seed, alike, faults, oip, ..Options::default() };
        // A burst of attempts is what it is there for.
        descriptors::raise();
        super::runtime()?.block_on(async {
            let mut stop = wire::Stop::new()?;
            let mock = Server::start(options).await.context("cannot start")?;
            let (models, control) = (mock.address(), mock.control_address());
            let told = format!("models at http://{models}/v1 and http://{models}/v2, control at http://{control}/mock");
            output::whoever_reads(output::line(told))?;
            stop.ordered().await;
            mock.stop().await;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// Reads `NAME=FILE`.
fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.into(), file.into())),
        _ => Err("expected NAME=FILE.onnx".into()),
    }
}
