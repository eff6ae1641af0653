//! Live: a process of a log, lived again.

use std::{
    mem,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use evenkeel_core::{Core, Entry, Followed, Header, Input, Nanos, Output, Record, SEMANTICS};

use super::{
    Difference, End, Missing, Place, Process, Replayed,
    read::{Met, Trouble, form},
};
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
    done: Replayed,
}

/// Says how a log ends that has a flaw.
fn ended(trouble: Trouble) -> End {
    match trouble {
        Trouble::Torn(place, bytes) => End::Torn { place, bytes },
        Trouble::Damaged(place, what) => End::Damaged { place, what },
        Trouble::Form(format) => End::Foreign { core: "unknown".into(), what: form(format) },
    }
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
                let running = self.running.as_mut().expect("a process begins before its end");
                running.end = match (ended(trouble), &running.end) {
                    (End::Torn { place, .. }, End::Told(_)) => {
                        End::Damaged { place, what: "bytes stand behind its end".into() }
                    }
                    // What was found first stays, but for a tail that turns out to be no tail.
                    (end, before) if before.is_identical() => end,
                    (_, before) => before.clone(),
                };
                ControlFlow::Break(())
            }
            Met::Headless { first, trouble } => {
                self.done.processes.push(Process { end: ended(trouble), ..Process::new(first, None) });
                ControlFlow::Continue(())
            }
            Met::Missing { place, what } => {
                self.done.missing.push(Missing { place, what });
                ControlFlow::Continue(())
            }
        }
    }

    /// Returns what it came to.
    pub(super) fn end(mut self) -> Replayed {
        self.done.processes.extend(self.running.take());
        self.done.processes.sort_by_key(|it| it.first);
        self.done
    }

    fn process(&mut self, header: &Header) -> ControlFlow<()> {
        (self.core, self.panicked) = (None, false);
        let foreign = (header.semantics != SEMANTICS).then(|| End::Foreign {
            core: header.core.clone(),
            what: format!(
                "semantics changed: it was decided by the rules {:#018x}, and this version has {SEMANTICS:#018x}",
                header.semantics
            ),
        });
        let flow = if foreign.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let end = foreign.unwrap_or(End::Untold);
        let next = Process { end, ..Process::new(header.began, Some((header.wall_ms, header.wall_ms))) };
        self.done.processes.extend(self.running.replace(next));
        flow
    }

    fn record(
        &mut self,
        mut record: Record,
        (file, byte, wall_ms): (&Path, usize, u64),
        watch: &mut dyn FnMut(Lived<'_>),
    ) -> ControlFlow<()> {
        let running = self.running.as_mut().expect("a process begins before its records");
        let from = running.span_ms.filter(|_| running.records > 0).map_or(wall_ms, |(from, _)| from);
        (running.records, running.span_ms) = (running.records + 1, Some((from, wall_ms)));
        let odd = self.feed(&mut record, watch);
        let (mut now, mut decisions) = (Followed::default(), 0);
        while let Some(output) = self.core.as_mut().and_then(Core::poll) {
            if !self.panicked {
                now.by(&output);
                decisions += u64::from(matches!(output, Output::Decision(_)));
                watch(Lived::Said(&record, &output));
            }
        }
        let running = self.running.as_mut().expect("seen above");
        running.decisions += decisions;
        if now == record.followed && odd.is_none() {
            return ControlFlow::Continue(());
        }
        running.end = End::Differs(Box::new(Difference {
            place: Place { file: file.display().to_string(), byte, record: record.number },
            wall_ms,
            decision: None,
            input: odd.unwrap_or_default().into(),
            then: record.followed,
            now,
            outputs: Vec::new(),
        }));
        ControlFlow::Break(())
    }

    /// Feeds a record; says what is odd about it.
    fn feed(&mut self, record: &mut Record, watch: &mut dyn FnMut(Lived<'_>)) -> Option<&'static str> {
        let running = self.running.as_mut().expect("a process begins before its records");
        let first = running.records == 1;
        if matches!(running.end, End::Told(_)) {
            return Some("the log has said that nothing follows");
        }
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
