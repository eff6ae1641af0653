//! Which answers are kept, held against everything that an attempt can come to.

use std::{path::Path, sync::Arc};

use evenkeel_config as config;
use evenkeel_core::{
    Admit, Core, Features, Input, Operation, Output, Permille, RequestId, ResultCode as R, Revision, RouteId,
};
use http::HeaderMap;

use super::*;
use crate::protocol::openai::peek::peek_chat;

const CONFIG: &str = r#"
version: 1
upstreams: {u: {protocol: openai, url: "http://127.0.0.1:9/v1"}}
routes:
  chat:
    protocol: openai-chat
    cache: {max_entry: 1KiB}
    tiers:
      - {name: primary, openai: {upstream: u, model: large}, retries: 0}
      - {name: small, openai: {upstream: u, model: small}, retries: 0}
      - {name: default, fixed: {content: "Later."}}
"#;

fn revision() -> Arc<Revision> {
    config::load_text("e.yaml", CONFIG, Path::new(".")).deployment.expect("a good file").revision.clone()
}

/// What the core records of a request whose attempts end so, one after the other.
fn decided(results: &[R]) -> Decision {
    let mut core = Core::new(0, revision());
    let admit = Admit {
        request: RequestId(1),
        route: RouteId(0),
        operation: Operation::Chat,
        deadline: None,
        entropy: 0,
        cost: 1_000,
        weight: 1,
        needs: Features::NONE,
        wants: Default::default(),
        tokens: 0,
        max_tier: None,
        min_confidence: None,
        pure: true,
        private: false,
        bodies: Permille::new(0),
        spent: 0,
        imputed: Permille::new(0),
        rows: Default::default(),
        sequence: None,
        cache: Default::default(),
        verdict: Default::default(),
    };
    core.handle(0, Input::Admit(admit));
    let mut results = results.iter();
    loop {
        match core.poll().expect("it comes to an end") {
            Output::Start(start) => {
                let result = *results.next().expect("no more attempts than results");
                let event = evenkeel_core::Event::Ended { result, status: Some(200), after: None };
                core.handle(1, Input::Attempt { attempt: start.attempt, event });
            }
            Output::Decision(decision) => return *decision,
            _ => {}
        }
    }
}

fn cache(any_tier: bool) -> Cache {
    let spec = config::Cache {
        any_tier,
        keep: 1,
        memory: 64 << 10,
        max_entry: 1 << 10,
        vary: Vec::new(),
        contract: [0; 32],
        tiers: 16,
        semantic: None,
    };
    Cache::new(spec, super::super::Beside::default(), None)
}

/// What is kept of an answer for those who come later.
fn kept(any_tier: bool, decision: &Decision, body: &str) -> Result<Entry, Unkept> {
    let made = made(any_tier, decision, body);
    made.unkept.map_or_else(|| Ok((*made.shared.expect("it is kept")).clone()), Err)
}

fn made(any_tier: bool, decision: &Decision, body: &str) -> Made {
    made_of(any_tier, (decision, false), body)
}

fn made_of(any_tier: bool, (decision, of_documents): (&Decision, bool), body: &str) -> Made {
    let request = r#"{"model":"chat","messages":[{"role":"user","content":"x"}]}"#;
    let ask = Ask {
        question: Question::Chat(peek_chat(request.as_bytes()).expect("well-formed")),
        body: request.into(),
        headers: HeaderMap::new(),
        decision: String::new(),
        revision: String::new(),
        created: 0,
    };
    let body = Bytes::copy_from_slice(body.as_bytes());
    let envelope = Envelope::read(&body, |_, reader| reader.pass()).expect("an object");
    let given = Given { material: Material::Body(&body, &envelope, "large"), sure: None, of_documents };
    keep(&cache(any_tier), (decision, &ask), given, Timestamp::UNIX_EPOCH)
}

fn completion(reason: &str, content: &str) -> String {
    format!(
        r#"{{"id":"c","model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"{reason}"}}]}}"#
    )
}

#[test]
fn f_140_of_all_results_one_is_kept_and_a_lower_tiers_where_the_route_says_so() {
    let whole = completion("stop", "hi");
    for result in R::ALL {
        let decision = decided(&[*result, R::Ok]);
        let expected = match result {
            // Its free retry answers (F-043).
            R::Ok | R::Unsent => Ok(0),
            R::OkDoneMissing => Err(Unkept::DoneMissing),
            R::OkEventSkipped => Err(Unkept::EventSkipped),
            R::OkSlow => Err(Unkept::Slow),
            R::OkPart => Err(Unkept::InPart),
            _ if decision.outcome.tier == Some(1) => Err(Unkept::LowerTier),
            _ => Err(Unkept::NoAnswer),
        };
        assert_eq!(kept(false, &decision, &whole).map(|entry| entry.tier), expected, "{}", result.name());
        let any = if expected == Err(Unkept::LowerTier) { Ok(1) } else { expected };
        assert_eq!(kept(true, &decision, &whole).map(|entry| entry.tier), any, "from: any, {}", result.name());
    }
    let default = decided(&[R::Truncated, R::Truncated]);
    assert_eq!(default.outcome.tier, Some(2));
    assert_eq!(kept(true, &default, &whole).err(), Some(Unkept::NoAnswer), "a safe default is never kept");
}

#[test]
fn da_07_f_140_what_was_not_said_to_its_end_is_not_kept() {
    let decision = decided(&[R::Ok]);
    for (reason, expected) in [
        ("stop", None),
        ("tool_calls", None),
        ("length", Some(Unkept::FinishReason)),
        ("content_filter", Some(Unkept::FinishReason)),
        ("function_call", Some(Unkept::FinishReason)),
        ("something_new", Some(Unkept::FinishReason)),
    ] {
        assert_eq!(kept(false, &decision, &completion(reason, "hi")).err(), expected, "{reason}");
    }
    assert_eq!(kept(false, &decision, &completion("stop", &"x".repeat(1_000))).err(), Some(Unkept::TooLarge));
    assert_eq!(kept(false, &decision, r#"{"error":{"message":"no"}}"#).err(), Some(Unkept::Form));
    assert_eq!(kept(false, &decision, r#"{"choices":[]}"#).err(), Some(Unkept::Form));
}

#[test]
fn f_144_the_body_is_kept_and_who_said_it() {
    let unnamed = completion("stop", "hi").replace(r#""model":"m","#, "");
    let entry = kept(false, &decided(&[R::Ok]), &unnamed).expect("kept");
    let Said::Json(body) = entry.said else { panic!("a body") };
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&body["model"], body.get("evenkeel")), (&serde_json::json!("large"), None));
}

#[test]
fn each_reason_has_a_word_of_its_own() {
    let words: std::collections::BTreeSet<_> = Unkept::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(words.len(), Unkept::ALL.len());
}

#[test]
fn f_145_whole_answers_are_shared_also_where_they_are_not_kept() {
    let shares = |results: &[R], body: &str| made(false, &decided(results), body).shared.map(|entry| entry.tier);
    let whole = completion("stop", "hi");
    for (results, tier) in [
        (&[R::Ok][..], Some(0)),
        (&[R::OkDoneMissing], Some(0)),
        (&[R::OkSlow], Some(0)),
        (&[R::Truncated, R::Ok], Some(1)),
        (&[R::OkEventSkipped], None),
        (&[R::Truncated, R::Truncated], None),
        (&[R::ContentFiltered], None),
    ] {
        assert_eq!(shares(results, &whole), tier, "{results:?}");
    }
    assert_eq!(shares(&[R::Ok], &completion("length", "hi")), Some(0));
    assert_eq!(shares(&[R::Ok], r#"{"choices":[]}"#), None);
}

#[test]
fn keep_3_f_140_what_was_made_of_documents_is_for_those_who_ask_now_and_for_nobody_later() {
    for any_tier in [false, true] {
        let made = made_of(any_tier, (&decided(&[R::Ok]), true), &completion("stop", "The clinic opens at nine."));
        assert_eq!((made.shared.is_some(), made.unkept), (true, Some(Unkept::Documents)), "from: any is {any_tier}");
    }
}
