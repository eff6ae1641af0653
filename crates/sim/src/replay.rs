//! Replay: a log of inputs fed to the core again, and what followed held against what followed then (rule 12).
//!
//! No world is modelled here: times, inputs and what they led to are those of the log. Each process that wrote to the log is
//! lived from its beginning to its end, or to the first thing that is not as it was written.
//!
//! # Invariants
//! - `RPL-1`: identical is said only of a process every record of which was read, fed and compared; and of a log only where no
//!   record is missing between its processes, and there is one at all.
//! - `RPL-2`: what was decided by other rules is not compared ([`SEMANTICS`](evenkeel_core::SEMANTICS)): neither equality nor
//!   difference would mean anything.
//! - `RPL-3`: a panic of the core is lived again: a process that survived one goes on as it did then.

mod live;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::{collections::BTreeMap, mem, ops::ControlFlow};

use evenkeel_core::{AttemptId, Core, Ending, Entry, Followed, Input, Output, Record, RequestId};

use self::{
    live::Live,
    read::{Met, walk},
};
pub(crate) use self::{live::Lived, write::Book};
pub use self::{
    read::{Log, LogError},
    write::record,
};
use crate::world::{said, what};

/// Where a record, or damage, is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The segment.
    pub file: String,
    /// The byte at which its block begins.
    pub byte: usize,
    /// The record; of damage, the first one that cannot be read.
    pub record: u64,
}

/// The first record after which something else follows than followed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is.
    pub place: Place,
    /// When it came, in milliseconds since 1970.
    pub wall_ms: u64,
    /// The name of the decision that it is about, where it is about one that has a name.
    pub decision: Option<String>,
    /// What came in.
    pub input: String,
    /// What followed then; its words are not in the log.
    pub then: Followed,
    /// What follows now,
    pub now: Followed,
    /// in words.
    pub outputs: Vec<String>,
}

/// How the log of a process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With the word that nothing follows.
    Told(Ending),
    /// Without: the process was killed, or is still running.
    Untold,
    /// Within a block: the process was killed while it wrote.
    Torn {
        /// Where.
        place: Place,
        /// What is left of it.
        bytes: usize,
    },
    /// Bytes are not those that were written, or are not there; nothing after them is replayed.
    Damaged {
        /// Where.
        place: Place,
        /// What is wrong.
        what: String,
    },
    /// Something else follows now.
    Differs(Box<Difference>),
    /// It was decided by other rules, or written in another form; it is not replayed.
    Foreign {
        /// The version that wrote it.
        core: String,
        /// What is other.
        what: String,
    },
}

impl End {
    /// Says whether everything that is in the log was replayed, and came out as it did then.
    pub const fn is_identical(&self) -> bool {
        matches!(self, Self::Told(_) | Self::Untold | Self::Torn { .. })
    }
}

/// What one process has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The number of its first record.
    pub first: u64,
    /// Records that were replayed,
    pub records: u64,
    /// and decisions among what followed.
    pub decisions: u64,
    /// The cores that it has lost to a panic.
    pub lost: u64,
    /// The first and the last record, in milliseconds since 1970; none where not even its head can be read.
    pub span_ms: Option<(u64, u64)>,
    /// How it ends.
    pub end: End,
}

impl Process {
    fn new(first: u64, span_ms: Option<(u64, u64)>) -> Self {
        Self { first, records: 0, decisions: 0, lost: 0, span_ms, end: End::Untold }
    }
}

/// Records that are not there, between two processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where the next one begins, and the record that should be there.
    pub place: Place,
    /// Which ones.
    pub what: String,
}

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// By process, the oldest first.
    pub processes: Vec<Process>,
    /// What is missing between them.
    pub missing: Vec<Missing>,
}

impl Replayed {
    /// Says whether something was compared, nothing is missing, and all is as it was.
    pub fn is_identical(&self) -> bool {
        self.records() > 0 && self.missing.is_empty() && self.processes.iter().all(|it| it.end.is_identical())
    }

    /// Counts the decisions that were made again.
    pub fn decisions(&self) -> u64 {
        self.processes.iter().map(|it| it.decisions).sum()
    }

    /// Counts the records that were replayed.
    pub fn records(&self) -> u64 {
        self.processes.iter().map(|it| it.records).sum()
    }
}

/// Replays a log; `progress` is told how many bytes of it are done.
///
/// # Errors
/// A file cannot be read.
pub fn replay(log: &Log, progress: &mut dyn FnMut(u64)) -> Result<Replayed, LogError> {
    through(log, progress, &mut |_| {})
}

/// Lives a log, and lets somebody watch.
pub(crate) fn through(
    log: &Log,
    progress: &mut dyn FnMut(u64),
    watch: &mut dyn FnMut(Lived<'_>),
) -> Result<Replayed, LogError> {
    let mut live = Live::default();
    walk(log, progress, &mut |met| live.meet(met, watch))?;
    let mut replayed = live.end();
    for process in &mut replayed.processes {
        if let End::Differs(difference) = &mut process.end {
            tell(log, process.first, difference)?;
        }
    }
    Ok(replayed)
}

/// Tells a difference in words, which cost too much to keep them ready for every record: the process is lived once more up to it.
fn tell(log: &Log, first: u64, of: &mut Difference) -> Result<(), LogError> {
    let mut about = About::default();
    walk(log, &mut |_| {}, &mut |met| {
        if let Met::Record { record, .. } = met
            && record.number >= first
        {
            let last = record.number >= of.place.record;
            let heard = about.hear(record, last);
            if last {
                let Heard { request, input, outputs } = heard;
                of.decision = request.and_then(|it| about.names.get(&it)).map(|name| ulid(*name));
                of.input = if of.input.is_empty() { input } else { mem::take(&mut of.input) };
                of.outputs = outputs;
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })
}

/// Knows which decision an input is about.
#[derive(Debug, Default)]
struct About {
    core: Option<Core>,
    names: BTreeMap<RequestId, u128>,
    attempts: BTreeMap<AttemptId, RequestId>,
}

/// What a record is about, and, where that is wanted, its words.
struct Heard {
    request: Option<RequestId>,
    input: String,
    outputs: Vec<String>,
}

impl About {
    fn hear(&mut self, record: Record, in_words: bool) -> Heard {
        let request = match &record.entry {
            Entry::Input { input, name } => match input {
                Input::Admit(admit) => {
                    self.names.extend(name.map(|name| (admit.request, name)));
                    Some(admit.request)
                }
                Input::Attempt { attempt, .. } | Input::Splice { attempt, .. } => self.attempts.get(attempt).copied(),
                Input::Landed { request, .. } | Input::ClientGone { request } => Some(*request),
                Input::Probed { .. } | Input::Signal { .. } | Input::Revision(_) | Input::Timeout | Input::Drain => {
                    None
                }
            },
            Entry::Begin(_) | Entry::End(_) => None,
        };
        let input = match &record.entry {
            Entry::Input { input: Input::Revision(_), .. } | Entry::Begin(_) => "a revision, or a start".into(),
            Entry::Input { input, .. } if in_words => what(input),
            Entry::Input { .. } | Entry::End(_) => String::new(),
        };
        let mut panicked = false;
        match record.entry {
            Entry::Begin(origin) => self.core = Some(Core::begin(record.at, origin)),
            Entry::Input { input, .. } => panicked = live::contained(self.core.as_mut(), record.at, input),
            Entry::End(_) => {}
        }
        let mut outputs = Vec::new();
        while let Some(output) = self.core.as_mut().and_then(Core::poll) {
            if let Output::Start(start) | Output::Shadow(start) = &output {
                self.attempts.insert(start.attempt, start.request);
            }
            outputs.extend((in_words && !panicked).then(|| said(&output)));
        }
        Heard { request, input, outputs }
    }
}

/// Writes a ULID as headers and records do: 26 digits of Crockford's base 32.
pub(crate) fn ulid(number: u128) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..26).rev().map(|at| char::from(DIGITS[(number >> (5 * at)) as usize & 31])).collect()
}
