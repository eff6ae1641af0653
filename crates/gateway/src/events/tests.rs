//! Records that a core really made, and everything that is kept of them.

use evenkeel_core::{
    Admit, BreakerChange, Core, Event, Features, GateChange, Input, MILLISECOND, Nanos, Operation, Output, RequestId,
    ResultCode, Revision,
};

use super::{log::line, *};

const CONFIG: &str = r#"
version: 1
upstreams: {big: {protocol: openai, url: "http://127.0.0.1:9/v1"}}
routes:
  chat:
    protocol: openai-chat
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: default, fixed: {content: "Later."}}
"#;

/// A core that is driven by hand.
struct Kit {
    core: Core,
    now: Nanos,
    requests: u64,
    transitions: Vec<Transition>,
    changes: Vec<BreakerChange>,
    gates: Vec<GateChange>,
}

impl Kit {
    fn new() -> Self {
        let loaded = evenkeel_config::load_text("e.yaml", CONFIG, std::path::Path::new("."));
        let deployment = loaded.deployment.expect("a good file");
        Self {
            core: Core::new(0, deployment.revision.clone()),
            now: 0,
            requests: 0,
            transitions: Vec::new(),
            changes: Vec::new(),
            gates: Vec::new(),
        }
    }

    /// Lets one request through; whatever attempt is made of it ends so, 7 ms later.
    fn request(&mut self, result: ResultCode, status: Option<u16>) -> Decision {
        self.requests += 1;
        let revision = self.core.revision().clone();
        let admit = Admit {
            request: RequestId(self.requests),
            route: revision.route("chat").expect("it is there"),
            operation: Operation::Chat,
            deadline: None,
            // The first lot of a ramp is always drawn.
            entropy: 0,
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
        };
        self.core.handle(self.now, Input::Admit(admit));
        let mut decided = None;
        while let Some(output) = self.core.poll() {
            match output {
                Output::Start(start) => {
                    self.now += 7 * MILLISECOND;
                    let event = Event::Ended { result, status, after: None };
                    self.core.handle(self.now, Input::Attempt { attempt: start.attempt, event });
                }
                Output::Decision(decision) => decided = Some(*decision),
                Output::Transition(transition) => self.transitions.push(*transition),
                Output::Breaker(change) => self.changes.push(*change),
                Output::Gate(change) => self.gates.push(*change),
                _ => {}
            }
        }
        decided.expect("the request is over")
    }

    /// Goes to the next timer of the core.
    fn wait(&mut self) {
        self.now = self.core.next_timeout().map_or(self.now, |(at, _)| at.max(self.now));
        self.core.handle(self.now, Input::Timeout);
        while let Some(output) = self.core.poll() {
            match output {
                Output::Transition(transition) => self.transitions.push(*transition),
                Output::Breaker(change) => self.changes.push(*change),
                _ => {}
            }
        }
    }

    /// A route whose primary fails until it is cut off, and is well again afterwards.
    fn episode() -> Self {
        let mut kit = Self::new();
        while kit.transitions.is_empty() {
            kit.request(ResultCode::Status5xx, Some(500));
        }
        for _ in 0..1_000 {
            if kit.transitions.last().is_some_and(|it| it.to == 0) {
                return kit;
            }
            kit.wait();
            kit.request(ResultCode::Ok, Some(200));
        }
        panic!("the route does not come back: {:?}", kit.transitions);
    }
}

fn record(id: &str, decision: &Decision) -> Arc<Record> {
    Arc::new(Record {
        enriched: None,
        cached: None,
        judged: None,
        id: id.into(),
        at: Timestamp::UNIX_EPOCH,
        trace: None,
        decision: decision.clone(),
        spent: Vec::new(),
        found: Vec::new(),
        calibrated: Vec::new(),
        models: Vec::new(),
        worth: None,
        sure: None,
        votes: Vec::new(),
        notes: Vec::new(),
    })
}

fn text(metrics: &Metrics, core: &Core) -> String {
    let revision = core.revision().clone();
    let states: Vec<_> =
        (0..revision.routes.len()).map(|at| core.route_state(0, evenkeel_core::RouteId(at as u16))).collect();
    metrics.text(0, (&revision, &states))
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|it| it == line), "no line\n{line}\nin\n{text}");
}

#[test]
fn ev_2_the_ring_holds_the_last_records_and_no_more() {
    let decision = Kit::new().request(ResultCode::Ok, Some(200));
    let mut ring = Ring::default();
    for at in 0..10_002 {
        ring.keep(record(&at.to_string(), &decision));
    }
    for (id, there) in [("0", false), ("1", false), ("2", true), ("10001", true)] {
        assert_eq!(ring.find(id).is_some(), there, "{id}");
    }
}

#[test]
fn shares_are_of_the_last_answers_and_a_refusal_is_none() {
    let mut kit = Kit::new();
    let (bad, good) = (kit.request(ResultCode::Status5xx, Some(500)), kit.request(ResultCode::Ok, Some(200)));
    let mut shares = Shares::default();
    let at = |second| Timestamp::from_second(second).expect("a time");
    assert_eq!(shares.of("chat", "primary"), (0.0, None));
    shares.decision(&bad, at(1));
    shares.decision(&good, at(2));
    assert_eq!((shares.of("chat", "primary"), shares.of("chat", "default")), ((0.5, Some(at(2))), (0.5, Some(at(1)))));
    let caller = kit.request(ResultCode::CallerInvalid, Some(400));
    shares.decision(&caller, at(3));
    assert_eq!(shares.of("chat", "primary"), (0.5, Some(at(2))), "the caller's own error is no answer");
    for _ in 0..1_000 {
        shares.decision(&good, at(4));
    }
    assert_eq!((shares.of("chat", "primary").0, shares.of("chat", "default")), (1.0, (0.0, Some(at(1)))));
}

#[test]
fn f_060_every_change_of_a_breaker_is_counted_by_its_reason() {
    let (kit, metrics) = (Kit::episode(), Metrics::new());
    kit.changes.iter().for_each(|change| metrics.breaker(change));
    let text = text(&metrics, &kit.core);
    let of = "route=\"chat\",path=\"primary\",operation=\"chat\",replica=\"none\"";
    for (to, reason) in [
        ("open", "UPSTREAM_5XX"),
        ("half_open", "RECOVERY_RAMP"),
        ("ramp", "RECOVERY_RAMP"),
        ("closed", "RECOVERY_RAMP"),
    ] {
        has(&text, &format!("evenkeel_breaker_changes_total{{{of},to=\"{to}\",reason=\"{reason}\"}} 1"));
    }
}

#[test]
fn counters_say_what_the_record_says() {
    let mut kit = Kit::new();
    let metrics = Metrics::new();
    metrics.decision(&kit.request(ResultCode::Status5xx, Some(500)));
    for _ in 0..2 {
        metrics.decision(&kit.request(ResultCode::Ok, Some(200)));
    }
    let text = text(&metrics, &kit.core);
    for line in [
        r#"evenkeel_requests_total{route="chat",tier="1",method="default",degraded="true",code="200"} 1"#,
        r#"evenkeel_requests_total{route="chat",tier="0",method="primary",degraded="false",code="200"} 2"#,
        r#"evenkeel_request_duration_seconds_count{route="chat",tier="1"} 1"#,
        r#"evenkeel_decisions_total{route="chat",reason="UPSTREAM_5XX",verdict="answered"} 1"#,
        r#"evenkeel_attempts_total{route="chat",path="primary",result="target.status_5xx"} 1"#,
        r#"evenkeel_attempts_total{route="chat",path="primary",result="ok"} 2"#,
        r#"evenkeel_attempt_duration_seconds_count{route="chat",path="primary"} 3"#,
        r#"evenkeel_attempt_duration_seconds_bucket{le="0.01",route="chat",path="primary"} 3"#,
        r#"evenkeel_config_apply_failures_total 0"#,
    ] {
        has(&text, line);
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn gauges_say_how_the_route_stands_when_they_are_read() {
    let mut kit = Kit::new();
    let metrics = Metrics::new();
    while kit.transitions.is_empty() {
        kit.request(ResultCode::Status5xx, Some(500));
    }
    metrics.applied(kit.core.revision(), "sha256:one", Timestamp::UNIX_EPOCH);
    metrics.applied(kit.core.revision(), "sha256:two", Timestamp::from_second(7).expect("a time"));
    let text = text(&metrics, &kit.core);
    for line in [
        r#"evenkeel_route_tier{route="chat"} 1"#,
        r#"evenkeel_route_phase{route="chat",phase="degraded"} 1"#,
        r#"evenkeel_route_phase{route="chat",phase="normal"} 0"#,
        r#"evenkeel_breaker_state{route="chat",path="primary",operation="chat",state="open"} 1"#,
        r#"evenkeel_breaker_state{route="chat",path="primary",operation="chat",state="closed"} 0"#,
        r#"evenkeel_breaker_state{route="chat",path="primary",operation="chat-stream",state="closed"} 1"#,
        r#"evenkeel_gate_closed{route="chat",path="primary"} 0"#,
        r#"evenkeel_config_revision_info{revision="sha256:two"} 1"#,
        r#"evenkeel_config_last_apply_timestamp_seconds 7"#,
    ] {
        has(&text, line);
    }
    assert!(!text.contains("sha256:one"), "one revision is in force");
}

#[test]
fn f_051_a_gate_that_closes_is_counted_and_is_a_gauge_until_its_time_is_over() {
    let mut kit = Kit::new();
    let metrics = Metrics::new();
    kit.request(ResultCode::CredentialRejected, Some(401));
    let [change] = kit.gates.as_slice() else { panic!("one gate: {:?}", kit.gates) };
    metrics.gate(change);
    let text = text(&metrics, &kit.core);
    for line in [
        r#"evenkeel_gate_closed{route="chat",path="primary"} 1"#,
        r#"evenkeel_route_tier{route="chat"} 1"#,
        r#"evenkeel_route_phase{route="chat",phase="degraded"} 1"#,
        r#"evenkeel_gate_changes_total{route="chat",path="primary",gate="credential",to="closed",result="credential.credential_rejected"} 1"#,
    ] {
        has(&text, line);
    }
}

#[test]
fn g_001_an_episode_is_measured_from_leaving_tier_0_to_the_return_under_its_cause() {
    let kit = Kit::episode();
    let metrics = Metrics::new();
    for transition in &kit.transitions {
        metrics.transition(transition);
    }
    let (first, last) = (&kit.transitions[0], &kit.transitions[kit.transitions.len() - 1]);
    assert_eq!((first.from, first.to, last.to, first.episode), (0, 1, 0, last.episode));
    let text = text(&metrics, &kit.core);
    has(&text, r#"evenkeel_episode_duration_seconds_count{route="chat",reason="UPSTREAM_5XX"} 1"#);
    let length = (last.at - first.at) as f64 / 1e9;
    let sum = format!(r#"evenkeel_episode_duration_seconds_sum{{route="chat",reason="UPSTREAM_5XX"}} {length}"#);
    has(&text, &sum);
    let down = r#"{route="chat",from="0",to="1",reason="UPSTREAM_5XX",trigger="breaker"} 1"#;
    has(&text, &format!("evenkeel_transitions_total{down}"));
}

#[test]
fn an_episode_outlives_a_reload_unless_its_route_is_gone() {
    let kit = Kit::episode();
    let (down, back) = (&kit.transitions[0], &kit.transitions[kit.transitions.len() - 1]);
    for (revision, measured) in [(kit.core.revision().as_ref(), true), (&Revision::default(), false)] {
        let mut episodes = episode::Episodes::default();
        assert_eq!(episodes.transition(down), None);
        episodes.applied(revision);
        assert_eq!(episodes.transition(back).is_some(), measured);
    }
}

#[test]
fn the_line_of_a_decision_holds_what_the_record_holds() {
    let decision = Kit::new().request(ResultCode::Status5xx, Some(500));
    let line = serde_json::to_value(line(&record("01J", &decision))).expect("JSON");
    let expected = serde_json::json!({
        "timestamp": "1970-01-01T00:00:00Z", "level": "INFO", "target": "evenkeel::decision", "message": "decided",
        "decision": "01J", "route": "chat", "tier": 1, "method": "default", "path": "default", "degraded": true,
        "reason": "UPSTREAM_5XX", "status": 200, "broken": false, "latency_us": 7_000,
        "attempts": [["primary", "target.status_5xx"]],
    });
    assert_eq!(line, expected);
}
