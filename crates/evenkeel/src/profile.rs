//! Profile: a reference made of files of rows, shown, and compared with others.
//!
//! What a reference is, and what is computed of it, is `evenkeel_signals::reference`; here rows are read, and words are found.

pub(crate) mod against;
mod alarms;
pub(crate) mod build;
mod cell;
mod infer;
mod inspect;
pub(crate) mod live;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod show;
mod tally;
mod time;
mod words;

pub(crate) use inspect::telling;
pub(crate) use words::hex;
