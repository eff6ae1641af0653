//! Bodies that are too large, too short, packed, deep, or not what they say (CL-12 to CL-15, HP-05, HP-06, HP-09, HP-13).

use std::fmt::Write;

use super::raw::{Answer, Raw, chat, kit, post, refused};
use crate::client::Kit;

/// Sends one request on a connection of its own.
async fn ask(kit: &Kit, bytes: impl AsRef<[u8]>) -> Answer {
    Raw::say(kit, bytes).await.answer().await.expect("an answer")
}

fn infer(headers: &str, body: &str) -> String {
    post(headers, body).replace("/v1/chat/completions", "/v2/models/chat/infer")
}

/// A chat whose `x` is that deep; the request itself is one level.
fn deep(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
    chat("chat", false).replacen('{', &format!("{{\"x\":{open}{close},"), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_12_cl_13_json_that_two_readers_could_read_differently_is_refused_at_its_byte() {
    let kit = kit("write: 9s").await;
    let with = |member: &str| chat("chat", false).replacen('{', &format!("{{{member},"), 1);
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("128 levels and one", deep(129).into(), "nested deeper than 128 at byte"),
        ("100,000 levels", deep(100_000).into(), "nested deeper than 128 at byte"),
        ("model twice", with(r#""model":"other""#).into(), "model"),
        ("stream twice", with(r#""stream":true"#).into(), "stream"),
        ("model twice, once escaped", with(r#""mod\u0065l":"other""#).into(), "model"),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf", chat("chat", false).as_bytes()].concat(),
            "a byte order mark at byte 0",
        ),
        ("a lone surrogate", with(r#""x":"\ud800""#).into(), "a lone surrogate at byte"),
        ("NUL", with("\"x\":\"\0\"").into(), "a control character in a string at byte"),
        (
            "invalid UTF-8",
            [b"{\"x\":\"\xff\",", &chat("chat", false).as_bytes()[1..]].concat(),
            "invalid UTF-8 at byte 6",
        ),
        ("a second object", (chat("chat", false) + "{}").into(), "expected the end at byte"),
    ];
    for (what, body, says) in &table {
        let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n", body.len());
        let answer = ask(&kit, [head.as_bytes(), body].concat()).await;
        let message = answer.json()["error"]["message"].as_str().expect("text").to_owned();
        assert!(answer.status == 400 && message.contains(says), "{what}: {answer:?}");
        assert!(!answer.body.contains(&0) && std::str::from_utf8(&answer.body).is_ok(), "{what}: no bytes of it");
    }
    let odd = format!(r#"{{"inputs":[],"x":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    let answer = ask(&kit, infer("", &odd).replace("models/chat", "models/nope")).await;
    assert!(matches!(answer.status, 400 | 404), "{answer:?}");
    assert!(kit.big.log().is_empty(), "none");

    // What is only odd goes on, byte for byte.
    let mut many = String::from(r#""x":{"#);
    (0..50_000).for_each(|at| write!(many, "\"k{at}\":0,").expect("written"));
    let many = with(&format!("{}\"last\":0}}", many));
    let odd = [deep(128), with(r#""x":[1e999,-0,-0.0,12345678901234567890,1E400,0.1e-7]"#), many];
    for body in &odd {
        assert_eq!(ask(&kit, post("", body)).await.status, 200, "{}", &body[..body.len().min(200)]);
    }
    let seen = kit.seen_by_primary().await;
    for (attempt, body) in seen.iter().zip(&odd) {
        let expected = body.replacen("\"chat\"", "\"large\"", 1);
        assert!(attempt.body.as_deref() == Some(expected.as_bytes()), "identical but for the model");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_14_cl_15_hp_13_a_body_is_what_its_head_says_or_it_is_refused() {
    let kit = kit("write: 9s").await;
    let body = chat("chat", false);
    let large = chat("chat", false).replace("\"x\"", &format!("\"{}\"", "x".repeat(2 << 20)));
    let chunked = |body: &str| {
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
    };
    let multipart = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nchat\r\n--b--\r\n";
    let table = [
        ("too large, as declared", post("", &large), 413, "request_too_large"),
        ("too large, in chunks", chunked(&large), 413, "request_too_large"),
        (
            "a declared terabyte",
            post("", &body).replace("content-length: ", "content-length: 9999999999"),
            413,
            "request_too_large",
        ),
        ("not packed, as it says", post("content-encoding: gzip\r\n", &body), 400, "invalid_value"),
        ("packed twice", post("content-encoding: gzip, gzip\r\n", &body), 415, "unsupported_encoding"),
        (
            "packed in two lines",
            post("content-encoding: identity\r\ncontent-encoding: br\r\n", &body),
            415,
            "unsupported_encoding",
        ),
        ("packed in an unknown way", post("content-encoding: x\r\n", &body), 415, "unsupported_encoding"),
        ("XML", post("content-type: application/xml\r\n", &body), 415, "unsupported_media_type"),
        ("parts", post("content-type: multipart/form-data; boundary=b\r\n", multipart), 415, "unsupported_media_type"),
        ("an image", post("content-type: image/png\r\n", &body), 415, "unsupported_media_type"),
        ("parts that say they are JSON", post("content-type: application/json\r\n", multipart), 400, "invalid_value"),
        ("half of it", post("", &body[..body.len() / 2]), 400, "invalid_value"),
    ];
    for (what, bytes, status, code) in &table {
        let answer = ask(&kit, bytes).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (*status, &(*code).into()), "{what}: {answer:?}");
    }
    // Longer than declared: what is too much is the next request, and none.
    let mut raw = Raw::say(&kit, post("", &body).replace(&body, &format!("{body}{body}"))).await;
    assert_eq!(raw.answer().await.expect("an answer").status, 200);
    assert_eq!(raw.answer().await.expect("a refusal").status, 400);
    assert!(raw.rest().await.is_empty());
    assert_eq!(kit.big.log().len(), 1);
    for fine in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "application/vnd.x+json"]
    {
        assert_eq!(ask(&kit, post(&format!("content-type: {fine}\r\n"), &body)).await.status, 200, "{fine}");
    }
    assert_eq!((refused(&kit, "too_large"), refused(&kit, "unknown_media")), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_09_whoever_asks_first_is_answered_before_it_sends() {
    let kit = kit("write: 9s").await;
    let head = |length: usize| {
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut raw = Raw::say(&kit, head(2 << 20)).await;
    let answer = raw.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.closes()), (413, true), "no 100 before it: {answer:?}");
    assert!(raw.rest().await.is_empty());
    let body = chat("chat", false);
    let mut raw = Raw::say(&kit, head(body.len())).await;
    assert_eq!(raw.answer().await.expect("leave to go on").status, 100);
    raw.send(&body).await;
    assert_eq!(raw.answer().await.expect("an answer").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_05_what_lies_behind_an_early_answer_is_never_read_as_a_request() {
    let kit = kit("write: 9s").await;
    let smuggled = post("", &chat("chat", false));
    // Answered without a look at the body: nothing there, another verb, another type.
    for (line, status) in [
        ("POST /v1/nothing HTTP/1.1\r\n", 404),
        ("POST /v1/models HTTP/1.1\r\n", 405),
        ("POST /v1/chat/completions HTTP/1.1\r\ncontent-type: image/png\r\n", 415),
    ] {
        for filler in [0, 300_000] {
            let body = format!("{}{smuggled}", "x".repeat(filler));
            let length = body.len();
            let mut raw = Raw::say(&kit, format!("{line}host: t\r\ncontent-length: {length}\r\n\r\n{body}")).await;
            let answer = raw.answer().await;
            assert!(answer.is_some_and(|it| it.status == status), "{line}");
            // Drained, and then it serves the next; or closed.
            raw.send("GET /v1/models HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await;
            let rest = String::from_utf8_lossy(&raw.rest().await).into_owned();
            assert!(rest.is_empty() || rest.matches("HTTP/1.1 200").count() == 1, "{line}{filler}: {rest}");
        }
    }
    assert!(kit.big.log().is_empty(), "sees nothing of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_06_pipelined_requests_are_answered_in_order_and_nothing_is_upgraded() {
    let kit = kit("write: 9s").await;
    let asked: Vec<String> = (0..1_000)
        .map(|at| format!("GET /v1/decisions/{at} HTTP/1.1\r\nhost: t\r\nx-request-id: {at}\r\n\r\n"))
        .collect();
    let mut raw = Raw::say(&kit, asked.concat()).await;
    for at in 0..1_000 {
        let answer = raw.answer().await.expect("an answer");
        assert!(answer.status == 404 && answer.head.contains(&format!("x-request-id: {at}\r\n")), "{at}: {answer:?}");
    }
    let mut raw = Raw::say(&kit, post("", &chat("chat", false)).repeat(3)).await;
    for _ in 0..3 {
        assert_eq!(raw.answer().await.expect("an answer").status, 200);
    }
    let mut attempts = kit.seen_by_primary().await;
    attempts.sort_by_key(|it| it.attempt);
    assert!(attempts.windows(2).all(|pair| pair[0].ended_ms <= Some(pair[1].at_ms)), "one at a time: {attempts:?}");
    for upgrade in ["h2c\r\nhttp2-settings: AAMAAABkAAQAAP__", "websocket\r\nsec-websocket-key: x"] {
        let mut raw =
            Raw::say(&kit, post(&format!("connection: upgrade\r\nupgrade: {upgrade}\r\n"), &chat("chat", false))).await;
        raw.send("GET /v1/models HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").await;
        let first = raw.answer().await.expect("an answer");
        assert!(first.status == 200 && !first.head.contains("upgrade"), "no upgrade: {first:?}");
        assert_eq!(raw.answer().await.expect("the pipelined one").status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cl_11_a_name_that_is_none_is_not_repeated_and_counted_as_one_kind() {
    let kit = kit("write: 9s").await;
    let names = ["nope", "../../etc/passwd", "http://10.0.0.1/", r"a\r\nx-evil: 1", r"\u0000", "%2e%2e%2f", "<script>"];
    for name in names {
        let answer = ask(&kit, post("", &chat(name, false))).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &"model_not_found".into()), "{name}");
        assert!(name == "nope" || !text.contains(name), "not echoed: {text}");
        assert!(!answer.head.contains("evil"), "{answer:?}");
    }
    assert_eq!(refused(&kit, "unknown_model"), names.len() as u64);
    for path in ["/v1/models/..%2f..%2fetc", "/v2/models/%0d%0ax-evil:%201/infer", "/v1/../admin", "//v1/models"] {
        let answer = ask(&kit, format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n")).await;
        assert!(matches!(answer.status, 404 | 405) && !answer.head.contains("evil"), "{path}: {answer:?}");
    }
    let metrics = kit.gateway.metrics();
    assert!(names.iter().all(|name| *name == "nope" || !metrics.contains(name)), "SE-08: no label of theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn se_04_hp_08_nobody_speaks_for_us_and_one_hop_is_one_hop() {
    let kit = kit("write: 9s").await;
    let headers = "evenkeel-tier: 0\r\nevenkeel-degraded: false\r\nevenkeel-priority: critical\r\nx-priority: critical\r\nauthorization: \
                   Bearer theirs\r\nproxy-authorization: x\r\nkeep-alive: 5\r\nte: trailers\r\ntrailer: x\r\nupgrade: x\r\nconnection: \
                   openai-project, te, keep-alive\r\nopenai-project: p\r\nopenai-organization: o\r\ncookie: c\r\n";
    let answer = ask(&kit, post(headers, &chat("chat", false))).await;
    assert_eq!(answer.status, 200);
    let seen = kit.seen_by_primary().await;
    let names: Vec<&str> = seen[0].headers.keys().map(String::as_str).collect();
    for name in [
        "evenkeel-tier",
        "evenkeel-degraded",
        "evenkeel-priority",
        "x-priority",
        "proxy-authorization",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "connection",
        "openai-project",
        "cookie",
    ] {
        assert!(!names.contains(&name), "{name} went on: {names:?}");
    }
    assert_eq!(answer.head.matches("evenkeel-tier").count(), 1);
}
