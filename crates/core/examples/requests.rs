//! Feeds the core N ordinary requests, so that instructions per request can be counted: `requests N`.
//!
//! Each is one request as most are: admitted, decided, one attempt, a verified end, a record. Two runs with different N
//! give the cost of one by difference, start-up aside; `bench/core` does that under callgrind.

use std::sync::Arc;

use evenkeel_core::*;

#[path = "made/revision.rs"]
mod made;

use made::{admit, revision};

fn main() {
    let requests: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).expect("usage: requests N");
    let mut core = Core::new(0, Arc::new(revision()));
    let mut decisions = 0;
    for n in 0..requests {
        decisions += one(&mut core, n);
    }
    assert_eq!(decisions, requests, "every request leaves a record");
}

/// One request, a millisecond after the one before, answered after 400 microseconds.
fn one(core: &mut Core, n: u64) -> u64 {
    let (now, mut attempt) = (n * MILLISECOND, None);
    core.handle(now, Input::Admit(admit(n)));
    while let Some(output) = core.poll() {
        if let Output::Start(start) = output {
            attempt = Some(start.attempt);
        }
    }
    let attempt = attempt.expect("a healthy primary is started");
    let event = Event::Ended { result: ResultCode::Ok, status: Some(200), after: None };
    core.handle(now + 400 * MICROSECOND, Input::Attempt { attempt, event });
    let mut decisions = 0;
    while let Some(output) = core.poll() {
        decisions += u64::from(matches!(output, Output::Decision(_)));
    }
    decisions
}
