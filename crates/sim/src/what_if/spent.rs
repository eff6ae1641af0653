//! Spent: which calls requests make, and what they ask of paths.
//!
//! In units of the ledger that pays retries (F-044): tokens as they are estimated at admission, with those that a path puts
//! before them, or KiB of an inference's input. A price is in no log.

use std::collections::BTreeMap;

use evenkeel_core::{RequestId, Revision, Start};

/// The calls of requests.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// Of paths, in the order in which they were called first.
    names: Vec<String>,
    calls: BTreeMap<RequestId, Vec<Made>>,
}

/// One call.
#[derive(Clone, Copy, Debug)]
struct Made {
    path: u32,
    copy: bool,
    cost: u64,
}

/// Who was called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    /// The name of the path.
    pub path: String,
    /// It was called by copies of requests, whose answers nobody got.
    pub copy: bool,
}

/// Calls of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many.
    pub calls: u64,
    /// What they ask of it, in thousandths of the route's unit.
    pub asked: u64,
    /// How many of them are of requests that make a call which they did not make,
    pub estimated: u64,
    /// and what those ask.
    pub estimated_asked: u64,
}

impl Spent {
    /// Takes note of a call of a request whose first try costs so much, under its revision.
    pub(super) fn call(&mut self, revision: &Revision, start: &Start, (copy, cost): (bool, u64)) {
        let path = &revision.paths[start.path.index()];
        let at = self.names.iter().position(|it| *it == path.name).unwrap_or_else(|| {
            self.names.push(path.name.clone());
            self.names.len() - 1
        });
        let made = Made { path: at as u32, copy, cost: path.cost(cost) };
        self.calls.entry(start.request).or_default().push(made);
    }

    /// Adds the calls of a request to those of others.
    pub(super) fn add(&self, request: RequestId, estimated: bool, to: &mut BTreeMap<Called, Calls>) {
        for Made { path, copy, cost } in self.calls.get(&request).into_iter().flatten() {
            let it = to.entry(Called { path: self.names[*path as usize].clone(), copy: *copy }).or_default();
            (it.calls, it.asked) = (it.calls + 1, it.asked + cost);
            if estimated {
                (it.estimated, it.estimated_asked) = (it.estimated + 1, it.estimated_asked + cost);
            }
        }
    }
}
