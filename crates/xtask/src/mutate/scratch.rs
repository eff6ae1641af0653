//! Scratch: a copy of the work tree in which rules may be broken.
//!
//! It lies below `target`, with a build folder of its own that is kept, so that a second run builds little. A copy that was
//! left broken by an interrupt does no harm: the next run copies every file anew.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};

use super::table::Mutation;

/// What must notice: a package, one of its tests, and which of its cases.
const CHECKS: [[&str; 3]; 2] = [["evenkeel-core", "rules", "properties::"], ["evenkeel-sim", "it", "rule_1"]];

/// Simulated runs of a check, over all scenarios.
const RUNS: &str = "4400";
/// How often a check is looked at, and how many times: one that takes longer than half an hour has no end.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 36_000;

/// What a check said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It failed.
    Noticed,
    /// It passed.
    Nothing,
    /// It was not asked: another one had noticed.
    Unasked,
}

impl Seen {
    pub(crate) fn noticed(&self) -> bool {
        *self == Self::Noticed
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Noticed => "noticed",
            Self::Nothing => "passed",
            Self::Unasked => "-",
        })
    }
}

/// The copy.
#[derive(Debug)]
pub(crate) struct Scratch {
    tree: PathBuf,
    build: PathBuf,
}

impl Scratch {
    /// Copies the work tree as it stands, changes that are not committed included.
    pub(crate) fn copy(root: &Path) -> anyhow::Result<Self> {
        let at = root.join("target/mutate");
        let scratch = Self { tree: at.join("tree"), build: at.join("build") };
        let listed =
            Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().context("cannot run git")?;
        ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
        for name in String::from_utf8(listed.stdout)?.split('\0').filter(|name| !name.is_empty()) {
            let Ok(text) = fs::read(root.join(name)) else { continue };
            let to = scratch.tree.join(name);
            // What did not change keeps its time, and is not built again.
            if fs::read(&to).ok().as_ref() != Some(&text) {
                fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
                fs::write(&to, text)?;
            }
        }
        Ok(scratch)
    }

    /// Breaks one rule for as long as `act` takes.
    pub(crate) fn with<T>(&self, it: &Mutation, act: impl FnOnce(&Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let file = self.tree.join(it.file);
        let sound = fs::read_to_string(&file).with_context(|| it.file.to_owned())?;
        fs::write(&file, it.apply(&sound)?)?;
        let done = act(self);
        fs::write(&file, sound)?;
        done.with_context(|| format!("{}: `{}` instead of `{}`", it.file, it.with, it.line))
    }

    /// Runs the checks until one notices something.
    pub(crate) fn judge(&self) -> anyhow::Result<[Seen; 2]> {
        let properties = self.check(CHECKS[0])?;
        let simulation = if properties.noticed() { Seen::Unasked } else { self.check(CHECKS[1])? };
        Ok([properties, simulation])
    }

    fn check(&self, [package, test, cases]: [&str; 3]) -> anyhow::Result<Seen> {
        let test = ["test", "--release", "-q", "-p", package, "--test", test];
        // What does not compile proves nothing.
        ensure!(
            self.cargo(&[&test[..], &["--no-run"]].concat())?.is_some_and(|it| it.success()),
            "it does not compile"
        );
        let run = self.cargo(&[&test[..], &[cases]].concat())?;
        ensure!(!fs::read_to_string(self.told())?.contains("running 0 tests"), "no test of {package} is named {cases}");
        Ok(if run.is_some_and(|it| it.success()) { Seen::Nothing } else { Seen::Noticed })
    }

    /// Where the last command wrote what it had to say.
    fn told(&self) -> PathBuf {
        self.build.with_extension("log")
    }

    /// Runs cargo to its end; none where a broken rule made a loop without one.
    fn cargo(&self, arguments: &[&str]) -> anyhow::Result<Option<ExitStatus>> {
        let log = fs::File::create(self.told())?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(&self.tree).stdout(log.try_clone()?).stderr(log);
        command.env("CARGO_TARGET_DIR", &self.build).env("EVENKEEL_SEEDS", RUNS).stdin(Stdio::null());
        // One line has changed since the last time.
        command.env("CARGO_INCREMENTAL", "1");
        let mut child = command.spawn().context("cannot run cargo")?;
        for _ in 0..LOOKS {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(LOOK);
        }
        end(&mut child)?;
        Ok(None)
    }
}

/// Ends a command and what it has started: the test of a broken rule, which would go on without it. No group of processes of its
/// own for that: who interrupts this program from a terminal means the command, too.
fn end(child: &mut Child) -> anyhow::Result<()> {
    Command::new("pkill").args(["-KILL", "-P", &child.id().to_string()]).status().context("cannot run pkill")?;
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};

    use super::*;

    #[test]
    fn a_command_that_is_ended_leaves_nothing_behind_that_goes_on() {
        // The reader has its end once nobody is left who could write: neither the command, nor what it has started.
        let script = "(sleep 20 >/dev/null; echo late) & echo begun; wait";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("a shell");
        let mut told = BufReader::new(child.stdout.take().expect("piped"));
        let mut text = String::new();
        told.read_line(&mut text).expect("it has begun");
        end(&mut child).expect("it ends");
        told.read_to_string(&mut text).expect("text");
        assert_eq!(text, "begun\n");
    }

    #[test]
    fn every_property_of_the_core_is_among_the_checks() {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/rules");
        let files = fs::read_dir(rules).expect("the properties are there").map(|it| it.expect("listed").path());
        let tests = files.filter(|it| it.is_file() && fs::read_to_string(it).expect("text").contains("#[test]"));
        let mut tests: Vec<_> = tests.map(|it| it.file_name().expect("a file").to_owned()).collect();
        tests.sort();
        // What lies in the folder of `properties` has `CHECKS[0][2]` in its name.
        assert_eq!(tests, ["properties.rs", "replay.rs"], "a check would not be made");
    }
}
