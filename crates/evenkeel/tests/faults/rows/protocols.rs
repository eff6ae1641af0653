//! HP: the HTTP protocol as no client of good will speaks it.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    client::Client,
    frames::{CONTINUATION, Frame, GET, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WHOLE, fields, frame, talk},
    raw::{Heard, shout},
    row::{Forms::Plain, PLAIN, Row, SHORT, Setting, Variant, act},
    run::{Run, Side, counts},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("HP-01", Plain, &[Variant::named("", "", SHORT)], act!(hp_01)),
    Row::new("HP-02", Plain, &[Variant::named("", "", SHORT)], act!(hp_02)),
    Row::new("HP-03", Plain, &[Variant::named("", "", SHORT)], act!(hp_03)),
    Row::new("HP-04", Plain, &[Variant::named("", "", SHORT)], act!(hp_04)),
    Row::new("HP-05", Plain, &[Variant::named("", "", SHORT)], act!(hp_05))
        .within(Setting { server: ", max_body: 1MiB", ..PLAIN }),
    Row::new("HP-06", Plain, &[Variant::named("", "", SHORT)], act!(hp_06)),
    Row::new("HP-07", Plain, &[Variant::named("", "", SHORT)], act!(hp_07)),
    Row::new("HP-08", Plain, &[Variant::named("", "", KEYED)], act!(hp_08)).within(Setting {
        each: "  MODEL: {protocol: openai, url: \"PRIMARY/v1\", api_key: secret-of-ours}\n",
        ..PLAIN
    }),
    Row::new("HP-09", Plain, &[Variant::named("", "", SHORT)], act!(hp_09))
        .within(Setting { server: ", max_body: 1MiB", ..PLAIN }),
    Row::new("HP-10", Plain, &[Variant::named("", "", SHORT)], act!(hp_10)),
    Row::new("HP-11", Plain, &[Variant::named("", "", SHORT)], act!(hp_11)),
    Row::new("HP-12", Plain, &[Variant::named("", "", SHORT)], act!(hp_12)),
    Row::new("HP-13", Plain, &[Variant::named("", "", SHORT)], act!(hp_13))
        .within(Setting { server: ", max_body: 1MiB", ..PLAIN }),
];

/// A route whose upstream wants a credential.
const KEYED: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: MODEL, model: MODEL}}
";

/// Bombs: 64 MiB of zeros, and 1 GiB of them where they are packed twice.
const ZEROS: [(&str, &[u8]); 5] = [
    ("gzip", include_bytes!("../../bombs/zeros.gz")),
    ("deflate", include_bytes!("../../bombs/zeros.zlib")),
    ("br", include_bytes!("../../bombs/zeros.br")),
    ("gzip, gzip", include_bytes!("../../bombs/zeros.gz.gz")),
    ("identity, gzip", include_bytes!("../../bombs/zeros.gz")),
];

/// How long a raw client waits for more.
const QUIET: Duration = Duration::from_secs(4);

const POST: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";

/// Writes a body of the route.
fn body(run: &Run) -> String {
    run.chat(&run.route).to_string()
}

/// Sends bytes and claims that they are refused and the connection is closed, with nothing of it at a provider.
async fn refused(run: &mut Run, what: &str, bytes: impl AsRef<[u8]>) -> Heard {
    let before = run.primary_saw().await.len();
    let heard = shout(run.house.data, bytes.as_ref(), QUIET).await;
    let statuses = heard.statuses();
    run.must(statuses.iter().all(|it| (400..=505).contains(it)), "refused", &(what, heard.text()));
    run.must(statuses.len() <= 1, "one answer", &(what, &statuses));
    run.must(heard.closed, "the connection closes", &(what, heard.text()));
    run.must_be(run.primary_saw().await.len(), before, "nothing of it reaches a provider");
    run.counted(statuses.len()).await;
    let said = statuses.first().map_or("closed".to_owned(), u16::to_string);
    run.saw(Side::Client, format!("{said}, close"));
    heard
}

/// Has one request refused and counted, and returns the most memory that the gateway has had: code that is run for the first time comes
/// into memory with it, and is no part of what a request takes.
async fn settled(run: &mut Run) -> u64 {
    let heard = shout(run.house.data, format!("{POST}a b: c\r\n\r\n").as_bytes(), QUIET).await;
    run.counted(heard.statuses().len()).await;
    run.house.rest_kib().await
}

/// Claims that so many requests that were answered have reached the provider, and nothing else; and that the gateway serves on.
async fn serves_on(run: &mut Run, answered: usize) {
    let saw = run.primary_saw().await.len();
    run.must_be(saw, answered, "what is answered reaches the provider, and nothing else");
    run.saw(Side::Path, if saw > 0 { format!("P = {saw}, of what is answered 200") } else { "P = 0".to_owned() });
    let it = run.ask().await;
    run.must(it.got.is_whole(), "the next request is served", &it.got);
}

/// Counts answers of 200.
fn served(heard: &Heard) -> usize {
    heard.statuses().iter().filter(|it| **it == 200).count()
}

async fn hp_01(run: &mut Run) {
    let body = body(run);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let both = format!("{POST}content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{chunked}", body.len());
    // Refused, or the chunks count and the connection closes after the answer.
    let heard = shout(run.house.data, both.as_bytes(), QUIET).await;
    let fine = heard.closed && matches!(heard.statuses()[..], [200] | [400..=505] | []);
    run.must(fine, "both framings: refused, or closed after the answer", &heard.text());
    let answered = served(&heard);
    run.saw(Side::Client, format!("both framings: {}, close", counts(heard.statuses())));
    for asked in run.primary_saw().await {
        let names: Vec<_> = asked.header_names.iter().map(|it| it.to_ascii_lowercase()).collect();
        let framings = names.iter().filter(|it| matches!(it.as_str(), "content-length" | "transfer-encoding")).count();
        run.must_be(framings, 1, "never both framings at the provider");
    }
    let length = body.len();
    for (what, lengths) in [
        ("two different", format!("content-length: {length}\r\ncontent-length: {}\r\n", length + 1)),
        ("a sign", format!("content-length: +{length}\r\n")),
        ("hexadecimal", format!("content-length: 0x{length:x}\r\n")),
        ("a list", format!("content-length: {length},{}\r\n", length + 1)),
    ] {
        refused(run, what, format!("{POST}{lengths}\r\n{body}")).await;
    }
    serves_on(run, answered).await;
}

async fn hp_02(run: &mut Run) {
    let body = body(run);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (what, head) in [
        ("xchunked", format!("{POST}transfer-encoding: xchunked\r\n\r\n")),
        ("doubled", format!("{POST}transfer-encoding: chunked, chunked\r\n\r\n")),
        ("not last", format!("{POST}transfer-encoding: chunked, gzip\r\n\r\n")),
        ("HTTP/1.0", format!("{}transfer-encoding: chunked\r\n\r\n", POST.replace("HTTP/1.1", "HTTP/1.0"))),
    ] {
        refused(run, what, format!("{head}{chunked}")).await;
    }
    // Framing in a trailer comes too late to mean anything.
    let trailer = format!("{:x}\r\n{body}\r\n0\r\ntransfer-encoding: gzip\r\n\r\n", body.len());
    let request = format!("{POST}connection: close\r\ntransfer-encoding: chunked\r\n\r\n{trailer}");
    let heard = shout(run.house.data, request.as_bytes(), QUIET).await;
    run.must(heard.statuses().len() == 1 && heard.closed, "one answer to a framing in a trailer", &heard.text());
    run.saw(Side::Client, format!("in a trailer: {}, close", counts(heard.statuses())));
    serves_on(run, served(&heard)).await;
}

async fn hp_03(run: &mut Run) {
    let before = settled(run).await;
    let chunked = format!("{POST}transfer-encoding: chunked\r\n\r\n");
    for (what, chunk) in [
        ("overflow", "fffffffffffffffff\r\nx\r\n0\r\n\r\n".to_owned()),
        ("negative", "-1\r\nx\r\n0\r\n\r\n".to_owned()),
        ("a bare LF", "1\nx\n0\n\n".to_owned()),
        ("1 MB of extension", format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(1_000_000))),
    ] {
        refused(run, what, format!("{chunked}{chunk}")).await;
    }
    run.grew_by_less_than(before, 16);
    serves_on(run, 0).await;
}

async fn hp_04(run: &mut Run) {
    let body = body(run);
    let rest = format!("content-length: {}\r\n\r\n{body}", body.len());
    for (what, header) in [
        ("a folded header", "x-a: b\r\n c\r\n"),
        ("CR in a value", "x-a: b\rc\r\n"),
        ("NUL in a value", "x-a: b\0c\r\n"),
        ("a space before the colon", "x-a : b\r\n"),
        ("an empty name", ": b\r\n"),
    ] {
        refused(run, what, format!("{POST}{header}{rest}")).await;
    }
    serves_on(run, 0).await;
}

async fn hp_05(run: &mut Run) {
    // The refusal comes before the body is read; behind it stands a request that nobody sent.
    let smuggled =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n{}", "x".repeat(200));
    let hidden = format!("{POST}content-length: 3000000\r\n\r\n{}", smuggled.repeat(20));
    let heard = shout(run.house.data, hidden.as_bytes(), QUIET).await;
    run.must(heard.statuses() == [413] && heard.closed, "one refusal, and the connection closes", &heard.text());
    run.saw(Side::Client, format!("a large body: {}, close", counts(heard.statuses())));
    // One that is read to its end although it is refused: the next request of the connection is the client's own.
    let unknown = r#"{"model":"nope","messages":[{"role":"user","content":"x"}]}"#;
    let first = format!("{POST}content-length: {}\r\n\r\n{unknown}", unknown.len());
    let then = "GET /v1/models HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    let heard = shout(run.house.data, format!("{first}{then}").as_bytes(), QUIET).await;
    let own = matches!(heard.statuses()[..], [404, 200] | [404]);
    run.must(own, "the next request, or a close", &heard.text());
    let then = if served(&heard) > 0 { "200 for the next request" } else { "close" };
    run.saw(Side::Client, format!("a small one: 404, {then}"));
    run.counted(2).await;
    serves_on(run, 0).await;
}

async fn hp_06(run: &mut Run) {
    let upgrade = "GET /v1/models HTTP/1.1\r\nhost: t\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\
                   GET /v1/status HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    let heard = shout(run.house.data, upgrade.as_bytes(), QUIET).await;
    run.must(!heard.statuses().contains(&101), "no upgrade", &heard.text());
    run.must_be(heard.statuses(), vec![200, 200], "both are answered, in order");
    let many = "GET /v1/models/nope HTTP/1.1\r\nhost: t\r\n\r\n".repeat(999)
        + "GET /v1/status HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    let heard = shout(run.house.data, many.as_bytes(), Duration::from_secs(10)).await;
    let statuses = heard.statuses();
    let order = statuses.len() == 1_000 && statuses[..999].iter().all(|it| *it == 404) && statuses[999] == 200;
    run.must(order, "1,000 answers in order", &(statuses.len(), statuses.last()));
    run.saw(Side::Client, "no upgrade; 1,000 answers in order");
    run.saw(Side::Path, "nothing that goes to a provider is asked");
    serves_on(run, 0).await;
}

async fn hp_07(run: &mut Run) {
    let before = settled(run).await;
    for (what, request, wanted) in [
        ("10,000 headers", format!("{POST}{}\r\n", "a: b\r\n".repeat(10_000)), 431),
        ("a header of 1 MB", format!("{POST}x: {}\r\n\r\n", "y".repeat(1_000_000)), 431),
        ("a URI of 64 KB", format!("GET /{} HTTP/1.1\r\nhost: t\r\n\r\n", "u".repeat(65_536)), 414),
    ] {
        let heard = refused(run, what, request).await;
        let told = heard.statuses().iter().all(|it| *it == wanted || *it == 431);
        run.must(told, "431 or 414", &(what, heard.statuses()));
    }
    run.grew_by_less_than(before, 16);
    serves_on(run, 0).await;
}

async fn hp_08(run: &mut Run) {
    let body = body(run);
    let rest = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let begin = "POST /v1/chat/completions HTTP/1.1\r\n";
    refused(run, "no Host", format!("{begin}{rest}")).await;
    refused(run, "two Hosts", format!("{begin}host: a\r\nhost: b\r\n{rest}")).await;
    let ours = refused(run, "our credential", format!("{begin}host: t\r\nconnection: authorization\r\n{rest}")).await;
    let ours = counts(ours.statuses());
    let stripping = format!("{begin}host: t\r\nconnection: x-hop, close\r\nx-hop: 1\r\n{rest}");
    let heard = shout(run.house.data, stripping.as_bytes(), QUIET).await;
    run.must(heard.statuses() == [200], "served", &heard.text());
    let asked = run.primary_saw().await.pop();
    let complete = asked.as_ref().is_some_and(|it| {
        it.headers.contains_key("authorization") && it.headers.get("content-type").is_some_and(|it| it.contains("json"))
    });
    run.must(complete, "our own headers are complete", &asked);
    let stripped = asked.is_some_and(|it| !it.headers.contains_key("x-hop") && it.headers["host"] != "t");
    run.must(stripped, "hop-by-hop headers are stripped, and the host is our own", &stripped);
    let served = counts(heard.statuses());
    run.saw(Side::Client, format!("`Connection: authorization`: {ours}; another header named there: {served}"));
    run.saw(Side::Path, "hop-by-hop headers stripped, own headers complete");
    serves_on(run, 1).await;
}

async fn hp_09(run: &mut Run) {
    let request = format!("{POST}expect: 100-continue\r\ncontent-length: 3000000\r\n\r\n");
    let heard = shout(run.house.data, request.as_bytes(), QUIET).await;
    run.must(matches!(heard.statuses()[..], [413 | 417]), "413 or 417 before the body", &heard.text());
    run.saw(Side::Client, format!("{} before the body, no 100", counts(heard.statuses())));
    run.counted(heard.statuses().len()).await;
    let body = body(run);
    let small =
        format!("{POST}expect: 100-continue\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let heard = shout(run.house.data, small.as_bytes(), QUIET).await;
    run.must_be(heard.statuses(), vec![100, 200], "one that fits is asked for");
    run.saw(Side::Client, "a body that fits: 100, 200");
    serves_on(run, 1).await;
}

async fn hp_10(run: &mut Run) {
    let before = run.house.rest_kib().await;
    let reset = |at: u32| {
        let taken_back = frame(RST_STREAM, 0, at, &8_u32.to_be_bytes());
        [frame(HEADERS, WHOLE, at, &fields(&GET)), taken_back].concat()
    };
    let resets: Vec<u8> = (0..20_000).flat_map(|at| reset(2 * at + 1)).collect();
    let head = frame(HEADERS, 1, 1, &fields(&GET));
    let continued = [head, frame(CONTINUATION, 0, 1, &fields(&[("a", "b")])).repeat(100_000)].concat();
    for (what, flood) in [("rapid reset", resets), ("CONTINUATION", continued)] {
        let (frames, closed) = talk(run.house.data, &flood, QUIET).await;
        let calmed = frames.iter().any(Frame::calms);
        run.must(calmed || closed, "GOAWAY ENHANCE_YOUR_CALM, or a close", &(what, frames.len()));
        let end = if calmed { "GOAWAY ENHANCE_YOUR_CALM" } else { "close" };
        run.saw(Side::Client, format!("{what}: {end}"));
        run.counted(1).await;
    }
    for (what, kind, payload) in [("SETTINGS", SETTINGS, &[0, 4, 0, 0, 255, 255][..]), ("PING", PING, &[0; 8])] {
        let (frames, _) = talk(run.house.data, &frame(kind, 0, 0, payload).repeat(20_000), QUIET).await;
        run.must(frames.len() <= 20_010, "no more comes back than went out", &(what, frames.len()));
    }
    run.grew_by_less_than(before, 64);
    run.saw(Side::Client, "SETTINGS, PING: no more back than sent");
    run.saw(Side::Client, "not played here: a window that is held shut (`gateway/tests/it/hostile/reading.rs` does)");
    serves_on(run, 0).await;
}

async fn hp_11(run: &mut Run) {
    let mut ends = Vec::new();
    let but = |at: usize, field: (&'static str, &'static str)| {
        let mut get = GET.to_vec();
        get[at] = field;
        get
    };
    for (what, request) in [
        ("CR LF in a path", but(2, (":path", "/v1/models HTTP/1.1\r\nhost: u"))),
        ("CR LF in a verb", but(0, (":method", "GET\r\na: b"))),
        ("NUL in an authority", but(3, (":authority", "t\0"))),
        ("a colon in a name", [GET.as_slice(), &[("a: b", "c")]].concat()),
        ("CR LF in a value", [GET.as_slice(), &[("a", "b\r\nc: d")]].concat()),
        ("TE", [GET.as_slice(), &[("te", "gzip")]].concat()),
        ("transfer-encoding", [GET.as_slice(), &[("transfer-encoding", "chunked")]].concat()),
    ] {
        let (frames, closed) = talk(run.house.data, &frame(HEADERS, WHOLE, 1, &fields(&request)), QUIET / 4).await;
        let refused = |it: &Frame| match it.kind {
            // 400 is the fifth of the statuses that HPACK knows by number.
            HEADERS if it.payload.contains(&0x8c) => Some("400"),
            GOAWAY => Some("GOAWAY"),
            RST_STREAM if it.stream == 1 => Some("RST_STREAM"),
            _ => None,
        };
        let how = frames.iter().find_map(refused).or(closed.then_some("close"));
        run.must(how.is_some(), "refused", &(what, frames));
        ends.extend(how);
    }
    // What ends the connection; of a stream that is reset alone the HTTP library says nothing.
    run.counted(ends.iter().filter(|it| matches!(**it, "GOAWAY" | "close")).count()).await;
    run.saw(Side::Record, "not what is reset alone");
    run.saw(Side::Client, counts(ends));
    serves_on(run, 0).await;
}

async fn hp_12(run: &mut Run) {
    let before = settled(run).await;
    let client = Client::http2();
    let mut codes = Vec::new();
    for (what, body, code) in [
        ("a length of 4 GiB", &b"\0\xff\xff\xff\xff"[..], "8"),
        ("compressed, and no encoding", b"\x01\0\0\0\x01a", "3"),
        ("a flag that there is not", b"\x07\0\0\0\x01a", "3"),
        ("cut in the message", b"\0\0\0\0\x09abc", "3"),
        ("two messages", b"\0\0\0\0\0\0\0\0\0\0", "3"),
        ("headers only", b"", "3"),
        ("no message of this method", b"\0\0\0\0\x02\x0b\x0c", "3"),
    ] {
        let path = "/inference.GRPCInferenceService/ModelInfer";
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let got = client.post(run.house.data, path, Bytes::from_static(body), &headers).await.expect("an answer");
        let refused = got.status == 200 && got.header("grpc-status") == code && got.body.is_empty();
        run.must(refused, "refused in the headers alone", &(what, got.header("grpc-status"), &got));
        codes.push(got.header("grpc-status").to_owned());
    }
    run.saw(Side::Client, format!("`grpc-status`: {}", counts(&codes)));
    run.counted(codes.len()).await;
    run.grew_by_less_than(before, 16);
    serves_on(run, 0).await;
}

async fn hp_13(run: &mut Run) {
    let before = run.house.rest_kib().await;
    for (coding, zeros) in ZEROS {
        let got = run.post(Bytes::from_static(zeros), &[("content-encoding", coding)]).await;
        // What is not read is not unpacked either.
        let expected = if matches!(coding, "gzip" | "deflate") { 413 } else { 415 };
        run.must_be(got.status, expected, coding);
        run.saw(Side::Client, format!("{coding}: {}", got.status));
        run.counted(1).await;
    }
    // Three runs of it at once unpack 384 MiB, if anybody does.
    run.grew_by_less_than(before, 64);
    serves_on(run, 0).await;
}
