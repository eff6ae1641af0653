//! Sample: the revisions that worlds are played with, varied by seed.

use evenkeel_core::*;

use crate::world::Dice;

/// Two routes with all kinds of tiers, one upstream with two replicas, varied by seed.
pub(crate) fn sample(seed: u64) -> Revision {
    let mut revision = plain_sample(seed);
    revision.upstreams[0].replicas.push("http://another".into());
    // Some promise what they hold three times in four, others are held against their own median.
    let objective = (seed % 3 == 1).then_some(300 * MILLISECOND);
    revision.paths.iter_mut().for_each(|path| path.objective = objective);
    let limits = [LimitPolicy::Auto, LimitPolicy::Fixed(4), LimitPolicy::Fixed(9)];
    for path in &mut revision.paths {
        path.limit = match path.place {
            Where::Remote(upstream) => limits[(seed >> upstream.0) as usize % 3],
            Where::Local | Where::Certain | Where::Stored | Where::Ensemble => LimitPolicy::Auto,
        };
    }
    revision.routes[1].priority = Priority::ALL[seed as usize % 3];
    revision
}

/// The same, each upstream one replica, and none ever late.
pub(crate) fn plain_sample(seed: u64) -> Revision {
    let mut dice = Dice(seed ^ 0xD1CE);
    let breaker =
        BreakerPolicy { open: (1 + dice.below(4)) * SECOND, open_max: 8 * SECOND, ..BreakerPolicy::default() };
    let breaker = BreakerPolicy { flap_max: [12, 300][seed as usize % 2] * SECOND, ..breaker };
    let clocks =
        Clocks { first_content: FirstClock::Fixed(800 * MILLISECOND), stall: 500 * MILLISECOND, total: 60 * SECOND };
    let mut revision = Revision { digest: [seed as u8; 32], ..Revision::default() };
    revision.upstreams = ["one", "two"]
        .map(|name| Upstream {
            name: name.into(),
            replicas: vec![format!("http://{name}")],
            min_available: 1,
            probe: None,
        })
        .into();
    // Some paths go on with an answer that was begun, some change something.
    let (goes_on, changes, adds) = (!seed.is_multiple_of(3), seed.is_multiple_of(5), seed.is_multiple_of(7));
    let mut add = |route: u16, name: &str, place| {
        let features = if name == "small" { Features::NONE } else { Features::ALL };
        let context = (name == "small").then_some(2_000);
        let need = if place == Where::Certain { 5 } else { 200 } * MILLISECOND;
        let (route, breaker) = (RouteId(route), breaker.clone());
        revision.paths.push(Path {
            name: name.into(),
            route,
            place,
            domain: (seed % 2 == 1 && matches!(place, Where::Remote(_))).then(|| "quota".into()),
            model: Default::default(),
            hedge: false,
            // Nothing is limited: the naive model knows no limiter.
            limit: LimitPolicy::Fixed(u64::MAX),
            clocks,
            min_rate: 2,
            objective: Some(600 * SECOND),
            need,
            retries: 1,
            features,
            can: can(name, place),
            context,
            added: if adds && name == "small" { Added { least: 500, most: 1_500 } } else { Added::default() },
            effects: changes && name == "small",
            prefill: goes_on && matches!(place, Where::Remote(_)),
            after_break: 700 * MILLISECOND,
            accept: None,
            stands: false,
            sure: Permille::new(0),
            breaker,
        });
        PathId(revision.paths.len() as u16 - 1)
    };
    let remote = |n| Where::Remote(UpstreamId(n));
    let chat = [
        ("primary", Method::Primary, add(0, "primary", remote(0))),
        ("small", Method::Distilled, add(0, "small", remote(1))),
        ("default", Method::Default, add(0, "default", Where::Certain)),
    ];
    let infer = [
        ("primary", Method::Primary, add(1, "primary", remote(0))),
        ("distilled", Method::Distilled, add(1, "distilled", Where::Local)),
        ("rules", Method::Rules, add(1, "rules", Where::Local)),
    ];
    let route = |name: &str, protocol, tiers: &[(&str, Method, PathId)]| Route {
        name: name.into(),
        protocol,
        deadline: 4 * SECOND,
        max_attempts: 4,
        on_policy: [OnPolicy::Error, OnPolicy::Default, OnPolicy::Next][seed as usize % 3],
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
        imputed: match protocol {
            Protocol::Oip => ImputedPolicy {
                most: Permille::new(500),
                start_at: 1 + (seed >> 5) as u8 % 2,
                split: seed >> 1 & 1 == 1,
            },
            _ => ImputedPolicy::default(),
        },
        shadow: Default::default(),
        rehearsal: 60 * SECOND,
        tiers: tiers
            .iter()
            .map(|&(name, method, path)| Tier { name: name.into(), method, path, ensemble: None })
            .collect(),
    };
    revision.routes = vec![route("chat", Protocol::OpenaiChat, &chat), route("infer", Protocol::Oip, &infer)];
    revision.routes.iter_mut().for_each(|route| measures(seed, route));
    let rules = [None, Some(RowRule::Any), Some(RowRule::Split), Some(RowRule::Share(Permille::new(400)))];
    for (at, (.., path)) in infer[..2].iter().enumerate() {
        revision.paths[path.index()].accept = rules[((seed / 3) >> (2 * at)) as usize % 4];
    }
    revision
}

/// Half of all seeds have routes whose upper tiers do not take every input.
fn measures(seed: u64, route: &mut Route) {
    let bits = Dice(seed ^ 0x51E0).roll();
    if !bits.is_multiple_of(2) {
        return;
    }
    let start_at = |shift: u32| 1 + (bits >> shift) as u8 % 2;
    route.guards = vec![
        Guard { signal: Signal::AnomalyP, threshold: 50_000, start_at: start_at(8) },
        Guard { signal: Signal::InputRange, threshold: 0, start_at: start_at(9) },
    ];
    let mode =
        [DriftMode::Observe, DriftMode::Recommend, DriftMode::Enforce, DriftMode::Enforce][(bits >> 16) as usize % 4];
    let ramp = [200, 600, 1_000].map(Permille::new).into();
    route.drift = Some(DriftPolicy { start_at: start_at(10), mode, ramp, every: 3 * SECOND });
    let promised = (bits >> 24).is_multiple_of(2);
    route.certificate = promised.then(|| StepPolicy { last: start_at(11), thresholds: (bits >> 25) as u8 % 3 });
}

/// What a path can: not all of them everything.
fn can(name: &str, place: Where) -> Can {
    match (name, place) {
        (_, Where::Certain | Where::Local) => Can::ANYTHING,
        ("small", _) => Can { languages: 0b01, datatypes: 0b10, regions: 0b01 },
        _ => Can { regions: 0b10, ..Can::default() },
    }
}
