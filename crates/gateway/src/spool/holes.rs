//! Holes: lines that are missing, until they are declared.

use std::collections::BTreeMap;

use evenkeel_api::evidence::{Gap, Stream, Why};
use evenkeel_core::{Nanos, SECOND};

/// Lines that are missing and were not declared yet.
#[derive(Debug, Default)]
pub(super) struct Holes {
    open: BTreeMap<(Stream, Why), (u64, Option<u64>)>,
    declared: Option<Nanos>,
}

impl Holes {
    /// Takes note of lines that would have stood before the line of this number; `count` is none where nobody knows how many.
    pub(super) fn add(&mut self, (stream, why): (Stream, Why), from: u64, count: Option<u64>) {
        let (_, all) = self.open.entry((stream, why)).or_insert((from, Some(0)));
        *all = all.zip(count).map(|(all, more)| all + more);
    }

    /// Returns when they are declared next; none where there are none. Once a second is enough: a hole that lasts would else be
    /// ten lines a second.
    pub(super) fn due(&self) -> Option<Nanos> {
        (!self.open.is_empty()).then(|| self.declared.map_or(0, |it| it + SECOND))
    }

    /// Takes out what is to be declared now; with `all`, whatever there is.
    pub(super) fn take(&mut self, now: Nanos, all: bool, instance: &str) -> Vec<Gap> {
        if !all && self.due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        self.declared = Some(now);
        let gap = |((stream, why), (from, count)): ((Stream, Why), (u64, Option<u64>))| Gap {
            instance: instance.into(),
            stream: stream.name().into(),
            from,
            count,
            why,
        };
        std::mem::take(&mut self.open).into_iter().map(gap).collect()
    }
}
