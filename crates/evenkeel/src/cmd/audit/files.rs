//! What `evenkeel audit` is given: files of keys, policies and checkpoints, and lengths of time.

use std::{fs, path::Path};

use anyhow::Context;
use evenkeel_config::Duration;
use evenkeel_control::audit::verify::{Policy, Vkey};
use jiff::SignedDuration;

/// Reads a file.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Reads the key of a log: itself, or a file with it.
pub(super) fn key(given: &str) -> anyhow::Result<Vkey> {
    let (text, named) = match Vkey::read(given) {
        Ok(key) => return checked(key, given),
        // No file has such a name by accident: its three parts are there, and one of them is wrong.
        Err(error) if given.split('+').count() >= 3 && !Path::new(given).is_file() => anyhow::bail!("cannot {error}"),
        Err(_) => (read(Path::new(given))?, given),
    };
    let key = Vkey::read(&String::from_utf8_lossy(&text))
        .map_err(|error| anyhow::anyhow!("cannot {error}"))
        .context(named.to_owned())?;
    checked(key, named)
}

fn checked(key: Vkey, named: &str) -> anyhow::Result<Vkey> {
    anyhow::ensure!(
        key.is_of_a_log(),
        "cannot verify with {named}: it is the key of a witness, which stands in a policy"
    );
    Ok(key)
}

/// Reads a policy.
pub(super) fn policy(file: &Path) -> anyhow::Result<Policy> {
    let text = read(file)?;
    let text = String::from_utf8(text).with_context(|| format!("cannot read {}: it is no text", file.display()))?;
    Policy::read(&text).map_err(|error| anyhow::anyhow!("cannot {error}")).with_context(|| file.display().to_string())
}

/// Reads a length of time, as the configuration has it.
pub(super) fn length(text: &str) -> Result<SignedDuration, String> {
    let read: Duration = serde_json::from_value(text.into()).map_err(|error| error.to_string())?;
    Ok(SignedDuration::from_nanos(i64::try_from(read.nanos()).unwrap_or(i64::MAX)))
}
