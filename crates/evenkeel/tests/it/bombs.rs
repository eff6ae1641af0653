//! Small inputs that would be large inside, and servers that never stop: what they cost the process in memory, and that it
//! lives on (SE-09, SE-10, CL-13, CL-14, HP-07, HP-13).
//!
//! The gateway is a process of its own, so that its peak is its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::process::{Serving, http};

/// 64 MiB of zeros; several in a row are one more file of gzip, so that it never ends.
const ZEROS: &[u8] = include_bytes!("../bombs/zeros.gz");
/// 1 GiB of zeros, packed twice.
const TWICE: &[u8] = include_bytes!("../bombs/zeros.gz.gz");

/// What all bombs of a kind together may add to the peak.
const MOST_KIB: u64 = 64 << 10;

fn serve(upstream: SocketAddr) -> Serving {
    serve_with(upstream, "")
}

/// The same with more about the server.
fn serve_with(upstream: SocketAddr, server: &str) -> Serving {
    let routes: String = HOSTILE
        .iter()
        .map(|(name, ..)| {
            format!(
                "  {name}:\n    protocol: openai-chat\n    deadline: 20s\n    tiers:\n      - {{name: p, openai: {{upstream: u, \
                 model: {name}}}, retries: 0, max_answer: 1MiB, first_token: 3s, stall: 3s, total: 3s, breaker: {{consecutive: \
                 100, low: [100, 100]}}}}\n      - {{name: d, fixed: {{content: later}}}}\n"
            )
        })
        .collect();
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"{server}}}\nupstreams: {{u: {{protocol: openai, url: \
         \"http://{upstream}\"}}}}\nroutes:\n{routes}{TENSORS}"
    );
    Serving::start_text(&text)
}

/// A route that knows what goes in, so that what comes is read.
const TENSORS: &str = "  tensors:
    protocol: oip
    deadline: 20s
    input: {tensor: x, columns: [a, b, c, d, e, f, g, h]}
    output: {tensors: {score: {datatype: FP32, shape: [-1]}}}
    tiers: [{name: d, fixed: {outputs: {score: 0.5}}}]
";

/// What a server sends for ever, or until the other side has enough; what comes of a plain request and of a stream.
type Hostile = (&'static str, &'static [u8], &'static [u8], &'static str, &'static str);

const EVENTS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
const JSON: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
const EVENT: &[u8] = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}]}\n\n";

const HOSTILE: [Hostile; 8] = [
    (
        "huge-headers",
        b"HTTP/1.1 200 OK\r\n",
        b"x-a: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
        "target.protocol_error",
        "target.protocol_error",
    ),
    (
        "one-header",
        b"HTTP/1.1 200 OK\r\nx: ",
        b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        "target.protocol_error",
        "target.protocol_error",
    ),
    ("continued", b"", b"HTTP/1.1 100 Continue\r\n\r\n", "target.total_timeout", "target.total_timeout"),
    (
        "endless-body",
        JSON,
        b"                                                                ",
        "target.answer_too_large",
        "target.wrong_content_type",
    ),
    (
        "endless-line",
        EVENTS,
        b"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "target.wrong_content_type",
        "target.decode_failed",
    ),
    (
        "endless-comments",
        EVENTS,
        b": xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\n",
        "target.wrong_content_type",
        "target.total_timeout",
    ),
    ("endless-events", EVENTS, EVENT, "target.wrong_content_type", "target.answer_too_large"),
    (
        "packed",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\r\n",
        ZEROS,
        "target.decode_failed",
        "target.decode_failed",
    ),
];

/// A server of eight models, none of which ever ends.
fn hostile() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || flood(stream));
        }
    });
    address
}

fn flood(mut stream: TcpStream) {
    let mut asked = Vec::new();
    let mut buffer = [0; 4 << 10];
    let model = loop {
        let Ok(read @ 1..) = stream.read(&mut buffer) else { return };
        asked.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&asked);
        let named = |(name, ..): &&Hostile| text.contains(&format!("\"model\":\"{name}\""));
        if let Some(model) = HOSTILE.iter().find(named) {
            break model;
        }
    };
    let many = model.2.repeat((64 << 10) / model.2.len() + 1);
    let mut sent = stream.write_all(model.1);
    while sent.is_ok() {
        sent = stream.write_all(&many);
    }
}

fn ask(address: SocketAddr, model: &str, stream: bool) -> (String, String) {
    let body = format!(r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"x"}}]}}"#);
    let mut client = TcpStream::connect(address).expect("taken");
    let length = body.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    client.write_all((head + &body).as_bytes()).expect("sent");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("read");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let decision = answer.lines().find_map(|line| line.strip_prefix("evenkeel-decision: ")).expect(&answer).to_owned();
    (answer, decision)
}

/// Posts a body that says that it is packed; returns the status.
fn packed(address: SocketAddr, path: &str, coding: &str, body: &[u8]) -> u16 {
    let mut client = TcpStream::connect(address).expect("taken");
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-encoding: {coding}\r\n\
         content-length: {length}\r\n\r\n"
    );
    client.write_all(&[head.as_bytes(), body].concat()).expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("read");
    answer.split(' ').nth(1).and_then(|it| it.parse().ok()).expect(&answer)
}

#[test]
fn se_10_servers_that_never_stop_cost_no_more_than_their_limits() {
    let serving = serve(hostile());
    let before = serving.peak_memory();
    let mut results = Vec::new();
    for (model, _, _, plain, streamed) in HOSTILE {
        for (stream, expected) in [(false, plain), (true, streamed)] {
            let (answer, decision) = ask(serving.data, model, stream);
            let (_, record) = http(serving.data, "GET", &format!("/v1/decisions/{decision}"), "");
            let record: Value = serde_json::from_str(&record).expect("JSON");
            let result = record["attempts"][0]["result"].clone();
            // Either a lower tier's answer, or an error that says so where something was out already.
            let told = answer.contains("later") || answer.contains("\"error\":{");
            results.push((model, stream, result, expected, told));
        }
    }
    let grown = serving.peak_memory().saturating_sub(before);
    println!("{}", serde_json::json!({"bombs": "upstream", "before_kib": before, "grown_kib": grown}));
    assert!(results.iter().all(|(_, _, result, expected, told)| result == expected && *told), "{results:#?}");
    assert!(grown < MOST_KIB, "{grown} KiB more than {before}");
}

#[test]
fn se_09_hp_13_what_is_packed_is_not_unpacked_beyond_the_limit_and_never_twice() {
    let serving = serve_with(hostile(), ", max_body: 1MiB");
    let before = serving.peak_memory();
    for (coding, body, status) in [("gzip", ZEROS, 413), ("gzip, gzip", TWICE, 415), ("identity, gzip", ZEROS, 415)] {
        for path in ["/v1/chat/completions", "/v2/models/tensors/infer"] {
            assert_eq!(packed(serving.data, path, coding, body), status, "{path} {coding}");
        }
    }
    let grown = serving.peak_memory().saturating_sub(before);
    println!("{}", serde_json::json!({"bombs": "packed", "before_kib": before, "grown_kib": grown}));
    assert!(grown < 32 << 10, "{grown} KiB more than {before}");
}

#[test]
fn se_09_cl_13_cl_14_hp_07_small_inputs_stay_small_inside() {
    let serving = serve(hostile());
    let ready = || http(serving.data, "GET", "/v2/health/ready", "").0;
    assert_eq!(ready(), 200);
    let post = |body: &str| http(serving.data, "POST", "/v1/chat/completions", body);
    let infer = |body: &str| http(serving.data, "POST", "/v2/models/tensors/infer", body);
    let sound = r#"{"inputs":[{"name":"x","shape":[1,8],"datatype":"FP32","data":[1,2,3,4,5,6,7,8]}]}"#;
    assert_eq!(infer(sound).0, 200, "what follows differs from it in one thing");
    let nested = format!("{{\"x\":{}{}}}", "[".repeat(1 << 19), "]".repeat(1 << 19));
    let shape = sound.replace("[1,8]", "[9223372036854775807,8]");
    let many: String = (0..1_000_000).map(|at| format!("\"{at}\":0,")).collect();
    let keys = format!("{{{many}\"model\":\"nope\",\"messages\":[{{}}]}}");
    // What holding so many bytes takes, and code that runs for the first time, is in memory before.
    let flat = format!("{{\"x\":\"{}\",\"model\":\"nope\",\"messages\":[{{}}]}}", "x".repeat(keys.len()));
    for _ in 0..4 {
        assert_eq!((post(&flat).0, infer("[]").0), (404, 400), "refused as those below");
    }
    let before = serving.peak_memory();
    for _ in 0..8 {
        for (what, (status, answer)) in [
            ("nested deeper than 128", post(&nested)),
            ("nested deeper than 32", infer(&nested)),
            ("has 9223372036854775807 rows", infer(&shape)),
        ] {
            assert!(status == 400 && answer.contains(what), "{status} {answer}, not {what}");
        }
    }
    for _ in 0..4 {
        assert_eq!(post(&keys).0, 404, "a million keys are skipped");
    }
    let grown = serving.peak_memory().saturating_sub(before);
    // A million keys take no more than one long string does; the allocator may keep a buffer more for another thread.
    let held = 2 * (keys.len() as u64 >> 10) + (8 << 10);
    println!(
        "{}",
        serde_json::json!({"bombs": "bodies", "bytes": keys.len(), "before_kib": before, "grown_kib": grown})
    );
    assert!(grown < held, "{grown} KiB more than {before}, for {} bytes", keys.len());

    // Who says much and sends little: 300 heads that do not end, 300 bodies of 64 MiB that do not come.
    let before = serving.peak_memory();
    let open: Vec<TcpStream> = (0..600)
        .map(|at| {
            let mut stream = TcpStream::connect(serving.data).expect("taken");
            let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n";
            let text = match at % 2 {
                0 => format!("{head}x: {}", "y".repeat(16 << 10)),
                _ => format!("{head}content-length: 67108864\r\n\r\n{}", "y".repeat(4 << 10)),
            };
            stream.write_all(text.as_bytes()).expect("sent");
            stream
        })
        .collect();
    assert_eq!(ready(), 200, "beside {} others", open.len());
    // Floods of headers and of chunks that are all extension, one after the other.
    for flood in [
        format!("GET / HTTP/1.1\r\nhost: t\r\n{}", "a: b\r\n".repeat(1 << 18)),
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n1;{}",
            "x".repeat(4 << 20)
        ),
    ] {
        for _ in 0..8 {
            let mut stream = TcpStream::connect(serving.data).expect("taken");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
            // It is refused before all of it is sent.
            let _ = stream.write_all(flood.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
    let grown = serving.peak_memory().saturating_sub(before);
    println!("{}", serde_json::json!({"bombs": "connections", "before_kib": before, "grown_kib": grown}));
    assert!(grown < MOST_KIB, "{grown} KiB more than {before}");
    assert_eq!(ready(), 200, "it lives on");
}
