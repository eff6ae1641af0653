//! Certificates in service: labels of requests that two models answered say whether a promise is kept.

use std::{collections::BTreeMap, path::Path};

use evenkeel_api::Certificate;
use evenkeel_config::{Certified, CertifiedTier};
use evenkeel_gateway::Happened;
use evenkeel_mock::{OipModel, TensorData};
use serde_json::json;

use crate::{
    client::{Got, Kit},
    computed::{Asked, model},
};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain, probe: off}
  small: {protocol: oip, url: "SMALL", dialect: plain, probe: off}
routes:
  parity:
    protocol: oip
    deadline: 5s
    shadow: {share: 1, max_cost: 1}
    input: {features: {x: {type: float}, sure: {type: float}}}
    output: {tensors: {sure: {datatype: FP32}, label: {datatype: BYTES}}}
    quality: {output: label}
    tiers:
      - {name: cheap, oip: {upstream: big, model: first}, total: 3s, retries: 0, accept: {confidence: "outputs.sure", at_least: 0.5}}
      - {name: dear, oip: {upstream: small, model: second}, total: 3s, retries: 0}
      - {name: default, fixed: {outputs: {sure: 0.5, label: even}}}
"#;

/// Two models of whether a number is even: the first is wrong of all from 1,000 on, the second is right.
fn models() -> BTreeMap<String, OipModel> {
    let model = |(name, wrong_from): (&'static str, f64)| {
        let says = move |asked: &Asked<'_>| {
            let label = |x: &f64| truth((*x as u64) + u64::from(*x >= wrong_from)).to_owned();
            Ok(vec![asked.values("sure")?, TensorData::Texts(asked.numbers("x")?.iter().map(label).collect())])
        };
        let tensors = (&[("x", "FP32"), ("sure", "FP32")], &[("sure", "FP32"), ("label", "BYTES")]);
        (name.to_owned(), model(tensors.0, tensors.1, says))
    };
    BTreeMap::from([("first", 1_000.0), ("second", f64::INFINITY)].map(model))
}

const fn truth(x: u64) -> &'static str {
    if x.is_multiple_of(2) { "even" } else { "odd" }
}

/// Returns the configuration with a certificate, which is written beside it.
fn certified(kit: &Kit, folder: &Path, (key, n): (&str, u64)) -> String {
    let bare = kit.compile(CONFIG, folder);
    let tier = |at: usize| {
        let tier = &bare.revision.routes[0].tiers[at];
        let model = bare.paths[tier.path.index()].model.clone();
        CertifiedTier { name: tier.name.clone(), model, calibration: None }
    };
    let mut it = Certified::new("parity".into(), vec![tier(0), tier(1)], 0.5);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    (it.epsilon, it.delta, it.n, it.at, it.valid_for) = (0.02, 0.05, n, now.as_secs(), 86_400);
    it.ladder = vec![1.0, 0.8, 0.6];
    std::fs::write(folder.join("parity.certificate.json"), it.write()).expect("written");
    CONFIG.replace("    tiers:", &format!("    certificate: {key}\n    tiers:"))
}

impl Kit {
    async fn asks(&self, x: u64, sure: f64) -> Got {
        let tensor = |name: &str, value: f64| json!({"name": name, "datatype": "FP32", "shape": [1], "data": [value]});
        let body = json!({"inputs": [tensor("x", x as f64), tensor("sure", sure)]});
        let got = self.post("/v2/models/parity/infer", body.to_string(), &[]).await;
        assert_eq!(got.status, 200, "{got:?}");
        got
    }

    /// Asks about a number, waits for the copy where there is one, and says what is true; returns which tier answered.
    async fn asks_and_labels(&self, x: u64, sure: f64) -> String {
        let mut happened = self.gateway.watch();
        let got = self.asks(x, sure).await;
        let tier = got.header("evenkeel-tier").to_owned();
        let copy = async { while !matches!(happened.recv().await.expect("it is told"), Happened::Shadow(_)) {} };
        if tier == "0" {
            tokio::time::timeout(std::time::Duration::from_secs(30), copy).await.expect("it is copied");
        }
        let label = json!({"decision": got.header("evenkeel-decision"), "label": truth(x)});
        assert_eq!(self.post("/v1/feedback", label.to_string(), &[]).await.status, 200);
        tier
    }

    /// Asks what the cheap model is wrong of until the route has gone back so many steps, and answers by that.
    async fn goes_back(&self, steps: u8, sure: f64) {
        for x in 1_000..9_000 {
            self.asks_and_labels(x, sure).await;
            let last = self.gateway.decisions(Some("parity"), 1).remove(0);
            let told = last.inputs.iter().find(|it| it.signal == "certificate_steps").map(|it| it.value.clone());
            if told == Some(steps.to_string()) {
                assert_eq!(self.certificate().steps, steps);
                return;
            }
        }
        panic!("it goes back: {:?}", self.certificate());
    }

    fn certificate(&self) -> Certificate {
        self.gateway.route_state("parity").and_then(|it| it.certificate).expect("it has one")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promise_that_is_broken_in_service_is_void_for_good_and_routes_nothing_of_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = Kit::of(CONFIG, folder.path(), models()).await;
    let config = certified(&kit, folder.path(), ("parity.certificate.json", 2_000));
    kit.asks_and_labels(1_001, 0.9).await;
    kit.gateway.apply(kit.compile(&config, folder.path())).expect("it is ready");
    for x in 0..31 {
        assert_eq!(kit.asks_and_labels(x, 0.9).await, "0");
    }
    assert_eq!(kit.asks_and_labels(1_001, 0.1).await, "1", "what the last model answers has lost nothing");
    assert_eq!(
        kit.certificate().tested,
        0,
        "32 answers of the cheap one are looked at together, and what was before does not count"
    );
    assert_eq!(kit.asks_and_labels(31, 0.9).await, "0");
    let kept = kit.certificate();
    assert_eq!((kept.standing.as_str(), kept.tested, kept.since), ("valid", 33, None));
    assert_eq!(kit.metric("evenkeel_certificate_standing{route=\"parity\"}"), Some(1.0));
    let mut bad = 0;
    while kit.certificate().standing == "valid" {
        assert_eq!(kit.asks_and_labels(1_000 + bad, 0.9).await, "0");
        bad += 1;
        assert!(bad < 60, "it is found out: {:?}", kit.certificate());
    }
    let broken = kit.certificate();
    assert!(
        broken.because.as_ref().is_some_and(|it| it.contains("in service")) && broken.since.is_some(),
        "{broken:?}"
    );
    assert_eq!(kit.metric("evenkeel_certificate_standing{route=\"parity\"}"), Some(2.0));
    assert_eq!(kit.metric("evenkeel_certificate_rows{route=\"parity\"}"), Some(33.0 + bad as f64));
    assert_eq!(kit.get("/v1/routes/parity/state").await.json()["certificate"]["standing"], json!("void"));
    assert_eq!(kit.asks_and_labels(2, 0.9).await, "0", "nothing is routed by it");
    // Another revision with the same certificate has not earned it back.
    kit.gateway.apply(kit.compile(&config.replace("deadline: 5s", "deadline: 6s"), folder.path())).expect("ready");
    assert_eq!((kit.certificate().standing, kit.certificate().since), ("void".to_owned(), broken.since));
}

#[tokio::test(flavor = "multi_thread")]
async fn step_1_enforced_it_goes_back_threshold_by_threshold_to_the_last_model_alone_until_another_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = Kit::of(CONFIG, folder.path(), models()).await;
    let key = "{file: parity.certificate.json, mode: enforce}";
    let config = certified(&kit, folder.path(), (key, 2_000));
    kit.gateway.apply(kit.compile(&config, folder.path())).expect("it is ready");
    assert_eq!(kit.asks_and_labels(1, 0.7).await, "0");
    kit.goes_back(1, 0.7).await;
    let now = kit.certificate();
    assert_eq!((now.standing.as_str(), now.mode.as_str(), now.stepped_to), ("void", "enforce", Some(0.6)));
    // What nobody labels is waited for.
    assert_eq!(kit.asks_and_labels(1, 0.7).await, "0");
    assert_eq!(kit.asks(1, 0.55).await.header("evenkeel-tier"), "1");
    let low = kit.gateway.decisions(Some("parity"), 1).remove(0);
    let confidence = low.attempts[0].confidence.as_ref().expect("it was asked");
    assert_eq!((low.attempts[0].result.as_str(), confidence.at_least.as_str()), ("quality.low_confidence", "0.6"));
    assert_eq!(kit.metric("evenkeel_certificate_steps{route=\"parity\"}"), Some(1.0));
    kit.goes_back(2, 0.7).await;
    assert_eq!((kit.certificate().stepped_to, kit.certificate().since), (Some(0.8), now.since), "void since the first");
    kit.goes_back(3, 0.9).await;
    assert_eq!(kit.asks(1, 0.9).await.header("evenkeel-tier"), "1");
    let mut happened = kit.gateway.watch();
    kit.goes_back(4, 1.0).await;
    let moved = loop {
        if let Happened::Transition(moved) = happened.recv().await.expect("it is told") {
            break moved;
        }
    };
    assert_eq!(
        (moved.rule.as_str(), moved.reason.as_str(), moved.from, moved.to),
        ("certificate", "CONCEPT_DRIFT", 0, 1)
    );
    let state = kit.gateway.route_state("parity").expect("it is there");
    assert_eq!((state.tier, state.reason.as_str(), kit.certificate().stepped_to), (Some(1), "CONCEPT_DRIFT", None));
    // Another revision with the same certificate has not earned it back.
    kit.gateway.apply(kit.compile(&config.replace("deadline: 5s", "deadline: 6s"), folder.path())).expect("ready");
    assert_eq!((kit.asks(1, 1.0).await.header("evenkeel-tier"), kit.certificate().steps), ("1", 4));
    let anew = certified(&kit, folder.path(), (key, 3_000));
    kit.gateway.apply(kit.compile(&anew, folder.path())).expect("it is ready");
    let now = kit.certificate();
    assert_eq!((kit.asks(1, 0.5).await.header("evenkeel-tier"), now.steps, now.standing.as_str()), ("0", 0, "valid"));
}
