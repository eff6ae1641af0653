//! `evenkeel audit`: the tamper-evident log, verified, proved and exported from its files.

mod files;

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use evenkeel_control::audit::{
    Wanted, export, note, prove,
    verify::{Asked, Check as Of, Found, Proof, Report, check, record as record_of, verify},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use self::files::{key, length, policy, read};
use crate::output;

/// Verifies, proves and exports the tamper-evident log. All of it works offline, from files alone.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Verifies a whole log: its signature, the chain of entries, the tree, older checkpoints, witnesses, and segments of decisions.
    ///
    /// Exit code 0: all holds; 1: something does not, and the first such check is named; 2: a file cannot be read.
    Verify(Verify),
    /// Proves that a decision is in the log: prints a proof (C2SP tlog-proof) that `audit check` verifies without the log.
    ///
    /// Exit code 1: the decision is in no segment of the log that is kept.
    Prove(Prove),
    /// Verifies a proof of a decision with the key of the log alone.
    ///
    /// Exit code 0: the record is in the log, as it is there; 1: it is not.
    Check(Check),
    /// Prints entries of the log, each with its proof, an object in JSON on each line; the last one holds the checkpoint that they are
    /// proved by. That it was exported is an entry itself.
    Export(Export),
    /// Prints the public key of a log, as `--key` takes it: give it to those who verify by another way than the log.
    Key(Place),
}

/// Where the log is.
#[derive(Debug, Args)]
struct Place {
    /// The folder of the log; the segments of decisions are looked for in `instances` beside it.
    #[arg(long, value_name = "DIR", default_value = "evenkeel-data/audit")]
    log: PathBuf,
}

/// What a log is held against.
#[derive(Debug, Args)]
struct Trust {
    /// The public key of the log, as `audit key` prints it, or a file with it.
    #[arg(long, value_name = "KEY")]
    key: String,
    /// A file that says whose cosignatures are asked for (C2SP tlog-policy).
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Prints `{ok, failed, checks: [{check, holds, text}]}` instead of text.
    #[arg(long)]
    json: bool,
    /// In place of exit code 1: 11 signature, 12 inclusion or consistency, 13 chain, 14 witness policy, 15 counts.
    #[arg(long)]
    detailed_exit_code: bool,
}

#[derive(Debug, Args)]
struct Verify {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    trust: Trust,
    /// An older checkpoint of the log that was kept elsewhere: the log must be its continuation.
    #[arg(long, value_name = "CHECKPOINT")]
    since: Option<PathBuf>,
    /// How long segments of decisions are kept, as `decisions.keep` of the configuration says: one that is younger, or the last one of an
    /// instance, has to be there.
    #[arg(long, value_name = "DURATION", default_value = "183d", value_parser = length)]
    keep: SignedDuration,
}

#[derive(Debug, Args)]
struct Prove {
    /// The decision, as the header `evenkeel-decision` names it.
    decision: String,
    #[command(flatten)]
    place: Place,
    /// Writes the record that is proved into a file: `audit check` takes it with the proof.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Check {
    /// The proof.
    proof: PathBuf,
    /// The record of the decision in JSON, as `audit prove --record` writes it, or `decisions show` prints it where it was kept whole.
    record: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Args)]
struct Export {
    #[command(flatten)]
    place: Place,
    /// Entries of this time and later, in RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Entries before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Entries of this type alone, such as `route.transition`, or `override.*`; may come several times.
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// What Article 12 of the AI Act is about: everything but what is of the log itself.
    #[arg(long)]
    article12: bool,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::Verify(verb) => verb.run(),
            Verb::Prove(verb) => verb.run(),
            Verb::Check(verb) => verb.run(),
            Verb::Export(verb) => verb.run(),
            Verb::Key(place) => {
                let key = read(&place.log.join("key.pub"))?;
                output::whoever_reads(output::text(String::from_utf8_lossy(&key)))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Place {
    /// Says that there is no such folder, before a missing file is taken for one that was removed.
    fn there(&self) -> anyhow::Result<&Path> {
        anyhow::ensure!(
            self.log.is_dir(),
            "cannot read {}: there is no such folder; `--log` names another",
            self.log.display()
        );
        Ok(&self.log)
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<ExitCode> {
        let (key, policy) = (key(&self.trust.key)?, self.trust.policy.as_deref().map(policy).transpose()?);
        let since =
            self.since.as_deref().map(|file| anyhow::Ok((read(file)?, file.display().to_string()))).transpose()?;
        let since = since.as_ref().map(|(bytes, name)| (bytes.as_slice(), name.as_str()));
        let kept_from = Timestamp::now().checked_sub(self.keep).unwrap_or(Timestamp::MIN);
        let asked = Asked { log: self.place.there()?, key: &key, policy: policy.as_ref(), since, kept_from };
        self.trust.tell(&verify(&asked).context("cannot verify the log")?)
    }
}

impl Trust {
    /// Prints what was found, and returns the exit code for it.
    fn tell(&self, report: &Report) -> anyhow::Result<ExitCode> {
        let failed = report.failed();
        let printed = if self.json {
            let one = |it: &Found| json!({"check": it.check.name(), "holds": it.holds, "text": it.text});
            let checks: Vec<Value> = report.found.iter().map(one).collect();
            let named = failed.map(|it| it.check.name());
            output::line(json!({"ok": failed.is_none(), "failed": named, "checks": checks}))
        } else {
            let verdict =
                failed.map_or("verified".into(), |it| format!("not verified: {}: {}", it.check.name(), it.text));
            output::text(format_args!("{report}{verdict}\n"))
        };
        output::whoever_reads(printed)?;
        let detailed = |it: &Found| if self.detailed_exit_code { it.check.exit_code() } else { 1 };
        Ok(ExitCode::from(failed.map_or(0, detailed)))
    }
}

impl Prove {
    fn run(self) -> anyhow::Result<ExitCode> {
        let log = self.place.there()?;
        let Some(proved) = prove(log, &self.decision).map_err(|error| anyhow::anyhow!("cannot {error}"))? else {
            let (decision, log) = (&self.decision, log.display());
            output::note(format_args!(
                "decision {decision} is in no segment of {log} that is kept and that a checkpoint covers"
            ));
            return Ok(ExitCode::from(1));
        };
        if let Some(file) = &self.record {
            let line = [proved.record.as_slice(), b"\n"].concat();
            std::fs::write(file, line).with_context(|| format!("cannot write {}", file.display()))?;
        }
        output::whoever_reads(output::text(proved.proof))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Check {
    fn run(self) -> anyhow::Result<ExitCode> {
        let (key, policy) = (key(&self.trust.key)?, self.trust.policy.as_deref().map(policy).transpose()?);
        let record = read(&self.record)?;
        let record = record_of(&record).with_context(|| {
            format!("cannot read {}: it is not one object in JSON, with each key once", self.record.display())
        })?;
        let (file, mut text) = (self.proof.display(), String::new());
        read(&self.proof)?.as_slice().read_to_string(&mut text).with_context(|| format!("cannot read {file}"))?;
        let report = match Proof::read(&text) {
            Ok(proof) => check(&proof, &record, &key, policy.as_ref()),
            Err(why) => {
                let text = format!("{file} is no proof of a decision: {why}");
                Report { found: vec![Found { check: Of::Inclusion, holds: Some(false), text }] }
            }
        };
        self.trust.tell(&report)
    }
}

impl Export {
    fn run(self) -> anyhow::Result<ExitCode> {
        let log = self.place.there()?;
        let written = |it: Option<Timestamp>| it.map(|it| format!("{it:.3}"));
        let wanted =
            Wanted { from: written(self.from), to: written(self.to), kinds: self.kinds, article12: self.article12 };
        let told = export(log, &wanted).map_err(|error| anyhow::anyhow!("cannot {error}"))?;
        self::noted(log, &wanted, told.entries)?;
        let mut lines = told.lines().map(|it| it.map_err(|error| anyhow::anyhow!("cannot {error}")));
        output::whoever_reads(lines.try_for_each(|it| output::line(it?)))?;
        output::note(match told.entries {
            1 => "1 entry".into(),
            entries => format!("{entries} entries"),
        });
        Ok(ExitCode::SUCCESS)
    }
}

/// Notes the export where the log is written (G-093). A copy of the log alone has no spool beside it, and nobody who would enter it.
fn noted(log: &Path, wanted: &Wanted, entries: u64) -> anyhow::Result<()> {
    let data_dir = log.parent().unwrap_or(Path::new(""));
    if !data_dir.join("instances").is_dir() {
        output::note(
            "there is no spool beside this log, so it is taken for a copy: that it was exported is noted nowhere",
        );
        return Ok(());
    }
    let user = std::env::var("USER").ok().filter(|it| !it.is_empty()).unwrap_or_else(|| "unknown".into());
    let data = json!({
        "what": "audit.export", "entries": entries, "from": wanted.from, "to": wanted.to, "types": wanted.kinds, "article12": wanted.article12,
    });
    note(data_dir, Timestamp::now(), ("access.read", &format!("user:{user}")), data)
        .map(drop)
        .context("cannot note the export in the spool beside the log, so nothing is exported (G-093); a copy of the log alone can be")
}
