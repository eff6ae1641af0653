//! ★ UP: what happens up to the first content, in the sixteen well-known scenarios, with everything but `retries: 2,
//! deadline: 30s, total: 30s` left to its default.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    exchange::Exchange,
    provider::between,
    row::{Forms::Both, PLAIN, Row, STARRED, STARRED_OTHER_WORDS, Setting, Variant, act},
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("UP-01", Both, &[Variant::starred("{fault: rate_limited, retry_after: 2, times: 1}")], act!(up_01)),
    Row::new(
        "UP-02",
        Both,
        &[
            Variant::named("without `Retry-After`", "{fault: rate_limited}", STARRED),
            Variant::named("`Retry-After: 1`", "{fault: rate_limited, retry_after: 1}", STARRED),
        ],
        act!(up_02),
    ),
    Row::new("UP-06", Both, &[Variant::starred("{fault: status, status: 500, times: 1}")], act!(up_06)),
    Row::new("UP-07", Both, &[Variant::starred("{fault: status, status: 503}")], act!(up_07)),
    Row::new("UP-08", Both, &[Variant::named("", "{fault: status, status: 503}", STARRED_OTHER_WORDS)], act!(up_08)),
    Row::new(
        "UP-10",
        Both,
        &[
            Variant::named("RST", "{fault: reset, times: 1}", OWN_UPSTREAM),
            Variant::named("FIN", "{fault: reset, how: fin, times: 1}", OWN_UPSTREAM),
        ],
        act!(up_10),
    )
    .within(Setting { each: "  MODEL: {protocol: openai, url: \"PRIMARY/v1\"}\n", ..PLAIN }),
    Row::new("UP-15", Both, &[Variant::starred("{fault: silence}")], act!(up_15)).long(),
    Row::new(
        "UP-16",
        Both,
        &[
            Variant::named("the head alone", "{fault: slow_first_token, ms: 20000, role: false}", STARRED),
            Variant::named("a role as well", "{fault: slow_first_token, ms: 20000}", STARRED),
        ],
        act!(up_16),
    )
    .long(),
    Row::new(
        "UP-24",
        Both,
        &[
            Variant::named("a larger context below", "{fault: context_length_exceeded}", LARGER),
            Variant::named("an unknown one", "{fault: context_length_exceeded}", STARRED),
            Variant::named("the same", "{fault: context_length_exceeded}", SAME),
        ],
        act!(up_24),
    ),
    Row::new("UP-25", Both, &[Variant::starred("{fault: content_filter}")], act!(up_25)),
];

/// As the others, but on an upstream of its own: on a connection that another run has used it is another row, UP-11.
const OWN_UPSTREAM: &str = "
    protocol: openai-chat
    deadline: 30s
    tiers:
      - {name: primary, openai: {upstream: MODEL, model: MODEL}, retries: 2, total: 30s}
      - {name: lower, openai: {upstream: lower, model: MODEL}, retries: 2, total: 30s}
";

/// A fallback with a larger window.
const LARGER: &str = "
    protocol: openai-chat
    deadline: 30s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, retries: 2, total: 30s, context: 8192}
      - {name: lower, openai: {upstream: lower, model: MODEL}, retries: 2, total: 30s, context: 128000}
";

/// A fallback with the same window.
const SAME: &str = "
    protocol: openai-chat
    deadline: 30s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, retries: 2, total: 30s, context: 8192}
      - {name: lower, openai: {upstream: lower, model: MODEL}, retries: 2, total: 30s, context: 8192}
";

/// Claims a whole answer of a tier, and that it is labelled as what it is.
pub(super) fn answered(run: &mut Run, it: &Exchange, tier: u8) {
    run.must(!it.got.said().is_empty(), "an answer that says something", &it.got);
    whole(run, it, tier);
}

/// As [`answered`], of an answer that has no text.
pub(super) fn whole(run: &mut Run, it: &Exchange, tier: u8) {
    run.must(it.got.is_whole(), "a whole answer", &it.got);
    run.must_be(it.got.tier(), Some(tier), "the tier that answers");
    run.must_be(it.got.header("evenkeel-degraded"), if tier > 0 { "true" } else { "false" }, "`evenkeel-degraded`");
    run.must_be(&it.record["outcome"]["tier"], &tier.into(), "the tier in the record");
}

async fn up_01(run: &mut Run) {
    run.break_primary().await;
    let mut meanwhile = run.beside();
    let (it, during) = tokio::join!(run.ask(), async {
        meanwhile.closed_off("the 429 closes the gate").await;
        meanwhile.ask().await
    });
    run.failed.append(&mut meanwhile.failed);
    run.describe(&it).await;
    answered(run, &it, 0);
    answered(run, &during, 1);
    run.must_be(during.reason(), "CAPACITY_DOMAIN_LIMITED", "the domain is gated meanwhile");
    run.saw(Side::Client, "meanwhile: whole answer of tier 1");
    run.saw(Side::Record, "meanwhile: CAPACITY_DOMAIN_LIMITED");
    run.must_be(it.results("primary"), vec!["capacity.rate_limited", "ok"], "the record");
    let saw = run.primary_saw().await;
    run.must_be(saw.len(), 2, "P = 2");
    if let [first, second] = &saw[..] {
        let gap = between(first, second);
        run.timed(Side::Path, "gap", gap);
        run.must(gap >= Duration::from_secs(2), "a gap of at least 2 s", &gap);
    }
}

async fn up_02(run: &mut Run) {
    let first = run.once().await;
    answered(run, &first, 1);
    let after_first = run.primary_saw().await.len();
    run.must(after_first <= 2, "P ≤ 2 for the first request", &after_first);
    let (mut limited, mut asked) = (0, 0);
    while limited < 5 && asked < 15 {
        let before = run.primary_saw().await.len();
        let it = run.ask().await;
        answered(run, &it, 1);
        let leased = run.primary_saw().await.len() - before;
        run.must(leased <= 1, "no more than the lease of the gate", &it.record);
        run.must(leased == 1 || it.reason() == "CAPACITY_DOMAIN_LIMITED", "the reason of a gated domain", &it.record);
        (limited, asked) = (limited + u32::from(leased == 0), asked + 1);
        // Clients come at a pace at which a gate of a second is met more than once.
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    run.must(limited > 0, "later requests find the domain gated", &asked);
    run.saw(Side::Record, "later: CAPACITY_DOMAIN_LIMITED");
    let saw = run.primary_saw().await;
    let in_3_s = |from: usize| saw[from..].iter().filter(|it| it.at_ms < saw[from].at_ms + 3_000.0).count();
    let most = (0..saw.len()).map(in_3_s).max().unwrap_or(0);
    run.must(most <= 4, "at most 4 attempts in any 3 s", &most);
    run.saw(Side::Path, format!("at most {most} in any 3 s"));
}

async fn up_06(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.results("primary"), vec!["target.status_5xx", "ok"], "the record");
    asked_again_after_a_pause(run).await;
}

/// Claims two attempts with the pause of F-041 between them.
async fn asked_again_after_a_pause(run: &mut Run) {
    let saw = run.primary_saw().await;
    run.must_be(saw.len(), 2, "P = 2");
    if let [first, second] = &saw[..] {
        let pause = between(first, second);
        run.timed(Side::Path, "pause", pause);
        run.must(pause >= Duration::from_millis(100), "a pause of at least 100 ms", &pause);
    }
}

async fn up_07(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    let first = run.primary_saw().await.len();
    run.must(first <= 2, "P ≤ 2 for the first request", &first);
    run.must_be(it.results("primary"), vec!["target.status_5xx"; first], "the record");
    let mut probes = 0;
    for _ in 0..3 {
        let later = run.ask().await;
        answered(run, &later, 1);
        let attempt = &later.record["attempts"][0];
        let probe = attempt["path"] == "primary" && attempt["probe"] == true;
        run.must(probe || later.reason() == "BREAKER_OPEN", "the reason of an open path, or a probe", &later.record);
        probes += usize::from(probe);
    }
    run.must(probes < 3, "the path opens", &probes);
    run.saw(Side::Record, "later: BREAKER_OPEN");
    let later = run.primary_saw().await.len();
    run.must_be(later, first + probes, "an open path sees probes only");
    let state = run.breaker().await;
    run.must(matches!(state.as_str(), "open" | "half_open"), "Open", &state);
    run.saw(Side::Path, "then no more than probes");
    let told = run.until(async || run.transitions().into_iter().next()).await.unwrap_or_default();
    run.must(told["from"] == 0 && told["to"] == 1, "a transition out", &told);
    run.must(told["rule"].is_string() && told["bad"].is_u64() && told["of"].is_u64(), "with rule and counts", &told);
    run.saw(Side::Record, format!("transition by {}, {} bad of {}", text(&told["rule"]), told["bad"], told["of"]));
}

fn text(it: &Value) -> &str {
    it.as_str().unwrap_or("?")
}

async fn up_08(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    let small = format!("{}-small", run.route);
    run.must_be(it.got.models(), vec![small.clone()], "`model` is that of the tier that answered");
    let mut other = run.chat(&small);
    let wanted = run.house.lower.say(&other).await.usage();
    run.must(wanted.is_object(), "the provider tells usage", &wanted);
    run.must_be(&it.got.usage(), &wanted, "`usage` is that of the tier that answered");
    other["stream"] = (!run.stream()).into();
    other["stream_options"] = if run.stream() { Value::Null } else { json!({"include_usage": true}) };
    let otherwise = run.house.lower.say(&other).await.usage();
    run.must_be(&otherwise, &wanted, "which it would tell in the other form as well");
    run.must_be(it.results("primary").len(), run.primary_saw().await.len(), "every attempt stands in the record");
    let attempts = it.record["attempts"].as_array().cloned().unwrap_or_default();
    let (answer, failed) = attempts.split_last().expect("an answer has an attempt");
    let cost = ["prompt_tokens", "completion_tokens"].map(|it| (&answer["usage"][it], &wanted[it]));
    run.must(cost.iter().all(|(told, wanted)| told == wanted), "what the answer cost", &cost);
    run.must(failed.iter().all(|it| it["usage"].is_null()), "failed attempts cost nothing", &failed);
    let tokens = (answer["usage"]["prompt_tokens"].clone(), answer["usage"]["completion_tokens"].clone());
    run.saw(Side::Record, format!("{} + {} tokens for the answer, none for what failed", tokens.0, tokens.1));
    run.saw(Side::Client, "`model` and `usage` of the lower tier, the same streamed and plain");
}

async fn up_10(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.results("primary"), vec!["target.reset", "ok"], "the record");
    run.must_be(run.primary_saw().await.len(), 2, "P = 2");
}

async fn up_15(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    run.timed(Side::Client, if run.stream() { "streamed after" } else { "plain after" }, it.got.took);
    let own = it.record["attempts"][1]["duration_us"].as_u64().unwrap_or(0);
    let (within, result) = match run.stream() {
        true => (Duration::from_millis(10_500) + Duration::from_micros(own), "target.first_token_timeout"),
        false => (Duration::from_secs(30), "target.total_timeout"),
    };
    run.in_time(&it, within);
    run.must_be(it.results("primary"), vec![result], "the record");
    left_and_not_asked_again(run).await;
}

/// Claims one attempt, which the gateway left before its end.
pub(super) async fn left_and_not_asked_again(run: &mut Run) {
    let left = async || Some(run.primary_saw().await).filter(|saw| saw.iter().all(|it| it.client_gone));
    let saw = run.until(left).await.unwrap_or_default();
    run.must(saw.len() == 1, "P = 1, and cancelled", &saw);
    if let [one] = &saw[..] {
        run.timed(Side::Path, "cancelled after", one.left_after().unwrap_or_default());
    }
}

async fn up_16(run: &mut Run) {
    let it = run.once().await;
    run.timed(Side::Client, if run.stream() { "streamed after" } else { "plain after" }, it.got.took);
    if run.stream() {
        answered(run, &it, 1);
        run.in_time(&it, Duration::from_secs(15));
        let silent = run.is("the head alone");
        let result = if silent { "target.first_token_timeout" } else { "target.keepalive_only" };
        run.must_be(it.results("primary"), vec![result], "the record");
        left_and_not_asked_again(run).await;
        let gone = run.primary_saw().await.first().and_then(|it| it.left_after()).unwrap_or_default();
        run.must(gone.as_millis().abs_diff(10_000) <= 500, "cancelled at 10 s", &gone);
        return;
    }
    answered(run, &it, 0);
    run.must((20.0..21.5).contains(&it.got.took.as_secs_f64()), "the primary's own answer at 20 s", &it.got.took);
    run.must_be(it.results("primary"), vec!["ok"], "the record");
    run.must_be(run.primary_saw().await.len(), 1, "P = 1");
}

async fn up_24(run: &mut Run) {
    let it = run.once().await;
    run.must_be(it.results("primary"), vec!["capability.context_exceeded"], "the record");
    run.must_be(run.primary_saw().await.len(), 1, "P = 1");
    if run.is("the same") {
        run.must_be(it.got.status, 400, "the same 400");
        run.must_be(it.got.error_code().as_deref(), Some("context_length_exceeded"), "its code");
        run.must_be(run.lower_saw().await.len(), 0, "no tier of the same size is called");
    } else {
        answered(run, &it, 1);
    }
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.saw(Side::Path, "breaker closed");
}

async fn up_25(run: &mut Run) {
    let it = run.once().await;
    run.must(it.got.status == 400 && it.got.is_error(), "the refusal, as an error", &it.got);
    run.must_be(it.got.error_code().as_deref(), Some("content_filter"), "its code");
    run.must_be(it.results("primary"), vec!["policy.content_filtered"], "the record");
    run.must_be(run.primary_saw().await.len(), 1, "P = 1");
    run.must_be(run.lower_saw().await.len(), 0, "no other tier is called");
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.saw(Side::Path, "L = 0, breaker closed");
}
