//! Live: a process of a log, lived again.

use std::{
    mem,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use evenkeel_core::{Core, Entry, Followed, Header, Input, Nanos, Output, Record, SEMANTICS};

use super::{
    Difference, End, Place, Process, Replayed,
    read::{Met, Trouble, form},
};
use crate::world::{said, what};

/// What somebody sees who watches.
pub(crate) enum Lived<'a> {
    /// A core started, before anything that came out of it.
    Begun {
        core: &'a Core,
        at: Nanos,
        /// It is the first of its process.
        first: bool,
    },
    /// Something is about to be fed to it.
    Feeds(&'a Core, &'a Record),
    /// Something came out.
    Said(&'a Record, &'a Output),
}

/// The process that is being lived.
#[derive(Debug, Default)]
pub(super) struct Live {
    core: Option<Core>,
    /// The core has panicked, and is to be started anew.
    panicked: bool,
    running: Option<Process>,
    done: Vec<Process>,
}

/// Feeds a core; says whether it panicked.
pub(super) fn contained(core: Option<&mut Core>, at: Nanos, input: Input) -> bool {
    core.is_some_and(|core| catch_unwind(AssertUnwindSafe(|| core.handle(at, input))).is_err())
}

impl Live {
    /// Takes in the next thing of a log; breaks where the rest of the process is not to be read.
    pub(super) fn meet(&mut self, met: Met<'_>, watch: &mut dyn FnMut(Lived<'_>)) -> ControlFlow<()> {
        match met {
            Met::Process(header) => self.process(header),
            Met::Record { record, file, byte, wall_ms } => self.record(record, (file, byte, wall_ms), watch),
            Met::Trouble(trouble) => {
                self.trouble(trouble);
                ControlFlow::Break(())
            }
        }
    }

    /// Returns what it came to.
    pub(super) fn end(mut self) -> Replayed {
        self.done.append(&mut self.running.take().into_iter().collect());
        Replayed { processes: self.done }
    }

    fn process(&mut self, header: &Header) -> ControlFlow<()> {
        (self.core, self.panicked) = (None, false);
        let (first, span_ms) = (header.began, (header.wall_ms, header.wall_ms));
        let foreign = (header.semantics != SEMANTICS).then(|| End::Foreign {
            core: header.core.clone(),
            what: format!(
                "semantics changed: it was decided by the rules {:#018x}, and this version has {SEMANTICS:#018x}",
                header.semantics
            ),
        });
        let flow = if foreign.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let end = foreign.unwrap_or(End::Untold);
        let next = Process { first, records: 0, decisions: 0, lost: 0, span_ms, end };
        self.done.extend(self.running.replace(next));
        flow
    }

    fn trouble(&mut self, trouble: Trouble) {
        let end = match trouble {
            Trouble::Torn(place, bytes) => End::Torn { place, bytes },
            Trouble::Damaged(place, what) => End::Damaged { place, what },
            Trouble::Form(format) => End::Foreign { core: "unknown".into(), what: form(format) },
        };
        let new = || Process { first: 0, records: 0, decisions: 0, lost: 0, span_ms: (0, 0), end: End::Untold };
        let running = self.running.get_or_insert_with(new);
        // What follows a torn block is of a process that went on: something of it is not there.
        if running.end.is_identical() {
            running.end = end;
        }
    }

    fn record(
        &mut self,
        mut record: Record,
        (file, byte, wall_ms): (&Path, usize, u64),
        watch: &mut dyn FnMut(Lived<'_>),
    ) -> ControlFlow<()> {
        let running = self.running.as_mut().expect("a process begins before its records");
        if running.records == 0 {
            running.span_ms.0 = wall_ms;
        }
        (running.records, running.span_ms.1) = (running.records + 1, wall_ms);
        let words = match &record.entry {
            Entry::Input { input, .. } => Some(input.clone()).filter(|it| !matches!(it, Input::Revision(_))),
            Entry::Begin(_) | Entry::End(_) => None,
        };
        let odd = self.feed(&mut record, watch);
        let (mut now, mut outputs) = (Followed::default(), Vec::new());
        let mut decisions = 0;
        while let Some(output) = self.core.as_mut().and_then(Core::poll) {
            if self.panicked {
                continue;
            }
            now.by(&output);
            decisions += u64::from(matches!(output, Output::Decision(_)));
            watch(Lived::Said(&record, &output));
            outputs.push(output);
        }
        let running = self.running.as_mut().expect("seen above");
        running.decisions += decisions;
        if now == record.followed && odd.is_none() {
            return ControlFlow::Continue(());
        }
        let input =
            odd.map_or_else(|| words.as_ref().map_or_else(|| "a revision, or a start".into(), what), str::to_owned);
        running.end = End::Differs(Box::new(Difference {
            place: Place { file: file.display().to_string(), byte, record: record.number },
            wall_ms,
            decision: None,
            input,
            then: record.followed,
            now,
            outputs: outputs.iter().map(said).collect(),
        }));
        ControlFlow::Break(())
    }

    /// Feeds a record; says what is odd about it.
    fn feed(&mut self, record: &mut Record, watch: &mut dyn FnMut(Lived<'_>)) -> Option<&'static str> {
        let running = self.running.as_mut().expect("a process begins before its records");
        let first = running.records == 1;
        match &record.entry {
            Entry::Begin(origin) => {
                let after_panic = mem::take(&mut self.panicked);
                let as_then = self.core.as_ref().is_none_or(|core| core.origin() == *origin);
                self.core = Some(Core::begin(record.at, origin.clone()));
                watch(Lived::Begun { core: self.core.as_ref().expect("just made"), at: record.at, first });
                running.lost += u64::from(!first);
                match () {
                    () if !first && !after_panic => Some("the core was lost to a panic here, and is not lost now"),
                    () if !as_then => Some("the core that was lost here stood otherwise than it does now"),
                    () => None,
                }
            }
            _ if self.panicked => Some("the core panics before this now, and did not then"),
            Entry::Input { .. } if self.core.is_none() => Some("the log does not begin with the start of a core"),
            Entry::Input { .. } => {
                watch(Lived::Feeds(self.core.as_ref().expect("seen above"), record));
                // Who watches has seen it: the core takes it.
                let Entry::Input { input, .. } = &mut record.entry else { unreachable!("seen above") };
                self.panicked = contained(self.core.as_mut(), record.at, mem::replace(input, Input::Timeout));
                None
            }
            Entry::End(ending) => {
                running.end = End::Told(*ending);
                None
            }
        }
    }
}
