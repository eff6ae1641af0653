//! Feeds the core N ordinary requests, so that instructions per request can be counted: `requests N`.
//!
//! Each is one request as most are: admitted, decided, one attempt, a verified end, a record. Two runs with different N
//! give the cost of one by difference, start-up aside; `bench/core` does that under callgrind.

use std::sync::Arc;

use evenkeel_core::*;

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

fn admit(n: u64) -> Admit {
    Admit {
        request: RequestId(n),
        route: RouteId(0),
        operation: Operation::Chat,
        deadline: None,
        entropy: n.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        cost: 400_000,
        weight: 1,
        needs: Features::NONE,
        wants: Default::default(),
        tokens: 128,
        max_tier: None,
        min_confidence: None,
        pure: true,
        private: false,
        bodies: Permille::new(0),
        spent: 0,
        imputed: Permille::new(0),
        rows: Default::default(),
        sequence: None,
        cache: Default::default(),
        verdict: Default::default(),
    }
}

/// A route with two model tiers and a safe default, everything on.
fn revision() -> Revision {
    let clocks = Clocks { first_content: FirstClock::Fixed(10 * SECOND), stall: 10 * SECOND, total: 600 * SECOND };
    let path = |name: &str, place| Path {
        name: name.into(),
        route: RouteId(0),
        place,
        domain: None,
        model: Default::default(),
        hedge: false,
        limit: Default::default(),
        clocks,
        min_rate: 2,
        objective: None,
        need: 5 * SECOND,
        retries: 1,
        features: Features::ALL,
        can: Default::default(),
        context: None,
        added: Default::default(),
        effects: false,
        prefill: false,
        after_break: 2 * SECOND,
        accept: None,
        stands: false,
        sure: Permille::new(0),
        breaker: BreakerPolicy::default(),
    };
    let tier = |name: &str, method, path| Tier { name: name.into(), method, path: PathId(path), ensemble: None };
    let upstream = |name: &str| Upstream {
        name: name.into(),
        replicas: vec![format!("http://{name}")],
        min_available: 1,
        probe: None,
    };
    Revision {
        digest: [0; 32],
        routes: vec![Route {
            name: "chat".into(),
            protocol: Protocol::OpenaiChat,
            deadline: 30 * SECOND,
            max_attempts: 4,
            on_policy: OnPolicy::Error,
            on_capability: OnCapability::Next,
            budget: BudgetPolicy::default(),
            when_exhausted: Default::default(),
            commit: Default::default(),
            priority: Default::default(),
            rescue: true,
            cache: None,
            guards: Vec::new(),
            drift: None,
            certificate: None,
            imputed: Default::default(),
            shadow: Default::default(),
            rehearsal: 0,
            tiers: vec![
                tier("primary", Method::Primary, 0),
                tier("small", Method::Distilled, 1),
                tier("default", Method::Default, 2),
            ],
        }],
        paths: vec![
            path("primary", Where::Remote(UpstreamId(0))),
            path("small", Where::Remote(UpstreamId(1))),
            path("default", Where::Certain),
        ],
        upstreams: vec![upstream("big"), upstream("little")],
        names: Default::default(),
    }
}
