//! `evenkeel demo`: everything in one process.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;

use crate::{demo, output};

/// Everything in one process: mock models, the gateway, traffic, a scripted outage. Needs no file and no network.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How long it runs, from 20s to 60m, such as 30s or 2m.
    #[arg(long = "for", default_value = "60s", value_parser = length)]
    length: Duration,
    /// Ends with a one-line summary in JSON.
    #[arg(long)]
    json: bool,
    /// Where what is kept of its requests stays; without it, it goes with the demo.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let summary = super::runtime()?.block_on(demo::run(self.length, self.data_dir))?;
        output::whoever_reads(match self.json {
            true => output::line(serde_json::to_string(&summary)?),
            false => output::text(&summary),
        })?;
        for cause in &summary.causes {
            output::note(format_args!("evenkeel demo: {cause}"));
        }
        Ok(ExitCode::from(u8::from(!summary.is_whole())))
    }
}

fn length(text: &str) -> Result<Duration, String> {
    let number = |unit: &str| text.strip_suffix(unit).and_then(|it| it.parse::<u64>().ok());
    let seconds = number("s").or(number("m").map(|minutes| minutes * 60));
    match seconds {
        Some(seconds @ 20..=3_600) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{text}` is not a length from 20s to 60m")),
    }
}
