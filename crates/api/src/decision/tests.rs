//! A decision that a core really made, as the JSON that `interfaces.md`, section 4, promises.

use std::sync::Arc;

use evenkeel_core::{
    Admit, BreakerPolicy, BudgetPolicy, Clocks, Core, Event, Features, FirstClock, Input as CoreInput, MILLISECOND,
    Method, OnCapability, OnPolicy, Operation, Output, Path, PathId, Protocol, RequestId, ResultCode, Revision, Route,
    RouteId, SECOND, Tier, Upstream, UpstreamId, Where,
};
use serde_json::{Value, json};

use super::*;

fn revision() -> Revision {
    let path = |name: &str, place| Path {
        name: name.into(),
        route: RouteId(0),
        place,
        domain: None,
        model: Default::default(),
        hedge: false,
        limit: Default::default(),
        clocks: Clocks { first_content: FirstClock::Fixed(SECOND), stall: SECOND, total: SECOND },
        min_rate: 0,
        objective: None,
        need: 5 * MILLISECOND,
        retries: 0,
        features: Features::ALL,
        can: Default::default(),
        context: None,
        added: Default::default(),
        effects: false,
        prefill: false,
        after_break: 2 * SECOND,
        accept: None,
        stands: false,
        sure: core::Permille::new(0),
        breaker: BreakerPolicy::default(),
    };
    let tier = |name: &str, method, path| Tier { name: name.into(), method, path: PathId(path), ensemble: None };
    Revision {
        digest: [0xAB; 32],
        routes: vec![Route {
            name: "chat".into(),
            protocol: Protocol::OpenaiChat,
            deadline: 2 * SECOND,
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
            tiers: vec![tier("primary", Method::Primary, 0), tier("default", Method::Default, 1)],
        }],
        paths: vec![path("primary", Where::Remote(UpstreamId(0))), path("default", Where::Certain)],
        upstreams: vec![Upstream {
            name: "big".into(),
            replicas: vec!["http://big".into()],
            min_available: 1,
            probe: None,
        }],
        names: Default::default(),
    }
}

/// The primary answers 500 after 7 ms, and the safe default stands in.
fn decided() -> core::Decision {
    let mut it = Core::new(0, Arc::new(revision()));
    it.handle(
        0,
        CoreInput::Admit(Admit {
            request: RequestId(1),
            route: RouteId(0),
            operation: Operation::Chat,
            deadline: None,
            entropy: 1,
            cost: 1_000,
            weight: 1,
            needs: Features::NONE,
            wants: Default::default(),
            tokens: 0,
            max_tier: None,
            min_confidence: None,
            pure: true,
            private: false,
            bodies: evenkeel_core::Permille::new(0),
            spent: 0,
            imputed: evenkeel_core::Permille::new(0),
            rows: Default::default(),
            sequence: None,
            cache: Default::default(),
            verdict: Default::default(),
        }),
    );
    let mut decision = None;
    for now in [0, 7 * MILLISECOND] {
        while let Some(output) = it.poll() {
            match output {
                Output::Start(start) => {
                    let event = Event::Ended { result: ResultCode::Status5xx, status: Some(500), after: None };
                    it.handle(now + 7 * MILLISECOND, CoreInput::Attempt { attempt: start.attempt, event });
                }
                Output::Decision(it) => decision = Some(*it),
                _ => {}
            }
        }
    }
    decision.expect("the request is over")
}

#[test]
fn a_degraded_decision_reads_as_promised() {
    let time = "2026-11-23T08:51:07.412Z".parse().expect("a time");
    let rendered = Decision::render(&decided(), "01KB7Q4Z8E3W5T0N6R2D9C1XAF", time, None);
    let json: Value = serde_json::to_value(&rendered).expect("JSON");
    for (key, value) in [
        ("schema", json!("evenkeel.decision/v1")),
        ("id", json!("01KB7Q4Z8E3W5T0N6R2D9C1XAF")),
        ("time", json!("2026-11-23T08:51:07.412Z")),
        ("route", json!("chat")),
        ("protocol", json!("openai-chat")),
        ("revision", json!("sha256:abababababab")),
        ("phase", json!("normal")),
        ("episode", Value::Null),
        ("deadline_ms", json!(2_000)),
        ("reason", json!("UPSTREAM_5XX")),
        ("explanation", json!("Answered by tier 1 (default, default): server error.")),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!(
        json["candidates"],
        json!([
            {"tier": 0, "method": "primary", "path": "primary", "verdict": "rejected", "reasons": ["UPSTREAM_5XX"]},
            {"tier": 1, "method": "default", "path": "default", "verdict": "selected", "reasons": ["LAST_RESORT"]},
        ])
    );
    assert_eq!(
        json["attempts"],
        json!([{"path": "primary", "replica": 0, "start_us": 0, "duration_us": 7_000, "first_content_us": null,
                "result": "target.status_5xx", "status": 500, "probe": false, "role": "answer", "sent": false}])
    );
    assert_eq!(
        json["outcome"],
        json!({"tier": 1, "method": "default", "path": "default", "degraded": true, "end": "answered", "status": 200,
               "rescue": "none", "latency_us": 7_000})
    );
    let time_left = json["inputs"].as_array().and_then(|it| it.iter().find(|it| it["signal"] == "time_left_ns"));
    let expected = json!({"signal": "time_left_ns", "of": "primary", "value": "2000000000", "op": "<",
                          "threshold": "3333334", "breached": false});
    assert_eq!(time_left, Some(&expected), "G-110: numbers are strings, as compared");
    assert_eq!(serde_json::from_value::<Decision>(json).expect("it is read again"), rendered);
}
