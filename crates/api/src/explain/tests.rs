//! Records in words: each code has some, and the same record has the same.

use evenkeel_core::{Reason, ResultCode, Signal};
use serde_json::json;

use super::*;
use crate::decision::Input;

#[test]
fn g_113_every_reason_and_every_result_has_words() {
    for reason in Reason::ALL {
        assert!(
            !tiers::reason(reason.name()).is_empty() && tiers::reason(reason.name()) != "a reason of a later version"
        );
    }
    for result in ResultCode::ALL {
        assert_ne!(results::words(result.name()), result.name(), "it has no words");
    }
    assert_eq!(results::TABLE.len(), ResultCode::ALL.len(), "and none is there for nothing");
}

#[test]
fn g_113_every_signal_has_words() {
    let words = |signal: &str, breached: bool| {
        let [of, value, op, threshold] = ["small", "7", ">", "9"].map(str::to_owned);
        let signal = signal.to_owned();
        signals::words(&Input { signal, of, value, op, threshold, breached, lacks: Vec::new(), again: false })
    };
    for (signal, breached) in Signal::ALL.iter().flat_map(|it| [(it.name(), false), (it.name(), true)]) {
        let told = words(signal, breached);
        assert!(!told.starts_with(&format!("{signal} was")), "it has no words: {told}");
    }
    let later = words("a_signal_of_later", true);
    assert!(later.starts_with("a_signal_of_later was 7"), "what has none is told by its name: {later}");
}

/// A record in which much has happened.
fn record() -> Decision {
    let input = |signal: &str, of: &str, value: &str, op: &str, threshold: &str, breached: bool| json!({"signal": signal, "of": of, "value": value, "op": op, "threshold": threshold, "breached": breached});
    let candidate = |tier: u8, method: &str, path: &str, verdict: &str, reasons: &[&str]| json!({"tier": tier, "method": method, "path": path, "verdict": verdict, "reasons": reasons});
    let attempt = |path: &str, result: &str| {
        json!({"path": path, "replica": 0, "start_us": 310, "duration_us": 36_000, "first_content_us": null, "result": result, "status": 500,
               "probe": false, "role": "answer", "sent": false})
    };
    let mut rules = attempt("rules", "ok");
    rules["status"] = json!(null);
    rules["rules"] =
        json!([{"rule": "high", "rows": 2}, {"rule": null, "failed": "low", "rows": 1}, {"rule": null, "rows": 1}]);
    rules["rows"] = json!({"asked": 4, "kept": 4});
    let mut member = attempt("panel/0", "quality.quorum_not_reached");
    member["status"] = json!(null);
    member["vote"] = json!({"weight_millionths": 2_197_225, "rows": 1, "agreed": 0, "class": 1});
    member["model"] = json!({"sha256": "00ff", "signed_by": "77aa"});
    member["calibration"] = json!({"map": "sha256:3c", "to": "primary", "match": "mean", "as_of": "2026-11-22T23:00:00Z",
                                   "outputs": {"score": {"n": 1_200, "shape": "isotonic"}}});
    let mut documents = attempt("documents", "quality.retrieval_below_score");
    documents["status"] = json!(null);
    documents["documents"] = json!([{"id": "refunds", "confidence_permille": 481},
        {"id": "returns", "confidence_permille": 480, "window": "cut"}, {"id": "orders", "confidence_permille": 479, "window": "left_out"}]);
    documents["embedder"] = json!("target.connect_failed");
    let posted = |name: &str, step: usize, part: Option<&str>, changes: u64, failed: bool| json!({"path": "rules", "step": step, "name": name, "output": "score", "part": part, "changes": changes, "failed": failed});
    serde_json::from_value(json!({
        "schema": "evenkeel.decision/v1", "id": "01KB7Q4Z8E3W5T0N6R2D9C1XAF", "time": "2026-11-23T08:51:07.412Z", "trace": null,
        "route": "fraud", "protocol": "oip", "operation": "infer", "revision": "sha256:9b1c0f3e5566", "core_version": "0.1.0",
        "phase": "degraded", "episode": "ep-0007", "deadline_ms": 300,
        "enrichment": {"upstream": "feast", "result": "target.total_timeout", "duration_us": 50_120, "imputed": [
            {"feature": "txn_7d", "from": "last_known", "rows": 1, "age_ms": 3_600_000}, {"feature": "age", "from": "default", "rows": 4}]},
        "inputs": [
            {"signal": "features_missing", "of": "vision", "value": "9", "op": ">", "threshold": "0", "breached": true, "lacks": ["tools", "image"]},
            {"signal": "regions_barred", "of": "vision", "value": "2", "op": ">", "threshold": "0", "breached": true, "lacks": ["us"]},
            input("languages_missing", "vision", "0", ">", "0", false),
            input("time_left_ns", "primary", "249880000", "<", "5000000", false),
            input("breaker_open_ns", "primary", "0", ">", "0", false),
            input("a_signal_of_later", "primary", "7", ">", "9", false),
        ],
        "candidates": [
            candidate(0, "primary", "primary", "rejected", &["UPSTREAM_5XX"]),
            candidate(1, "distilled", "vision", "skipped", &["CAPABILITY_MISSING"]),
            candidate(2, "rules", "rules", "selected", &["NEXT_ELIGIBLE_TIER"]),
            candidate(3, "default", "default", "skipped", &["LOWER_PREFERENCE", "A_CODE_OF_LATER"]),
        ],
        "attempts": [attempt("primary", "target.status_5xx"), member, documents, rules],
        "votes": {"calibration": "sha256:5e", "as_of": "2026-11-22T23:00:00Z", "n": 2_000, "share_permille": 913, "confidence_permille": 846},
        "cache": {"status": "refused", "age_ms": 61_000, "written": "lower_tier"},
        "post": [posted("clamp", 0, None, 1, false), posted("redact", 1, Some("email"), 2, false), posted("allow", 2, None, 0, true)],
        "outcome": {"tier": 2, "method": "rules", "path": "rules", "degraded": true, "end": "answered", "status": 200, "latency_us": 42_050},
        "reason": "UPSTREAM_5XX", "explanation": "Answered by tier 2 (rules, rules): server error.",
    }))
    .expect("a record")
}

const WORDS: &str = "\
Decision 01KB7Q4Z8E3W5T0N6R2D9C1XAF
Route fraud (oip), infer, revision sha256:9b1c0f3e5566, 2026-11-23T08:51:07.412Z
Answered by tier 2 (rules, rules): server error.
Status 200 after 42.0 ms of the 300 ms that there were.
The route was degraded when the request came (ep-0007).

What was fetched before
  feast failed (target.total_timeout), 50.1 ms.
    txn_7d: the last known value stands in in 1 row, 3600000 ms old.
    age: the default stands in in 4 rows.

What was kept of earlier answers
  There was an earlier answer, 61000 ms old, older than the client takes.
  This answer is not kept: it is of a tier whose answers are not kept (lower_tier).

The tiers, in order
  Tier 0, primary (primary) was left for what spoke against it.
    UPSTREAM_5XX: server error.
    249.8 ms were left, and it wants 5.0 ms (nothing against it).
    its breaker lets a probe through in 0.0 ms (nothing against it).
    a_signal_of_later was 7, and > 9 is too much (nothing against it).
  Tier 1, vision (distilled) was not asked, for a reason that lies in the request.
    CAPABILITY_MISSING: context, tools or parameter.
    it lacks what the request needs: tools, image (against it).
    the request may not go to: us (against it).
    it understands the language of the request (nothing against it).
  Tier 2, rules (rules) answered.
    NEXT_ELIGIBLE_TIER: first in order with nothing against it.
  Tier 3, default (default) was not asked, for a reason that lies in the request.
    LOWER_PREFERENCE: an earlier one answered.
    A_CODE_OF_LATER: a reason of a later version.

What was asked
  1. primary: after 0.3 ms, for 36.0 ms: the server had an error (target.status_5xx, status 500).
  2. panel/0: after 0.3 ms, for 36.0 ms: it answered, and too few others of its ensemble did (quality.quorum_not_reached).
    It voted on 1 row, with 2197225 millionths, and 0 were answered so.
    What it said came in place 1 behind what was answered.
    The file of its model is sha256:00ff, signed by 77aa.
    Its scores were brought to the scale of primary by the map sha256:3c, of 2026-11-22T23:00:00Z: `score` by 1200 rows.
  3. documents: after 0.3 ms, for 36.0 ms: no document fits well enough (quality.retrieval_below_score).
    It searched by words alone: what the question means was not told (target.connect_failed).
    Document refunds fits with a confidence of 0.481.
    Document returns fits with a confidence of 0.480; the window of the model has room for its beginning alone.
    Document orders fits with a confidence of 0.479; the window of the model has no room for it.
  4. rules: after 0.3 ms, for 36.0 ms: it answered (ok).
    It was asked for 4 rows, of which 4 were kept.
    Rule `high` answered 2 rows.
    `otherwise` answered 1 row: rule `low` could not be computed.
    `otherwise` answered 1 row: no rule held.
  The winner had 91.3 % of the votes where that says least; of 2000 such votes 84.6 % were right (by sha256:5e, of 2026-11-22T23:00:00Z).

What was done to the answer
  rules: `post[0].clamp` of `score` brought 1 number within bounds.
  rules: `post[1].redact` of `score` hid 2 places: email.
  rules: `post[2].allow` of `score` did not let the answer pass.
";

#[test]
fn g_113_the_same_record_has_the_same_words() {
    assert_eq!(explain(&record()).to_string(), WORDS);
}

#[test]
fn a_share_of_which_nobody_knows_what_it_means_is_said_to_be_one() {
    let mut it = record();
    it.votes.iter_mut().for_each(|it| it.confidence_permille = None);
    assert!(explain(&it).to_string().contains("how often such a vote is right is not known (by sha256:5e"));
}

#[test]
fn what_a_record_has_nothing_of_is_left_out() {
    let plain = Decision {
        enrichment: None,
        judged: None,
        guards: Vec::new(),
        cache: None,
        attempts: Vec::new(),
        votes: None,
        post: Vec::new(),
        episode: None,
        phase: "normal".into(),
        ..record()
    };
    let titles: Vec<_> = explain(&plain).sections.iter().map(|it| it.title).collect();
    assert_eq!(titles, ["", "The tiers, in order"]);
}

#[test]
fn what_a_text_means_is_told_or_why_nobody_said_it() {
    let told = |guard: serde_json::Value| {
        let mut guard = guard;
        let of = guard.as_object_mut().expect("an object");
        of.extend([("guard".to_owned(), json!("distance")), ("threshold".to_owned(), json!("0.001000"))]);
        let judged = serde_json::from_value(json!({"reference": "sha256:5e", "rows": 1, "of": 1})).expect("a record");
        let guards = vec![serde_json::from_value(guard).expect("a record")];
        super::guards::lines(&Decision { judged: Some(judged), guards, ..record() })[1..].join("\n")
    };
    let far = json!({"value": "0.000100", "breached": true, "start_at": "rules", "embedder": "ok", "nearest": "7f/12"});
    assert_eq!(
        told(far),
        "distance: p of what it means was 0.000100, and 0.001000 or less is far (in breach; such a request starts at rules).\n  \
         the nearest row of the reference is 7f/12"
    );
    for (ended, why) in [
        ("answered_first", "the answer was there before anybody had said what it means"),
        ("not_allowed", "the request may not go to who says what it means"),
        ("other_length", "its vector has another length than those of the reference"),
        ("target.total_timeout", "nobody said what it means (target.total_timeout)"),
        ("word_of_later", "nobody said what it means (word_of_later)"),
    ] {
        let unsaid = json!({"value": null, "breached": false, "embedder": ended});
        assert_eq!(told(unsaid), format!("distance: could not be measured: {why}."));
    }
}

#[test]
fn f_147_an_answer_to_other_words_is_told_as_one() {
    let told = |cache: serde_json::Value| {
        let it = Decision { cache: Some(serde_json::from_value(cache).expect("a record")), ..record() };
        super::cache::lines(&it)
    };
    let given = json!({"status": "similar", "age_ms": 88_000, "similarity_permille": 962, "first": "01KB7Q", "searched": "found"});
    assert_eq!(
        told(given),
        [
            "An earlier answer to the same question in other words was given, near by 96.2 %, 88000 ms old; it was first given by decision 01KB7Q."
        ]
    );
    for (searched, words) in [
        ("found", "the nearest is not near enough, or too old"),
        ("otherwise", "those that are near differ in a number, a name, a quotation or a negation"),
        ("slow", "who says what the question means took too long"),
        ("word_of_later", "word_of_later"),
    ] {
        let lines = told(json!({"status": "miss", "searched": searched}));
        assert_eq!(lines[1], format!("An answer to other words was looked for: {words}."));
    }
    for signal in ["similarity_permille", "similar_fresh_permille", "similar_age_ns", "similar_fresh_age_ns"] {
        let input = json!({"signal": signal, "of": "earlier", "value": "962", "op": "<", "threshold": "950", "breached": false});
        let words = super::signals::words(&serde_json::from_value(input).expect("an input"));
        assert!(!words.contains(signal), "{words}");
    }
}

#[test]
fn f_142_an_earlier_answer_is_said_to_be_as_likely_right_as_it_was() {
    let mut it = record();
    it.cache.iter_mut().for_each(|it| it.status = "fresh".into());
    let said = "right as when it was first given: 0.846, by 2000 votes of 2026-11-22T23:00:00Z.";
    assert!(!explain(&it).to_string().contains("first given"), "nothing was told");
    let told = json!({"kind": "votes", "value": "0.846", "n": 2_000, "as_of": "2026-11-22T23:00:00Z"});
    it.outcome.confidence = Some(serde_json::from_value(told).expect("a confidence"));
    assert!(explain(&it).to_string().contains(said), "{}", explain(&it));
}
