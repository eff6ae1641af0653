//! The verbs. Exit code 0: done; 1: the answer is no; 2: the command could not do its work.

mod audit;
mod calibrate;
mod check;
mod config;
mod decisions;
mod demo;
mod index;
mod mock;
mod over;
mod profile;
mod replay;
mod serve;
mod serve_path;
mod simulate;
mod status;
mod tune;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps inference answering when the model behind it cannot.
#[derive(Debug, Parser)]
#[command(
    name = "evenkeel",
    version,
    propagate_version = true,
    after_help = "The environment variable EVENKEEL_LOG filters the log of `serve`: see `evenkeel serve --help`."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Everything in one process: mock models, the gateway, traffic, a scripted outage. Needs no file and no network.
    Demo(demo::Demo),
    /// Runs the gateway. A saved file or SIGHUP reloads; SIGTERM drains.
    ///
    /// The log goes to standard error, a line in JSON each. The environment variable EVENKEEL_LOG says which: a level (error,
    /// warn, info, debug, off; info where it is not set), or one for each part, such as warn,evenkeel::config=info.
    Serve(serve::Serve),
    /// Serves one path that is computed in this process as an Open Inference Protocol server of its own.
    ///
    /// So a path can be isolated in a process or a container: the gateway then calls it as any `oip` upstream. It reloads and
    /// drains as `serve` does.
    ServePath(serve_path::ServePath),
    /// Verifies the tamper-evident log, and proves what is in it.
    Audit(audit::Audit),
    /// Reads a configuration and prints everything that is wrong with it.
    Check(check::Check),
    /// Learns from rows what the scores of a tier would be on the primary's scale, what it is worth that it is sure, or what the votes
    /// of an ensemble count.
    Calibrate(calibrate::Calibrate),
    /// Finds the threshold at which a route's cheaper models may answer, with a promise of how much that may cost.
    Tune(tune::Tune),
    /// Prints the JSON schema or a commented example of a configuration.
    Config(config::Config),
    /// Says how the routes and tiers of a running gateway stand, and which of its tiers count as redundancy.
    Status(status::Status),
    /// Shows how requests were decided, and says why in words.
    Decisions(decisions::Decisions),
    /// Builds the document index of a `retrieval` path, and asks it.
    Index(index::Index),
    /// Runs a model server that breaks on demand.
    ///
    /// PUT /mock/faults switches faults, GET /mock/log shows what it saw. docs/guides/mock.md lists the faults, with an example
    /// of each.
    Mock(mock::Mock),
    /// Makes a reference of rows that were well: what guards, the row score and drift compare with.
    ///
    /// Rows come from CSV, Parquet or JSON lines; what a file is says its beginning. `profile show` prints a reference, `profile
    /// merge` puts several together.
    Profile(Box<profile::Profile>),
    /// Makes every decision of a log again, and compares bit for bit; or says what would have been under another configuration.
    Replay(replay::Replay),
    /// Plays scenarios of clients, servers and faults around the same core, and holds it to its rules.
    ///
    /// Exit code 0: every rule holds, and of whole runs every expectation; 1: one does not; 2: a scenario or a configuration is
    /// wrong.
    Simulate(simulate::Simulate),
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::Demo(verb) => verb.run(),
            Verb::Serve(verb) => verb.run(),
            Verb::ServePath(verb) => verb.run(),
            Verb::Check(verb) => verb.run(),
            Verb::Audit(verb) => verb.run(),
            Verb::Calibrate(verb) => verb.run(),
            Verb::Config(verb) => verb.run(),
            Verb::Decisions(verb) => verb.run(),
            Verb::Index(verb) => verb.run(),
            Verb::Mock(verb) => verb.run(),
            Verb::Profile(verb) => verb.run(),
            Verb::Replay(verb) => verb.run(),
            Verb::Simulate(verb) => verb.run(),
            Verb::Status(verb) => verb.run(),
            Verb::Tune(verb) => verb.run(),
        }
    }
}

/// Returns a number of things, as people say it.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    let several = if thing.ends_with('s') { "es" } else { "s" };
    format!("{number} {thing}{}", if number == 1 { "" } else { several })
}

/// Makes the runtime of a verb that serves.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn numbers_of_things_are_said_as_people_say_them() {
        let said = [counted(1, "record"), counted(0, "record"), counted(1, "process"), counted(2, "process")];
        assert_eq!(said, ["1 record", "0 records", "1 process", "2 processes"]);
    }
}
