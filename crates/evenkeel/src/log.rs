//! Log: JSON lines to standard error, filtered by `EVENKEEL_LOG`.
//!
//! # Invariants
//! - `LOG-1`: a filter that cannot be read is told, and everything from `info` up is logged: a wrong word there is no
//!   reason not to serve, and none to be silent.

use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

/// What is logged where nothing else is said.
const DEFAULT: &str = "info";

/// Starts to log.
pub(crate) fn start() {
    let wanted = std::env::var_os("EVENKEEL_LOG").unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    let read = filter(&wanted);
    let wrong = read.as_ref().err().cloned();
    let filter = read.unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).init();
    if let Some(why) = wrong {
        tracing::warn!(target: "evenkeel::serve", value = %wanted, why, "EVENKEEL_LOG cannot be read, so everything from info up is logged; write a level, such as warn, or one for each part, such as warn,evenkeel::config=info");
    }
}

/// Reads what is wanted. A lone word that is no level is refused: the library takes it for the name of a part, and logs
/// nothing else, so that a slip of the pen would be silence.
fn filter(wanted: &str) -> Result<EnvFilter, String> {
    let wanted = wanted.trim();
    if wanted.is_empty() {
        return Ok(EnvFilter::new(DEFAULT));
    }
    let is_part = |it: &str| it.contains(['=', '[']) || it.starts_with("evenkeel::");
    for word in wanted.split(',').map(str::trim).filter(|it| !it.is_empty() && !is_part(it)) {
        if word.parse::<LevelFilter>().is_err() {
            return Err(format!("`{word}` is not a level"));
        }
    }
    EnvFilter::try_new(wanted).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_1_what_is_no_filter_is_refused_and_never_taken_for_silence() {
        for (text, read) in [
            ("", "info"),
            (" ", "info"),
            ("warn", "warn"),
            ("off", "off"),
            ("warn,evenkeel::config=info", "evenkeel::config=info,warn"),
        ] {
            assert_eq!(filter(text).map(|it| it.to_string()), Ok(read.to_owned()), "{text:?}");
        }
        for wrong in ["verbose", "info,loud", "evenkeel::config=loud", "warn;info"] {
            assert!(filter(wrong).is_err(), "{wrong:?}");
        }
    }
}
