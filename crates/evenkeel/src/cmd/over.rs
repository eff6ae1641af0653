//! Over: whether a file may be written over: never one that is read, nor one of another kind; one of the kind if somebody says so.

use std::{
    fs::{self, File},
    io::{BufRead, IsTerminal, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use anyhow::{Context, bail, ensure};

use crate::output;

/// Bytes by which a file of what was learnt is known: its kind stands at its beginning.
const BEGIN: u64 = 4_096;

/// What a command makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Reference,
    Calibration,
    Certificate,
}

impl Made {
    fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Calibration => "calibration",
            Self::Certificate => "certificate",
        }
    }

    /// Says whether bytes begin as such a file does.
    fn begins(self, begin: &[u8]) -> bool {
        let text = String::from_utf8_lossy(begin);
        let kind =
            |it: &&str| text.contains(&format!("\"kind\": \"{it}\"")) || text.contains(&format!("\"kind\":\"{it}\""));
        match self {
            Self::Reference => begin.starts_with(b"EKREF"),
            Self::Calibration => ["score-map", "confidence", "votes"].iter().any(kind),
            Self::Certificate => kind(&"certificate"),
        }
    }
}

/// Refuses to write over what must not be lost. `read` are the files that the command reads.
///
/// # Errors
/// The file is one of those, also by another name; or it is there, and of another kind; or of the kind, and nobody said that it may be
/// replaced.
pub(super) fn may_write<'a>(
    file: &Path,
    made: Made,
    read: impl IntoIterator<Item = &'a Path>,
    force: bool,
) -> anyhow::Result<()> {
    let name = file.display();
    let Ok(there) = fs::metadata(file) else { return Ok(()) };
    let same = |it: &Path| fs::metadata(it).is_ok_and(|it| (it.dev(), it.ino()) == (there.dev(), there.ino()));
    if let Some(it) = read.into_iter().find(|it| same(it)) {
        bail!("-o {name} is {}, which is read here: write to another file", it.display());
    }
    let mut begin = Vec::new();
    let opened = File::open(file).and_then(|it| it.take(BEGIN).read_to_end(&mut begin));
    opened.with_context(|| format!("cannot read {name}, which -o would replace"))?;
    ensure!(
        begin.is_empty() || made.begins(&begin),
        "-o {name} is there, and is no {}: write to another file, or remove it first",
        made.name()
    );
    if begin.is_empty() || force || agreed(file, made)? {
        return Ok(());
    }
    bail!(
        "-o {name} is there already, and a running gateway that uses it takes a new one at once: --force replaces it, or write to another file"
    )
}

/// Asks where somebody can answer.
fn agreed(file: &Path, made: Made) -> anyhow::Result<bool> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Ok(false);
    }
    let (name, what) = (file.display(), made.name());
    output::note(format_args!(
        "{name} is a {what} already, and a running gateway that uses it takes a new one at once. Replace it? [y/N]"
    ));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_of_another_kind_is_never_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
            folder.path().join(name)
        };
        let (rows, notes, empty) = (at("rows.csv", "a,b"), at("notes.txt", "do not lose"), at("empty", ""));
        let old = at("old.json", "{\n\"as_of\": 1,\n\"kind\": \"confidence\"\n}");
        let link = folder.path().join("link.csv");
        std::os::unix::fs::symlink(&rows, &link).expect("linked");
        let may =
            |file: &Path, made, force| may_write(file, made, [rows.as_path()], force).map_err(|it| it.to_string());
        assert_eq!(may(&folder.path().join("new"), Made::Reference, false), Ok(()));
        assert_eq!(may(&empty, Made::Reference, false), Ok(()), "there is nothing to lose");
        for (file, made, force, words) in [
            (&rows, Made::Reference, true, "which is read here"),
            (&link, Made::Certificate, true, "which is read here"),
            (&notes, Made::Calibration, true, "is no calibration"),
            (&old, Made::Certificate, true, "is no certificate"),
            (&old, Made::Calibration, false, "--force replaces it"),
        ] {
            let refused = may(file, made, force).expect_err(words);
            assert!(refused.contains(words), "{refused}");
        }
        assert_eq!(may(&old, Made::Calibration, true), Ok(()));
    }
}
