//! Earlier answers to the same question in other words (F-147), from both sides: what is given with every model gone, to whom, and what an
//! embedder that is dead, slow or talks nonsense costs. The mock puts texts beside one another by the words that they share.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use crate::client::{Got, Kit, chats, until};

const ROUTES: &str = r#"
routes:
  chat:
    protocol: openai-chat
    deadline: 5s
    cache: {vary: [X-Tenant], semantic: {embeddings: {upstream: small, model: embed, timeout: 200ms}, at_least: 0.6}}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, first_token: 300ms, retries: 0}
      - {name: small, openai: {upstream: big, model: little}, retries: 0}
      - {name: earlier, cache: {}, residency: [eu]}
      - {name: default, fixed: {content: "Later."}}
  strict:
    protocol: openai-chat
    deadline: 5s
    cache: {semantic: {embeddings: {upstream: small, model: embed}, at_least: 0.99}}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: earlier, cache: {}}
      - {name: default, fixed: {content: "Later."}}
  early:
    protocol: openai-chat
    deadline: 5s
    cache: {semantic: {embeddings: {upstream: small, model: embed, timeout: 200ms}, at_least: 0.6, fresh: true}}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: default, fixed: {content: "Later."}}
"#;

const ASKED: &str = "How do I reset my password?";
const AGAIN: &str = "how do I reset the password, please";

async fn kit() -> Kit {
    Kit::chats(ROUTES).await
}

async fn ask_as(kit: &Kit, route: &str, question: &str, (more, headers): (Value, &[(&str, &str)])) -> Got {
    let mut body = json!({"model": route, "messages": [{"role": "user", "content": question}]});
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    kit.post("/v1/chat/completions", body.to_string(), headers).await
}

async fn ask(kit: &Kit, route: &str, question: &str) -> Got {
    ask_as(kit, route, question, (json!({}), &[])).await
}

/// How often something has come of looking, or of keeping.
fn came(kit: &Kit, route: &str, result: &str) -> u64 {
    let text = kit.gateway.metrics();
    let name = format!(r#"evenkeel_cache_semantic_total{{route="{route}",result="{result}"}} "#);
    let count = text.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(0, |count| count.parse().expect("a number"))
}

/// Waits until so many answers can be found by what their questions mean.
async fn kept(kit: &Kit, route: &str, answers: u64) {
    until(|| (came(kit, route, "kept") >= answers).then_some(())).await;
}

/// Lets every model fail, and not the embedder.
fn all_models_fail(kit: &Kit) {
    kit.break_primary("{fault: status, status: 500}");
}

fn told(got: &Got) -> [&str; 5] {
    ["evenkeel-tier", "evenkeel-method", "evenkeel-path", "evenkeel-degraded", "evenkeel-reason"]
        .map(|it| got.header(it))
}

const SIMILAR: [&str; 5] = ["2", "cache", "earlier", "true", "CACHE_SEMANTIC_HIT"];

#[tokio::test(flavor = "multi_thread")]
async fn f_147_with_every_model_gone_a_paraphrase_is_answered_and_told_how_near_and_how_old() {
    let kit = kit().await;
    let first = ask(&kit, "chat", ASKED).await;
    assert_eq!(first.header("evenkeel-tier"), "0");
    kept(&kit, "chat", 1).await;
    all_models_fail(&kit);
    for stream in [false, true] {
        let got = ask_as(&kit, "chat", AGAIN, (json!({"stream": stream}), &[])).await;
        assert!(got.is_whole() && got.said() == first.said(), "{got:?}");
        assert_eq!(told(&got), SIMILAR, "{got:?}");
        assert!(got.header("cache-status").ends_with("; detail=similar"), "{got:?}");
        let similarity: f64 = got.header("evenkeel-similarity").parse().expect("a number");
        assert!((0.6..1.0).contains(&similarity), "{similarity}");
        assert!(got.header("age").parse::<u64>().is_ok_and(|age| age < 20), "{got:?}");
        let object = if stream { got.chunks()[0]["evenkeel"].clone() } else { got.json()["evenkeel"].clone() };
        assert_eq!(object["similarity"], json!(similarity), "{object}");
        assert!(object["age"].is_u64() && object["degraded"] == true, "{object}");

        let record = kit.record(&got).await;
        let (cache, permille) = (&record["cache"], (similarity * 1_000.0).round());
        assert_eq!((&cache["status"], &cache["searched"]), (&json!("similar"), &json!("found")), "{record}");
        assert_eq!(cache["first"], first.header("evenkeel-decision"), "which decision gave it first");
        assert_eq!((cache["similarity_permille"].as_f64(), cache.get("written")), (Some(permille), None), "{cache}");
        let inputs = record["inputs"].as_array().expect("inputs");
        let compared = inputs.iter().find(|it| it["signal"] == "similarity_permille").expect("as compared");
        assert_eq!((&compared["value"], &compared["threshold"]), (&json!(permille.to_string()), &json!("600")));
        let last = record["attempts"].as_array().and_then(|all| all.last()).expect("it was looked for");
        assert_eq!((&last["path"], &last["result"]), (&json!("earlier"), &json!("ok")), "{record}");
        let text = kit.gateway.metrics();
        assert!(text.contains(r#"evenkeel_cache_requests_total{route="chat",result="similar"}"#), "{text}");
    }
    let same = ask(&kit, "chat", ASKED).await;
    assert_eq!(same.header("evenkeel-reason"), "CACHE_FRESH_HIT", "the same words go before: {same:?}");
    let other = ask(&kit, "chat", "Which colours does it come in?").await;
    assert_eq!((other.said().as_str(), other.header("evenkeel-similarity")), ("Later.", ""), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_147_as_near_as_the_route_says_and_no_number_or_negation_otherwise() {
    let kit = kit().await;
    ask(&kit, "strict", ASKED).await;
    ask(&kit, "strict", "How do I open port 80?").await;
    kept(&kit, "strict", 2).await;
    all_models_fail(&kit);
    for (question, searched) in [
        (AGAIN, "found"),
        ("how do i open port 81", "otherwise"),
        ("how do I open port 80 and 81", "otherwise"),
        ("How do I not reset my password?", "otherwise"),
        ("How do I reset \"my password\"?", "otherwise"),
    ] {
        let got = ask(&kit, "strict", question).await;
        assert_eq!(got.said(), "Later.", "{question}: {got:?}");
        let record = kit.record(&got).await;
        assert_eq!(record["candidates"][1]["reasons"], json!(["CACHE_MISS"]), "{record}");
        assert_eq!(record["cache"]["searched"], searched, "{question}: {record}");
        let compared = record["inputs"].to_string().contains(r#""signal":"similarity_permille""#);
        assert_eq!(compared, searched == "found", "how near it was is told: {record}");
    }
    let got = ask(&kit, "strict", "How do I reset, my password").await;
    assert_eq!(got.header("evenkeel-reason"), "CACHE_SEMANTIC_HIT", "the same words: {got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn da_08_f_141_f_147_nobody_else_and_nothing_else_gets_an_answer_to_other_words() {
    let kit = kit().await;
    let system = json!({"role": "system", "content": "Be brief."});
    let of = |last: &str| json!({"messages": [system, {"role": "user", "content": last}], "temperature": 0.5});
    let anna: &[(&str, &str)] = &[("authorization", "Bearer a"), ("x-tenant", "one")];
    let first = ask_as(&kit, "chat", "", (of(ASKED), anna)).await;
    kept(&kit, "chat", 1).await;
    all_models_fail(&kit);
    let with = |more: Value| {
        let mut body = of(AGAIN);
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        body
    };
    let user = |content: Value| json!({"messages": [system, {"role": "user", "content": content}]});
    let others: [(Value, &[(&str, &str)]); 14] = [
        (of(AGAIN), &[]),
        (of(AGAIN), &[("authorization", "Bearer b"), ("x-tenant", "one")]),
        (of(AGAIN), &[("authorization", "Bearer a"), ("x-tenant", "two")]),
        (of(AGAIN), &[("authorization", "Bearer a"), ("x-tenant", "one"), ("cookie", "c=1")]),
        (with(json!({"temperature": 0.6})), anna),
        (with(json!({"seed": 1})), anna),
        (with(json!({"max_tokens": 5})), anna),
        (with(json!({"response_format": {"type": "json_object"}})), anna),
        (with(json!({"tools": [{"type": "function", "function": {"name": "f"}}]})), anna),
        (with(json!({"user": "anna"})), anna),
        (
            with(json!({"messages": [{"role": "system", "content": "Be long."}, {"role": "user", "content": AGAIN}]})),
            anna,
        ),
        (with(json!({"messages": [system, {"role": "assistant", "content": AGAIN}]})), anna),
        (with(user(json!([{"type": "text", "text": AGAIN}, {"type": "text", "text": "now"}]))), anna),
        (with(user(json!("reset password ".repeat(80)))), anna),
    ];
    for (body, headers) in others {
        let got = ask_as(&kit, "chat", "", (body.clone(), headers)).await;
        assert_ne!(got.header("evenkeel-method"), "cache", "{body} {headers:?}: {got:?}");
    }
    for body in [of(AGAIN), with(user(json!([{"type": "text", "text": AGAIN}])))] {
        let own = ask_as(&kit, "chat", "", (body, anna)).await;
        assert_eq!((told(&own), own.said()), (SIMILAR, first.said()), "{own:?}");
    }
    let asked = kit.small.log().len();
    let elsewhere = [anna, &[("evenkeel-residency", "us")]].concat();
    let got = ask_as(&kit, "chat", "", (of(AGAIN), &elsewhere)).await;
    assert_eq!((got.said().as_str(), kit.small.log().len()), ("Later.", asked), "F-036: its words stay: {got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn da_07_f_140_f_147_what_is_not_kept_is_not_found_in_other_words() {
    for (fault, stream) in [
        ("{model: large, fault: finish_reason, reason: length}", false),
        ("{model: large, fault: cut, after_tokens: 3, how: between_events}", true),
        ("{model: large, fault: done_missing}", true),
        ("{model: large, fault: status, status: 500}", false),
    ] {
        let kit = kit().await;
        kit.break_primary(fault);
        let first = ask_as(&kit, "chat", ASKED, (json!({"stream": stream}), &[])).await;
        assert_eq!(first.status, 200, "{fault}");
        all_models_fail(&kit);
        let got = ask(&kit, "chat", AGAIN).await;
        assert_eq!((got.said().as_str(), came(&kit, "chat", "kept")), ("Later.", 0), "{fault}: {got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_147_an_embedder_that_is_dead_slow_or_talks_nonsense_costs_no_more_than_its_time_and_keeps_nothing() {
    for (fault, searched) in [
        ("{fault: status, status: 500}", "failed"),
        ("{fault: refuse}", "failed"),
        ("{fault: silence}", "slow"),
        ("{fault: garbled_event}", "garbage"),
        ("{fault: empty_answer, what: embedding}", "garbage"),
        ("{fault: empty_answer, what: data}", "garbage"),
        ("{fault: embedding_width, width: 8}", "garbage"),
    ] {
        let kit = kit().await;
        ask(&kit, "chat", ASKED).await;
        kept(&kit, "chat", 1).await;
        // What is answered while it fails is kept for the same words only.
        kit.break_small(fault);
        let counted = || came(&kit, "chat", "keep_failed") + came(&kit, "chat", "garbage");
        let before = counted();
        let other = ask(&kit, "chat", "Where is my parcel now?").await;
        assert_eq!(kit.record(&other).await["cache"]["written"], "stored", "{fault}");
        until(|| (counted() > before).then_some(())).await;
        assert_eq!(came(&kit, "chat", "kept"), 1, "{fault}");
        // Well again: what was kept before is found.
        kit.break_small("");
        all_models_fail(&kit);
        let got = ask(&kit, "chat", AGAIN).await;
        assert_eq!(got.header("evenkeel-reason"), "CACHE_SEMANTIC_HIT", "{fault}: {got:?}");

        kit.break_small(fault);
        let before = came(&kit, "chat", searched);
        let got = ask(&kit, "chat", AGAIN).await;
        assert_eq!(got.said(), "Later.", "{fault}: {got:?}");
        let record = kit.record(&got).await;
        assert_eq!(record["cache"]["searched"], searched, "{fault}: {record}");
        let attempts = record["attempts"].as_array().expect("attempts");
        let search = attempts.iter().find(|it| it["path"] == "earlier").expect("it was looked for");
        let spent = search["duration_us"].as_u64().expect("a duration");
        assert!(searched != "slow" || spent >= 200_000, "{fault}: it had its time: {record}");
        assert_eq!(came(&kit, "chat", searched), before + 1, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_147_f_062_an_embedder_that_fails_again_and_again_is_not_asked() {
    let kit = kit().await;
    ask(&kit, "chat", ASKED).await;
    kept(&kit, "chat", 1).await;
    all_models_fail(&kit);
    kit.break_small("{fault: status, status: 500}");
    let mut asked = 0;
    for number in 0..20 {
        // A word that no other has: each is looked for anew.
        let got = ask_as(&kit, "chat", AGAIN, (json!({"stream": number % 2 == 0}), &[])).await;
        assert_eq!(got.said(), "Later.", "{got:?}");
        let now = kit.small.log().len();
        if came(&kit, "chat", "breaker_open") > 0 {
            break;
        }
        assert!(now > asked, "it is asked until its breaker opens");
        asked = now;
    }
    assert!(came(&kit, "chat", "breaker_open") > 0);
    let (before, record) = (kit.small.log().len(), kit.record(&ask(&kit, "chat", AGAIN).await).await);
    assert_eq!((kit.small.log().len(), &record["cache"]["searched"]), (before, &json!("breaker_open")), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_147_f_142_before_any_tier_only_where_the_route_says_so_and_as_that_of_its_tier() {
    let kit = kit().await;
    let first = ask(&kit, "early", ASKED).await;
    assert_eq!(first.header("evenkeel-reason"), "PRIMARY_HEALTHY");
    kept(&kit, "early", 1).await;
    let calls = kit.big.log().len();
    let got = ask(&kit, "early", AGAIN).await;
    assert_eq!(told(&got), ["0", "cache", "primary", "false", "CACHE_SEMANTIC_HIT"], "{got:?}");
    assert_eq!((got.said(), kit.big.log().len()), (first.said(), calls), "no tier was asked");
    assert!(!got.header("evenkeel-similarity").is_empty() && !got.header("age").is_empty(), "{got:?}");
    let new = ask_as(&kit, "early", AGAIN, (json!({}), &[("cache-control", "no-cache")])).await;
    assert_eq!(new.header("evenkeel-reason"), "PRIMARY_HEALTHY", "who wants a new one gets it: {new:?}");
    kit.break_small("{fault: silence}");
    let slow = ask(&kit, "early", "how do I reset a password, thank you").await;
    assert_eq!(slow.header("evenkeel-reason"), "PRIMARY_HEALTHY", "{slow:?}");
    let record = kit.record(&slow).await;
    assert_eq!(record["cache"]["searched"], "slow", "{record}");
    assert!(record["outcome"]["latency_us"].as_u64() >= Some(200_000), "it waited as long as it may: {record}");

    ask(&kit, "chat", ASKED).await;
    kit.break_small("");
    let not = ask(&kit, "chat", AGAIN).await;
    assert_eq!(not.header("evenkeel-reason"), "PRIMARY_HEALTHY", "the other route does not say so");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_147_another_model_begins_anew_and_of_the_same_nothing_is_asked_again() {
    let kit = kit().await;
    ask(&kit, "chat", ASKED).await;
    kept(&kit, "chat", 1).await;
    let calls = kit.small.log().len();
    // The same words again: what they mean is known.
    ask_as(&kit, "chat", ASKED, (json!({}), &[("cache-control", "no-cache")])).await;
    kept(&kit, "chat", 2).await;
    assert_eq!(kit.small.log().len(), calls, "CF-02");
    kit.gateway
        .apply(kit.compile(&chats(&ROUTES.replace("deadline: 5s", "deadline: 6s")), Path::new(".")))
        .expect("applied");
    all_models_fail(&kit);
    assert_eq!(told(&ask(&kit, "chat", AGAIN).await), SIMILAR, "what was kept outlives a reload");
    let other = ROUTES.replace("model: embed", "model: embed-2");
    kit.gateway.apply(kit.compile(&chats(&other), Path::new("."))).expect("applied");
    let got = ask(&kit, "chat", AGAIN).await;
    assert_eq!(got.said(), "Later.", "what another model says of it is another's: {got:?}");
    assert_eq!(kit.record(&got).await["candidates"][2]["reasons"], json!(["CACHE_MISS"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_147_what_a_question_means_takes_of_the_memory_and_a_crowd_is_bounded() {
    let small =
        ROUTES.replace("cache: {vary: [X-Tenant],", "cache: {memory: 16KiB, max_entry: 2KiB, vary: [X-Tenant],");
    let small = small.replace("at_least: 0.6}}", "at_least: 0.6, entries: 4}}");
    let kit = Kit::chats(&small).await;
    for number in 0..40 {
        ask(&kit, "chat", &format!("What is the price of article {number}?")).await;
        let text = kit.gateway.metrics();
        let bytes = text.lines().find_map(|line| line.strip_prefix(r#"evenkeel_cache_bytes{route="chat"} "#));
        assert!(bytes.expect("it is told").parse::<u64>().expect("a number") <= 16 << 10, "KEPT-2: {bytes:?}");
    }
    until(|| (came(&kit, "chat", "kept") + came(&kit, "chat", "keep_dropped") >= 40).then_some(())).await;
    all_models_fail(&kit);
    tokio::time::timeout(Duration::from_secs(10), async {
        let last = ask(&kit, "chat", "what's the price of article 39").await;
        assert_eq!(last.header("evenkeel-method"), "cache", "the last ones are there: {last:?}");
        let first = ask(&kit, "chat", "what's the price of article 0").await;
        assert_eq!(first.said(), "Later.", "the first ones are gone: {first:?}");
    })
    .await
    .expect("in time");
}
