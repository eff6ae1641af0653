//! UP: connections that are refused, swallowed, gone before they are used, or closed by us and used on.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{at_once, first_result};
use crate::{
    exchange::outcome,
    row::{
        Forms::{Both, Streamed},
        PLAIN, Row, SHORT, STARRED, Setting, Variant, act,
    },
    rows::upstream_starred::answered,
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "UP-11",
        Both,
        &[
            Variant::named("RST", "{fault: reset_reused, how: rst}", STARRED),
            Variant::named("FIN", "{fault: reset_reused, how: fin}", STARRED),
        ],
        act!(up_11),
    ),
    Row::new("UP-13", Both, &[Variant::named("", "{fault: refuse}", SHORT)], act!(up_13)),
    Row::new(
        "UP-14",
        Both,
        &[Variant::named("SYN", "{fault: syn_swallowed}", STARRED), Variant::named("TLS hello", "", SILENT_TLS)],
        act!(up_14),
    )
    .within(Setting {
        upstreams: "  primary: {protocol: openai, url: \"PRIMARY/v1\"}\n  lower: {protocol: openai, url: \"LOWER/v1\"}\n  \
                    silent: {protocol: openai, url: \"https://RAW/v1\"}\n",
        raw: Some(|stream| Box::pin(swallow(stream))),
        ..PLAIN
    }),
    Row::new("UP-32", Streamed, &[Variant::named("", "{fault: ignore_cancel, every_ms: 100}", STARRED)], act!(up_32)),
];

/// A primary that swallows the first words of TLS.
const SILENT_TLS: &str = "
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: silent, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

async fn up_11(run: &mut Run) {
    run.break_primary().await;
    let mut met = 0;
    for _ in 0..60 {
        let it = run.ask().await;
        answered(run, &it, 0);
        let results = it.all_results("primary");
        let free = !it.record["inputs"].to_string().contains("retry_cost");
        run.must(free, "the second attempt is free", &it.record["inputs"]);
        run.must(matches!(results[..], ["ok"] | ["target.unsent", "ok"]), "the record", &results);
        if results.len() == 2 {
            met += 1;
            let last = run.primary_saw().await.pop();
            run.must(last.as_ref().is_some_and(|it| !it.reused), "the second one is on a new connection", &last);
        }
        if met == 5 {
            run.saw(Side::Client, "whole answers of the primary");
            run.saw(Side::Record, "`target.unsent`, `ok`");
            break;
        }
    }
    run.must_be(met, 5, "five requests met a kept connection that was gone");
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.saw(Side::Path, "on a new connection, free; breaker closed");
}

async fn up_13(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    first_result(run, &it, "target.connect_failed");
    at_once(run, &it);
    let mut open = None;
    for number in 2..=6 {
        let later = run.ask().await;
        answered(run, &later, 1);
        if later.reason() == "BREAKER_OPEN" {
            open = Some(number - 1);
            break;
        }
    }
    run.must(open.is_some_and(|it| (2..=5).contains(&it)), "2 to 5 open the path", &open);
    run.saw(Side::Path, format!("{} open the path", open.unwrap_or(0)));
}

/// Takes everything and says nothing.
async fn swallow(mut stream: TcpStream) {
    let mut part = [0; 4096];
    while matches!(stream.read(&mut part).await, Ok(1..)) {}
}

async fn up_14(run: &mut Run) {
    if run.is("SYN") {
        run.break_primary().await;
    }
    let it = run.ask().await;
    run.saw(Side::Client, outcome(&it.got));
    answered(run, &it, 1);
    let (result, clock) = if run.is("SYN") { ("target.connect_failed", 1) } else { ("target.tls_failed", 2) };
    first_result(run, &it, result);
    run.saw(Side::Record, format!("`{result}`"));
    run.timed(Side::Client, if clock == 1 { "SYN after" } else { "TLS hello after" }, it.got.took);
    let waited = it.record["attempts"][0]["duration_us"].as_u64().unwrap_or(0);
    let within = clock * 1_000_000 - 50_000..clock * 1_000_000 + 700_000;
    run.must(within.contains(&waited), "after `connect`, or `tls`", &it.record["attempts"]);
    let name = if clock == 1 { "SYN: left after" } else { "TLS hello: left after" };
    run.timed(Side::Path, name, Duration::from_micros(waited));
}

async fn up_32(run: &mut Run) {
    run.break_primary().await;
    let body = run.chat(&run.route).to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    let mut stream = TcpStream::connect(run.house.data).await.expect("it listens");
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut part = [0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut part)).await;
    run.must(matches!(read, Ok(Ok(1..))), "the first content", &read);
    drop(stream);
    let left = Instant::now();
    let gone = run.until(async || run.primary_saw().await.into_iter().find(|it| it.client_gone)).await;
    let late = left.elapsed();
    let at_once = late < Duration::from_secs(1) + run.house.late.get();
    run.must(gone.is_some() && at_once, "cancelled at once", &late);
    run.timed(Side::Path, "cancelled after at most", late);
    let heedless = async || run.primary_saw().await.into_iter().find(|it| it.client_gone && it.tokens_after_gone > 3);
    let heedless = run.until(heedless).await;
    run.must(heedless.is_some(), "cancelled, and the server goes on for nobody", &heedless);
    let route = format!("\"route\":\"{}\"", run.route);
    let record = run.until(async || run.house.gateway.lines(&route).into_iter().find(|it| it["status"] == 499)).await;
    run.must(record.is_some(), "a record of status 499", &record);
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.saw(Side::Client, "gone");
    run.saw(Side::Path, "the server goes on for nobody; breaker closed");
    run.saw(Side::Record, "499; not waited for: the 30 s after which a call that is not closed is counted (F-172)");
}
