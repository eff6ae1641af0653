//! Rows that are looked at, of every kind of output.

use bytes::Bytes;
use http::HeaderMap;

use super::*;
use evenkeel_core::ResultCode;

use crate::{
    path::{Notes, Pieces, Ruled},
    protocol::front::Front,
    tensor::Form,
};

fn accept(confidence: &str) -> Accept {
    let text = format!(
        "version: 1\nupstreams: {{u: {{protocol: oip, url: \"http://127.0.0.1:1\"}}}}\nroutes:\n  r:\n    protocol: oip\n    output:\n      \
         tensors:\n        score: {{datatype: FP32}}\n        p: {{datatype: FP32, shape: [-1, 3]}}\n        n: {{datatype: UINT64, \
         shape: [-1, 2]}}\n        sure: {{datatype: BOOL}}\n        action: {{datatype: BYTES, shape: [-1, 2]}}\n    tiers:\n      - {{name: \
         t, oip: {{upstream: u, model: m}}, accept: {{confidence: \"{confidence}\", at_least: 0.5}}}}\n"
    );
    let loaded = evenkeel_config::load_text("evenkeel.yaml", &text, std::path::Path::new("."));
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{confidence}: {:#?}", loaded.diagnostics));
    deployment.paths[0].accept.clone().expect("it stands there")
}

async fn check(confidence: &str, tensors: Vec<Tensor>, expected: &[usize]) {
    let looked = looked(&InferAnswer::of(tensors), &accept(confidence)).await;
    let found: Vec<usize> = (0..).zip(&looked).filter(|(_, it)| !it.accepted).map(|(row, _)| row).collect();
    assert_eq!(found, expected, "{confidence}");
}

#[tokio::test]
async fn oip_35_a_row_is_looked_at_by_what_its_model_says_of_it() {
    let score = |values: &[f32]| Tensor::from_f32("score", vec![values.len() as u64], values).expect("it fits");
    check("outputs.score", vec![score(&[0.4, 0.5, f32::NAN, 0.9])], &[0, 2]).await;
    check("outputs.score", vec![score(&[])], &[]).await;
    check("outputs.score", vec![], &[]).await;

    let p = [0.2, 0.3, 0.5, 0.4, 0.3, 0.3, 0.9, f32::NAN, 0.1];
    let p = || Tensor::from_f32("p", vec![3, 3], &p).expect("it fits");
    check("max(outputs.p)", vec![p()], &[1, 2]).await;
    check("min(outputs.p) + 0.25", vec![p()], &[0, 2]).await;
    check("outputs.p[0]", vec![p()], &[0, 1]).await;

    let flags = Tensor::from_bools("sure", vec![2], &[true, false]).expect("it fits");
    check("outputs.sure ? 1.0 : 0.0", vec![flags], &[1]).await;
    let texts =
        Tensor::from_bytes("action", vec![3, 2], &[&b"a"[..], b"x", b"b", b"x", b"c", b"\xFF"]).expect("it fits");
    check("outputs.action[1] == 'x' && outputs.action[0] != 'b' ? 1.0 : 0.0", vec![texts], &[1, 2]).await;
    let bytes = [1, 2, u64::MAX, 0].iter().flat_map(|it: &u64| it.to_le_bytes()).collect::<Vec<_>>();
    let n = Tensor::new("n".into(), Datatype::Uint64, vec![2, 2], bytes.into()).expect("it fits");
    check("max(outputs.n)", vec![n.clone()], &[1]).await;
    check("double(min(outputs.n)) / 2.0", vec![n], &[1]).await;
}

#[tokio::test]
async fn oip_35_rows_that_an_output_lacks_are_not_accepted() {
    let score = Tensor::from_f32("score", vec![1], &[0.9]).expect("it fits");
    let sure = Tensor::from_bools("sure", vec![3], &[true; 3]).expect("it fits");
    check("outputs.sure ? outputs.score : 0.0", vec![score, sure], &[1, 2]).await;
}

/// A request in which these outputs are asked for.
fn ask(names: &[&str]) -> Arc<Ask> {
    let infer = Infer {
        id: None,
        parameters: Vec::new(),
        inputs: Vec::new(),
        outputs: names.iter().map(|name| Wanted { binary: None, ..bare(name) }).collect(),
        form: Form::Text,
        extra: Vec::new(),
        count: crate::tensor::Count::default(),
    };
    let question =
        Question::Infer(Inference { infer, version: "1".into(), front: Front::Oip, enriched: None, turn: None });
    let (decision, revision) = (String::new(), String::new());
    Arc::new(Ask { question, body: Bytes::new(), headers: HeaderMap::new(), decision, revision, created: 0 })
}

#[test]
fn oip_35_what_only_the_judge_needs_is_asked_for_in_a_form_that_everything_has() {
    let asked = |names: &[&str]| {
        let asked =
            with_outputs(&ask(names), accept("outputs.score").confidence.taken().iter().map(|it| it.output.as_str()));
        let Question::Infer(Inference { infer, .. }) = &asked.question else { panic!("it is one") };
        infer.outputs.iter().map(|it| (it.name.clone(), infer.form_of(&it.name))).collect::<Vec<_>>()
    };
    assert_eq!(asked(&["sure"]), [("sure".into(), Form::Text), ("score".into(), Form::Bytes)]);
    assert_eq!(asked(&["score"]), [("score".into(), Form::Text)]);
    assert_eq!(asked(&[]), [], "all are wanted");
}

/// Answers two rows, the second with little confidence, and notes something beside it.
struct Noting;

impl Path for Noting {
    fn attempt(self: Arc<Self>, _: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        let score = Tensor::from_f32("score", vec![2], &[0.9, 0.1]).expect("it fits");
        let left = Left::Infer(InferAnswer::of([score])).noted(noted());
        Box::pin(std::future::ready(Ended { left, ..Ended::bare(ResultCode::Ok, None) }))
    }
}

fn noted() -> Notes {
    let rules = vec![Ruled { rule: Some("r1".into()), failed: None, rows: 2 }];
    Notes { rules, ..Notes::default() }
}

#[tokio::test]
async fn oip_35_an_answer_with_notes_is_looked_at_whoever_gives_it() {
    let call = || Call { replica: 0, budget: 1_000_000, fresh: false };
    let accept = accept("outputs.score");
    let path = || Arc::new(Noting) as Arc<dyn Path>;
    let alone = attempt(path(), &ask(&[]), call(), (accept.clone(), Asked::default())).await;
    let voting = voter(path(), &ask(&[]), call(), (Some(accept), "score", None)).await;
    for ended in [alone, voting] {
        let (notes, left) = ended.left.notes();
        assert!(matches!(&left, Left::Judged(_, low) if low == &[1]), "{left:?}");
        assert_eq!(notes.rules, noted().rules, "what was noted is still there");
        let judged = notes.judged.expect("it was looked at");
        assert_eq!((judged.low, judged.least, judged.sure()), (1, Some(f64::from(0.1_f32)), None));
    }
}

#[tokio::test]
async fn oip_35_many_rows_are_looked_at_in_turns() {
    let values: Vec<f32> = (0..10 * TURN).map(|at| if at % TURN == 3 { 0.1 } else { 0.8 }).collect();
    let score = Tensor::from_f32("score", vec![values.len() as u64], &values).expect("it fits");
    check("outputs.score", vec![score], &(0..10).map(|at| at * TURN + 3).collect::<Vec<_>>()).await;
}
