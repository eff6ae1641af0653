//! Output: what verbs print, also where nobody reads it any more.
//!
//! A reader that has left (`… | head`) is no fault: a verb that knows its answer ends with it, one that was still at work ends.

use std::{
    fmt::{self, Display},
    io::{self, ErrorKind, Write},
};

use anyhow::Context;

/// Nobody reads what is printed any more.
#[derive(Debug)]
pub(crate) struct Unread;

impl Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output")
    }
}

impl std::error::Error for Unread {}

/// Prints a line.
///
/// # Errors
/// [`Unread`], or what the system says of a disk that is full.
pub(crate) fn line(text: impl Display) -> anyhow::Result<()> {
    write(&format_args!("{text}\n"))
}

/// Prints a text that has its own line ends.
///
/// # Errors
/// As [`line`].
pub(crate) fn text(text: impl Display) -> anyhow::Result<()> {
    write(&text)
}

/// Says something to whoever watches, on standard error; nobody has to.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Goes on where nobody has read what was printed.
///
/// # Errors
/// Any other than [`Unread`].
pub(crate) fn whoever_reads(printed: anyhow::Result<()>) -> anyhow::Result<()> {
    printed.or_else(|error| if error.is::<Unread>() { Ok(()) } else { Err(error) })
}

fn write(text: &dyn Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Unread.into()),
        written => written.context("cannot print"),
    }
}
