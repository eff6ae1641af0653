//! UP: a provider that says no: for its quota, our credential, the model, or what is asked for.

use std::time::Duration;

use serde_json::json;

use super::{asked, at_once, first_result};
use crate::{
    provider::between,
    row::{Forms::Both, PLAIN, Row, SHORT, Setting, Variant, act},
    rows::upstream_starred::answered,
    run::{Run, Side},
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
            Variant::named("tools (declared)", "{fault: status, status: 503}", LACKS_DECLARED),
            Variant::named("a JSON schema (declared)", "{fault: status, status: 503}", LACKS_DECLARED),
            Variant::named("images (declared)", "{fault: status, status: 503}", LACKS_DECLARED),
            Variant::named("tools (not declared)", "{fault: status, status: 503}", LACKS),
            Variant::named("a JSON schema (not declared)", "{fault: status, status: 503}", LACKS),
            Variant::named("images (not declared)", "{fault: status, status: 503}", LACKS),
        ],
        act!(up_26),
    ),
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

/// A primary on an upstream of its own: a credential is gated for all that use it.
const OWN_UPSTREAM: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: MODEL, model: MODEL}}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A lower tier that says that it knows no tools, no schemas and no images.
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

async fn up_03(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    at_once(run, &it);
    first_result(run, &it, "capacity.rate_limited");
    let mut longest = Duration::ZERO;
    for _ in 0..6 {
        let later = run.ask().await;
        answered(run, &later, 1);
        longest = longest.max(later.compared("gate_closed_ns").unwrap_or_default());
        // Clients go on for three seconds, so that a gate of one or two is over before the last of them.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let saw = run.primary_saw().await;
    let least = saw.windows(2).map(|pair| between(&pair[0], &pair[1])).min();
    let gated = match run.which.variant.name {
        // The cap is 300 s.
        "10⁹ s" => saw.len() == 1 && (Duration::from_secs(290)..=Duration::from_secs(300)).contains(&longest),
        "no header" | "garbage" | "negative" => least.is_none_or(|it| it >= Duration::from_secs(1)),
        // A past date is 0 s: one more attempt after no time at all, and then it is left alone as if it had named none.
        _ => saw.windows(2).skip(1).all(|pair| between(&pair[0], &pair[1]) >= Duration::from_secs(1)),
    };
    run.must(gated, "a gate that is never shortened", &(saw.len(), least, longest));
    if run.is("10⁹ s") {
        run.timed(Side::Record, "10⁹ s: gated for", longest);
    }
    run.saw(Side::Path, if saw.len() == 1 { "not asked again for 3 s" } else { "asked again after the gate" });
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
    let later = run.ask().await;
    answered(run, &later, 1);
    run.must_be(later.reason(), "CAPACITY_DOMAIN_LIMITED", "a gate");
    let left = later.compared("gate_closed_ns").unwrap_or_default();
    run.must(left > Duration::from_secs(30), "a long gate", &left);
    run.timed(Side::Record, "gated for", left);
    asked(run, 1).await;
    run.saw(Side::Path, "then gated");
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
    let left = later.compared("credential_gate_closed_ns").unwrap_or_default();
    run.must((Duration::from_secs(50)..=Duration::from_secs(60)).contains(&left), "for 60 s", &left);
    run.timed(Side::Record, "gated for", left);
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
    let (what, known) = run.which.variant.name.split_once(" (").expect("what is lacked, and how it is known");
    let mut body = run.chat(&run.route);
    match what {
        "tools" => {
            let function = json!({"name": "look", "parameters": {"type": "object"}});
            body["tools"] = json!([{"type": "function", "function": function}]);
        }
        "a JSON schema" => {
            let schema = json!({"name": "word", "schema": {"type": "object"}});
            body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
        }
        _ => {
            let image = json!({"url": "data:image/png;base64,iVBORw0KGgo="});
            body["messages"][0]["content"] = json!([{"type": "image_url", "image_url": image}]);
        }
    }
    let it = run.ask_with(&body, &[]).await;
    run.describe(&it).await;
    answered(run, &it, 2);
    let calls = run.house.lower.saw(&lacks).await.len();
    let skipped = it.record["candidates"][1]["reasons"].to_string();
    if known == "declared)" {
        run.must_be(calls, 0, "a tier that says what it lacks is not called");
        run.must(skipped.contains("CAPABILITY_MISSING"), "its reason", &it.record["candidates"]);
        run.saw(Side::Record, "skipped: CAPABILITY_MISSING");
    } else {
        run.must_be(calls, 1, "a tier that does not say so is called");
        run.must_be(it.results("lacks"), vec!["capability.unsupported_feature"], "its result");
    }
}
