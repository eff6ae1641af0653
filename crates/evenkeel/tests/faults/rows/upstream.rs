//! UP: the upstream, up to the first content: answers that are none, and servers that are not there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::upstream_starred::{answered, left_and_not_asked_again};
use crate::{
    provider::between,
    row::{
        Forms::{Both, Plain, Streamed},
        PLAIN, Row, SHORT, STARRED, Setting, Variant, act,
    },
    run::{Exchange, Run, Side, outcome},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "UP-03",
        Both,
        &[
            Variant::named("no header", "{fault: rate_limited}", SHORT),
            Variant::named("a past date", "{fault: rate_limited, retry_after_date_s: -100}", SHORT),
            Variant::named("garbage", "{fault: rate_limited, retry_after: soon}", SHORT),
            Variant::named("10⁹ s", "{fault: rate_limited, retry_after: 1000000000}", SHORT),
            Variant::named("negative", "{fault: rate_limited, retry_after: -5}", SHORT),
        ],
        act!(up_03),
    ),
    Row::new("UP-04", Both, &[Variant::named("", "{fault: rate_limited, retry_after: 60}", SHARED_QUOTA)], act!(up_04)),
    Row::new(
        "UP-05",
        Both,
        &[
            Variant::named("429", "{fault: quota_exhausted, told: status_429}", SHORT),
            Variant::named("400", "{fault: quota_exhausted, told: status_400}", SHORT),
            Variant::named("402", "{fault: quota_exhausted, told: status_402}", SHORT),
            Variant::named("403", "{fault: quota_exhausted, told: status_403}", SHORT),
            Variant::named("in band", "{fault: quota_exhausted, told: in_band}", SHORT),
        ],
        act!(up_05),
    ),
    Row::new(
        "UP-09",
        Both,
        &[
            Variant::named("502 with a page", "{fault: status, status: 502, body: html}", SHORT),
            Variant::named("HTML under 200", "{fault: wrong_content_type}", SHORT),
            Variant::named("302", "{fault: redirect}", SHORT),
            Variant::named("204", "{fault: empty_answer, what: status_204}", SHORT),
        ],
        act!(up_09),
    ),
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
    Row::new(
        "UP-17",
        Both,
        &[
            Variant::named("comments", "{fault: keepalive_only, kind: comment}", SHORT),
            Variant::named("roles", "{fault: keepalive_only, kind: role}", SHORT),
            Variant::named("empty deltas", "{fault: keepalive_only, kind: empty_delta}", SHORT),
        ],
        act!(up_17),
    ),
    Row::new("UP-18", Both, &[Variant::named("", "{fault: slow_first_token, ms: 3000}", LAST_MODEL)], act!(up_18)),
    Row::new("UP-20", Both, &[Variant::named("", "", BAD_TLS)], act!(up_20)).within(Setting {
        upstreams: TLS,
        raw: Some(|stream| Box::pin(certify(stream))),
        ..PLAIN
    }),
    Row::new(
        "UP-21",
        Both,
        &[
            Variant::named("401", "{fault: credential_rejected}", OWN_UPSTREAM),
            Variant::named("403", "{fault: credential_forbidden}", OWN_UPSTREAM),
        ],
        act!(up_21),
    )
    .within(Setting { each: "  MODEL: {protocol: openai, url: \"PRIMARY/v1\", api_key: not-a-secret}\n", ..PLAIN }),
    Row::new("UP-23", Both, &[Variant::named("", "{fault: model_missing}", SHORT)], act!(up_23)),
    Row::new(
        "UP-26",
        Both,
        &[
            Variant::named("declared", "{fault: status, status: 503}", LACKS_DECLARED),
            Variant::named("not declared", "{fault: status, status: 503}", LACKS),
        ],
        act!(up_26),
    ),
    Row::new(
        "UP-27",
        Both,
        &[
            Variant::named("an error body", "{fault: error_in_body}", SHORT),
            Variant::named("no body", "{fault: empty_answer, what: body}", SHORT),
            Variant::named("no choices", "{fault: empty_answer, what: choices}", SHORT),
            Variant::named("no text", "{fault: empty_answer, what: text}", SHORT),
        ],
        act!(up_27),
    ),
    Row::new(
        "UP-28",
        Both,
        &[
            Variant::named("a tool call", "", SHORT),
            Variant::named("after a tool turn", "{fault: empty_answer, what: text}", SHORT),
        ],
        act!(up_28),
    ),
    Row::new(
        "UP-30",
        Both,
        &[
            Variant::named("a byte a segment", "{fault: slow_drip, bytes: 1, every_ms: 0}", STARRED),
            Variant::named("jitter", "{fault: slow_drip, bytes: 700, every_ms: 100}", STARRED),
            Variant::named("1 KB/s", "{fault: slow_drip, bytes: 1000, every_ms: 1000}", STARRED),
            Variant::named(
                "a slow close",
                "{fault: slow_drip, bytes: 4000, every_ms: 1, close_after_ms: 1000}",
                STARRED,
            ),
        ],
        act!(up_30),
    ),
    Row::new("UP-31", Both, &[Variant::named("", "", SHORT)], act!(up_31)),
    Row::new("UP-32", Streamed, &[Variant::named("", "{fault: ignore_cancel, every_ms: 100}", STARRED)], act!(up_32)),
    Row::new("UP-33", Both, &[Variant::named("", "{fault: status, status: 503}", SHORT)], act!(up_33)).within(PROBED),
    Row::new("UP-34", Plain, &[Variant::named("", "{fault: silence, on: probes}", SHORT)], act!(up_34))
        .within(PROBED)
        .single(),
    Row::new("UP-35", Plain, &[Variant::named("", "", SHORT)], act!(up_35)).within(PROBED).single(),
    Row::new("UP-36", Both, &[Variant::named("", "{fault: status, status: 500}", PAIR)], act!(up_36)).within(REPLICAS),
    Row::new("UP-37", Plain, &[Variant::named("", "{fault: status, status: 500}", PAIR)], act!(up_37)).within(REPLICAS),
];

/// Two tiers that draw on one quota, and one that does not.
const SHARED_QUOTA: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, capacity_domain: MODEL-quota}
      - {name: sibling, openai: {upstream: lower, model: MODEL-sibling}, capacity_domain: MODEL-quota}
      - {name: third, openai: {upstream: lower, model: MODEL}}
";

/// One model and a safe default: the model is the last that can be slow.
const LAST_MODEL: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 1s}
      - {name: default, fixed: {content: \"Later.\"}}
";

/// A lower tier that says that it knows no tools.
const LACKS_DECLARED: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 1s, retries: 0}
      - {name: lacks, openai: {upstream: lower, model: MODEL-lacks}, first_token: 1s, features: []}
      - {name: third, openai: {upstream: lower, model: MODEL}, first_token: 1s}
";

/// A lower tier that does not say it.
const LACKS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 1s, retries: 0}
      - {name: lacks, openai: {upstream: lower, model: MODEL-lacks}, first_token: 1s}
      - {name: third, openai: {upstream: lower, model: MODEL}, first_token: 1s}
";

/// A primary on an upstream of its own: a credential is gated for all that use it.
const OWN_UPSTREAM: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: MODEL, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A primary that swallows the first words of TLS.
const SILENT_TLS: &str = "
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: silent, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A primary whose certificate is no good.
const BAD_TLS: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: certified, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

const TLS: &str =
    "  certified: {protocol: openai, url: \"https://RAW/v1\"}\n  lower: {protocol: openai, url: \"LOWER/v1\"}\n";

/// A primary on two replicas.
const PAIR: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: pair, model: MODEL}, first_token: 1s}
      - {name: lower, openai: {upstream: lower, model: MODEL-lower}, first_token: 1s}
";

/// The two mocks as replicas of one upstream, and the second for a tier of its own as well.
const REPLICAS: Setting = Setting {
    upstreams: "  pair: {protocol: openai, urls: [\"PRIMARY/v1\", \"LOWER/v1\"]}\n  lower: {protocol: openai, url: \"LOWER/v1\"}\n",
    ..PLAIN
};

/// A primary that is often asked whether it is ready.
const PROBED: Setting = Setting {
    upstreams: "  primary: {protocol: openai, url: \"PRIMARY/v1\", probe: {every: 200ms, timeout: 200ms}}\n  lower: {protocol: openai, \
                url: \"LOWER/v1\"}\n",
    ..PLAIN
};

/// Claims the first result of the primary.
fn first_result(run: &mut Run, it: &Exchange, wanted: &str) {
    let results = it.results("primary");
    run.must(results.first() == Some(&wanted), wanted, &results);
}

/// Claims that the primary was asked so often.
async fn asked(run: &mut Run, times: usize) {
    run.must_be(run.primary_saw().await.len(), times, "P");
}

/// Claims that the lower tier was started as soon as the primary had failed.
fn at_once(run: &mut Run, it: &Exchange) {
    let attempts = it.record["attempts"].as_array().cloned().unwrap_or_default();
    let time = |it: &Value, name: &str| it[name].as_u64().unwrap_or(0);
    if let [.., failed, next] = &attempts[..] {
        let pause = time(next, "start_us").saturating_sub(time(failed, "start_us") + time(failed, "duration_us"));
        run.must(pause < 250_000, "at once", &it.record["attempts"]);
    }
}

async fn up_03(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    at_once(run, &it);
    first_result(run, &it, "capacity.rate_limited");
    for _ in 0..6 {
        let later = run.ask().await;
        answered(run, &later, 1);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let saw = run.primary_saw().await;
    let least = saw.windows(2).map(|pair| between(&pair[0], &pair[1])).min();
    let gated = match run.which.variant.name {
        // The cap is 300 s.
        "10⁹ s" => saw.len() == 1,
        "no header" | "garbage" => least.is_none_or(|it| it >= Duration::from_secs(1)),
        // 0 s: one more attempt after no time at all, and then it is left alone as if it had named none.
        "a past date" => saw.windows(2).skip(1).all(|pair| between(&pair[0], &pair[1]) >= Duration::from_secs(1)),
        _ => saw.len() <= 7,
    };
    run.must(gated, "a gate that is never shortened", &(saw.len(), least));
    run.saw(Side::Path, if saw.len() == 1 { "gated for longer than 3 s" } else { "asked again after the gate" });
}

async fn up_04(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 2);
    first_result(run, &it, "capacity.rate_limited");
    let sibling = run.house.lower.saw(&format!("{}-sibling", run.route)).await;
    run.must_be(sibling.len(), 0, "the sibling is not called");
    run.saw(Side::Path, "the sibling is not called");
    let skipped = it.record["candidates"][1]["reasons"].to_string();
    run.must(skipped.contains("CAPACITY_DOMAIN_LIMITED"), "the sibling's reason", &it.record["candidates"]);
    run.saw(Side::Record, "sibling: CAPACITY_DOMAIN_LIMITED");
}

async fn up_05(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    first_result(run, &it, "capacity.quota_exhausted");
    asked(run, 1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let later = run.ask().await;
    answered(run, &later, 1);
    run.must_be(later.reason(), "CAPACITY_DOMAIN_LIMITED", "a long gate");
    asked(run, 1).await;
    run.saw(Side::Path, "gated 3 s later");
}

async fn up_09(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    run.must(!it.got.text().contains('<'), "HTML is never seen", &it.got.text());
    let wanted = match run.which.variant.name {
        "502 with a page" => "target.status_5xx",
        "HTML under 200" => "target.wrong_content_type",
        "302" => "target.protocol_error",
        _ => "target.empty_answer",
    };
    first_result(run, &it, wanted);
}

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
        met += usize::from(results.len() == 2);
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

/// What is wrong with a certificate. The gateway trusts public issuers alone, so each of these comes from a stranger as well;
/// that each is refused for its own reason is shown where the issuer is trusted (`gateway/src/upstream/connect`).
const BAD: [&[u8]; 4] = [
    include_bytes!("../certificates/expired.der"),
    include_bytes!("../certificates/not-yet-valid.der"),
    include_bytes!("../certificates/other-host.der"),
    include_bytes!("../certificates/untrusted-issuer.der"),
];

/// Speaks TLS, with each certificate in its turn, until the other side has seen enough of it.
async fn certify(stream: TcpStream) {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let certificate = BAD[TURN.fetch_add(1, Relaxed) % BAD.len()];
    let key = PrivatePkcs8KeyDer::from(include_bytes!("../certificates/key.der").as_slice());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth();
    let config = config.with_single_cert(vec![CertificateDer::from(certificate)], key.into()).expect("it fits");
    let shaking = move || {
        let mut stream = stream.into_std().ok()?;
        stream.set_nonblocking(false).ok()?;
        let mut connection = ServerConnection::new(Arc::new(config)).ok()?;
        connection.complete_io(&mut stream).ok()
    };
    let _ = tokio::task::spawn_blocking(shaking).await;
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
    run.saw(Side::Path, "left by `connect: 1s`, `tls: 2s`");
}

async fn up_17(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    run.timed(Side::Client, if run.stream() { "streamed after" } else { "plain after" }, it.got.took);
    run.in_time(&it, Duration::from_secs(8));
    first_result(run, &it, if run.stream() { "target.keepalive_only" } else { "target.total_timeout" });
    if run.stream() {
        run.in_time(&it, Duration::from_secs(3));
    }
    left_and_not_asked_again(run).await;
}

async fn up_18(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.results("primary"), vec!["ok"], "the record");
    asked(run, 1).await;
    run.timed(Side::Client, "answered after", it.got.took);
    run.must(it.got.took > Duration::from_millis(3_000), "beyond the clock of 1 s", &it.got.took);
}

async fn up_20(run: &mut Run) {
    let it = run.ask().await;
    answered(run, &it, 1);
    let results = it.results("primary").join(", ");
    run.must_be(results.as_str(), "target.tls_failed", "hard, no retry");
    run.saw(Side::Client, outcome(&it.got));
    run.saw(Side::Path, format!("{} handshake", it.results("primary").len()));
    run.saw(Side::Record, format!("`{results}`; not built: warnings before a certificate ends"));
}

async fn up_21(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    let refused = if run.is("401") { "credential.credential_rejected" } else { "credential.credential_forbidden" };
    first_result(run, &it, refused);
    asked(run, 1).await;
    let later = run.ask().await;
    answered(run, &later, 1);
    run.must_be(later.reason(), "CREDENTIAL_REJECTED", "the credential is gated");
    asked(run, 1).await;
    run.saw(Side::Path, "then gated");
}

async fn up_23(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    first_result(run, &it, "target.model_missing");
    asked(run, 1).await;
}

async fn up_26(run: &mut Run) {
    run.break_primary().await;
    let lacks = format!("{}-lacks", run.route);
    run.house.lower.set_faults(&lacks, "{fault: unsupported_feature}").await;
    let mut body = run.chat(&run.route);
    body["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
    let it = run.ask_with(&body, &[]).await;
    run.describe(&it).await;
    answered(run, &it, 2);
    let calls = run.house.lower.saw(&lacks).await.len();
    let skipped = it.record["candidates"][1]["reasons"].to_string();
    if run.is("declared") {
        run.must_be(calls, 0, "a tier that says it lacks tools is not called");
        run.must(skipped.contains("CAPABILITY_MISSING"), "its reason", &it.record["candidates"]);
        run.saw(Side::Record, "skipped: CAPABILITY_MISSING");
    } else {
        run.must_be(calls, 1, "a tier that does not say so is called");
        run.must_be(it.results("lacks"), vec!["capability.unsupported_feature"], "its result");
    }
}

async fn up_27(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    asked(run, 1).await;
    let results = it.results("primary");
    let wanted = match run.which.variant.name {
        "an error body" => "target.error_in_body",
        _ => "target.empty_answer",
    };
    run.must(results.first() == Some(&wanted), wanted, &results);
}

async fn up_28(run: &mut Run) {
    run.break_primary().await;
    let mut body = run.chat(&run.route);
    if run.is("a tool call") {
        body["tools"] = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
        body["tool_choice"] = "required".into();
    } else {
        let call = json!({"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}});
        body["messages"] = json!([
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "done"},
        ]);
    }
    let it = run.ask_with(&body, &[]).await;
    run.describe(&it).await;
    run.must(it.got.is_whole() && it.got.tier() == Some(0), "that answer", &it.got);
    run.must(it.got.said().is_empty(), "without text", &it.got);
    run.must(!run.is("a tool call") || it.got.text().contains("tool_calls"), "the tool call", &it.got.text());
    run.must_be(it.results("primary"), vec!["ok"], "success");
}

async fn up_30(run: &mut Run) {
    let whole = run.whole_text().await;
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "identical text");
    // A slow end is not waited for (F-005).
    let results = it.results("primary");
    // A kilobyte a second is less than two events: `slow`, where somebody sees it (F-029).
    let drips = run.is("1 KB/s") && run.stream();
    let wanted =
        matches!(results[..], ["ok" | "ok_done_missing"]) && !drips || drips && matches!(results[..], ["ok_slow"]);
    run.must(wanted, "the record", &it.record);
    run.timed(Side::Client, "answered after", it.got.took);
}

async fn up_31(run: &mut Run) {
    // A machine that is gone sends neither FIN nor RST; a process that is stopped does neither, but its system still
    // acknowledges, so that only our clocks show it.
    run.house.primary.process.signal("STOP").await;
    let it = run.ask().await;
    answered(run, &it, 1);
    let wanted = if run.stream() { "target.first_token_timeout" } else { "target.total_timeout" };
    first_result(run, &it, wanted);
    run.saw(Side::Client, outcome(&it.got));
    run.timed(Side::Client, if run.stream() { "streamed after" } else { "plain after" }, it.got.took);
    run.saw(
        Side::Path,
        "by the clocks; not shown here: the end of the connection, since the system still acknowledges (ALIVE-1)",
    );
    run.saw(Side::Record, format!("`{wanted}`"));
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
    let heedless = async || run.primary_saw().await.into_iter().find(|it| it.client_gone && it.tokens_after_gone > 3);
    let heedless = run.until(heedless).await;
    run.must(heedless.is_some(), "cancelled, and the server goes on for nobody", &heedless);
    let route = format!("\"route\":\"{}\"", run.route);
    let record = run.until(async || run.house.gateway.lines(&route).into_iter().find(|it| it["status"] == 499)).await;
    run.must(record.is_some(), "a record of status 499", &record);
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.saw(Side::Client, "gone");
    run.saw(Side::Path, "the connection closes at once, though the server goes on; nothing is held");
    run.saw(Side::Record, "499; not counted: over HTTP/1.1 our close is the end (F-172)");
}

async fn up_33(run: &mut Run) {
    run.break_primary().await;
    let ready = run.house.client.send(run.house.primary.models, "GET", "/v1/models", String::new()).await;
    run.must_be(ready.status, 200, "the server says that it is ready");
    for _ in 0..12 {
        let it = run.ask().await;
        answered(run, &it, 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    run.saw(Side::Client, "whole answers of tier 1");
    run.must_be(run.breaker().await, "open".to_owned(), "by real outcomes");
    let told = run.until(async || Some(run.transitions()).filter(|it| !it.is_empty())).await.unwrap_or_default();
    run.must_be(told.len(), 1, "no flapping");
    let lines = run.house.gateway.lines("a breaker has changed");
    let of_it = |it: &&Value| it["route"] == run.route && it["path"] == "primary" && it["to"] == "open";
    let opened = lines.iter().find(of_it).map(|it| [&it["rule"], &it["reason"]]);
    run.must_be(format!("{opened:?}"), format!("{:?}", Some(["F-063", "UPSTREAM_5XX"].map(Value::from))), "F-060");
    let ready = run.until(async || Some(run.readiness().await).filter(|it| it == "ready")).await;
    run.must(ready.is_some(), "good probes, which close nothing", &ready);
    run.must(run.breaker().await != "closed", "a probe closes nothing", &());
    run.saw(Side::Path, format!("P = {} for 12 requests", run.primary_saw().await.len()));
    run.saw(Side::Record, "one transition");
}

/// Breaks what the primary's server says of itself, and waits until that is seen.
async fn break_readiness(run: &mut Run, fault: &str, word: &str) {
    // A list of models names no model.
    run.house.primary.set_faults("", fault).await;
    let seen = run.until(async || Some(run.readiness().await).filter(|it| it == word)).await;
    run.must(seen.is_some(), word, &run.readiness().await);
}

/// Asks streamed and plain in turn: runs of several forms would hear of one another's successes, by which probes pause.
async fn ask_in_turn(run: &mut Run, requests: usize) {
    for at in 0..requests {
        run.which.stream = at % 2 == 1;
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    run.saw(Side::Client, "whole answers of the primary, streamed and plain");
}

async fn up_34(run: &mut Run) {
    break_readiness(run, run.which.variant.fault, "busy").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    run.must_be(run.readiness().await, "busy".to_owned(), "some probes later");
    run.must_be(run.breaker().await, "closed".to_owned(), "never out");
    ask_in_turn(run, 12).await;
    run.must(run.transitions().is_empty(), "no switch", &run.transitions());
    run.saw(Side::Path, format!("P = {} for 12 requests; breaker closed", run.primary_saw().await.len()));
    run.saw(Side::Record, "`busy` in the route's state, until requests answer");
}

async fn up_35(run: &mut Run) {
    for status in [401, 404] {
        break_readiness(run, &format!("{{fault: status, status: {status}, on: probes}}"), "misconfigured").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        run.must_be(run.breaker().await, "closed".to_owned(), "neither healthy nor down");
    }
    ask_in_turn(run, 2).await;
    run.saw(Side::Path, "breaker closed");
    let warned = run.house.gateway.lines("the readiness probe is turned away");
    run.must_be(warned.len(), 1, "warned once");
    run.saw(Side::Record, "`misconfigured` in the route's state; warned once");
}

/// Breaks the second replica.
async fn break_second(run: &Run) {
    run.house.lower.set_faults(&run.route, run.which.variant.fault).await;
}

async fn up_36(run: &mut Run) {
    break_second(run).await;
    // Two at once, so that both replicas are asked; not more, so that the purse has a retry for each (F-044).
    let (mut failed, mut named) = (0, Value::Null);
    for _ in 0..12 {
        for it in run.many(2).await {
            answered(run, &it, 0);
            let attempts = it.record["attempts"].as_array().cloned().unwrap_or_default();
            failed += attempts.len() - 1;
            if let [bad, _] = &attempts[..] {
                named = bad["replica"].clone();
            }
            run.must(attempts.len() <= 2, "one retry, on the other replica", &attempts);
        }
    }
    run.saw(Side::Client, "whole answers of the primary");
    run.must((1..=5).contains(&failed), "the bad replica is met, and left", &failed);
    run.must_be(named, 1.into(), "the record names the replica");
    run.must_be(run.breaker().await, "closed".to_owned(), "the path stays closed");
    run.saw(Side::Path, "the bad replica fails and is left; path closed");
    run.saw(Side::Record, "replica 1 named");
}

async fn up_37(run: &mut Run) {
    break_second(run).await;
    for _ in 0..40 {
        let it = run.ask().await;
        answered(run, &it, 0);
    }
    let (good, bad) = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.must(good >= 40 && bad <= 8, "traffic does not gather where it fails fast", &(good, bad));
    run.saw(Side::Client, "whole answers of the primary");
    run.saw(Side::Path, format!("good replica {good}, bad replica {bad} of {}", good + bad));
}
