//! Drift end to end: rows that move are sent live, the alarm names who moved, and what follows is what the mode says.

mod outputs;

use std::{collections::BTreeMap, path::Path};

use evenkeel_api::RouteState;
use evenkeel_gateway::Happened;
use evenkeel_mock::{OipModel, TensorSpec};
use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value as Held,
};
use serde_json::{Value, json};

use crate::client::{Got, Kit};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  value:
    protocol: oip
    deadline: 5s
    shadow: {share: 0}
    input: {tensor: x, columns: [amount, age], reference: value.ref}
    drift: {hold: {for: 1ms, rows: 400}, recover: {ramp: [0.5, 1], every: 200ms}, then: {start_at: second, mode: MODE}}
    tiers:
      - {name: primary, oip: {upstream: big, model: m}}
      - {name: second, oip: {upstream: small, model: m}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

/// Requests of one kind that are sent before something must have been seen.
const MOST: usize = 40_000;

/// Uniform numbers that have nothing to do with one another (SplitMix64's finaliser, Steele and others 2014).
pub(crate) fn spread(n: usize, column: u64) -> f64 {
    let mut bits = (n as u64).wrapping_add(column.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Writes the reference: amounts from 0 to 1, ages from 0 to 100.
fn write_reference(folder: &Path, rows: usize) {
    let column = |name: &str| Column::new(name, ColumnKind::Number, Role::Input);
    let plan = Plan::new("value", vec![column("amount"), column("age")]);
    let row = |n: usize| {
        let values = vec![Held::Number(spread(n, 1)), Held::Number(100.0 * spread(n, 2))];
        SourceRow { number: n as u64, at: None, values }
    };
    let reference = Reference::build(&plan, [7; 32], &(0..rows).map(row).collect::<Vec<_>>()).expect("sound");
    std::fs::write(folder.join("value.ref"), reference.encode()).expect("written");
}

async fn kit(mode: &str, folder: &Path) -> Kit {
    write_reference(folder, 5_000);
    let score = TensorSpec::new("score", "FP32", [-1]);
    let model = OipModel::declared(vec![TensorSpec::new("x", "FP32", [-1, 2])], score, vec![json!(0.25)]);
    Kit::of(&CONFIG.replace("MODE", mode), folder, BTreeMap::from([("m".to_owned(), model)])).await
}

impl Kit {
    /// Sends the row of a number, with ages that have moved by so much.
    async fn sends(&self, n: usize, older: f64) -> Got {
        self.sends_as(n, older, &[]).await
    }

    async fn sends_as(&self, n: usize, older: f64, headers: &[(&str, &str)]) -> Got {
        let data = [[spread(n, 3), 100.0 * spread(n, 4) + older]];
        let body = json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": data}]});
        let got = self.post("/v2/models/value/infer", body.to_string(), headers).await;
        assert_eq!(got.status, 200, "{:?}", got.body);
        got
    }

    /// Sends rows until the state, or an answer, is as it is waited for.
    async fn sends_until(&self, from: usize, older: f64, seen: impl Fn(&RouteState, &Got) -> bool) -> Got {
        for n in from..from + MOST {
            let got = self.sends(n, older).await;
            if seen(&self.state(), &got) {
                return got;
            }
        }
        panic!("{MOST} rows, and: {:#?}", self.state());
    }

    fn state(&self) -> RouteState {
        self.gateway.route_state("value").expect("it is a route")
    }

    fn drift(&self) -> evenkeel_api::Drift {
        self.state().drift.expect("it is watched")
    }
}

fn is(state: &RouteState, word: &str) -> bool {
    state.drift.as_ref().and_then(|it| it.state.as_deref()) == Some(word)
}

#[tokio::test(flavor = "multi_thread")]
async fn s_drift_under_enforce_an_alarm_switches_the_route_and_its_end_brings_it_back_by_a_ramp() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit("enforce", folder.path()).await;
    let mut watch = kit.gateway.watch();
    assert_eq!((kit.drift().state, kit.drift().samples), (None, 0), "nothing is said before the first row");
    for n in 0..100 {
        assert_eq!(kit.sends(n, 0.0).await.header("evenkeel-tier"), "0");
    }
    kit.sends_until(100, 0.0, |state, _| is(state, "stable")).await;
    kit.sends_until(100_000, 60.0, |state, _| is(state, "drift")).await;
    let drift = kit.drift();
    let alarm = drift.alarm.expect("an alarm stands");
    assert_eq!(alarm.culprits[0].stream, "feature:age", "{:?}", alarm.culprits);
    assert_eq!((drift.mode.as_str(), drift.start_at.as_deref(), drift.dropped), ("enforce", Some("second"), 0));
    assert!(drift.score.expect("a score") >= 1.0 && alarm.since <= alarm.at && drift.proposed_since.is_none());
    let got = kit.sends_until(200_000, 60.0, |_, got| got.header("evenkeel-tier") == "1").await;
    let record = kit.record(&got).await;
    assert_eq!((&record["reason"], &record["outcome"]["tier"]), (&json!("INPUT_DRIFT"), &json!(1)));
    let inputs = record["inputs"].as_array().expect("a list");
    let compared: Vec<&Value> = inputs.iter().filter(|it| it["signal"] == "drift").collect();
    assert_eq!(compared.len(), 1, "{record}");
    assert_eq!(
        (&compared[0]["of"], &compared[0]["value"], &compared[0]["breached"]),
        (&json!("primary"), &json!("2"), &json!(true))
    );
    let scores = |feature: &str| {
        kit.gateway.metrics().contains(&format!("evenkeel_drift_score{{route=\"value\",feature=\"{feature}\"}}"))
    };
    assert!(scores("all") && scores("feature:age") && scores("feature:amount") && scores("row_score"));
    assert!(kit.metric("evenkeel_drift_rows_total{route=\"value\"}").expect("a number") > 100.0);
    // Ages as before: the hold ends, and the route comes back.
    let ramped = kit.sends_until(300_000, 0.0, |_, got| got.header("evenkeel-reason") == "RECOVERY_RAMP").await;
    assert_eq!(ramped.header("evenkeel-tier"), "1");
    kit.sends_until(400_000, 0.0, |state, got| state.tier == Some(0) && got.header("evenkeel-tier") == "0").await;
    let mut moves = Vec::new();
    while let Ok(happened) = watch.try_recv() {
        if let Happened::Transition(it) = happened {
            moves.push((it.rule.clone(), it.from, it.to, it.reason.clone()));
        }
    }
    let expected = [("drift", 0, 1, "INPUT_DRIFT"), ("drift", 1, 0, "RECOVERY_RAMP")];
    let expected: Vec<_> = expected.iter().map(|it| (it.0.to_owned(), it.1, it.2, it.3.to_owned())).collect();
    assert_eq!(moves, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn s_drift_recommend_proposes_observe_shows_and_neither_moves_anything() {
    for (mode, proposes) in [("recommend", true), ("observe", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let kit = kit(mode, folder.path()).await;
        kit.sends_until(0, 60.0, |state, _| is(state, "drift")).await;
        // For longer than the core takes to hear of it.
        let begun = std::time::Instant::now();
        let told = |state: &RouteState| state.drift.as_ref().is_some_and(|it| it.proposed_since.is_some());
        let got = kit.sends_until(100_000, 60.0, |state, _| told(state) || begun.elapsed().as_secs() >= 3).await;
        assert_eq!(told(&kit.state()), proposes, "{mode}");
        let drift = kit.drift();
        assert_eq!((drift.start_at.is_some(), drift.share), (proposes, None), "{mode}");
        let record = kit.record(&got).await;
        assert_eq!((&record["outcome"]["tier"], &record["reason"]), (&json!(0), &json!("PRIMARY_HEALTHY")), "{mode}");
        let signals = record["inputs"].as_array().expect("a list").iter().map(|it| &it["signal"]);
        assert!(signals.into_iter().all(|it| it != "drift" && it != "drift_lot_permille"), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s_drift_a_reload_keeps_what_was_seen_until_reference_or_settings_change_and_off_is_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit("recommend", folder.path()).await;
    let config = CONFIG.replace("MODE", "recommend");
    let apply = |config: &str| kit.gateway.apply(kit.compile(config, folder.path())).expect("it can be applied");
    let seen = async || {
        kit.sends_until(0, 0.0, |state, _| state.drift.as_ref().is_some_and(|it| it.samples >= 20)).await;
        kit.drift().samples
    };
    let before = seen().await;
    apply(&config.replace("deadline: 5s", "deadline: 4s"));
    assert!(kit.drift().samples >= before, "nothing that it is made of has changed");
    apply(&config.replace("rows: 400", "rows: 401"));
    assert!(kit.drift().samples < 20, "other settings begin anew");
    let (_, reference) = (seen().await, kit.drift().reference);
    write_reference(folder.path(), 4_000);
    apply(&config.replace("rows: 400", "rows: 401"));
    assert!(kit.drift().samples < 20 && kit.drift().reference != reference, "and so does another reference");
    let drift = config.lines().find(|line| line.contains("drift: ")).expect("the line");
    apply(&config.replace(&format!("{drift}\n"), ""));
    assert_eq!(kit.state().drift, None, "off");
    let got = kit.sends(1, 60.0).await;
    let record = kit.record(&got).await;
    assert_eq!((&record["outcome"]["tier"], &record["reason"]), (&json!(0), &json!("PRIMARY_HEALTHY")));
    assert!(!kit.gateway.metrics().contains("evenkeel_drift_score{route=\"value\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn s_drift_an_alarm_that_is_forgotten_by_a_reload_moves_nothing_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit("recommend", folder.path()).await;
    let told = |state: &RouteState| state.drift.as_ref().is_some_and(|it| it.proposed_since.is_some());
    kit.sends_until(0, 60.0, |state, _| told(state)).await;
    let enforced = kit.compile(&CONFIG.replace("MODE", "enforce"), folder.path());
    kit.gateway.apply(enforced).expect("it can be applied");
    let got = kit.sends(500_000, 0.0).await;
    assert_eq!(got.header("evenkeel-tier"), "0", "{:#?}", kit.state());
    assert_eq!((kit.state().tier, kit.drift().share, kit.drift().proposed_since), (Some(0), None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn s_drift_session_key_lets_one_row_of_a_session_and_minute_in() {
    let folder = tempfile::tempdir().expect("a folder");
    write_reference(folder.path(), 5_000);
    let score = TensorSpec::new("score", "FP32", [-1]);
    let model = || OipModel::declared(vec![TensorSpec::new("x", "FP32", [-1, 2])], score.clone(), vec![json!(0.25)]);
    let talk = |n| if n % 2 == 0 { "one" } else { "two" };
    for (key, all) in [("", true), ("    session_key: X-Conversation\n", false)] {
        let config = CONFIG.replace("MODE", "observe").replace("    drift: ", &format!("{key}    drift: "));
        let kit = Kit::of(&config, folder.path(), BTreeMap::from([("m".to_owned(), model())])).await;
        for n in 0..100 {
            kit.sends_as(n, 0.0, &[("x-conversation", talk(n))]).await;
        }
        // Rows are looked at in their order: behind those of no session, all others have been.
        let (mut alone, least) = (0, if all { 101 } else { 20 });
        while kit.drift().samples < least {
            let empty = [("x-conversation", "")];
            kit.sends_as(200 + alone, 0.0, if alone % 2 == 0 { &[] } else { &empty }).await;
            alone += 1;
        }
        // Where a minute ends in between, one of each session may come besides.
        let sessions = kit.drift().samples.saturating_sub(alone as u64);
        assert_eq!(sessions > 4, all, "{sessions}");
    }
}
