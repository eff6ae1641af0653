//! Drift that is not looked for any more: in inputs, in rows as a whole, in outputs, or at all.

use std::{
    collections::BTreeMap,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use evenkeel_mock::TensorData;
use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value as Held,
};
use serde_json::{Value, json};

use super::{lasting, list, number, of_primary, without};
use crate::{
    client::{Got, Kit},
    computed,
    drift::spread,
};

const HOUSES: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  houses:
    protocol: oip
    deadline: 5s
    shadow: {share: 0}
    input: {features: {rooms: {type: float}, area: {type: float}}, reference: houses.ref}
    output: {tensors: {score: {datatype: FP32}}}
    guards: {range: {then: {start_at: second}}}
    drift: {watch: [WATCH], then: {start_at: second, mode: enforce}}
    tiers:
      - {name: primary, oip: {upstream: big, model: m}}
      - {name: second, oip: {upstream: small, model: m}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

/// What is watched: its word, and what it is called in the state of a route.
const WATCHED: [(&str, &str); 3] = [("inputs", "feature:"), ("row_score", "row_score"), ("outputs", "output:")];

/// Built once: that is most of what these tests take.
static REFERENCE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let schema = vec![number("rooms"), number("area"), Column::new("score", ColumnKind::Number, Role::Output)];
    let row = |number: u64| {
        let [rooms, area] = usual(number);
        let values = [rooms, area, spread(number as usize, 3)].map(Held::Number).to_vec();
        SourceRow { number, at: None, values }
    };
    let rows: Vec<_> = (0..5_000).map(row).collect();
    Reference::build(&Plan::new("houses", schema), [7; 32], &rows).expect("sound").encode()
});

/// The area of a usual house is that of its rooms, nearly.
fn usual(row: u64) -> [f64; 2] {
    let rooms = spread(row as usize, 1);
    [rooms, rooms + 0.01 * spread(row as usize, 2)]
}

/// Houses that only one of those who are watched finds strange.
fn strange(word: &str, row: u64) -> [f64; 2] {
    let [rooms, area] = usual(row);
    match word {
        "inputs" => [0.5 + rooms / 2.0, 0.5 + area / 2.0],
        "row_score" => [rooms, 1.01 * spread(row as usize, 4)],
        _ => [rooms, area],
    }
}

struct Houses {
    kit: Kit,
    folder: tempfile::TempDir,
}

impl Houses {
    /// Starts a gateway that watches these; the outputs of its models have moved, or not.
    async fn watched(watch: &str, moved: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("houses.ref"), &*REFERENCE).expect("written");
        let (asked, by) = (AtomicUsize::new(0), if moved { 5.0 } else { 0.0 });
        let model = computed::model(&[("rooms", "FP32"), ("area", "FP32")], &[("score", "FP32")], move |_| {
            Ok(vec![TensorData::Floats(vec![by + spread(asked.fetch_add(1, Relaxed), 5)])])
        });
        let models = BTreeMap::from([("m".to_owned(), model)]);
        let kit = Kit::of(&HOUSES.replace("WATCH", watch), folder.path(), models).await;
        Self { kit, folder }
    }

    async fn sends(&self, [rooms, area]: [f64; 2]) -> Got {
        let one = |name: &str, value: f64| json!({"name": name, "datatype": "FP32", "shape": [1], "data": [value]});
        let got = self.kit.infer("houses", &json!({"inputs": [one("rooms", rooms), one("area", area)]})).await;
        assert_eq!(got.status, 200, "{got:?}");
        got
    }

    async fn asked(&self, house: [f64; 2]) -> Value {
        self.kit.record(&self.sends(house).await).await
    }

    fn drift(&self) -> Option<evenkeel_api::Drift> {
        self.kit.gateway.route_state("houses").expect("a route").drift
    }

    /// Sends strange houses until the route is held for drift; returns after how many rows the alarm came.
    async fn alarmed(&self, word: &str) -> u64 {
        let mut alarm = None;
        for row in 100_000..140_000 {
            let got = self.sends(strange(word, row)).await;
            alarm = alarm.or_else(|| self.drift().expect("it is watched").alarm.map(|_| row - 100_000));
            if got.header("evenkeel-tier") == "1" {
                let moved = if word == "outputs" { "PREDICTION_DRIFT" } else { "INPUT_DRIFT" };
                assert_eq!(got.header("evenkeel-reason"), moved);
                return alarm.expect("it is held for an alarm");
            }
        }
        panic!("{word}: no alarm: {:#?}", self.drift());
    }

    fn apply(&self, config: &str) {
        self.kit.gateway.apply(self.kit.compile(config, self.folder.path())).expect("it can be applied");
    }

    fn without_drift(&self) {
        let drift = HOUSES.lines().find(|line| line.contains("drift: ")).expect("the line");
        self.apply(&HOUSES.replace(&format!("{drift}\n"), ""));
        assert_eq!(self.drift(), None);
    }
}

/// Says whether what is anomalous may be usual by now.
fn is_stale(record: &Value) -> bool {
    let anomaly = record["guards"].as_array().expect("a list").iter().find(|it| it["guard"] == "anomaly");
    anomaly.expect("on")["stale"] == true
}

fn went(record: &Value) -> (Value, Value) {
    (record["outcome"]["tier"].clone(), record["reason"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_8_what_is_not_watched_brings_no_stream_no_alarm_and_no_input() {
    for (word, stream) in WATCHED {
        let alone = Houses::watched(word, word == "outputs").await;
        let rows = alone.alarmed(word).await;
        let streams = alone.drift().expect("watched").streams;
        assert!(streams.iter().all(|it| it.stream.starts_with(stream)), "{word}: {streams:?}");

        let others: Vec<&str> = WATCHED.iter().map(|it| it.0).filter(|it| *it != word).collect();
        let others = Houses::watched(&others.join(", "), word == "outputs").await;
        for row in 0..2 * rows {
            others.sends(strange(word, 100_000 + row)).await;
        }
        let drift = others.drift().expect("watched");
        assert!(drift.alarm.is_none() && drift.samples >= rows, "{word}: {drift:#?}");
        assert!(drift.streams.iter().all(|it| !it.stream.starts_with(stream)), "{word}: {:?}", drift.streams);
        let before = others.asked(strange(word, 1)).await;
        others.without_drift();
        let after = others.asked(strange(word, 1)).await;
        assert_eq!(went(&before), (json!(0), json!("PRIMARY_HEALTHY")), "without {word}: {before}");
        assert_eq!(lasting(&before), lasting(&after), "while it finds nothing, nothing of it is in a decision");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_8_drift_that_is_off_takes_its_inputs_and_reasons_with_it_and_nothing_else() {
    let houses = Houses::watched("inputs", false).await;
    // Of a path that was asked before there is one comparison more; the second one is asked once it drifts.
    houses.asked(usual(1)).await;
    houses.alarmed("inputs").await;
    let (house, beyond) = (strange("inputs", 2), [9.0, 9.0]);
    let (held, both) = (houses.asked(house).await, houses.asked(beyond).await);
    // Over a reload the mark stays as long as the same monitor watches, whatever else changes.
    let config = HOUSES.replace("WATCH", "inputs");
    houses.apply(&config.replace("deadline: 5s", "deadline: 4s"));
    assert!(is_stale(&houses.asked(house).await));
    houses.apply(&config.replace("watch: [inputs]", "watch: [inputs, row_score]"));
    assert!(!is_stale(&houses.asked(house).await), "what the new one has not seen, it has not said");
    houses.without_drift();
    let (free, one) = (houses.asked(house).await, houses.asked(beyond).await);

    let unmarked = |record: &Value| {
        let mut it = without(record, "drift", &[("input_range", "OUT_OF_DISTRIBUTION")]);
        let anomaly = list(&mut it["guards"]).iter_mut().find(|it| it["guard"] == "anomaly").expect("on");
        assert_eq!(anomaly.as_object_mut().expect("one").remove("stale"), Some(json!(true)), "{record}");
        // That the route was left, and since when, is what drift has won; what lies in a request alone is no rejection.
        it["candidates"][0]["verdict"] = json!("skipped");
        (it["phase"], it["episode"]) = (json!("normal"), Value::Null);
        it
    };
    assert_eq!(went(&held), (json!(1), json!("INPUT_DRIFT")), "{held}");
    assert_eq!(went(&free), (json!(0), json!("PRIMARY_HEALTHY")), "it was the winner: {free}");
    let (left, expected) = (lasting(&free), unmarked(&held));
    assert_eq!(of_primary(&left), of_primary(&expected));
    assert_eq!(
        (&left["guards"], &left["phase"], &left["episode"]),
        (&expected["guards"], &json!("normal"), &Value::Null)
    );

    assert_eq!(both["outcome"]["tier"], 1, "{both}");
    let (mut left, mut expected) = (lasting(&one), unmarked(&both));
    assert_eq!(left["reason"], "OUT_OF_DISTRIBUTION");
    (left["reason"], expected["reason"]) = (Value::Null, Value::Null);
    assert_eq!(left, expected, "it was not");
}
