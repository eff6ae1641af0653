//! CL: clients that leave, close their half, or do not read.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{gone_of, request};
use crate::{
    client::Client,
    raw::listen,
    row::{
        Forms::{Both, Plain, Streamed},
        PLAIN, Row, STARRED, Setting, Variant, act,
    },
    rows::upstream_starred::answered,
    run::{Run, Side},
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
];

/// Claims that the last request of the route was recorded as left by its client, and asked of nobody else.
async fn gone(run: &mut Run, requests: usize) {
    gone_of(run, requests).await;
    let saw = run.primary_saw().await;
    run.must_be(saw.len(), requests, "no further attempt");
    run.must_be(run.lower_saw().await.len(), 0, "no other tier is called");
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
    let client = Client::http2();
    let body = run.chat(&run.route).to_string().into();
    // The stream of the request is reset; the connection lives on.
    let answered = tokio::select! {
        answered = client.post(run.house.data, "/v1/chat/completions", body, &[]) => Some(answered),
        _ = run.until(async || (!run.primary_saw().await.is_empty()).then_some(())) => None,
    };
    run.must(answered.is_none(), "no answer yet", &answered);
    gone(run, 1).await;
}

async fn cl_04(run: &mut Run) {
    run.break_primary().await;
    if run.is("HTTP/2") {
        // Every request of HTTP/2 closes its half when it is sent.
        let body = run.chat(&run.route).to_string().into();
        let got = Client::http2().post(run.house.data, "/v1/chat/completions", body, &[]).await;
        let it = run.recorded(got.unwrap_or_else(|error| panic!("no answer at all: {error}"))).await;
        run.describe(&it).await;
        answered(run, &it, 0);
        run.must_be(it.results("primary"), vec!["ok"], "the record");
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
    let before = run.house.rest_kib().await;
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    stream.write_all(&request(run)).await.expect("written");
    // Not a byte is read.
    let route = format!("\"route\":\"{}\"", run.route);
    let ended = run.until(async || run.house.gateway.lines(&route).into_iter().find(|it| it["status"].is_u64())).await;
    let ended = ended.unwrap_or_default();
    run.must_be(&ended["attempts"], &json!([["primary", "cancelled.client_slow"]]), "the record");
    let lasted = Duration::from_micros(ended["latency_us"].as_u64().unwrap_or(0));
    run.must(lasted >= Duration::from_secs(2), "not before `server.write`", &lasted);
    run.timed(Side::Record, "over after", lasted);
    let gone = run.until(async || run.primary_saw().await.first().filter(|it| it.client_gone).cloned()).await;
    run.must(gone.is_some(), "cancelled", &gone);
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.grew_by_less_than(before, 32);
    // What was on the way is there all the same, and then the connection is closed.
    let heard = listen(&mut stream, Duration::from_secs(10)).await;
    run.must(heard.closed && !heard.text().contains("[DONE]"), "closed, and no false end", &heard.bytes.len());
    run.saw(
        Side::Client,
        "closed by `write: 2s`, no `[DONE]`; not played here: HTTP/2 (`gateway/tests/it/hostile/reading.rs` does)",
    );
    run.saw(Side::Path, "cancelled, breaker closed");
    run.saw(Side::Record, "`cancelled.client_slow`");
}
