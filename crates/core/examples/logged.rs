//! Writes the log of N requests under faults: `logged N FILE`. `bench/replay` measures how fast it is replayed.
//!
//! Of every 20,000 requests the first model answers the first half well. Of the next 5,000 it fails every third; then it is
//! silent for as long; then it is well again. Half of the second model's answers are slow throughout.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_core::*;

#[path = "made/revision.rs"]
mod made;

use made::{admit, revision};

/// Records of a block.
const BLOCK: u64 = 1_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [requests, file] = &words[..] else { panic!("usage: logged N FILE") };
    let bytes = World::play(requests.parse().expect("N is a number"));
    std::fs::write(file, bytes).expect("it can be written");
}

struct World {
    core: Core,
    now: Nanos,
    coming: BTreeMap<(Nanos, u64), Input>,
    caused: u64,
    requests: u64,
    bytes: Vec<u8>,
    page: Page,
    draft: Draft,
    next: u64,
}

impl World {
    fn play(requests: u64) -> Vec<u8> {
        let origin = Origin::new(Arc::new(revision()));
        let (mut bytes, mut draft, mut page) = (Vec::new(), Draft::default(), Page::default());
        let core = env!("CARGO_PKG_VERSION").to_owned();
        Header { core, semantics: SEMANTICS, first: 1, began: 1, at: 0, wall_ms: 0 }.write(&mut bytes);
        draft.begin(&origin);
        page.push(0, &mut draft, Followed::default());
        let core = Core::begin(0, origin);
        let coming = BTreeMap::new();
        let mut world = Self { core, now: 0, coming, caused: 0, requests: 0, bytes, page, draft, next: 1 };
        for n in 0..requests {
            world.run_until(n * MILLISECOND);
            world.requests = n;
            world.feed(Input::Admit(admit(n)), Some(u128::from(n)));
        }
        world.run_until((requests + 60_000) * MILLISECOND);
        assert_eq!(world.core.open(), 0, "every request ends");
        world.page.seal(world.next, &mut world.bytes);
        world.bytes
    }

    fn run_until(&mut self, end: Nanos) {
        loop {
            let timer = self.core.next_timeout().map(|(at, _)| at.max(self.now)).filter(|at| *at <= end);
            let event = self.coming.first_key_value().map(|(key, _)| *key).filter(|(at, _)| *at <= end);
            match (timer, event) {
                (timer, Some(key)) if timer.is_none_or(|timer| key.0 < timer) => {
                    self.now = key.0;
                    let input = self.coming.remove(&key).expect("just seen");
                    self.feed(input, None);
                }
                (Some(at), _) => {
                    self.now = at;
                    self.feed(Input::Timeout, None);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn feed(&mut self, input: Input, name: Option<u128>) {
        self.draft.input(&input, name);
        self.core.handle(self.now, input);
        let mut followed = Followed::default();
        let mut wanted = Vec::new();
        while let Some(output) = self.core.poll() {
            followed.by(&output);
            wanted.push(output);
        }
        self.page.push(self.now, &mut self.draft, followed);
        if self.page.records() == BLOCK {
            self.page.seal(self.next, &mut self.bytes);
            self.next += BLOCK;
        }
        wanted.into_iter().for_each(|output| self.obey(output));
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Start(start) => {
                let (phase, lot) = (self.requests % 20_000 / 5_000, start.attempt.0);
                let (result, after) = match start.tier {
                    0 if phase == 2 && lot.is_multiple_of(3) => (ResultCode::Status5xx, 2),
                    0 if phase == 3 && lot % 20_000 < 17_000 => return,
                    0 => (ResultCode::Ok, 20 + lot % 30),
                    _ => (ResultCode::Ok, if lot.is_multiple_of(2) { 10 } else { 400 }),
                };
                let event = Event::Ended { result, status: Some(200), after: None };
                self.come(after * MILLISECOND, Input::Attempt { attempt: start.attempt, event });
            }
            Output::Cancel { attempt, .. } => {
                self.come(MICROSECOND, Input::Attempt { attempt, event: Event::Closed });
            }
            _ => {}
        }
    }

    fn come(&mut self, after: Nanos, input: Input) {
        self.caused += 1;
        self.coming.insert((self.now + after, self.caused), input);
    }
}
