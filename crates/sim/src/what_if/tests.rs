//! Under what ran nothing differs; under something else exactly what must.

use evenkeel_core::{
    Admit, Core, Event, Features, Input, MILLISECOND, Operation, Origin, Output, Permille, RequestId, ResultCode,
    RouteId, SECOND,
};

use super::*;
use crate::{
    Scenario,
    replay::{Book, record},
};

fn scenario(name: &str) -> Scenario {
    let path = format!("{}/../../scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    Scenario::load(path.as_ref(), None).unwrap_or_else(|found| panic!("{found:?}"))
}

/// The log of a run, in a folder of its own.
fn logged(scenario: &Scenario, seed: u64, requests: u64) -> (tempfile::TempDir, Log) {
    kept(&record(scenario, seed, Some(requests)))
}

fn kept(bytes: &[u8]) -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(format!("{:020}.ekin", 1)), bytes).expect("written");
    let log = Log::open(folder.path()).expect("it is there");
    (folder, log)
}

fn asked(log: &Log, revision: Revision) -> WhatIf {
    let what_if = what_if(log, &Arc::new(revision), 1, &mut |_| {}).expect("it can be read");
    assert!(what_if.replayed.is_identical() && !what_if.broken, "{:?}", what_if.replayed);
    what_if
}

#[test]
fn wif_1_under_the_configuration_that_ran_nothing_differs() {
    for name in [
        "primary-dies",
        "everything-at-once",
        "cut-streams",
        "hedges",
        "flap-once",
        "panel",
        "cold-cache",
        "readiness-lies",
    ] {
        let scenario = scenario(name);
        let (_folder, log) = logged(&scenario, 7, 1_000);
        let what_if = asked(&log, (*scenario.revision).clone());
        assert!(!what_if.routes.is_empty(), "{name}");
        for (route, it) in &what_if.routes {
            let changes = (it.counted, it.estimated, it.guesses);
            assert_eq!((changes, &it.before), ((0, 0, 0), &it.after), "{name}, {route}:\n{what_if}");
        }
    }
}

#[test]
fn wif_2_without_its_first_tier_a_route_is_answered_by_the_second_and_what_was_never_called_is_told() {
    let mut scenario = scenario("plain");
    // Nor by a copy of a request.
    let mut revision = without_copies(&mut scenario);
    let (_folder, log) = logged(&scenario, 3, 500);
    revision.routes[0].tiers.remove(0);
    let what_if = asked(&log, revision);
    let chat = &what_if.routes["chat"];
    assert_eq!(chat.before.by, BTreeMap::from([("primary".into(), 500)]));
    assert_eq!(chat.after.by, BTreeMap::from([("small".into(), 500)]));
    assert_eq!((chat.requests, chat.counted, chat.estimated, chat.guesses), (500, 0, 500, 500));
    assert_eq!(what_if.unknown, BTreeMap::from([("chat/small".into(), 500)]));
    assert!(what_if.to_string().contains("0 counted, 500 estimated"), "{what_if}");
}

#[test]
fn wif_2_a_default_needs_no_estimate_and_is_counted() {
    let scenario = scenario("plain");
    let (_folder, log) = logged(&scenario, 3, 500);
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].tiers.drain(..2);
    let what_if = asked(&log, revision);
    let chat = &what_if.routes["chat"];
    assert_eq!((chat.counted, chat.estimated), (500, 0));
    assert_eq!(chat.after.by, BTreeMap::from([("default".into(), 500)]));
    assert_eq!((chat.after.attempts, chat.after.latency(950)), (0, Some(0)));
}

#[test]
fn wif_2_what_a_path_did_for_others_near_in_time_stands_for_a_call_that_was_not_made_and_is_an_estimate() {
    let scenario = scenario("primary-dies");
    let (_folder, log) = logged(&scenario, 7, 1_000);
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].tiers.remove(0);
    let what_if = asked(&log, revision.clone());
    let (name, route) = what_if.routes.first_key_value().expect("a route");
    assert!(what_if.unknown.is_empty(), "the second tier was called while the first was down: {what_if}");
    assert!(route.counted == 0 || route.estimated > route.counted, "{what_if}");
    assert!(!route.after.by.contains_key("primary"), "{name}: {what_if}");
    assert_eq!(asked(&log, revision), what_if, "WIF-3");
}

#[test]
fn a_route_that_is_not_there_any_more_is_told_and_not_compared() {
    let scenario = scenario("plain");
    let (_folder, log) = logged(&scenario, 3, 50);
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].name = "other".into();
    let what_if = asked(&log, revision);
    assert_eq!((what_if.routes.len(), what_if.homeless), (0, 50));
}

/// A revision in which no copies are made.
fn without_copies(scenario: &mut Scenario) -> Revision {
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].shadow.share = Permille::new(0);
    scenario.revision = Arc::new(revision.clone());
    revision
}

#[test]
fn wif_2_a_copy_is_no_call_of_its_request() {
    let mut scenario = scenario("plain");
    let mut revision = (*scenario.revision).clone();
    (revision.routes[0].shadow.share, revision.routes[0].shadow.cost) = (Permille::ALL, Permille::ALL);
    scenario.revision = Arc::new(revision.clone());
    let (_folder, log) = logged(&scenario, 3, 500);
    revision.routes[0].tiers.remove(0);
    let what_if = asked(&log, revision);
    let chat = &what_if.routes["chat"];
    let copies = Called { path: "small".into(), copy: true };
    assert!(chat.before.calls[&copies].calls > 50, "{what_if}");
    assert_eq!((chat.guesses, chat.counted, chat.estimated), (500, 0, 500), "{what_if}");
    assert!(what_if.unknown.is_empty(), "{what_if}");
}

fn ask(n: u64) -> Input {
    Input::Admit(Admit {
        request: RequestId(n),
        route: RouteId(0),
        operation: Operation::Chat,
        deadline: None,
        entropy: n.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        cost: 1_000,
        weight: 1,
        needs: Features::NONE,
        wants: Default::default(),
        tokens: 10,
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
    })
}

/// A core whose life is written down.
struct Life {
    core: Core,
    book: Book,
}

impl Life {
    fn feed(&mut self, at: Nanos, input: Input) -> Vec<Output> {
        while let Some((due, _)) = self.core.next_timeout().filter(|(due, _)| *due < at) {
            self.one(due, Input::Timeout);
        }
        self.one(at, input)
    }

    fn one(&mut self, at: Nanos, input: Input) -> Vec<Output> {
        self.book.input(at, &input);
        self.core.handle(at, input);
        let outputs: Vec<_> = std::iter::from_fn(|| self.core.poll()).collect();
        outputs.iter().for_each(|it| self.book.output(it));
        outputs
    }

    /// Lets a request in that is answered after a time, or whose client leaves then.
    fn request(&mut self, at: Nanos, n: u64, (after, stays): (Nanos, bool)) {
        let attempt = self.feed(at, ask(n)).into_iter().find_map(|it| match it {
            Output::Start(start) => Some(start.attempt),
            _ => None,
        });
        let attempt = attempt.expect("a path is called");
        if !stays {
            self.feed(at + after, Input::ClientGone { request: RequestId(n) });
            self.feed(at + after, Input::Attempt { attempt, event: Event::Closed });
            return;
        }
        let ended = Event::Ended { result: ResultCode::Ok, status: Some(200), after: None };
        self.feed(at + after, Input::Attempt { attempt, event: ended });
    }
}

#[test]
fn wif_2_a_call_that_was_stopped_stands_for_itself_as_long_as_it_was_seen_and_goes_on_as_one_that_lasted() {
    let mut scenario = scenario("plain");
    let (mut small, mut primary) = (without_copies(&mut scenario), without_copies(&mut scenario));
    small.routes[0].tiers.remove(0);
    primary.routes[0].tiers.remove(1);
    let origin = Origin::new(Arc::new(small.clone()));
    let mut life = Life { book: Book::begin(&origin), core: Core::begin(0, origin) };
    // Of the calls of `small` half end soon, a quarter is stopped a little later, and a quarter ends late.
    let fates = [(100, true), (100, true), (150, false), (1_000, true)];
    for (n, (after, stays)) in (1..=16).zip(fates.into_iter().cycle()) {
        life.request(n * 10 * SECOND, n, (after * MILLISECOND, stays));
    }
    life.feed(165 * SECOND, Input::Revision(Arc::new(primary)));
    for n in 17..=416 {
        life.request(n * 10 * SECOND, n, (50 * MILLISECOND, true));
    }
    let (_folder, log) = kept(&life.book.end());
    let what_if = asked(&log, small);
    let chat = &what_if.routes["chat"];
    assert_eq!((chat.guesses, chat.after.answers["small"]), (400, 412), "{what_if}");
    let late = chat.after.latencies.iter().filter(|it| **it >= SECOND).count() - 4;
    assert!((160..=240).contains(&late), "half of 400, and not a third: {late}");
}

#[test]
fn wif_4_cost_and_right_answers_are_of_what_is_given_and_the_rest_is_unknown() {
    let mut scenario = scenario("plain");
    let mut revision = without_copies(&mut scenario);
    let (_folder, log) = logged(&scenario, 3, 500);
    revision.routes[0].tiers.remove(0);
    let what_if = asked(&log, revision);
    let chat = &what_if.routes["chat"];
    let right = Right { value: 0.8, low: 0.7, high: 0.9, n: 400, method: "labels".into() };
    let given = Given {
        prices: BTreeMap::from([("chat/primary".into(), 2.0)]),
        right: BTreeMap::from([(("chat".into(), "small".into()), right)]),
    };
    let asked = chat.before.calls[&Called { path: "primary".into(), copy: false }].asked;
    assert!(asked > 0);
    let before = Cost { known: asked as f64 * 2.0 / 1e6, estimated: 0.0, unpriced: 0 };
    assert_eq!(given.cost("chat", &chat.before), Some(before));
    assert_eq!(given.cost("chat", &chat.after), Some(Cost { known: 0.0, estimated: 0.0, unpriced: 500 }));
    assert_eq!(given.rightness("chat", &chat.before), None, "nobody knows how often the first tier is right");
    let it = given.rightness("chat", &chat.after).expect("of the second somebody does");
    assert!((it.value - 0.8).abs() < 1e-9 && (it.low - 0.7).abs() < 1e-9 && (it.high - 0.9).abs() < 1e-9, "{it:?}");
    assert_eq!((it.answers, it.unknown, it.n), (500, 0, 400));
    let told = what_if.told(&given).to_string();
    for part in ["calls of small, tokens", "~500 (~", "unknown", "labels, n = 400", "+ 500 calls"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let nothing = what_if.to_string();
    assert!(nothing.contains("what calls cost is in no log") && nothing.contains("would be right is in no log"));
    assert_eq!(
        (Given::default().cost("chat", &chat.after), Given::default().rightness("chat", &chat.after)),
        (None, None)
    );
    let json = what_if.to_json(&given);
    assert_eq!((&json["routes"]["chat"]["after"]["calls"][0]["estimated"]["calls"]), &serde_json::json!(500), "{json}");
}
