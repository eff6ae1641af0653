//! CL: the client: it leaves, hurries, refuses, and sends what is no request.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::upstream_starred::answered;
use crate::{
    raw::{Heard, listen, shout},
    row::{
        Forms::{Both, Plain, Streamed},
        MODELS_ONLY, PLAIN, Row, SHORT, STARRED, Setting, Variant, act,
    },
    run::{Run, Side, counts, outcome},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "CL-01",
        Both,
        &[
            Variant::named("before commit", "{fault: silence}", STARRED),
            // A plain answer has no middle that a client could see.
            Variant::named("in mid-stream", "{fault: slow_tokens, every_ms: 100}, {fault: silence}", STARRED),
        ],
        act!(cl_01),
    ),
    Row::new("CL-03", Both, &[Variant::named("", "{fault: silence}", STARRED)], act!(cl_03)),
    Row::new(
        "CL-04",
        Plain,
        &[
            Variant::named("HTTP/1.1", "{fault: slow_first_token, ms: 500}", STARRED),
            Variant::named("HTTP/2", "{fault: slow_first_token, ms: 500}", STARRED),
        ],
        act!(cl_04),
    ),
    Row::new("CL-05", Streamed, &[Variant::named("", "{fault: endless}", STARRED)], act!(cl_05))
        .within(Setting { server: ", write: 2s", ..PLAIN }),
    Row::new("CL-06", Plain, &[Variant::named("headers", "", SHORT), Variant::named("a body", "", SHORT)], act!(cl_06))
        .within(Setting { server: ", read_timeout: 2s", ..PLAIN }),
    Row::new("CL-07", Both, &[Variant::named("", "{fault: slow_first_token, ms: 8000}", STARRED)], act!(cl_07)),
    Row::new("CL-08", Both, &[Variant::named("", "{fault: rate_limited, retry_after: 60}", MODELS_ONLY)], act!(cl_08)),
    Row::new(
        "CL-09",
        Plain,
        &[
            Variant::named("0", "", SHORT),
            Variant::named("negative", "", SHORT),
            Variant::named("absurd", "", SHORT),
            Variant::named("shorter than any tier's need", "{fault: silence}", MODELS_ONLY),
        ],
        act!(cl_09),
    ),
    Row::new("CL-10", Both, &[Variant::named("", "{fault: status, status: 503}", SHORT)], act!(cl_10)),
    Row::new("CL-11", Plain, &[Variant::named("", "", SHORT)], act!(cl_11)),
    Row::new("CL-12", Plain, &[Variant::named("", "", SHORT)], act!(cl_12)),
    Row::new("CL-13", Plain, &[Variant::named("", "", SHORT)], act!(cl_13)),
    Row::new("CL-14", Plain, &[Variant::named("", "", SHORT)], act!(cl_14))
        .within(Setting { server: ", max_body: 1MiB, read_timeout: 2s", ..PLAIN }),
    Row::new("CL-15", Plain, &[Variant::named("", "", SHORT)], act!(cl_15)),
    Row::new("CL-16", Both, &[Variant::named("", "{fault: reset}", SHORT)], act!(cl_16)),
];

/// Writes a whole request to the route.
fn request(run: &Run) -> Vec<u8> {
    let body = run.chat(&run.route).to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Claims that the last request of the route was recorded as left by its client, and asked of nobody else.
async fn gone(run: &mut Run, requests: usize) {
    gone_of(run, requests).await;
    let saw = run.primary_saw().await;
    run.must_be(saw.len(), requests, "no further attempt");
    run.must_be(run.lower_saw().await.len(), 0, "no other tier is called");
}

/// Claims that so many requests of the route were recorded as left by their clients, each after one attempt, cancelled.
async fn gone_of(run: &mut Run, requests: usize) {
    let route = format!("\"route\":\"{}\"", run.route);
    let recorded = async || {
        let lines = run.house.gateway.lines(&route);
        let left: Vec<Value> = lines.into_iter().filter(|it| it["status"] == 499).collect();
        (left.len() == requests).then_some(left)
    };
    let left = run.until(recorded).await.unwrap_or_default();
    run.must_be(left.len(), requests, "a record of status 499 for each");
    for line in &left {
        run.must_be(&line["attempts"], &json!([["primary", "cancelled.client_gone"]]), "one attempt, cancelled");
    }
    let cancelled = async || Some(run.primary_saw().await.iter().filter(|it| it.client_gone).count());
    let cancelled = run.until(async || cancelled().await.filter(|count| *count >= requests)).await.unwrap_or_default();
    run.must(cancelled >= requests, "the provider saw each client go", &cancelled);
    let breaker = run.breaker().await;
    run.must_be(breaker.as_str(), "closed", "neutral");
    run.saw(Side::Client, "gone");
    let saw = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.saw(Side::Path, format!("P = {}, {cancelled} cancelled, L = {}, breaker {breaker}", saw.0, saw.1));
    let words = left.iter().map(|it| format!("{} `{}`", it["status"], it["attempts"][0][1].as_str().unwrap_or("none")));
    run.saw(Side::Record, counts(words));
}

async fn cl_01(run: &mut Run) {
    run.break_primary().await;
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(&request(run)).await.expect("written");
    let mut part = [0; 4096];
    if run.is("in mid-stream") && run.stream() {
        let read = timeout(Duration::from_secs(20), stream.read(&mut part)).await;
        run.must(matches!(read, Ok(Ok(1..))), "the first content", &read);
    } else {
        run.until(async || (!run.primary_saw().await.is_empty()).then_some(())).await;
    }
    drop(stream);
    gone(run, 1).await;
}

async fn cl_03(run: &mut Run) {
    run.break_primary().await;
    let client: legacy::Client<_, Full<Bytes>> =
        legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let body = Full::from(run.chat(&run.route).to_string());
    let asked = Request::post(format!("http://{}/v1/chat/completions", run.house.data));
    let asking = client.request(asked.body(body).expect("a request"));
    let answered = timeout(Duration::from_millis(500), asking).await;
    run.must(answered.is_err(), "no answer yet", &answered.is_ok());
    gone(run, 1).await;
}

async fn cl_04(run: &mut Run) {
    run.break_primary().await;
    if run.is("HTTP/2") {
        // Every request of HTTP/2 closes its half when it is sent.
        let client: legacy::Client<_, Full<Bytes>> =
            legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let body = Full::from(run.chat(&run.route).to_string());
        let asked = Request::post(format!("http://{}/v1/chat/completions", run.house.data));
        let answer = client.request(asked.body(body).expect("a request")).await;
        let status = answer.as_ref().map(|it| it.status().as_u16()).unwrap_or(0);
        run.must_be(status, 200, "a full answer");
        run.saw(Side::Client, "200");
        run.saw(Side::Path, format!("P = {}", run.primary_saw().await.len()));
        run.saw(Side::Record, "ok");
        return;
    }
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(&request(run)).await.expect("written");
    run.until(async || (!run.primary_saw().await.is_empty()).then_some(())).await;
    stream.shutdown().await.expect("shut");
    let heard = listen(&mut stream, Duration::from_secs(10)).await;
    run.must(heard.closed && heard.bytes.is_empty(), "closed without an answer (ADR 3)", &heard);
    gone(run, 1).await;
}

async fn cl_05(run: &mut Run) {
    run.break_primary().await;
    let before = run.house.gateway.peak_kib();
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(&request(run)).await.expect("written");
    // Not a byte is read.
    let route = format!("\"route\":\"{}\"", run.route);
    let ended = run.until(async || run.house.gateway.lines(&route).into_iter().find(|it| it["status"].is_u64())).await;
    let ended = ended.unwrap_or_default();
    run.must_be(&ended["attempts"], &json!([["primary", "cancelled.client_slow"]]), "the record");
    let gone = run.until(async || run.primary_saw().await.first().filter(|it| it.client_gone).cloned()).await;
    run.must(gone.is_some(), "cancelled", &gone);
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.grew_by_less_than(before, 32);
    drop(stream);
    run.saw(Side::Client, "closed after `server.write`");
    run.saw(Side::Path, "cancelled, breaker closed");
    run.saw(Side::Record, "`cancelled.client_slow`");
}

async fn cl_06(run: &mut Run) {
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    if run.is("headers") {
        stream.write_all(head.as_bytes()).await.expect("written");
        let heard = listen(&mut stream, Duration::from_secs(10)).await;
        run.must(heard.closed && heard.statuses() == [408], "408 after `read_timeout`", &heard.text());
        run.saw(Side::Client, counts(heard.statuses()));
    } else {
        stream.write_all(format!("{head}content-length: 50000\r\n\r\n").as_bytes()).await.expect("written");
        let (mut reader, mut writer) = stream.into_split();
        let dripping = async {
            // 100 bytes a second: a tenth of what is asked for.
            while writer.write_all(&[b' '; 10]).await.is_ok() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let hearing = async {
            // What came before the connection was reset is there all the same.
            let (mut heard, mut part) = (Vec::new(), [0; 4096]);
            while let Ok(Ok(count @ 1..)) = timeout(Duration::from_secs(30), reader.read(&mut part)).await {
                heard.extend_from_slice(&part[..count]);
            }
            Heard { bytes: heard, closed: true }
        };
        // It is the end of what comes that counts: whoever stops to drip when writing fails has not read the answer yet.
        let mut hearing = std::pin::pin!(hearing);
        let heard = tokio::select! {
            heard = &mut hearing => heard,
            () = dripping => hearing.await,
        };
        run.must(heard.statuses() == [408], "408 for a body that drips", &heard.text());
        run.saw(Side::Client, counts(heard.statuses()));
    }
    reached_nobody(run).await;
}

async fn cl_07(run: &mut Run) {
    // As many answers as a path must have given before its own times are trusted, and as many silences (F-027).
    const CLIENTS: usize = 60;
    let hurried = async |run: &mut Run| {
        let body = run.chat(&run.route);
        run.ask_with(&body, &[("x-envoy-expected-rq-timeout-ms", "2000")]).await
    };
    // One after the other: what is learned is how quick it is, and not how busy all runs keep this machine.
    for _ in 0..CLIENTS {
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    let it = hurried(run).await;
    answered(run, &it, 0);
    run.saw(Side::Client, format!("of one in a hurry before: {}", outcome(&it.got)));
    run.break_primary().await;
    let before = run.primary_saw().await.len();
    let mut waiting = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
        stream.write_all(&request(run)).await.expect("written");
        waiting.push(stream);
    }
    let all = async || (run.primary_saw().await.len() == before + CLIENTS).then_some(());
    run.must(run.until(all).await.is_some(), "all are asked for", &before);
    sleep(Duration::from_millis(3_000)).await;
    drop(waiting);
    gone_of(run, CLIENTS).await;
    let seen = run.primary_saw().await.len();
    let it = hurried(run).await;
    run.must_be(run.primary_saw().await.len(), seen, "what all were silent for is known: the hurried one is not tried");
    let skipped = it.record["candidates"][0].to_string().contains("DEADLINE_INSUFFICIENT");
    run.must(skipped, "the latency signal", &it.record);
    run.saw(Side::Client, format!("of one in a hurry after that: {}", outcome(&it.got)));
    run.saw(Side::Record, format!("then {}", it.reason()));
    let it = run.ask().await;
    answered(run, &it, 0);
    run.saw(Side::Client, format!("of a patient one: {}", outcome(&it.got)));
}

async fn cl_08(run: &mut Run) {
    run.set_lower("{fault: rate_limited, retry_after: 60}").await;
    run.break_primary().await;
    for _ in 0..10 {
        let it = run.ask().await;
        run.must_be(it.got.status, 503, "exhausted");
        run.must_be(it.got.header("x-should-retry"), "false", "`x-should-retry`");
        let after = it.got.header("retry-after").parse::<u64>().unwrap_or(0);
        run.must((1..=300).contains(&after), "`Retry-After`", &after);
        run.must(it.record["reason"] == "ALL_TIERS_EXHAUSTED", "a record of its own", &it.record);
    }
    run.saw(Side::Client, "10 × 503, `Retry-After`, `x-should-retry: false`");
    let asked = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.must_be(asked, (1, 1), "no extra attempts when gated");
    run.saw(Side::Path, "P = 1, L = 1 for 10 requests");
    run.saw(Side::Record, "10 × ALL_TIERS_EXHAUSTED");
}

async fn cl_09(run: &mut Run) {
    run.break_primary().await;
    let told = match run.which.variant.name {
        "0" => "0",
        "negative" => "-5",
        "absurd" => "999999999999999999",
        _ => "300",
    };
    let body = run.chat(&run.route);
    let it = run.ask_with(&body, &[("x-envoy-expected-rq-timeout-ms", told)]).await;
    run.describe(&it).await;
    match run.which.variant.name {
        "0" | "negative" => {
            answered(run, &it, 2);
            run.must_be(it.reason(), "DEADLINE_INSUFFICIENT", "the reason");
            run.must_be(run.primary_saw().await.len(), 0, "no attempt");
        }
        "absurd" => {
            run.must_be(&it.record["deadline_ms"], &8_000.into(), "never lengthened");
            answered(run, &it, 0);
        }
        _ => {
            run.must(it.got.took < Duration::from_secs(2), "within its deadline", &it.got.took);
            run.must(it.got.is_whole() || it.got.status == 504, "the last tier, or 504", &it.got);
            run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
        }
    }
}

async fn cl_10(run: &mut Run) {
    run.break_primary().await;
    let body = run.chat(&run.route);
    let it = run.ask_with(&body, &[("evenkeel-accept", "max-tier=0")]).await;
    run.describe(&it).await;
    run.must_be((it.got.status, it.got.error_code().as_deref()), (503, Some("degradation_refused")), "the refusal");
    run.must_be(run.lower_saw().await.len(), 0, "no lower attempt");
    let verdicts = it.record["candidates"].as_array().map(Vec::len);
    run.must_be(verdicts, Some(3), "candidates with verdicts");
    run.must(it.record["candidates"][1].to_string().contains("CLIENT_MAX_TIER"), "their reason", &it.record);
    run.saw(Side::Record, "lower tiers: CLIENT_MAX_TIER");
}

/// Claims that nothing reached a provider, and that the path has no evidence against it.
async fn reached_nobody(run: &mut Run) {
    let saw = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.must_be(saw, (0, 0), "no attempt");
    run.must_be(run.breaker().await, "closed".to_owned(), "no evidence");
    run.saw(Side::Path, "none");
    let refused = run.house.metric("evenkeel_refused_before_admission_total").await;
    run.must(refused > 0.0, "counted", &refused);
    run.saw(Side::Record, "counted in `evenkeel_refused_before_admission_total`");
}

async fn cl_11(run: &mut Run) {
    for name in ["nope", "../../etc/passwd", "http://169.254.169.254/", "a\r\nset-cookie: x=1", "<script>alert(1)"] {
        let body = json!({"model": name, "messages": [{"role": "user", "content": "x"}]}).to_string();
        let got = run.post(body.into(), &[]).await;
        run.must_be((got.status, got.error_code().as_deref()), (404, Some("model_not_found")), "404 in the dialect");
        let raw = name != "nope" && got.text().contains(name);
        run.must(!raw && !got.headers.contains_key("set-cookie"), "the name is not echoed raw", &got.text());
    }
    for path in ["/v1/../../etc/passwd", "/v1/models/..%2f..%2fetc%2fpasswd", "/v2/models/%0d%0a/infer", "/..;/metrics"]
    {
        let got = run.house.client.send(run.house.data, "GET", path, String::new()).await;
        run.must(matches!(got.status, 404 | 405), "404", &(path, got.status));
    }
    let ask = json!({"model": "nope", "messages": [{"role": "user", "content": "x"}]});
    let metrics = run.house.client.send(run.house.admin, "GET", "/metrics", String::new()).await.text();
    run.must(!metrics.contains("nope") && !metrics.contains("passwd"), "not recorded per name", &ask);
    run.saw(Side::Client, "404, the name not echoed raw");
    reached_nobody(run).await;
}

async fn cl_12(run: &mut Run) {
    let route = run.route.clone();
    let with = |content: &[u8]| {
        let begin = format!(r#"{{"model":"{route}","messages":[{{"role":"user","content":""#);
        [begin.as_bytes(), content, br#""}]}"#].concat()
    };
    let bom = [b"\xef\xbb\xbf".as_slice(), &with(b"x")].concat();
    let bodies = [with(b"\xff\xfe"), with(br"\ud800"), bom, with(b"\0")];
    for (body, what) in bodies.into_iter().zip(["invalid UTF-8", "a lone surrogate", "a BOM", "NUL"]) {
        let got = run.post(body.into(), &[]).await;
        run.must_be(got.status, 400, what);
        let message = got.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        run.must(message.bytes().any(|it| it.is_ascii_digit()), "with the offset", &(what, message));
    }
    run.saw(Side::Client, "400 with the offset");
    reached_nobody(run).await;
}

async fn cl_13(run: &mut Run) {
    let message = r#"[{"role":"user","content":"hello"}]"#;
    let route = run.route.clone();
    let before = run.house.gateway.peak_kib();
    let deep =
        format!(r#"{{"model":"{route}","messages":{message},"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let twice = format!(r#"{{"model":"{route}","model":"other","messages":{message}}}"#);
    for (body, what) in [(deep, "beyond depth 128"), (twice, "a doubled control key")] {
        let got = run.post(body.into(), &[]).await;
        run.must_be(got.status, 400, what);
    }
    reached_nobody(run).await;
    run.seen.words.clear();
    let numbers = r#""a":1e999,"b":-0,"c":12345678901234567890,"d":0.10"#;
    let body = format!(r#"{{"model":"{route}","messages":{message},{numbers}}}"#);
    let got = run.post(body.into(), &[]).await;
    run.must_be(got.status, 200, "numbers pass");
    let last = run.primary_saw().await.pop();
    run.must(last.is_some_and(|it| it.body.contains(numbers)), "numbers pass unchanged", &numbers);
    let keys: String = (0..1_000_000).map(|it| format!(",\"k{it}\":0")).collect();
    let many = format!(r#"{{"model":"{route}","messages":{message}{keys}}}"#);
    let got = run.post(many.into(), &[]).await;
    run.must(matches!(got.status, 200 | 400 | 413), "10⁶ keys are passed on or refused", &got);
    run.saw(Side::Client, "400 beyond depth 128 and on a doubled `model`; `1e999`, `-0` and 20 digits: 200");
    run.saw(Side::Path, "refused: none; else the identical bytes");
    run.saw(Side::Record, "counted");
    run.grew_by_less_than(before, 400);
}

async fn cl_14(run: &mut Run) {
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    let quiet = Duration::from_secs(8);
    let large = format!("{head}content-length: 3000000\r\n\r\n");
    let heard = shout(run.house.data, &[large.as_bytes(), &vec![b'x'; 3_000_000]].concat(), quiet).await;
    run.must(heard.statuses() == [413] || (heard.closed && heard.bytes.is_empty()), "413", &heard.statuses());
    let got = run.post(vec![b' '; 2 << 20].into(), &[]).await;
    run.must_be(got.status, 413, "a body over the limit");
    // Longer than declared: what is left over is no request.
    let heard =
        shout(run.house.data, format!("{head}content-length: 5\r\n\r\n{{\"model\":\"x\"}}").as_bytes(), quiet).await;
    run.must(heard.statuses().iter().all(|it| *it >= 400), "longer than declared", &heard.text());
    // Shorter, and no more comes.
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(format!("{head}content-length: 500\r\n\r\n{{\"model\":").as_bytes()).await.expect("written");
    stream.shutdown().await.expect("shut");
    let heard = listen(&mut stream, quiet).await;
    run.must(heard.closed && !heard.statuses().contains(&200), "shorter than declared", &heard.text());
    let truncated = format!("{head}transfer-encoding: chunked\r\n\r\n10\r\n{{\"model\"");
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(truncated.as_bytes()).await.expect("written");
    stream.shutdown().await.expect("shut");
    let heard = listen(&mut stream, quiet).await;
    run.must(heard.closed && !heard.statuses().contains(&200), "a truncated chunk", &heard.text());
    run.saw(Side::Client, "413 over the limit; 400 or a close for the others, never 200");
    reached_nobody(run).await;
}

async fn cl_15(run: &mut Run) {
    let body = run.chat(&run.route).to_string();
    // What curl says of JSON passes (`protocols.md`, section 1).
    for kind in ["image/png", "application/xml", "multipart/form-data; boundary=x"] {
        let headers = [("content-type", kind)];
        let posted = run.house.client.post(run.house.data, "/v1/chat/completions", body.clone().into(), &headers).await;
        let status = posted.as_ref().map(|it| it.status).unwrap_or(0);
        run.must(status == 415, "415 for another media type", &(kind, status));
    }
    let rubbish = Bytes::from_static(b"--x\r\ncontent-disposition: form-data\r\n\r\n\xff\xff--");
    let got = run.post(rubbish, &[]).await;
    run.must_be(got.status, 400, "multipart rubbish");
    run.saw(Side::Client, "415 or 400");
    reached_nobody(run).await;
}

async fn cl_16(run: &mut Run) {
    run.set_lower("{fault: reset}").await;
    let it = run.once().await;
    answered(run, &it, 2);
    run.must_be(it.got.said(), "Later.".to_owned(), "the local tier's answer");
    let resets = run.primary_saw().await.len() + run.lower_saw().await.len();
    run.must_be(resets, 2, "two resets and no more");
    run.must(it.record.to_string().contains("SUSPECT_REQUEST"), "the reason", &it.record);
    run.must_be(run.breaker().await, "closed".to_owned(), "the breaker does not open for it alone");
    run.saw(Side::Path, format!("{resets} resets, breaker closed"));
    run.saw(Side::Record, "SUSPECT_REQUEST");
    run.saw(Side::Client, outcome(&it.got));
}
