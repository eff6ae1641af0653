//! Write: a run of a scenario as a log, as a gateway would have written it.

use evenkeel_core::{Draft, Ending, Followed, Header, Input, Nanos, Origin, Output, Page, SEMANTICS};

use crate::{
    scenario::Scenario,
    world::{Run, World},
};

/// Records of a block.
const BLOCK: u64 = 1_000;

/// A log in memory.
#[derive(Debug)]
pub(crate) struct Book {
    bytes: Vec<u8>,
    page: Page,
    draft: Draft,
    at: Nanos,
    followed: Followed,
    next: u64,
}

impl Book {
    /// Begins it with the start of a core at 0.
    pub(crate) fn begin(origin: &Origin) -> Self {
        let mut bytes = Vec::new();
        let core = env!("CARGO_PKG_VERSION").to_owned();
        Header { core, semantics: SEMANTICS, first: 1, began: 1, at: 0, wall_ms: 0 }.write(&mut bytes);
        let mut draft = Draft::default();
        draft.begin(origin);
        Self { bytes, page: Page::default(), draft, at: 0, followed: Followed::default(), next: 1 }
    }

    pub(crate) fn input(&mut self, at: Nanos, input: &Input) {
        self.close();
        self.at = at;
        let name = match input {
            // As good a name as any: that of the request.
            Input::Admit(admit) => Some(u128::from(admit.request.0)),
            _ => None,
        };
        self.draft.input(input, name);
    }

    pub(crate) fn output(&mut self, output: &Output) {
        self.followed.by(output);
    }

    fn close(&mut self) {
        self.page.push(self.at, &mut self.draft, std::mem::take(&mut self.followed));
        if self.page.records() == BLOCK {
            self.page.seal(self.next, &mut self.bytes);
            self.next += BLOCK;
        }
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.close();
        self.draft.end(Ending::Stopped);
        self.close();
        if self.page.records() > 0 {
            self.page.seal(self.next, &mut self.bytes);
        }
        self.bytes
    }
}

/// Plays a scenario, and returns the log of it, one segment; with `requests`, of so many.
pub fn record(scenario: &Scenario, seed: u64, requests: Option<u64>) -> Vec<u8> {
    World::record(scenario, Run { seed, requests, logged: false })
}
