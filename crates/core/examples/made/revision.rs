//! Made up: a revision, and requests of it, for the examples that measure.

use evenkeel_core::*;

/// An ordinary request.
pub(super) fn admit(n: u64) -> Admit {
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
pub(super) fn revision() -> Revision {
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
