//! What makes two requests the same, and what does not.

use evenkeel_config as config;
use http::HeaderMap;

use super::*;
use crate::{
    protocol::{front::Front, openai::peek::peek_chat},
    tensor::{Count, Form, Input, Tensor, Wanted},
};

fn cache(vary: &[&str], contract: u8) -> config::Cache {
    config::Cache {
        any_tier: false,
        keep: 1,
        memory: 1 << 20,
        max_entry: 1 << 10,
        vary: vary.iter().map(|it| (*it).into()).collect(),
        contract: [contract; 32],
        tiers: 16,
        semantic: None,
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().expect("a value"));
    }
    headers
}

fn chat_of(route: &str, cache: &config::Cache, sent: &[(&'static str, &'static str)], body: &str) -> Key {
    let question = Question::Chat(peek_chat(body.as_bytes()).expect("well-formed"));
    let headers = headers(sent);
    Key::of(Scope { route, cache, headers: &headers }, &question, body.as_bytes()).expect("understood")
}

fn chat(body: &str) -> Key {
    chat_of("r", &cache(&[], 0), &[], body)
}

#[test]
fn f_141_how_a_request_is_written_makes_no_difference() {
    let plain = chat(r#"{"model":"r","messages":[{"role":"user","content":"é"}],"temperature":0.5}"#);
    for same in [
        r#"{ "temperature": 0.5 ,"messages":[ {"content":"\u00e9","role":"user"} ], "model":"r"}"#,
        r#"{"model":"r","messages":[{"role":"user","content":"é"}],"temperature":0.5,"stream":false}"#,
        r#"{"model":"r","messages":[{"role":"user","content":"é"}],"temperature":0.5,"stream":true,"stream_options":{"include_usage":true}}"#,
    ] {
        assert_eq!(chat(same), plain, "{same}");
    }
}

#[test]
fn f_141_whatever_is_asked_makes_a_difference() {
    let with = |more: &str| chat(&format!(r#"{{"model":"r","messages":[{{"role":"user","content":"x"}}]{more}}}"#));
    let others = [
        "",
        r#","temperature":0"#,
        r#","temperature":1"#,
        r#","top_p":1"#,
        r#","seed":7"#,
        r#","n":2"#,
        r#","max_tokens":5"#,
        r#","max_completion_tokens":5"#,
        r#","stop":["a","b"]"#,
        r#","stop":["b","a"]"#,
        r#","stop":["ab"]"#,
        r#","logit_bias":{"1":2}"#,
        r#","tools":[{"type":"function","function":{"name":"f"}}]"#,
        r#","response_format":{"type":"json_object"}"#,
        r#","user":"anna""#,
        r#","metadata":{"a":"b"}"#,
        r#","metadata":{"a":{"b":null}}"#,
        r#","reasoning_effort":"low""#,
        r#","vendor_key":[[],{}]"#,
        r#","vendor_key":[[{}]]"#,
    ];
    let keys: std::collections::BTreeSet<_> = others.iter().map(|more| with(more)).collect();
    assert_eq!(keys.len(), others.len());
    let said = |content: &str| chat(&format!(r#"{{"model":"r","messages":[{{"role":"user","content":{content}}}]}}"#));
    assert_ne!(said(r#""x","name":"y""#), said(r#""x\",\"name\":\"y""#), "KEY-1");
    assert_ne!(said("null"), said(r#""null""#));
}

#[test]
fn da_08_f_141_no_two_scopes_share_an_answer() {
    let body = r#"{"model":"r","messages":[{}]}"#;
    let plain = cache(&[], 0);
    let tenants = cache(&["x-tenant"], 0);
    let scopes = [
        chat_of("r", &plain, &[], body),
        chat_of("q", &plain, &[], body),
        chat_of("r", &cache(&[], 1), &[], body),
        chat_of("r", &plain, &[("authorization", "Bearer a")], body),
        chat_of("r", &plain, &[("authorization", "Bearer b")], body),
        chat_of("r", &plain, &[("authorization", "")], body),
        chat_of("r", &plain, &[("authorization", "Bearer a"), ("authorization", "Bearer b")], body),
        chat_of("r", &plain, &[("authorization", "Bearer aauthorizationBearer b")], body),
        chat_of("r", &plain, &[("x-api-key", "Bearer a")], body),
        chat_of("r", &plain, &[("api-key", "Bearer a")], body),
        chat_of("r", &plain, &[("cookie", "a=b")], body),
        chat_of("r", &plain, &[("openai-organization", "o")], body),
        chat_of("r", &plain, &[("openai-project", "o")], body),
        chat_of("r", &plain, &[("evenkeel-residency", "o")], body),
        chat_of("r", &plain, &[("evenkeel-language", "o")], body),
        chat_of("r", &tenants, &[], body),
        chat_of("r", &tenants, &[("x-tenant", "a")], body),
        chat_of("r", &tenants, &[("x-tenant", "b")], body),
        chat_of("r", &tenants, &[("x-tenant", "a"), ("authorization", "Bearer a")], body),
    ];
    let keys: std::collections::BTreeSet<_> = scopes.iter().collect();
    assert_eq!(keys.len(), scopes.len());
    assert_eq!(
        chat_of("r", &plain, &[("x-tenant", "a"), ("user-agent", "u")], body),
        scopes[0],
        "it does not count here"
    );
}

#[test]
fn f_141_tensors_are_the_same_in_every_dialect() {
    let input = |name: &str, values: &[f32]| Input {
        tensor: Tensor::from_f32(name, vec![values.len() as u64], values).expect("it fits"),
        parameters: Parameters::new(),
        extra: Vec::new(),
    };
    let infer = |inputs: Vec<Input>, form, id: Option<&str>| Infer {
        id: id.map(Into::into),
        parameters: Parameters::new(),
        inputs,
        outputs: Vec::new(),
        form,
        extra: Vec::new(),
        count: Count::default(),
    };
    let key = |infer: Infer| {
        let turn = None;
        let inference = Inference { infer, version: "1".into(), front: Front::Oip, enriched: None, turn };
        let (cache, headers) = (cache(&[], 0), HeaderMap::new());
        let scope = Scope { route: "r", cache: &cache, headers: &headers };
        Key::of(scope, &Question::Infer(inference), b"").expect("understood")
    };
    let both = || vec![input("a", &[1.0]), input("b", &[2.0])];
    let plain = key(infer(both(), Form::Text, None));
    assert_eq!(key(infer(both().into_iter().rev().collect(), Form::Bytes, Some("id"))), plain);
    let wanted =
        Wanted { name: "y".into(), binary: None, classes: None, parameters: Parameters::new(), extra: Vec::new() };
    let with = |wanted: Wanted| key(Infer { outputs: vec![wanted], ..infer(both(), Form::Text, None) });
    let others = [
        plain,
        key(infer(vec![input("a", &[1.0]), input("b", &[3.0])], Form::Text, None)),
        key(infer(vec![input("a", &[1.0, 2.0])], Form::Text, None)),
        key(infer(vec![input("b", &[1.0]), input("a", &[2.0])], Form::Text, None)),
        with(wanted.clone()),
        with(Wanted { classes: Some(0), ..wanted.clone() }),
        with(Wanted { classes: Some(3), ..wanted }),
        key(Infer { parameters: vec![("a".into(), Parameter::Int(1))], ..infer(both(), Form::Text, None) }),
        key(Infer { parameters: vec![("a".into(), Parameter::Float(1.0))], ..infer(both(), Form::Text, None) }),
    ];
    let keys: std::collections::BTreeSet<_> = others.iter().collect();
    assert_eq!(keys.len(), others.len());
}

fn apart_of(
    route: &str,
    cache: &config::Cache,
    sent: &[(&'static str, &'static str)],
    body: &str,
) -> Option<(Key, String)> {
    let headers = headers(sent);
    Key::apart(Scope { route, cache, headers: &headers }, ["u", "m"], body.as_bytes())
}

#[test]
fn f_147_only_the_words_of_the_last_message_may_differ() {
    let apart = |body: &str| apart_of("r", &cache(&[], 0), &[], body);
    let last = r#"{"model":"r","messages":[{"role":"system","content":"s"},{"role":"user","content":"one"}]}"#;
    let (scope, question) = apart(last).expect("a question");
    assert_eq!(question, "one");
    for same in [
        r#"{"messages":[{"content":"s","role":"system"},{"content":"tw\u006f","role":"user"}],"model":"r"}"#,
        r#"{"model":"r","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"two"}]}],"stream":true}"#,
    ] {
        assert_eq!(apart(same), Some((scope, "two".into())), "{same}");
    }
    let with = |more: &str| last.replacen('{', &format!("{{{more},"), 1);
    let mut others = vec![scope];
    for other in [
        last.replace(r#""s""#, r#""t""#),
        last.replace(r#""system""#, r#""developer""#),
        last.replace(r#"{"role":"system","content":"s"},"#, ""),
        last.replace(r#"{"role":"system""#, r#"{"role":"user","content":"x"},{"role":"system""#),
        last.replace(r#""content":"one""#, r#""content":"one","name":"anna""#),
        with(r#""temperature":0"#),
        with(r#""top_p":1"#),
        with(r#""seed":7"#),
        with(r#""n":2"#),
        with(r#""max_tokens":5"#),
        with(r#""stop":["a"]"#),
        with(r#""tools":[{"type":"function","function":{"name":"f"}}]"#),
        with(r#""response_format":{"type":"json_object"}"#),
        with(r#""user":"anna""#),
        with(r#""metadata":{"a":"b"}"#),
        with(r#""vendor_key":[{}]"#),
    ] {
        let (scope, question) = apart(&other).expect(&other);
        assert_eq!(question, "one", "{other}");
        assert!(!others.contains(&scope), "APART-1: {other}");
        others.push(scope);
    }
    for none in [
        r#"{"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"two"}]}"#,
        r#"{"messages":[{"role":"tool","content":"one"}]}"#,
        r#"{"messages":[{"role":"user","content":" "}]}"#,
        r#"{"messages":[{"role":"user","content":null}]}"#,
        r#"{"messages":[{"role":"user"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#,
        r#"{"messages":[{"role":"user","content":"a","content":"b"}]}"#,
        r#"{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}"#,
        r#"{"messages":[]}"#,
        r#"{"messages":"one"}"#,
        r#"{}"#,
        "[]",
    ] {
        assert_eq!(apart(none), None, "{none}");
    }
    let long = |bytes: usize| format!(r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(bytes));
    assert!(apart(&long(1_024)).is_some() && apart(&long(1_025)).is_none());
}

#[test]
fn da_08_f_141_f_147_no_two_clients_are_in_one_scope() {
    let body = r#"{"messages":[{"role":"user","content":"one"}]}"#;
    let (plain, tenants) = (cache(&[], 0), cache(&["x-tenant"], 0));
    let headers = headers(&[]);
    let scope = Scope { route: "r", cache: &plain, headers: &headers };
    let scopes = [
        apart_of("r", &plain, &[], body),
        apart_of("q", &plain, &[], body),
        apart_of("r", &cache(&[], 1), &[], body),
        apart_of("r", &plain, &[("authorization", "Bearer a")], body),
        apart_of("r", &plain, &[("authorization", "Bearer b")], body),
        apart_of("r", &plain, &[("x-api-key", "Bearer a")], body),
        apart_of("r", &plain, &[("cookie", "a=b")], body),
        apart_of("r", &plain, &[("openai-project", "o")], body),
        apart_of("r", &plain, &[("evenkeel-residency", "o")], body),
        apart_of("r", &tenants, &[], body),
        apart_of("r", &tenants, &[("x-tenant", "a")], body),
        apart_of("r", &tenants, &[("x-tenant", "b")], body),
        Key::apart(scope, ["u", "n"], body.as_bytes()),
        Key::apart(scope, ["v", "m"], body.as_bytes()),
    ];
    let scopes: std::collections::BTreeSet<_> = scopes.into_iter().map(|it| it.expect("a question").0).collect();
    assert_eq!(scopes.len(), 14);
}
