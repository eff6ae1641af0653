//! SE: what must not leak, and what must not be followed.

use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::upstream_starred::answered;
use crate::{
    exchange::outcome,
    raw::read_request,
    row::{
        Forms::{Both, Plain, Streamed},
        MODELS_ONLY, PLAIN, Row, SHORT, Setting, Variant, act,
    },
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "SE-01",
        Both,
        &[
            Variant::named("500", "{fault: status, status: 500, message: \"key sk-leak-1234 of Ann\"}", MODELS_ONLY),
            Variant::named("401", "{fault: status, status: 401, message: \"key sk-leak-1234 of Ann\"}", MODELS_ONLY),
            Variant::named("429", "{fault: status, status: 429, message: \"key sk-leak-1234 of Ann\"}", MODELS_ONLY),
        ],
        act!(se_01),
    ),
    Row::new("SE-02", Plain, &[Variant::named("", "", SHORT)], act!(se_02))
        .within(Setting { raw: Some(|stream| Box::pin(count(stream))), ..PLAIN }),
    Row::new(
        "SE-03",
        Both,
        &[
            Variant::named("301", "", SHORT),
            Variant::named("302", "", SHORT),
            Variant::named("303", "", SHORT),
            Variant::named("307", "", SHORT),
            Variant::named("308", "", SHORT),
        ],
        act!(se_03),
    )
    .within(Setting { raw: Some(|stream| Box::pin(count(stream))), ..PLAIN }),
    Row::new("SE-04", Both, &[Variant::named("", "{fault: status, status: 503}", SHORT)], act!(se_04)),
    Row::new("SE-05", Both, &[Variant::named("", "{fault: status, status: 500, times: 1}", KEYED)], act!(se_05))
        .within(Setting {
            each: "  MODEL: {protocol: openai, url: \"PRIMARY/v1\", api_key: sk-configured-5678}\n",
            ..PLAIN
        }),
    Row::new("SE-08", Plain, &[Variant::named("", "", SHORT)], act!(se_08)),
    Row::new("SE-09", Plain, &[Variant::named("", "", SHORT)], act!(se_09)).single(),
    Row::new(
        "SE-10",
        Streamed,
        &[
            Variant::named("headers of 1 MB", "{fault: huge_headers, bytes: 1000000}", SMALL_ANSWERS),
            Variant::named("a body without end", "{fault: endless}", SMALL_ANSWERS),
            Variant::named("an event of 10 MB", "{fault: huge_line, at_token: 1}", SMALL_ANSWERS),
        ],
        act!(se_10),
    ),
];

/// A route whose upstream wants a credential.
const KEYED: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: MODEL, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// Answers of at most 64 KiB.
const SMALL_ANSWERS: &str = "
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, max_answer: 64KiB}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// Answers whoever comes; nobody should.
async fn count(mut stream: TcpStream) {
    let _ = read_request(&mut stream).await;
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
}

/// Claims that a text stands nowhere that the gateway writes.
async fn nowhere(run: &mut Run, text: &str, answers: &[String]) {
    let house = run.house.clone();
    let metrics = house.client.send(house.admin, "GET", "/metrics", String::new()).await.text();
    let status = house.client.send(house.data, "GET", "/v1/status", String::new()).await.text();
    for (place, words) in [("the log", house.gateway.log_text()), ("metrics", metrics), ("status", status)] {
        run.must(!words.contains(text), "never shown", &place);
    }
    for answer in answers {
        run.must(!answer.contains(text), "never shown to a client or in a record", answer);
    }
}

async fn se_01(run: &mut Run) {
    run.set_lower(run.which.variant.fault).await;
    let it = run.once().await;
    run.must(it.got.status >= 429 && it.got.is_error(), "our own error", &it.got);
    let answers = [it.got.text(), format!("{:?}", it.got.headers), it.record.to_string()];
    nowhere(run, "sk-leak-1234", &answers).await;
    run.saw(Side::Client, "none of the provider's words");
    run.saw(Side::Record, "none of the provider's words; neither in log, metrics or status");
}

async fn se_02(run: &mut Run) {
    let inside = format!("http://{}/latest/meta-data", run.house.raw.as_ref().expect("a listener").address);
    let mut body = run.chat(&run.route);
    body["messages"] = json!([{"role": "user", "content": [
        {"type": "text", "text": inside}, {"type": "image_url", "image_url": {"url": inside}}]}]);
    body["metadata"] = json!({"webhook": inside});
    let it = run.ask_with(&body, &[]).await;
    answered(run, &it, 0);
    let saw = run.primary_saw().await;
    run.must(saw.last().is_some_and(|it| it.body.contains(&inside)), "forwarded as content", &saw);
    let fetched = run.house.raw.as_ref().expect("a listener").connections();
    run.must_be(fetched, 0, "the gateway fetches nothing");
    run.saw(Side::Client, "forwarded as content; nothing is fetched");
}

async fn se_03(run: &mut Run) {
    let inside = format!("http://{}/internal", run.house.raw.as_ref().expect("a listener").address);
    let status = run.which.variant.name;
    run.set_primary(&format!("{{fault: redirect, status: {status}, location: \"{inside}\"}}")).await;
    let it = run.ask().await;
    run.describe(&it).await;
    answered(run, &it, 1);
    run.must_be(it.results("primary"), vec!["target.protocol_error"], "the record");
    run.must_be(run.primary_saw().await.len(), 1, "the redirect is met");
    let fetched = run.house.raw.as_ref().expect("a listener").connections();
    run.must_be(fetched, 0, "not followed");
    run.saw(Side::Path, format!("{fetched} connections to where it points"));
}

async fn se_04(run: &mut Run) {
    run.break_primary().await;
    let body = run.chat(&run.route);
    let told = [("evenkeel-tier", "7"), ("evenkeel-degraded", "false"), ("evenkeel-priority", "critical")];
    let it = run.ask_with(&body, &told).await;
    run.describe(&it).await;
    answered(run, &it, 1);
    let saw = [run.primary_saw().await, run.lower_saw().await].concat();
    let names = saw.iter().flat_map(|it| it.header_names.iter()).filter(|it| it.to_lowercase().starts_with("evenkeel"));
    run.must_be(names.count(), 0, "stripped");
    run.saw(Side::Path, "stripped");
}

async fn se_05(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 0);
    let saw = run.primary_saw().await;
    run.must(saw.iter().all(|it| it.headers.contains_key("authorization")), "sent to its upstream", &saw);
    // The other upstream gets the next one, and gets none.
    run.set_primary("{fault: status, status: 500}").await;
    let next = run.ask().await;
    answered(run, &next, 1);
    let elsewhere = run.lower_saw().await;
    let keyed = elsewhere.iter().filter(|it| it.headers.contains_key("authorization")).count();
    run.must_be((elsewhere.len(), keyed), (1, 0), "and to no other");
    let state = run.house.client.send(run.house.data, "GET", "/v1/models", String::new()).await.text();
    let answers = [it.got.text(), format!("{:?}", it.got.headers), it.record.to_string(), state];
    nowhere(run, "sk-configured-5678", &answers).await;
    run.saw(
        Side::Path,
        format!("the credential in {} of {} attempts there, {keyed} of 1 elsewhere", saw.len(), saw.len()),
    );
    run.saw(Side::Record, "not in answer, record, log, metrics or status");
}

async fn se_08(run: &mut Run) {
    let series = async |run: &Run| {
        let text = run.house.client.send(run.house.admin, "GET", "/metrics", String::new()).await.text();
        text.lines().filter(|line| !line.starts_with('#')).count()
    };
    let it = run.ask().await;
    answered(run, &it, 0);
    let _ = run.post(json!({"model": "first", "messages": [{}]}).to_string().into(), &[]).await;
    let before = series(run).await;
    for number in 0..300 {
        let body = json!({"model": format!("m-{number}"), "messages": [{"role": "user", "content": "x"}]});
        let id = format!("id-{number}");
        let _ = run.post(body.to_string().into(), &[("x-request-id", &id), ("user-agent", &id)]).await;
        let body = run.chat(&run.route);
        let it = run.ask_with(&body, &[("x-request-id", &id), ("traceparent", &id)]).await;
        run.must(it.got.is_whole(), "an answer", &it.got);
    }
    let after = series(run).await;
    // An answer of another tier, or with another result, has series of its own; 600 names would have as many.
    run.must(after < before + 200, "labels are bounded", &(before, after));
    let text = run.house.client.send(run.house.admin, "GET", "/metrics", String::new()).await.text();
    run.must(!text.contains("\"m-") && !text.contains("\"id-"), "no label is a client's word", &after);
    run.saw(Side::Record, format!("{} more series after 600 names and ids, none of which is a label", after - before));
}

async fn se_09(run: &mut Run) {
    let before = run.house.rest_kib().await;
    let route = run.route.clone();
    let message = r#"[{"role":"user","content":"x"}]"#;
    let deep = "[".repeat(1 << 19) + &"]".repeat(1 << 19);
    let escapes = format!("\"{}\"", r"\u0041".repeat(1 << 17));
    let with = |field: &str, value: &str| format!(r#"{{"model":"{route}","messages":{message},"{field}":{value}}}"#);
    for (what, body, why) in [
        ("brackets", with("x", &deep), "nested deeper than 128"),
        ("an exponent", with("max_tokens", &format!("1e{}", "9".repeat(1 << 16))), "max_tokens"),
        ("escapes in a name", format!(r#"{{"model":{escapes},"messages":{message}}}"#), "no route of this name"),
    ] {
        let got = run.post(body.into(), &[]).await;
        run.must((400..500).contains(&got.status) && got.text().contains(why), "4xx by limits", &(what, &got.text()));
        run.saw(Side::Client, format!("{what}: {}", outcome(&got)));
    }
    run.must_be(run.primary_saw().await.len(), 0, "none");
    // No limit is there for a long text of a field that means nothing to us: it goes on in its own bytes.
    let body = with("x", &escapes);
    let got = run.post(body.clone().into(), &[]).await;
    run.must_be(got.status, 200, "a field that is not read passes");
    let saw = run.primary_saw().await;
    run.must(saw.last().is_some_and(|it| it.body.contains(&escapes)), "in its own bytes", &saw.len());
    // Twenty times the 3.4 MB that came.
    run.grew_by_less_than(before, 64);
    run.saw(Side::Client, "escapes in a field that is not read: 200");
    run.saw(Side::Path, "none; the last in its own bytes");
}

async fn se_10(run: &mut Run) {
    let before = run.house.rest_kib().await;
    let it = run.once().await;
    let fine = (it.got.is_whole() && it.got.tier() == Some(1)) || it.got.is_error();
    run.must(fine, "the lower tier's answer, or a terminal error", &it.got);
    let limit = ["target.answer_too_large", "target.protocol_error", "target.decode_failed"];
    let results = it.results("primary");
    let fired = !results.is_empty() && results.iter().all(|it| limit.contains(it));
    run.must(fired, "the limit that fired", &results);
    run.saw(Side::Client, "not played here: a bomb, events as fast as a socket takes them (`tests/it/bombs.rs` does)");
    run.grew_by_less_than(before, 48);
}
