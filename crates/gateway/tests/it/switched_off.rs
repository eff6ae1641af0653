//! What is switched off leaves its inputs and reasons out of the decision, and changes nothing else unless it was the winner.
//!
//! Two records are held against each other, field by field, but for what differs from one request to the next: ids and times.

mod drifting;
mod sure;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use evenkeel_mock::{Evaluate, OipModel, Tensor, TensorData, TensorSpec};
use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value as Held,
};
use serde_json::{Value, json};

use crate::{client::Kit, enrich::server::Feast};

/// A guard: its key, what it is told, its signal, and the reason of what it finds.
type Knob = (&'static str, &'static str, &'static str, &'static str);

/// How a guard stands.
#[derive(Clone, Copy, PartialEq)]
enum Stands {
    Off,
    /// It tells what it finds.
    Tells,
    /// What it finds starts at the second tier.
    Moves,
}

/// A route whose inputs are in breach of all guards but `norm`, which needs an embedding.
const FRAUD: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  feast: {protocol: feast, url: "FEAST"}
routes:
  fraud:
    protocol: oip
    deadline: 5s
    shadow: {share: 0}
    input: {tensor: x, columns: [amount, age, edge, country, visits], reference: fraud.ref, features: {age: {type: float, missing: -1}}}
    output: {tensors: {score: {datatype: FP32, max: 0.6}}}
    enrich:
      upstream: feast
      entity: {customer_id: {input: customer}}
      features: {visits: {feature: "stats:txn_7d", max_age: 24h, default: 5}}
    guards: {GUARDS}
    tiers:
      - name: primary
        oip: {upstream: big, model: m}
        retries: 0
        breaker: {consecutive: 1000, fast: [1000, 1, 10s], slow: [1000, 1, 60s], low: [1000, 1000]}
      - {name: second, oip: {upstream: big, model: n}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

const OF_FRAUD: [Knob; 8] = [
    ("contract", "", "input_contract", "SCHEMA_MISMATCH"),
    ("missing", "max_ratio: 0.1", "missing_ratio", "FEATURE_MISSING"),
    ("range", "", "input_range", "OUT_OF_DISTRIBUTION"),
    ("unseen", "", "input_unseen", "OUT_OF_DISTRIBUTION"),
    ("noise", "", "noise", "INPUT_ANOMALY"),
    ("staleness", "max_age: 1h", "staleness_ms", "FEATURE_MISSING"),
    ("anomaly", "false_alarm_rate: 0.01", "anomaly_p", "INPUT_ANOMALY"),
    ("fallback_risk", "at_least: 0.5", "fallback_risk", "INPUT_ANOMALY"),
];

const HOMES: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
routes:
  homes:
    protocol: oip
    deadline: 5s
    shadow: {share: 0}
    input: {features: {rooms: {type: float}}, tensors: {vector: {datatype: FP32, shape: [-1, 2]}}, reference: homes.ref}
    guards: {GUARDS}
    tiers:
      - {name: primary, oip: {upstream: big, model: homes}, retries: 0}
      - {name: second, oip: {upstream: big, model: homes}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

const OF_HOMES: [Knob; 3] = [
    ("norm", "max: 2", "input_norm", "OUT_OF_DISTRIBUTION"),
    ("range", "", "input_range", "OUT_OF_DISTRIBUTION"),
    ("anomaly", "false_alarm_rate: 0.01", "anomaly_p", "INPUT_ANOMALY"),
];

/// Says what its contract does not bear while it is broken.
#[derive(Debug)]
struct Breakable(Arc<AtomicBool>);

impl Evaluate for Breakable {
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let rows = inputs.first().ok_or("nothing is asked")?.shape[0];
        let score = if self.0.load(Relaxed) { 0.9 } else { 0.25 };
        let data = TensorData::Floats(vec![score; rows as usize]);
        Ok(vec![Tensor { name: "score".into(), datatype: "FP32".into(), shape: vec![rows], data }])
    }
}

fn write(file: &Path, schema: Vec<Column>, value: impl Fn(u64, usize) -> Held<'static>) {
    let columns = schema.len();
    let row = |number| SourceRow { number, at: None, values: (0..columns).map(|at| value(number, at)).collect() };
    let reference = Reference::build(&Plan::new("r", schema), [7; 32], &(0..2_000).map(row).collect::<Vec<_>>());
    std::fs::write(file, reference.expect("sound").encode()).expect("written");
}

fn number(name: &str) -> Column {
    Column::new(name, ColumnKind::Number, Role::Input)
}

/// Numbers up to 100 in an order of their own.
fn spread(row: u64, column: u64) -> f64 {
    (row * [7_919, 31, 101][column as usize % 3] % 10_007) as f64 / 100.0
}

/// Writes guards, of which one may stand otherwise than all others.
fn guards(knobs: &[Knob], one: (&str, Stands), others: Stands) -> String {
    let written = |(name, asks, ..): &Knob| match if *name == one.0 { one.1 } else { others } {
        Stands::Off => format!("{name}: off"),
        Stands::Tells => format!("{name}: {{{asks}}}"),
        Stands::Moves if asks.is_empty() => format!("{name}: {{then: {{start_at: second}}}}"),
        Stands::Moves => format!("{name}: {{{asks}, then: {{start_at: second}}}}"),
    };
    knobs.iter().map(written).collect::<Vec<_>>().join(", ")
}

/// Returns a record without what differs between any two requests.
fn lasting(record: &Value) -> Value {
    let mut it = record.clone();
    let take = |from: &mut Value, keys: &[&str]| {
        let from = from.as_object_mut().expect("an object");
        keys.iter().for_each(|key| drop(from.remove(*key)));
    };
    // The explanation is rendered from tier and reason.
    take(&mut it, &["id", "time", "revision", "trace", "explanation"]);
    take(&mut it["outcome"], &["latency_us"]);
    list(&mut it["attempts"]).iter_mut().for_each(|it| take(it, &["start_us", "duration_us", "first_content_us"]));
    if let Some(enrichment) = it.get_mut("enrichment") {
        take(enrichment, &["duration_us"]);
    }
    list(&mut it["inputs"]).retain(|it| it["signal"] != "time_left_ns");
    // How old a feature is, how likely a fallback, and how fast and busy a path, depends on when it is asked.
    let steady = ["input_contract", "missing_ratio", "input_range", "input_unseen", "input_norm", "noise", "anomaly_p"];
    let moves = |it: &&mut Value| !steady.iter().any(|signal| it["signal"] == *signal);
    list(&mut it["inputs"]).iter_mut().filter(moves).for_each(|it| take(it, &["value"]));
    if let Some(guards) = it.get_mut("guards") {
        let aged = |it: &&mut Value| it["guard"] == "staleness" || it["guard"] == "fallback_risk";
        list(guards).iter_mut().filter(aged).for_each(|it| take(it, &["value"]));
    }
    it
}

fn list(of: &mut Value) -> &mut Vec<Value> {
    of.as_array_mut().expect("a list")
}

/// Takes out of a record what one detector has put in: its inputs, and its reason; those of the first tier that are left are the reasons of
/// what is in breach, in the order in which that was compared.
fn without(record: &Value, signal: &str, reasons: &[(&str, &str)]) -> Value {
    let mut it = lasting(record);
    list(&mut it["inputs"]).retain(|it| it["signal"] != signal);
    let mut left = Vec::new();
    for input in of_primary(&it).iter().filter(|it| it["breached"] == true) {
        let reason = reasons.iter().find(|it| input["signal"] == it.0).map(|it| json!(it.1));
        left.extend(reason.filter(|it| !left.contains(it)));
    }
    it["candidates"][0]["reasons"] = json!(left);
    it
}

/// Takes out of a record what a guard has put in.
fn without_guard(record: &Value, name: &str, signal: &str, knobs: &[Knob]) -> Value {
    let mut it = without(record, signal, &knobs.iter().map(|it| (it.2, it.3)).collect::<Vec<_>>());
    list(&mut it["guards"]).retain(|it| it["guard"] != name);
    it
}

/// The comparisons of the first tier: of those below there are others when another one answers.
fn of_primary(record: &Value) -> Vec<Value> {
    let inputs = record["inputs"].as_array().expect("a list").iter();
    inputs.filter(|it| it["of"] == "primary").cloned().collect()
}

/// A route, and a request that is in breach of all of its guards.
struct Route<'a> {
    kit: &'a Kit,
    folder: &'a Path,
    config: &'a str,
    name: &'a str,
    body: Value,
    knobs: &'a [Knob],
}

impl Route<'_> {
    /// Asks under guards that stand like that.
    async fn asked(&self, one: (&str, Stands), others: Stands) -> Value {
        let config = self.config.replace("GUARDS", &guards(self.knobs, one, others));
        self.kit.gateway.apply(self.kit.compile(&config, self.folder)).expect("it can be applied");
        let got = self.kit.infer(self.name, &self.body).await;
        assert_eq!(got.status, 200, "{got:?}");
        self.kit.record(&got).await
    }

    /// Switches each guard off, where others move the request just as well, and where it alone does.
    async fn switched_off(&self) {
        use Stands::{Moves, Off, Tells};
        // Of a path that was asked before there is one comparison more.
        for (others, tier) in [(Tells, 0), (Moves, 1)] {
            assert_eq!(self.asked(("", Off), others).await["outcome"]["tier"], tier);
        }
        let all = self.asked(("", Off), Moves).await;
        assert_eq!(
            without_guard(&all, "none", "none", self.knobs),
            lasting(&all),
            "what is taken out is what was put in"
        );
        for (name, _, signal, reason) in self.knobs.iter().copied() {
            // First of all, since what one of them has learnt is gone once it is off.
            let alone = self.asked((name, Moves), Tells).await;
            let (others, nobody) = (self.asked((name, Off), Moves).await, self.asked((name, Off), Tells).await);
            let (mut left, mut expected) = (lasting(&others), without_guard(&all, name, signal, self.knobs));
            // The record says the closest reason of all: where that was the guard's, it is another one's.
            assert!(all["reason"] == others["reason"] || all["reason"] == reason, "{name}: {others}");
            (left["reason"], expected["reason"]) = (Value::Null, Value::Null);
            assert_eq!(left, expected, "without {name}");

            let went = |it: &Value| (it["outcome"]["tier"].clone(), it["reason"].clone());
            assert_eq!(went(&alone), (json!(1), json!(reason)), "{name}: {alone}");
            assert_eq!(went(&nobody), (json!(0), json!("PRIMARY_HEALTHY")), "without {name}: {nobody}");
            let (left, expected) = (lasting(&nobody), without_guard(&alone, name, signal, self.knobs));
            assert_eq!(left["guards"], expected["guards"], "without {name}");
            assert_eq!(of_primary(&left), of_primary(&expected), "without {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_8_each_guard_that_is_off_takes_its_inputs_and_reasons_with_it_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let columns = vec![
        number("amount"),
        Column { required: true, ..number("age") },
        number("edge"),
        Column::new("country", ColumnKind::Category, Role::Input),
        number("visits"),
    ];
    write(&folder.path().join("fraud.ref"), columns, |row, at| match at {
        3 => Held::Category(["0", "1", "2"][row as usize % 3]),
        at => Held::Number(spread(row, at as u64)),
    });
    // What was fetched is two hours old.
    let feast = Feast::start(&[(1, 42, 0.0, 7_200)]).await;
    let broken = Arc::new(AtomicBool::default());
    let model = |broken: Arc<AtomicBool>| {
        let x = TensorSpec::new("x", "FP32", [-1, 5]);
        OipModel::evaluated(vec![x], vec![TensorSpec::new("score", "FP32", [-1])], Breakable(broken))
    };
    let models = BTreeMap::from([("m".to_owned(), model(broken.clone())), ("n".to_owned(), model(Arc::default()))]);
    let config = FRAUD.replace("FEAST", &feast.url());
    let told = config.replace("GUARDS", &guards(&OF_FRAUD, ("", Stands::Off), Stands::Tells));
    let kit = Kit::of(&told, folder.path(), models).await;
    let row = |x: Value| {
        json!({"inputs": [
            {"name": "x", "datatype": "FP32", "shape": [1, 5], "data": [x]},
            {"name": "customer", "datatype": "INT64", "shape": [1], "data": [1]},
        ]})
    };
    let asked = async |body: &Value, tier: &str| {
        let got = kit.infer("fraud", body).await;
        assert_eq!(got.header("evenkeel-tier"), tier, "{got:?}");
    };
    // Enough that what fails cuts nothing off, and enough of that to know how likely a fallback is.
    for _ in 0..30 {
        asked(&row(json!([50.0, 40.0, 50.0, 1.0, null])), "0").await;
    }
    let body = row(json!([1e6, -1, 100.0, 7.0, null]));
    broken.store(true, Relaxed);
    for _ in 0..55 {
        asked(&body, "1").await;
    }
    broken.store(false, Relaxed);
    let (folder, config, knobs) = (folder.path(), config.as_str(), &OF_FRAUD[..]);
    Route { kit: &kit, folder, config, name: "fraud", body, knobs }.switched_off().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_8_so_does_the_guard_of_the_length_of_an_embedding() {
    const VECTORS: [[f32; 2]; 2] = [[1.0, 0.5], [0.5, 1.0]];
    let folder = tempfile::tempdir().expect("a folder");
    let vector = Column::new("vector", ColumnKind::Vector(2), Role::Input);
    write(&folder.path().join("homes.ref"), vec![number("rooms"), vector], |row, at| match at {
        0 => Held::Number(spread(row, 0)),
        _ => Held::Vector(&VECTORS[row as usize % 2]),
    });
    let inputs = vec![TensorSpec::new("rooms", "FP32", [-1]), TensorSpec::new("vector", "FP32", [-1, 2])];
    let homes = OipModel::declared(inputs, TensorSpec::new("score", "FP32", [-1]), vec![json!(0.25)]);
    let told = HOMES.replace("GUARDS", &guards(&OF_HOMES, ("", Stands::Off), Stands::Tells));
    let kit = Kit::of(&told, folder.path(), BTreeMap::from([("homes".to_owned(), homes)])).await;
    let body = json!({"inputs": [
        {"name": "rooms", "datatype": "FP32", "shape": [1], "data": [1e6]},
        {"name": "vector", "datatype": "FP32", "shape": [1, 2], "data": [[30.0, 0.5]]},
    ]});
    let (folder, config, knobs) = (folder.path(), HOMES, &OF_HOMES[..]);
    Route { kit: &kit, folder, config, name: "homes", body, knobs }.switched_off().await;
}
