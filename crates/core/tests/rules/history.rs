//! History: everything that went into a core and came out of it, in order.

use evenkeel_core::*;

/// Everything that went in and came out, in order.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<(Nanos, Entry)>,
    pub(crate) states: Vec<(Nanos, Vec<RouteState>)>,
    pub(crate) hash: LogHash,
    /// The weight that the core holds in flight at the end.
    pub(crate) left_in_flight: u64,
    /// Places in queues that are taken at the end.
    pub(crate) left_waiting: usize,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a history is short, and each entry is as it came")]
pub(crate) enum Entry {
    Input(Input),
    Output(Output),
}

impl History {
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (Nanos, &Output)> {
        self.entries.iter().filter_map(|(at, entry)| match entry {
            Entry::Output(output) => Some((*at, output)),
            Entry::Input(_) => None,
        })
    }

    pub(crate) fn inputs(&self) -> impl Iterator<Item = (Nanos, &Input)> {
        self.entries.iter().filter_map(|(at, entry)| match entry {
            Entry::Input(input) => Some((*at, input)),
            Entry::Output(_) => None,
        })
    }

    pub(crate) fn admits(&self) -> impl Iterator<Item = (Nanos, &Admit)> {
        self.inputs().filter_map(|(at, input)| match input {
            Input::Admit(admit) => Some((at, admit)),
            _ => None,
        })
    }

    pub(crate) fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.outputs().filter_map(|(_, output)| match output {
            Output::Decision(decision) => Some(&**decision),
            _ => None,
        })
    }
}
