//! Retrieval: what it names besides its index.

use super::*;
use evenkeel_core::Where;

/// A route of documents with more in its braces, over an index that is there.
fn loaded(more: &str) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("index")).expect("made");
    std::fs::write(folder.path().join("index/index.json"), "{}").expect("written");
    load_text("evenkeel.yaml", &text(more), folder.path())
}

fn text(more: &str) -> String {
    format!(
        "version: 1\nupstreams:\n  own: {{protocol: openai, url: \"http://127.0.0.1:1/v1\"}}\nroutes:\n  chat:\n    \
         protocol: openai-chat\n    tiers:\n      - {{name: documents, retrieval: {{index: index{more}}}}}\n      \
         - {{name: default, fixed: {{content: \"Later.\"}}}}\n"
    )
}

fn told(more: &str) -> Vec<&'static str> {
    loaded(more).diagnostics.iter().map(|it| it.code).collect()
}

#[test]
fn an_upstream_that_embeds_or_answers_with_passages_is_used_and_must_be_there() {
    assert_eq!(told(""), ["unused"]);
    for key in ["embeddings", "augment"] {
        assert_eq!(told(&format!(", {key}: {{upstream: own, model: m}}")), [""; 0], "{key}");
        assert_eq!(told(&format!(", {key}: {{upstream: other, model: m}}")), ["unknown-upstream"], "{key}");
        assert_eq!(told(&format!(", {key}: {{upstream: own, model: \"\"}}")).len(), 1, "{key}");
    }
}

#[test]
fn documents_before_a_model_are_a_path_to_its_upstream_and_others_are_in_this_process() {
    let place = |more: &str| loaded(more).deployment.expect("it compiles").revision.paths[0].place;
    assert!(matches!(place(", augment: {upstream: own, model: m}"), Where::Remote(_)));
    assert!(matches!(place(", embeddings: {upstream: own, model: m}"), Where::Local));
    let kind = |more: &str| loaded(more).deployment.expect("it compiles").paths[0].kind.clone();
    let timeout = |more: &str| match kind(more) {
        Kind::Retrieval(it) => it.embeddings.map(|it| it.timeout),
        other => panic!("{other:?}"),
    };
    assert_eq!(timeout(", embeddings: {upstream: own, model: m}"), Some(300_000_000));
    assert_eq!(timeout(", embeddings: {upstream: own, model: m, timeout: 1s}"), Some(1_000_000_000));
}

#[test]
fn f_036_f_044_f_080_a_model_that_answers_by_passages_is_weighed_with_them() {
    let added = |more: &str| {
        let added = loaded(more).deployment.expect("it compiles").revision.paths[0].added;
        (added.least, added.most)
    };
    assert_eq!(added(", augment: {upstream: own, model: m}"), (30, 1_420));
    assert_eq!(added(", embeddings: {upstream: own, model: m}"), (0, 0), "what is quoted is asked of nobody");
}

#[test]
fn whoever_has_no_index_is_told_what_makes_one() {
    let found = load(&text(", threads: 2")).diagnostics;
    let missing = found.iter().find(|it| it.code == "missing-file").expect("it is not there");
    assert!(format!("{missing:?}").contains("evenkeel index build"), "{missing:?}");
}
