//! Secret: a value from the environment or a file that is never printed.
//!
//! # Invariants
//! - `SEC-1`: neither `Debug` nor `Serialize` nor any message shows the value, and it is wiped when dropped.

use std::{fmt, path::Path};

use zeroize::Zeroizing;

/// A secret value, as the gateway sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Returns the value, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Resolves `${env:NAME}` or `${file:PATH}`; any other text is the value itself.
    ///
    /// # Errors
    /// What is missing: the variable, the file, or a value in it. The message names the reference, never a value.
    pub(crate) fn resolve(reference: &str, base: &Path) -> Result<Self, String> {
        let value = match reference.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            None => reference.to_owned(),
            Some(inside) => match inside.split_once(':') {
                Some(("env", name)) => {
                    std::env::var(name).map_err(|_| format!("environment variable {name} is not set"))?
                }
                Some(("file", path)) => std::fs::read_to_string(base.join(path))
                    .map_err(|error| format!("file {path} cannot be read: {error}"))?,
                _ => return Err(format!("{reference} is neither ${{env:NAME}} nor ${{file:PATH}}")),
            },
        };
        let value = Zeroizing::new(value);
        match value.trim() {
            "" => Err(format!("{reference} is empty")),
            trimmed => Ok(Self(Zeroizing::new(trimmed.to_owned()))),
        }
    }
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
        for wrong in ["${env:EVENKEEL_NO_SUCH_VARIABLE}", "${file:absent}", "${vault:x}"] {
            assert!(Secret::resolve(wrong, folder.path()).is_err(), "{wrong}");
        }
    }
}
