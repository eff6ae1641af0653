//! Interop: every real client with every real server of the Open Inference Protocol, through the gateway and directly.
//!
//! The table is `docs/interop.md`; `EVENKEEL_INTEROP=1` (`cargo xtask interop`) writes it, and without that the test fails where
//! what it sees is another table.

mod asking;
mod broken;
mod encrypted;
mod garbage;
mod scene;
pub(crate) mod servers;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

use self::servers::{Server, client, environment};
use crate::process::{Serving, Variable, get, http, until};

/// A client of `oip_matrix.py`: its name there, how the table calls it, and the environment that has it.
const CLIENTS: [(&str, &str, &str); 6] = [
    ("tritonclient-http-json", "tritonclient HTTP, JSON", "tri"),
    ("tritonclient-http-binary", "tritonclient HTTP, binary", "tri"),
    ("tritonclient-grpc", "tritonclient gRPC", "tri"),
    ("kserve-rest-json", "kserve REST, JSON", "ks"),
    ("kserve-rest-binary", "kserve REST, binary", "ks"),
    ("kserve-grpc", "kserve gRPC", "ks"),
];

/// What stands behind the gateway: the route, what the table calls it, and whose answer is the direct one.
const ROUTES: [(&str, &str, Option<usize>); 7] = [
    ("triton-rest", "Triton, `oip`", Some(0)),
    ("triton-grpc", "Triton, `oip-grpc`", Some(0)),
    ("mlserver-rest", "MLServer, `oip`", Some(1)),
    ("mlserver-grpc", "MLServer, `oip-grpc`", Some(1)),
    ("kserve-rest", "kserve, `oip`", Some(2)),
    ("kserve-grpc", "kserve, `oip-grpc`", Some(2)),
    ("onnx", "`onnx`, in process", None),
];

/// What one client made of one model.
#[derive(Clone, Debug)]
struct Cell {
    scores: Vec<f64>,
    ok: bool,
    detail: String,
}

#[test]
fn oip_01_oip_05_oip_28_every_client_works_with_every_server_behind_the_gateway() {
    if servers::are_left_out("interop", &["tri", "mls", "ks"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let servers = Server::start_all(folder.path());
    let serving = serve(folder.path(), &servers);
    let address = format!("http://{}", serving.data);
    let routes: Vec<&str> = ROUTES.iter().map(|(route, ..)| *route).collect();
    // Two clients at once: each is a process of its own that takes seconds to start.
    let seen: Vec<_> = thread::scope(|scope| {
        let halves = CLIENTS.chunks(3).map(|clients| {
            let (servers, address, routes) = (&servers, &address, &routes);
            scope.spawn(move || {
                let all = clients.iter().map(|it| {
                    let through = ask(it, (address, address), routes);
                    let direct =
                        servers.iter().map(|it_is| ask(it, (&it_is.http, &it_is.grpc), &["home-value"])[0].clone());
                    (it.1, direct.collect::<Vec<_>>(), through)
                });
                all.collect::<Vec<_>>()
            })
        });
        let halves: Vec<_> = halves.collect();
        halves.into_iter().flat_map(|half| half.join().expect("no panic")).collect()
    });
    let mut failed = String::new();
    for (client, direct, through) in &seen {
        for ((route, _, server), cell) in ROUTES.iter().zip(through) {
            if !cell.ok {
                writeln!(failed, "{client} through {route}: {}", cell.detail).expect("a String takes all");
            }
            let told = server.map(|at| &direct[at]).filter(|direct| direct.ok);
            if let Some(direct) = told.filter(|direct| !close(&direct.scores, &cell.scores)) {
                writeln!(failed, "{client} through {route}: {:?}, directly {:?}", cell.scores, direct.scores)
                    .expect("a String takes all");
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
    page(&seen);
}

#[test]
fn oip_12_oip_18_oip_19_oip_21_oip_31_oip_32_oip_36_what_the_examples_of_tritonclient_do_works_or_is_refused_in_words()
{
    if servers::are_left_out("patterns", &["tri", "mls", "ks"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let servers = Server::start_all(folder.path());
    let serving = serve(folder.path(), &servers);
    let address = format!("http://{}", serving.data);
    let told = |route: &str| get(serving.data, &format!("/v2/models/{route}"))["inputs"].clone();
    let x = serde_json::json!([{"name": "x", "datatype": "FP32", "shape": [-1, 8]}]);
    for (route, ..) in ROUTES.iter().filter(|it| it.2 != Some(2)) {
        until("what it takes, as its server says it", || (told(route) == x).then_some(()));
    }
    let mut failed = String::new();
    for (route, _, server) in ROUTES {
        let more = ["echo", "sum", "brief"].map(|model| route.replace("triton", model));
        let more = &more[..if server == Some(0) { 3 } else { 0 }];
        let python = environment("tri").expect("it was looked for").join("python");
        let asked = Command::new(python)
            .arg(client("oip_patterns.py"))
            .args([&address, &address, route])
            .args(more)
            .output()
            .expect("Python runs");
        let printed = String::from_utf8_lossy(&asked.stdout);
        let cases: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        let expected = if more.is_empty() { 39 } else { 47 };
        assert_eq!(cases.len(), expected, "{printed}{}", String::from_utf8_lossy(&asked.stderr));
        for case in cases.iter().filter(|case| case["ok"] != true) {
            writeln!(failed, "{route}: {case}").expect("a String takes all");
        }
    }
    assert!(failed.is_empty(), "{failed}");
    assert_eq!(told("kserve-rest"), serde_json::json!([]), "OIP-18: kserve says nothing of its model");
}

#[test]
fn up_10_up_15_each_server_is_stopped_and_killed_in_turn_and_no_client_notices() {
    if servers::are_left_out("servers", &["tri", "mls", "ks"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut servers = Server::start_all(folder.path());
    let serving = serve(folder.path(), &servers);
    let row = "[6.0,29.0,6.2,1.0,1457.0,2.4,33.8,-118.0]";
    let body = format!(r#"{{"inputs":[{{"name":"x","shape":[1,8],"datatype":"FP32","data":{row}}}]}}"#);
    let ask = |route: &str| {
        let (status, answer) = http(serving.data, "POST", &format!("/v2/models/saved-{route}/infer"), &body);
        assert_eq!(status, 200, "{route}: {answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let decision = answer["parameters"]["evenkeel.decision"].as_str().expect("its id").to_owned();
        (answer["parameters"]["evenkeel.tier"].as_u64().expect("a tier"), decision)
    };
    for (route, _, server) in ROUTES {
        let Some(server) = server else { continue };
        assert_eq!((0..20).map(|_| ask(route).0).max(), Some(0), "{route}: it answers");
        // What the decision says of the first that did not get an answer from it.
        let class = |seen: &[(u64, String)]| {
            let decision = &seen.iter().find(|it| it.0 == 1).expect("a tier below answered").1;
            let record = get(serving.data, &format!("/v1/decisions/{decision}"));
            record["attempts"][0]["result"].as_str().expect("a word").to_owned()
        };
        servers[server].stop();
        let stopped: Vec<_> = (0..10).map(|_| ask(route)).collect();
        assert_eq!(class(&stopped), "target.total_timeout", "{route}");
        servers[server].go_on();
        until("the way back", || (ask(route).0 == 0).then_some(()));
    }
    // A state goes with its server, and a tier that has none is not asked for it.
    let go_on = |route: &str, start: bool| {
        let parameters = format!(r#"{{"sequence_id":"s","sequence_start":{start}}}"#);
        let number = r#"{"name":"number","shape":[1,1],"datatype":"INT32","data":[1]}"#;
        let body = format!(r#"{{"parameters":{parameters},"inputs":[{number}]}}"#);
        http(serving.data, "POST", &format!("/v2/models/{route}/infer"), &body).0
    };
    let sums = ["sum-rest", "sum-grpc"];
    assert_eq!(sums.map(|route| (go_on(route, true), go_on(route, false))), [(200, 200); 2], "TN-12: it stands");
    for (at, name) in ["triton", "mlserver", "kserve"].into_iter().enumerate() {
        servers[at].kill();
        if at == 0 {
            assert_eq!(sums.map(|route| go_on(route, false)), [409; 2], "TN-12: it is lost");
        }
        for route in [format!("{name}-rest"), format!("{name}-grpc")] {
            let (tier, decision) = ask(&route);
            let record = get(serving.data, &format!("/v1/decisions/{decision}"));
            let result = record["attempts"][0]["result"].as_str().expect("a word");
            let lost = ["target.connect_failed", "target.reset", "target.unsent"];
            assert!(tier == 1 && lost.contains(&result), "{route}: {record}");
            assert_eq!((0..20).map(|_| ask(&route).0).min(), Some(1), "{route}");
        }
    }
}

/// Says whether two answers are the same numbers; JSON may have fewer digits than bytes.
fn close(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-5)
}

fn serve(folder: &Path, servers: &[Server]) -> Serving {
    let mut text = "version: 1\nserver: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\nupstreams:\n".to_owned();
    for (name, server) in ["triton", "mlserver", "kserve"].iter().zip(servers) {
        let Server { http, grpc, .. } = server;
        writeln!(text, "  {name}-rest: {{protocol: oip, url: \"{http}\"}}").expect("a String takes all");
        writeln!(text, "  {name}-grpc: {{protocol: oip-grpc, url: \"{grpc}\"}}").expect("a String takes all");
    }
    text += "routes:\n";
    for (route, _, server) in ROUTES {
        let tier = match server {
            Some(_) => format!("oip: {{upstream: {route}, model: home-value}}, retries: 0"),
            None => "onnx: {file: distilled.onnx}".to_owned(),
        };
        writeln!(text, "  {route}: {{protocol: oip, tiers: [{{name: primary, {tier}}}]}}").expect("a String takes all");
        // The same with somebody to fall back to, who is back soon.
        let saved = "total: 500ms, breaker: {open: 500ms, open_max: 500ms, ramp: [1]}";
        let below = "{name: default, fixed: {outputs: {score: 0.5}}}";
        writeln!(text, "  saved-{route}: {{protocol: oip, tiers: [{{name: primary, {tier}, {saved}}}, {below}]}}")
            .expect("a String takes all");
    }
    for kind in ["rest", "grpc"] {
        for model in ["echo", "sum", "brief"] {
            let tier = format!("oip: {{upstream: triton-{kind}, model: {model}}}");
            writeln!(text, "  {model}-{kind}: {{protocol: oip, tiers: [{{name: primary, {tier}}}]}}")
                .expect("a String takes all");
        }
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/home-value");
    std::fs::copy(example.join("distilled.onnx"), folder.join("distilled.onnx")).expect("copied");
    let file = folder.join("evenkeel.yaml");
    std::fs::write(&file, text).expect("written");
    Serving::start(&file)
}

/// Asks models at an address with one client.
fn ask(client: &(&str, &str, &str), at: (&str, &str), models: &[&str]) -> Vec<Cell> {
    ask_with(client, at, models, &[])
}

/// The same with variables of the environment.
fn ask_with(
    (name, _, environment_of): &(&str, &str, &str),
    (http, grpc): (&str, &str),
    models: &[&str],
    variables: &[Variable<'_>],
) -> Vec<Cell> {
    let python = environment(environment_of).expect("it was looked for").join("python");
    let asked = Command::new(python)
        .arg(client("oip_matrix.py"))
        .args([name, http, grpc])
        .args(models)
        .envs(variables.iter().copied())
        .stderr(Stdio::piped())
        .output()
        .expect("Python runs");
    let printed = String::from_utf8_lossy(&asked.stdout);
    let cells: Vec<Cell> = printed.lines().map(|line| cell(&serde_json::from_str(line).expect(line))).collect();
    assert_eq!(cells.len(), models.len(), "{printed}{}", String::from_utf8_lossy(&asked.stderr));
    cells
}

fn cell(told: &Value) -> Cell {
    let scores = told["scores"].as_array().expect("a list").iter().map(|it| it.as_f64().unwrap_or(f64::NAN));
    Cell {
        scores: scores.collect(),
        ok: told["ok"] == true,
        detail: told["detail"].as_str().unwrap_or_default().to_owned(),
    }
}

/// Holds the page against what was seen, or writes it.
fn page(seen: &[(&str, Vec<Cell>, Vec<Cell>)]) {
    let mut text = HEAD.to_owned();
    let mut notes: BTreeMap<String, usize> = BTreeMap::new();
    for ((_, behind, server), at) in ROUTES.iter().zip(0..) {
        write!(text, "| {behind} |").expect("a String takes all");
        for (_, direct, through) in seen {
            let mark = |cell: &Cell| if cell.ok { "yes" } else { "no" };
            match server {
                Some(server) => {
                    let note = Some(&direct[*server]).filter(|it| !it.ok).map(|it| {
                        let next = notes.len() + 1;
                        *notes.entry(first_line(&it.detail)).or_insert(next)
                    });
                    let note = note.map(|it| format!(" ({it})")).unwrap_or_default();
                    write!(text, " {} / {}{note} |", mark(&through[at]), mark(&direct[*server]))
                }
                None => write!(text, " {} / – |", mark(&through[at])),
            }
            .expect("a String takes all");
        }
        text.push('\n');
    }
    text += "\nWhat a client says where it cannot work with a server by itself:\n\n";
    let mut notes: Vec<_> = notes.into_iter().map(|(words, at)| (at, words)).collect();
    notes.sort_unstable();
    for (at, words) in notes {
        writeln!(text, "{at}. `{words}`").expect("a String takes all");
    }
    text += &scene::section();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/interop.md");
    if std::env::var_os("EVENKEEL_INTEROP").is_some() {
        std::fs::write(&file, &text).expect("written");
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == text, "docs/interop.md says something else than what was seen (cargo xtask interop):\n{text}");
}

/// The first line of an error, without what differs from run to run.
fn first_line(detail: &str) -> String {
    let line = detail.lines().next().unwrap_or_default().replace('`', "'").replace('|', "/");
    let line: String = line.chars().take(160).collect();
    let mut out = String::new();
    for (at, part) in line.split("127.0.0.1:").enumerate() {
        if at > 0 {
            out += "HOST:PORT";
        }
        out += if at > 0 { part.trim_start_matches(|c: char| c.is_ascii_digit()) } else { part };
    }
    out.trim_end().to_owned()
}

const HEAD: &str = "# Clients and servers of the Open Inference Protocol\n\n\
Written by `cargo xtask interop`, and held by a test: unmodified clients against real servers, two rows in FP32, two scores back. In each\n\
cell first what the client gets through Evenkeel, then what it gets when it talks to the server itself.\n\n\
tritonclient 2.73.0 and kserve 0.21.0 as clients; Triton 2.51.0, MLServer 1.7.1, kserve 0.21.0 as servers. Each client also works\n\
over TLS (`server.tls`), which a test of its own holds.\n\n\
| behind the gateway | tritonclient HTTP, JSON | tritonclient HTTP, binary | tritonclient gRPC | kserve REST, JSON | kserve REST, binary | kserve gRPC |\n\
|---|---|---|---|---|---|---|\n";
