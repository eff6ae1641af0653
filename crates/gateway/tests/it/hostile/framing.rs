//! Requests that two readers could read differently, and heads that are none (HP-01 to HP-09).

use super::raw::{Raw, chat, kit, post, refused};
use crate::client::{Kit, until};

/// What must become of a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Refused with one of these, and the connection ends.
    Refused(&'static [u16]),
    /// Answered, and the connection ends.
    Last,
}

const BAD: Fate = Fate::Refused(&[400]);

/// Sends requests, each with a second one behind it that nobody may answer.
async fn check(kit: &Kit, table: &[(&str, String, Fate)]) {
    for (what, bytes, fate) in table {
        let calls = kit.big.log().len();
        let mut raw = Raw::say(kit, bytes).await;
        raw.send("GET /v1/smuggled HTTP/1.1\r\nhost: t\r\n\r\n").await;
        let first = raw.answer().await;
        let rest = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(rest.is_empty(), "{what}: answered twice: {first:?} {rest}");
        let status = first.as_ref().map(|it| it.status);
        match fate {
            Fate::Refused(with) => {
                // While much is still being sent, the reset of the connection may overtake the refusal.
                let overtaken = status.is_none() && bytes.len() > 60_000;
                assert!(overtaken || status.is_some_and(|status| with.contains(&status)), "{what}: {first:?}");
                assert_eq!(kit.big.log().len(), calls, "{what}: it reached an upstream");
                if let Some(first) = first {
                    let words = &first.json()["error"]["message"];
                    assert!(words.as_str().is_some_and(|it| !it.is_empty()), "{what}: without a word: {first:?}");
                }
            }
            Fate::Last => assert_eq!(status, Some(200), "{what}: {first:?}"),
        }
    }
    let alive = Raw::say(kit, post("", &chat("chat", false))).await.answer().await.expect("an answer");
    assert_eq!(alive.status, 200);
}

/// All that was refused before admission.
fn counted(kit: &Kit) -> u64 {
    let metrics = kit.gateway.metrics();
    let counts = metrics.lines().filter(|line| line.starts_with("evenkeel_refused_before_admission_total{"));
    counts.map(|line| line.rsplit(' ').next().and_then(|it| it.parse::<u64>().ok()).expect("a count")).sum()
}

/// Waits until so many refusals are counted, and no more: what a connection was refused for is counted at its end, which may come after
/// its client has read why.
async fn all_counted(kit: &Kit, refusals: u64) {
    until(|| (counted(kit) >= refusals).then_some(())).await;
    assert_eq!(counted(kit), refusals, "each is counted once: {}", kit.gateway.metrics());
}

fn head(headers: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\n{headers}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_01_hp_02_no_request_has_two_lengths() {
    let kit = kit("write: 9s").await;
    let body = chat("chat", false);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let with = |headers: &str| format!("{}{body}", head(headers));
    let length = body.len();
    let refusals = [
        ("two lengths", with(&format!("content-length: {length}\r\ncontent-length: {}\r\n", length + 1)), BAD),
        ("a list of lengths", with(&format!("content-length: {length}, {length}\r\n")), BAD),
        ("5,5", with("content-length: 5,5\r\n"), BAD),
        ("+5", with("content-length: +5\r\n"), BAD),
        ("0x5", with("content-length: 0x5\r\n"), BAD),
        ("-5", with("content-length: -5\r\n"), BAD),
        ("2^64", with("content-length: 18446744073709551616\r\n"), Fate::Refused(&[400, 413, 431])),
        ("xchunked", format!("{}{chunked}", head("transfer-encoding: xchunked\r\n")), BAD),
        ("chunked, identity", format!("{}{chunked}", head("transfer-encoding: chunked, identity\r\n")), BAD),
        ("chunked, chunked", format!("{}{chunked}", head("transfer-encoding: chunked, chunked\r\n")), BAD),
        (
            "chunked twice",
            format!("{}{chunked}", head("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n")),
            BAD,
        ),
        ("gzip, chunked", format!("{}{chunked}", head("transfer-encoding: gzip, chunked\r\n")), BAD),
        ("a tab before chunked", format!("{}{chunked}", head("transfer-encoding: \x0bchunked\r\n")), BAD),
        ("under HTTP/1.0", format!("{}{chunked}", head("transfer-encoding: chunked\r\n").replace("1.1", "1.0")), BAD),
    ];
    check(&kit, &refusals).await;
    all_counted(&kit, refusals.len() as u64).await;
    let both = format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n");
    let reversed = format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n");
    check(
        &kit,
        &[
            ("both", format!("{}{chunked}", head(&both)), Fate::Last),
            ("both, reversed", format!("{}{chunked}", head(&reversed)), Fate::Last),
            (
                "in a trailer",
                format!(
                    "{}{:x}\r\n{body}\r\n0\r\ntransfer-encoding: chunked\r\n\r\n",
                    head("connection: close\r\ntransfer-encoding: chunked\r\n"),
                    length
                ),
                Fate::Last,
            ),
        ],
    )
    .await;
    let framings = kit.seen_by_primary().await;
    assert!(framings.iter().all(|it| !it.headers.contains_key("transfer-encoding")), "never both framings upstream");
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_03_chunks_are_read_as_they_are_written_or_not_at_all() {
    let kit = kit("write: 9s").await;
    let of = |chunks: String| format!("{}{chunks}", head("transfer-encoding: chunked\r\n"));
    let body = chat("chat", false);
    let size = body.len();
    let table = [
        ("overflow", of(format!("ffffffffffffffff1\r\n{body}\r\n0\r\n\r\n")), BAD),
        ("negative", of(format!("-{size:x}\r\n{body}\r\n0\r\n\r\n")), BAD),
        ("a plus", of(format!("+{size:x}\r\n{body}\r\n0\r\n\r\n")), BAD),
        ("0x", of(format!("0x{size:x}\r\n{body}\r\n0\r\n\r\n")), BAD),
        ("a bare line feed", of(format!("{size:x}\n{body}\n0\n\n")), BAD),
        ("a bare carriage return", of(format!("{size:x}\r{body}\r\n0\r\n\r\n")), BAD),
        ("a line feed in an extension", of(format!("{size:x};a\nb\r\n{body}\r\n0\r\n\r\n")), BAD),
        ("a long extension", of(format!("{size:x};{}\r\n{body}\r\n0\r\n\r\n", "x".repeat(1 << 20))), BAD),
        ("many short extensions", of("1;xxxxxxxxxxxxxxxx\r\nx\r\n".repeat(60_000)), BAD),
        ("a short chunk", of(format!("{:x}\r\n{body}\r\n0\r\n\r\n", size - 1)), BAD),
        ("many trailers", of(format!("{size:x}\r\n{body}\r\n0\r\n{}\r\n", "a: b\r\n".repeat(10_000))), BAD),
    ];
    check(&kit, &table).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hp_04_hp_07_hp_08_a_head_that_is_none_is_refused_and_counted() {
    let kit = kit("write: 9s").await;
    let body = chat("chat", false);
    let with = |headers: &str| post(headers, &body);
    let begin = |line: &str| post("", &body).replace("POST /v1/chat/completions HTTP/1.1", line);
    let large = Fate::Refused(&[431]);
    let table = [
        ("a folded header", with("a: b\r\n c\r\n"), BAD),
        ("a carriage return in a value", with("a: b\rc\r\n"), BAD),
        ("NUL in a value", with("a: b\0c\r\n"), BAD),
        ("a space before the colon", with("a : b\r\n"), BAD),
        ("no name", with(": b\r\n"), BAD),
        ("no colon", with("ab\r\n"), BAD),
        ("a space in a name", with("a b: c\r\n"), BAD),
        ("a control character in a name", with("a\x01: c\r\n"), BAD),
        ("no host", with("").replace("host: t\r\n", ""), BAD),
        ("two hosts", with("host: u\r\n"), BAD),
        ("the same host twice", with("host: t\r\n"), BAD),
        ("a host that is none", with("").replace("host: t", "host: t/../u"), BAD),
        ("a host with a credential", with("").replace("host: t", "host: me@t"), BAD),
        ("another version", begin("POST /v1/chat/completions HTTP/3.0"), Fate::Refused(&[400, 505])),
        ("no version", begin("POST /v1/chat/completions"), BAD),
        ("a verb that is none", begin("PO ST /v1/chat/completions HTTP/1.1"), BAD),
        ("a control character in the path", begin("POST /v1/chat\x01 HTTP/1.1"), BAD),
        ("CONNECTION names a credential", with("connection: authorization\r\n"), BAD),
        ("10,000 headers", with(&"a: b\r\n".repeat(10_000)), large),
        ("a header of 1 MB", with(&format!("a: {}\r\n", "x".repeat(1 << 20))), large),
        ("a path of 64 KB", begin(&format!("POST /{} HTTP/1.1", "x".repeat(65_535))), Fate::Refused(&[414, 431])),
    ];
    check(&kit, &table).await;
    all_counted(&kit, table.len() as u64).await;
    for kind in ["bad_http", "head_too_large", "bad_host"] {
        assert!(refused(&kit, kind) > 0, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_1_hp_04_who_is_refused_by_the_http_library_is_told_why_as_its_path_speaks() {
    let kit = kit("").await;
    let asked = |verb: &str, path: &str, headers: &str| format!("{verb} {path} HTTP/1.1\r\nhost: t{headers}\r\n\r\n");
    let many = "\r\na: b".repeat(200);
    for (path, headers, status, words) in [
        ("/v1/chat/completions", "\r\nno colon", 400, "malformed"),
        ("/v1/models?limit=1", many.as_str(), 431, "more than 100"),
        ("/v2/models/x/infer", "\r\nno colon", 400, "malformed"),
        ("/v2", many.as_str(), 431, "more than 100"),
    ] {
        let mut raw = Raw::to(kit.gateway.address()).await;
        // A good request before it is answered as ever, and says nothing of the next one.
        raw.send(asked("GET", "/v1/models", "")).await;
        assert_eq!(raw.answer().await.expect("an answer").status, 200);
        raw.send(asked("POST", path, headers)).await;
        let got = raw.answer().await.expect("an answer");
        assert!(got.status == status && got.closes(), "{path}: {got:?}");
        let error = got.json()["error"].clone();
        let message = if path.starts_with("/v2") { &error } else { &error["message"] };
        assert!(message.as_str().is_some_and(|it| it.contains(words)), "{path}: {got:?}");
        assert_eq!(raw.rest().await, b"", "{path}: and no more");
    }
    let head = Raw::say(&kit, asked("HEAD", "/v1/models", "\r\nno colon")).await.answer().await.expect("an answer");
    assert_eq!((head.status, head.body.len()), (400, 0), "a HEAD has no body");
}
