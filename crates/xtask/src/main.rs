//! The verbs of those who work on Evenkeel: `cargo xtask tidy|bless|mutate|scorecard|interop`.

mod bless;
mod interop;
mod mutate;
mod scorecard;
mod tidy;

use std::{path::Path, process::ExitCode};

/// What there is.
const HELP: &str = "\
usage: cargo xtask VERB

  tidy              form: edges of the crates, purity of the core, headers, sizes, words, ids and links; seconds
  bless             writes the golden reports of the scenarios anew; read what moved
  mutate [RULE]     breaks each rule of the core on purpose in a scratch copy, one line at a time, and shows whether a
                    property or the simulator notices; only those whose id, or whose file, holds RULE; minutes each, hours
                    for all. Before a release, and after a change of a rule or of what watches it
  scorecard [ROW…]  plays rows of the fault catalogue over real sockets and writes docs/fault-scorecard.md anew; all rows
                    take about three minutes. After a change of what a row sees
  interop           asks real servers of tensors with real clients, and writes docs/interop.md anew; needs the environments of
                    `./test`; two minutes. After a change of what goes over the wire
";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if asks_for_help(&arguments) {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    match arguments.first().map(String::as_str) {
        Some("tidy") => {
            let report = tidy::run(root())?;
            report.warnings.iter().for_each(|line| println!("warning: {line}"));
            report.errors.iter().for_each(|line| println!("error: {line}"));
            let (errors, warnings) = (counted(report.errors.len(), "error"), counted(report.warnings.len(), "warning"));
            println!("tidy: {errors}, {warnings}");
            Ok(ExitCode::from(u8::from(!report.errors.is_empty())))
        }
        Some("bless") => bless::run(root()),
        Some("mutate") => mutate::run(root(), arguments.get(1).map(String::as_str)),
        Some("interop") => interop::run(root()),
        Some("scorecard") => scorecard::run(root(), &arguments[1..]),
        _ => anyhow::bail!("there is no such verb\n{HELP}"),
    }
}

/// Says whether help is wanted, wherever the word stands: a verb that takes minutes must not run by mistake.
fn asks_for_help(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|it| it == "help") || arguments.iter().any(|it| it == "--help" || it == "-h")
}

/// Returns a number of things, as people say it.
fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The folder of the whole repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_printed_in_place_of_what_it_is_asked_of() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for asked in ["--help", "help", "mutate --help", "scorecard -h", "scorecard UP-34 --help"] {
            assert!(asks_for_help(&words(asked)), "{asked}");
        }
        for not in ["mutate", "scorecard UP-34", "mutate help"] {
            assert!(!asks_for_help(&words(not)), "{not}");
        }
        for verb in ["tidy", "bless", "mutate", "scorecard", "interop"] {
            assert!(HELP.contains(&format!("\n  {verb}")), "{verb}");
        }
    }
}
