//! Evidence: what is kept on disk of requests and of what happened, and how it is read (ADR 11).
//!
//! Not the writer, which is the data plane's (`gateway/spool`): here is what both sides must agree on, and what readers need.
//!
//! # Where it is
//! `<data_dir>/instances/<name>/` is the folder of one running process at a time. In it `decisions/` and `events/` are its two
//! streams, and `read/<reader>` says how far somebody has read them. A stream is a row of segments, `<n>.jsonl.gz`, named
//! after the number of their first line in 20 digits; the one that is being written has `.open` behind its name.
//!
//! # Invariants
//! - `SPO-1`: a line has the number of the first line of its file, and its place in it. The numbers of a stream begin at 1
//!   and never come again. They have no holes, but for those of damage: behind a file that was damaged or taken away.
//! - `SPO-2`: a segment without `.open` never changes.
//! - `SPO-3`: a segment is a series of gzip members, each of whole lines: what was written together is there together.
//!
//! # Source
//! gzip: RFC 1952; a series of members is a file (section 2.2). The form of a line: RFC 8785.

mod cursor;
mod jcs;
mod line;
mod segment;
mod standing;

pub use cursor::Cursor;
pub use jcs::{Jcs, canonical};
pub use line::{DecisionLine, Event, Gap, Why};
pub use segment::{Ending, Member, Members, Segment, instances, segments};
pub use standing::{Evidence, StreamState};

/// What is kept in a folder of its own, with numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// A line for every request that is over.
    Decisions,
    /// A line for everything else that happened.
    Events,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Decisions, Self::Events];

    /// Returns the name of its folder, which is also that in metrics and events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Events => "events",
        }
    }
}
