//! What the PostgreSQL of the tests needs of whoever runs it.

use std::{
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Waits for something that takes a moment.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The folder of what tests need beyond Rust.
pub(crate) fn environments() -> PathBuf {
    let told = std::env::var_os("EVENKEEL_TEST_ENVS").map(PathBuf::from);
    told.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache/evenkeel-test"))
}

/// Notes that a test was skipped, for the list at the end of `./test`.
pub(crate) fn skip(test: &str, reason: &str) {
    println!("SKIP {test}: {reason}");
    if let Ok(file) = std::env::var("EVENKEEL_SKIPS") {
        let line = format!("SKIP {test}: {reason}\n");
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list can be written");
    }
}
