//! Secret: a value from the environment or a file that is never printed.
//!
//! # Invariants
//! - `SEC-1`: neither `Debug` nor `Serialize` nor any message shows the value, and it is wiped when dropped.

use std::{fmt, fs::File, io::Read, path::Path};

use zeroize::Zeroizing;

/// The largest secret; more is another file than was meant.
const MAX_BYTES: u64 = 64 << 10;

/// A secret value, as the gateway sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Returns the value, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Takes a whole file for one, such as a key.
    pub(crate) fn whole(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Resolves `${env:NAME}` or `${file:PATH}`; any other text is the value itself.
    ///
    /// # Errors
    /// What is missing: the variable, the file, or a value in it. The message names the reference, never a value.
    pub(crate) fn resolve(reference: &str, base: &Path) -> Result<Self, String> {
        let (source, value) = match within(reference).map(|inside| inside.split_once(':')) {
            None => ("the value".to_owned(), reference.to_owned()),
            Some(Some(("env", name))) => {
                let read = std::env::var(name);
                (reference.to_owned(), read.map_err(|_| format!("environment variable `{name}` is not set"))?)
            }
            Some(Some(("file", path))) => {
                (reference.to_owned(), read(&base.join(path)).map_err(|why| format!("file `{path}` {why}"))?)
            }
            Some(_) => return Err(format!("`{reference}` is neither ${{env:NAME}} nor ${{file:PATH}}")),
        };
        let value = Zeroizing::new(value);
        match value.trim() {
            "" => Err(format!("`{source}` is empty")),
            trimmed if trimmed.chars().any(char::is_control) => {
                Err(format!("`{source}` has line ends or control characters within"))
            }
            trimmed => Ok(Self(Zeroizing::new(trimmed.to_owned()))),
        }
    }
}

/// Returns what stands in the brackets of a reference; none where a text is the value itself.
pub(crate) fn within(reference: &str) -> Option<&str> {
    reference.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
}

/// Reads a secret of bounded size.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    file.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    str::from_utf8(&bytes).map(str::to_owned).map_err(|_| "is not UTF-8".into())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn se_05_a_secret_is_resolved_and_never_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key"), "hush\n").expect("written");
        let secret = Secret::resolve("${file:key}", folder.path()).expect("the file is there");
        assert_eq!((secret.reveal(), format!("{secret:?}")), ("hush", "Secret(…)".to_owned()), "SEC-1");
        std::fs::write(folder.path().join("two"), "hush\nhush\n").expect("written");
        std::fs::write(folder.path().join("none"), "\n").expect("written");
        for wrong in [
            "${env:EVENKEEL_NO_SUCH_VARIABLE}",
            "${file:absent}",
            "${file:two}",
            "${file:none}",
            "${vault:x}",
            "hush\nhush",
        ] {
            let why = Secret::resolve(wrong, folder.path()).expect_err(wrong);
            assert!(!why.contains("hush"), "{why}");
        }
    }
}
