//! Broken: real servers that are killed, stopped and made to answer garbage under a steady load, and nobody notices.
//!
//! Before each server stand four routes: over REST and over gRPC, each directly and through a proxy that can spoil its
//! answers ([`garbage`](super::garbage)). Clients of both fronts ask all four all the time, one in five of them wrongly. A script
//! breaks the server and mends it; what was asked and answered within one of its scenes is held against that scene.
//!
//! `./test` asks each server 20 times a second and breaks it as briefly as shows, with clocks that a busy machine keeps;
//! `bench/broken` (`EVENKEEL_BROKEN_RATE`) asks more often, five times as long, in release.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use evenkeel_config::load_text;
use evenkeel_gateway::{Gateway, Happened};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time::timeout};

use super::{
    asking::{Asking, Front, Got, Mistake},
    garbage::{Garbage, Proxy},
    scene::{Scene, WAYS},
    servers::{self, Server},
};
use crate::under_load::{moment, watch as watch_gateway};

const NAMES: [&str; 3] = ["triton", "mlserver", "kserve"];
/// Answers of tier 0 in a row, on each route, after which a server counts as mended.
const MENDED: u32 = 10;

/// How servers are asked.
#[derive(Clone, Copy)]
struct Measure {
    /// How often each in a second.
    rate: u32,
    /// How many times as long as shows.
    length: u32,
    /// What a model has for an answer, in seconds. A route has three times as much; a server stands still for two of it, and is
    /// dead for one.
    clock: u32,
    /// For how long answers are spoiled in one way, in milliseconds, so that each route before the server meets it.
    spoiled: u64,
}

fn measure() -> Measure {
    match std::env::var("EVENKEEL_BROKEN_RATE") {
        Ok(rate) => Measure { rate: rate.parse().expect("a rate"), length: 5, clock: 2, spoiled: 1_500 },
        Err(_) => Measure { rate: 20, length: 1, clock: 5, spoiled: 2_500 },
    }
}

/// One question, and what came of it.
struct Seen {
    way: usize,
    front: Front,
    mistake: Option<Mistake>,
    /// What was done to the server when it was asked.
    asked: Scene,
    /// And when it was answered; none after the end.
    ended: Option<Scene>,
    got: Got,
    took: Duration,
}

/// What script and load of one server share.
struct Stage {
    server: usize,
    scene: Mutex<Option<Scene>>,
    /// By way: how many answers of tier 0 came in a row.
    rows: watch::Sender<[u32; 4]>,
}

impl Stage {
    fn turn(&self, scene: Scene) {
        *self.scene.lock() = Some(scene);
        self.rows.send_replace([0; 4]);
    }

    fn scene(&self) -> Option<Scene> {
        *self.scene.lock()
    }

    fn answered(&self, way: usize, got: &Got) {
        self.rows.send_modify(|rows| rows[way] = if got.tier == Some(0) { rows[way] + 1 } else { 0 });
    }

    /// Waits until every route has its tier 0 again, and its breaker closed.
    async fn mended(&self, gateway: &Gateway) {
        let back = async {
            loop {
                self.turn(Scene::Mending);
                let mut rows = self.rows.subscribe();
                // The sender lives in `self`.
                let _ = rows.wait_for(|rows| rows.iter().all(|row| *row >= MENDED)).await;
                if (0..WAYS.len()).all(|way| breaker(gateway, &self.route(way)) == "closed") {
                    break;
                }
            }
        };
        let back = timeout(Duration::from_secs(240), back).await;
        assert!(back.is_ok(), "{} is not back: {:?}", NAMES[self.server], *self.rows.borrow());
    }

    /// Counts the changes of the breakers of its routes.
    fn changes(&self, gateway: &Gateway) -> [u64; 4] {
        [0, 1, 2, 3].map(|way| changes(gateway, &self.route(way)))
    }

    fn route(&self, way: usize) -> String {
        format!("{}-{}", NAMES[self.server], WAYS[way].0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_39_oip_40_up_10_up_15_real_servers_are_killed_stopped_and_spoiled_under_load_and_no_client_notices() {
    if servers::are_left_out("broken", &["tri", "mls", "ks"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let servers = tokio::task::block_in_place(|| Server::start_all(folder.path()));
    let mut proxies = Vec::new();
    for server in &servers {
        proxies.push([Proxy::start(&server.http, false).await, Proxy::start(&server.grpc, true).await]);
    }
    let gateway = Gateway::start(deployment(folder.path(), &servers, &proxies)).await.expect("it starts");
    let told = watch_gateway(&gateway);
    let mut plays = JoinSet::new();
    for (at, (server, proxies)) in servers.into_iter().zip(proxies).enumerate() {
        plays.spawn(play(gateway.clone(), at, server, proxies));
    }
    let seen = plays.join_all().await;
    let told = std::mem::take(&mut *told.lock());
    assert_eq!(told.missed, 0, "what was missed could be an attempt");
    let records: BTreeMap<String, Vec<String>> = told.records.iter().filter_map(attempts_at_tier_0).collect();
    let mut wrong = String::new();
    for (server, seen) in &seen {
        judge((*server, seen), &records, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}");
    for (server, way) in (0..NAMES.len()).flat_map(|server| WAYS.map(|way| (server, way.0))) {
        let route = format!("{}-{way}", NAMES[server]);
        assert_eq!(breaker(&gateway, &route), "closed", "{route} in the end");
    }
}

/// Returns the decision of a record, and how its attempts at tier 0 ended.
fn attempts_at_tier_0(happened: &Happened) -> Option<(String, Vec<String>)> {
    let Happened::Decision(decision) = happened else { return None };
    let attempts = decision.attempts.iter().filter(|it| it.path == "primary");
    Some((decision.id.clone(), attempts.map(|it| it.result.clone()).collect()))
}

fn breaker(gateway: &Gateway, route: &str) -> String {
    gateway.route_state(route).expect("a route").tiers[0].breaker.clone()
}

/// Plays everything that is done to one server while it is asked; returns what its clients saw.
async fn play(gateway: Gateway, at: usize, mut server: Server, proxies: [Proxy; 2]) -> (usize, Vec<Seen>) {
    let stage = Stage { server: at, scene: Mutex::new(Some(Scene::Mending)), rows: watch::Sender::new([0; 4]) };
    let stage = Arc::new(stage);
    // Apart from the script, which waits for servers without giving way.
    let load = tokio::spawn(load(gateway.clone(), stage.clone()));
    let Measure { length, clock, spoiled, .. } = measure();
    let during = |scene, milliseconds: u64| {
        let stage = stage.clone();
        async move {
            stage.turn(scene);
            moment(Instant::now(), Duration::from_millis(milliseconds) * length).await;
        }
    };
    stage.mended(&gateway).await;
    let before = stage.changes(&gateway);
    during(Scene::Well, 1_500).await;
    mistakes_that_only_a_server_can_tell(&gateway, &server, at).await;
    assert_eq!(stage.changes(&gateway), before, "{}: nothing has been wrong yet", NAMES[at]);
    for how in Garbage::ALL {
        proxies.iter().for_each(|proxy| proxy.spoil(Some(how)));
        during(Scene::Spoiled(how), spoiled).await;
    }
    assert_eq!(stage.changes(&gateway)[..2], before[..2], "{}: these answers were right", NAMES[at]);
    proxies.iter().for_each(|proxy| proxy.spoil(None));
    stage.mended(&gateway).await;
    during(Scene::Well, 500).await;
    // It stands still before the scene begins: nobody who asks within it is answered.
    stage.turn(Scene::Mending);
    tokio::task::block_in_place(|| server.stop());
    during(Scene::Stopped, u64::from(clock) * 2_000).await;
    stage.turn(Scene::Mending);
    server.go_on();
    stage.mended(&gateway).await;
    during(Scene::Well, 500).await;
    stage.turn(Scene::Mending);
    server.kill();
    during(Scene::Killed, u64::from(clock) * 1_000).await;
    stage.turn(Scene::Mending);
    tokio::task::block_in_place(|| server.restart());
    stage.mended(&gateway).await;
    during(Scene::Well, 1_000).await;
    *stage.scene.lock() = None;
    (at, load.await.expect("no panic"))
}

/// Asks all routes of a server in turn at a steady rate, whether or not they answer, until the script is over.
async fn load(gateway: Gateway, stage: Arc<Stage>) -> Vec<Seen> {
    let (asking, url) = (Asking::new(), format!("http://{}", gateway.address()));
    let (rate, start) = (measure().rate, Instant::now());
    let (mut open, mut seen) = (JoinSet::new(), Vec::new());
    for n in 0.. {
        moment(start, Duration::from_secs(n) / rate).await;
        let Some(scene) = stage.scene() else { break };
        let n = n as usize;
        let (way, front) = (n % WAYS.len(), [Front::Rest, Front::Grpc][n / WAYS.len() % 2]);
        let mistake = n.is_multiple_of(5).then(|| Mistake::ALL[n / 5 % Mistake::ALL.len()]);
        let (asking, url, stage) = (asking.clone(), url.clone(), stage.clone());
        open.spawn(async move {
            let asked = Instant::now();
            let got = asking.ask((&url, &stage.route(way)), front, mistake).await;
            if mistake.is_none() {
                stage.answered(way, &got);
            }
            Seen { way, front, mistake, asked: scene, ended: stage.scene(), got, took: asked.elapsed() }
        });
        while let Some(Ok(it)) = open.try_join_next() {
            seen.push(it);
        }
    }
    seen.extend(open.join_all().await);
    seen
}

/// Asks routes that declare nothing and have nobody to fall back to what a server takes ill, between questions that are right:
/// whoever finds out, the client is told that it is its own fault, and no breaker moves.
async fn mistakes_that_only_a_server_can_tell(gateway: &Gateway, server: &Server, at: usize) {
    let (asking, url) = (Asking::new(), format!("http://{}", gateway.address()));
    let mut has_failed = false;
    for (way, (of, is_grpc, _)) in WAYS.into_iter().enumerate().take(2) {
        let route = format!("open-{}-{of}", NAMES[at]);
        for mistake in [Mistake::Columns, Mistake::Datatype] {
            let (front, address) = match is_grpc {
                true => (Front::Grpc, &server.grpc),
                false => (Front::Rest, &server.http),
            };
            let direct = asking.ask((address, "home-value"), front, Some(mistake)).await.code;
            has_failed |= matches!(direct, Ok(500 | 13));
            for front in [Front::Rest, Front::Grpc] {
                for _ in 0..8 {
                    let right = asking.ask((&url, &route), front, None).await;
                    assert!(right.has_score, "{route}: {right:?}");
                    let got = asking.ask((&url, &route), front, Some(mistake)).await;
                    let expected = if front == Front::Rest { 400 } else { 3 };
                    let is_taken = (direct == Ok(200) || direct == Ok(0)) && got.has_score;
                    assert!(got.code == Ok(expected) || is_taken, "{route}, {mistake:?}, directly {direct:?}: {got:?}");
                }
            }
            println!(
                "{}",
                json!({"server": NAMES[at], "upstream": WAYS[way].0, "mistake": format!("{mistake:?}"), "directly": direct.ok()})
            );
            assert_eq!((breaker(gateway, &route).as_str(), changes(gateway, &route)), ("closed", 0), "{route}");
        }
    }
    assert_eq!(has_failed, NAMES[at] != "triton", "{}: 500 or INTERNAL to a mistake", NAMES[at]);
}

/// Counts the changes of the breakers of a route.
fn changes(gateway: &Gateway, route: &str) -> u64 {
    let metrics = gateway.metrics();
    let of = metrics.lines().filter(|line| {
        line.starts_with("evenkeel_breaker_changes_total{") && line.contains(&format!("route=\"{route}\""))
    });
    of.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

impl Seen {
    /// The scene that it was asked and answered in.
    fn scene(&self) -> Option<Scene> {
        Some(self.asked).filter(|it| self.ended == Some(*it))
    }

    /// Says what is wrong with what its client got; `results` are those of the attempts at tier 0.
    fn fault(&self, results: Option<&Vec<String>>) -> Option<String> {
        let (got, way) = (&self.got, WAYS[self.way]);
        let [good, refused] = if self.front == Front::Rest { [200, 400] } else { [0, 3] };
        if let Some(mistake) = self.mistake {
            let is_refused = got.code == Ok(refused) && got.tier.is_none();
            return (!is_refused).then(|| format!("{mistake:?} is answered with {got:?}"));
        }
        if got.code != Ok(good) || !got.has_score {
            return Some(format!("{got:?}"));
        }
        let scene = self.scene().filter(|it| *it != Scene::Mending)?;
        let Some(results) = results else { return Some(format!("no record of {got:?}")) };
        let is_told = results.iter().all(|it| scene.results(way).contains(&it.as_str()));
        let is_right = (got.tier == Some(0)) == scene.is_answered(way);
        (!is_told || !is_right).then(|| format!("tier {:?} answered, after {results:?}", got.tier))
    }
}

/// Holds what the clients of a server saw against what was done to it; prints a line a scene.
fn judge((server, seen): (usize, &[Seen]), records: &BTreeMap<String, Vec<String>>, wrong: &mut String) {
    let mut scenes: BTreeMap<Option<Scene>, Counts> = BTreeMap::new();
    for it in seen {
        let results = it.got.decision.as_ref().and_then(|it| records.get(it));
        let fault = it.fault(results);
        let way = WAYS[it.way];
        if let Some(fault) = &fault {
            let told = (NAMES[server], way.0, it.front, it.asked, it.ended);
            writeln!(wrong, "{told:?}: {fault}").expect("a String takes all");
        }
        scenes.entry(it.scene()).or_default().count(it, fault.is_some());
        // Who was under way when the scene began may have been the only one that met it, before the breaker was open.
        if let Some(ended) = it.ended.filter(|ended| !ended.is_answered(way)) {
            let results = results.into_iter().flatten().filter(|it| ended.results(way).contains(&it.as_str()));
            let mut results = results.cloned().peekable();
            if results.peek().is_some() {
                scenes.entry(Some(ended)).or_default().results.entry(way.0).or_default().extend(results);
            }
        }
    }
    for (scene, counts) in &scenes {
        let name = scene.map_or_else(|| "between".to_owned(), Scene::name);
        let Counts { requests, failed, degraded, mistakes, slowest, results } = counts;
        println!(
            "{}",
            json!({"server": NAMES[server], "scene": name, "requests": requests, "failed": failed, "degraded": degraded,
                   "mistakes": mistakes, "slowest_ms": slowest.as_millis() as u64, "results": results})
        );
    }
    for (scene, way) in Scene::BROKEN.into_iter().flat_map(|scene| WAYS.map(|way| (scene, way))) {
        let named = scene.results(way)[0];
        let seen = scenes.get(&Some(scene)).and_then(|it| it.results.get(way.0));
        if !scene.is_answered(way) && !seen.is_some_and(|it| it.contains(named)) {
            writeln!(wrong, "{}-{}, {scene:?}: {seen:?}, without {named}", NAMES[server], way.0).expect("a String");
        }
    }
}

/// What was seen in a scene.
#[derive(Default)]
struct Counts {
    /// Of those that were right.
    requests: usize,
    failed: usize,
    /// Answered by another tier than the first.
    degraded: usize,
    mistakes: usize,
    slowest: Duration,
    /// How attempts at the broken server ended, over each way on which it was met.
    results: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Counts {
    fn count(&mut self, seen: &Seen, is_wrong: bool) {
        self.failed += usize::from(is_wrong);
        match seen.mistake {
            Some(_) => self.mistakes += 1,
            None => {
                self.requests += 1;
                self.slowest = self.slowest.max(seen.took);
                self.degraded += usize::from(seen.got.tier != Some(0));
            }
        }
    }
}

/// Four routes a server with the tiers of the example, and two that declare nothing and have one tier.
fn deployment(folder: &Path, servers: &[Server], proxies: &[[Proxy; 2]]) -> Arc<evenkeel_config::Deployment> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-value");
    for file in ["distilled.onnx", "home-value.rules"] {
        std::fs::copy(example.join(file), folder.join(file)).expect("copied");
    }
    let (mut upstreams, mut routes) = (String::new(), String::new());
    let columns = "[median_income, house_age, avg_rooms, avg_bedrooms, population, avg_occupancy, latitude, longitude]";
    // Back soon, however often it has broken.
    let clock = measure().clock;
    let [slow, deadline] = [2, 3].map(|it| it * clock);
    let clocks = format!("total: {clock}s, breaker: {{open: 500ms, open_max: 500ms, flap_max: 500ms, ramp: [1]}}");
    for (name, (server, proxies)) in NAMES.iter().zip(servers.iter().zip(proxies)) {
        for (way, is_grpc, is_spoiled) in WAYS {
            let protocol = if is_grpc { "oip-grpc" } else { "oip" };
            let url = match (is_grpc, is_spoiled) {
                (false, false) => &server.http,
                (true, false) => &server.grpc,
                (_, true) => &proxies[usize::from(is_grpc)].url,
            };
            // What is spoiled says nothing of being ready either, and would be left alone for that in a long run.
            let probe = if is_spoiled { ", probe: off" } else { "" };
            writeln!(upstreams, "  {name}-{way}: {{protocol: {protocol}, url: \"{url}\"{probe}}}").expect("a String");
            // What is slow while others start on the same machine is not what is looked for here.
            writeln!(
                routes,
                "  {name}-{way}:\n    protocol: oip\n    deadline: {deadline}s\n    slo: {{latency: {{p95: {slow}s}}}}\n    \
                 input: {{tensor: x, columns: {columns}}}\n    \
                 output: {{tensors: {{score: {{datatype: FP32, shape: [-1], min: 0, max: 1}}}}}}\n    tiers:\n      \
                 - {{name: primary, oip: {{upstream: {name}-{way}, model: home-value}}, {clocks}}}\n      \
                 - {{name: distilled, onnx: {{file: distilled.onnx}}}}\n      \
                 - {{name: rules, rules: {{file: home-value.rules}}}}\n      \
                 - {{name: default, fixed: {{outputs: {{score: 0.5}}}}}}"
            )
            .expect("a String");
            if !is_spoiled {
                writeln!(upstreams, "  open-{name}-{way}: {{protocol: {protocol}, url: \"{url}\"}}").expect("a String");
                let tier = format!("{{name: primary, oip: {{upstream: open-{name}-{way}, model: home-value}}}}");
                writeln!(routes, "  open-{name}-{way}: {{protocol: oip, deadline: 30s, tiers: [{tier}]}}")
                    .expect("a String");
            }
        }
    }
    let text = format!("version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams:\n{upstreams}routes:\n{routes}");
    let loaded = load_text("broken", &text, folder);
    loaded.deployment.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}
