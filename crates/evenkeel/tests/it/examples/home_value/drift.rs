//! Home value, drift: rows that move by the rule of its README are sent live, and what follows is read from the log of decisions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Example, Home, asking, infer, own_homes, start, start_changed};
use crate::process::{evenkeel, get, until};

/// The rule: every median income is a quarter higher.
const HIGHER: f64 = 1.25;
/// Requests after which is looked how the route stands.
const LOOK: usize = 5;

/// A client that sends one row a request, one after the other, and reads of its decisions what the gateway tells of them.
struct Desk<'a> {
    home: &'a Example,
    rows: Vec<Home>,
    /// The decisions, in the order of its requests.
    asked: Vec<String>,
}

impl<'a> Desk<'a> {
    fn new(home: &'a Example) -> Self {
        Self { home, rows: own_homes(), asked: Vec::new() }
    }

    fn admin(&self) -> String {
        format!("http://{}", self.home.serving.admin)
    }

    /// Sends the next row, after the last one the first, with its income times a factor; returns who answered and why.
    fn asks(&mut self, factor: f64) -> (u64, String) {
        let mut features = self.rows[self.asked.len() % self.rows.len()].features.clone();
        features[0] *= factor;
        let answer = infer(self.home, &asking(&[&features]));
        let told = &answer["parameters"];
        self.asked.push(told["evenkeel.decision"].as_str().expect("an id").to_owned());
        (told["evenkeel.tier"].as_u64().expect("a tier"), told["evenkeel.reason"].as_str().expect("a code").to_owned())
    }

    /// Sends rows until a tier answers.
    fn asks_until(&mut self, tier: u64, factor: f64) {
        until("the tier", || (self.asks(factor).0 == tier).then_some(()));
    }

    /// Sends rows until the route stands as it is waited for.
    fn asks_until_it(&mut self, stands: impl Fn(&Value) -> bool, factor: f64) {
        until("how it is to stand", || {
            self.asks(factor);
            (self.asked.len().is_multiple_of(LOOK) && stands(&self.state())).then_some(())
        });
    }

    /// Sends every row once, as it is, and waits until all are looked at: nothing is seen.
    fn sees_nothing_wrong(&mut self) {
        for _ in 0..self.rows.len() {
            assert_eq!(self.asks(1.0), (0, "PRIMARY_HEALTHY".into()));
        }
        let rows = self.rows.len();
        let drift = until("the last row", || Some(self.state()["drift"].clone()).filter(|it| it["samples"] == rows));
        assert_eq!((&drift["state"], &drift["dropped"]), (&json!("stable"), &json!(0)), "{drift}");
        assert!(drift["alarm"].is_null() && self.log("drift").is_empty(), "{drift}");
    }

    fn state(&self) -> Value {
        get(self.home.serving.data, "/v1/routes/home-value/state")
    }

    /// The records of its requests, in their order: the list has the last 1,000, those before are told one by one.
    fn decisions(&self) -> Vec<Value> {
        let list = ["decisions", "list", "--route", "home-value", "--last", "1000", "--json", "--url", &self.admin()];
        let listed = String::from_utf8(evenkeel(&list).stdout).expect("text");
        let record = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("a record");
            (record["id"].as_str().expect("an id").to_owned(), record)
        };
        let mut listed: BTreeMap<String, Value> = listed.lines().map(record).collect();
        let one = |id: &String| get(self.home.serving.admin, &format!("/api/v1/decisions/{id}"));
        self.asked.iter().map(|id| listed.remove(id).unwrap_or_else(|| one(id))).collect()
    }

    /// What the gateway has logged of a kind.
    fn log(&self, kind: &str) -> Vec<Value> {
        let target = format!("evenkeel::{kind}");
        self.home.serving.log().into_iter().filter(|it| it["target"] == *target).collect()
    }

    /// Checks that the log has alarms, each of which names incomes first, and then their end.
    fn blames_incomes(&self) {
        let first = |line: &Value| {
            let culprits: Value = serde_json::from_str(line["culprits"].as_str()?).expect("JSON");
            Some(culprits[0][0].as_str().expect("a stream").to_owned())
        };
        let lines: Vec<Option<String>> = self.log("drift").iter().map(first).collect();
        let (over, alarms) = lines.split_last().expect("lines");
        assert!(over.is_none() && !alarms.is_empty(), "{lines:?}");
        assert!(alarms.iter().all(|it| it.as_deref() == Some("feature:median_income")), "{lines:?}");
    }
}

/// Who answered, by a record, and why.
fn who(record: &Value) -> (u64, &str) {
    (record["outcome"]["tier"].as_u64().expect("a tier"), record["reason"].as_str().expect("a code"))
}

/// What a record compared for a signal, where it did.
fn compared<'a>(record: &'a Value, signal: &str) -> Option<&'a Value> {
    record["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == signal)
}

#[test]
fn home_value_proposes_to_start_lower_while_incomes_are_a_quarter_higher_and_moves_nothing() {
    let home = start();
    assert!(home.readme.contains("--income 1.25"), "the rule");
    let mut desk = Desk::new(&home);
    desk.sees_nothing_wrong();
    desk.asks_until_it(|route| !route["drift"]["proposed_since"].is_null(), HIGHER);
    let drift = desk.state()["drift"].clone();
    assert_eq!(
        (&drift["alarm"]["culprits"][0]["stream"], &drift["start_at"]),
        (&json!("feature:median_income"), &json!("distilled"))
    );
    let status = evenkeel(&["status", "--url", &desk.admin()]);
    let words = String::from_utf8_lossy(&status.stdout);
    assert!(words.contains("; to start at distilled is proposed since ") && words.contains("by feature:median_income"));
    desk.asks_until_it(|route| route["drift"]["proposed_since"].is_null(), 1.0);
    desk.asks(1.0);

    desk.blames_incomes();
    let proposals: Vec<_> =
        desk.log("proposal").into_iter().map(|it| (it["start_at"].clone(), it["reason"].clone())).collect();
    assert_eq!(proposals, ["INPUT_DRIFT", "PRIMARY_HEALTHY"].map(|reason| (json!("distilled"), json!(reason))));
    assert!(desk.log("transition").is_empty());
    let rows = desk.rows.len();
    let decisions = desk.decisions();
    for record in &decisions {
        assert_eq!((who(record), compared(record, "drift")), ((0, "PRIMARY_HEALTHY"), None), "{record}");
    }
    // While the alarm stands, a row that is called anomalous, or is not, has that beside it.
    let stale = |record: &Value| {
        let guards = record["guards"].as_array().expect("a list");
        guards.iter().find(|it| it["guard"] == "anomaly").expect("it is asked")["stale"] == true
    };
    assert!(
        !decisions[..rows].iter().any(stale) && decisions.iter().any(stale) && !stale(decisions.last().expect("one"))
    );
}

#[test]
fn home_value_under_enforce_switches_for_as_long_as_incomes_are_higher_and_comes_back_by_its_ramp() {
    let home = start_changed(|text| {
        let enforced = text.replace("mode: recommend", "mode: enforce").replace("# recover:", "recover:");
        assert_ne!(text, enforced, "the lines that the README has changed");
        enforced
    });
    let mut desk = Desk::new(&home);
    desk.sees_nothing_wrong();
    let well = desk.asked.len();
    desk.asks_until(1, HIGHER);
    // What lasts is no new reason to move.
    (0..50).for_each(|_| assert_eq!(desk.asks(HIGHER), (1, "INPUT_DRIFT".into())));
    let moved = desk.asked.len();
    desk.asks_until(0, 1.0);
    desk.asks_until_it(|route| route["tier"] == 0 && route["drift"]["share"].is_null(), 1.0);
    (0..50).for_each(|_| assert_eq!(desk.asks(1.0), (0, "PRIMARY_HEALTHY".into())));

    desk.blames_incomes();
    let moves: Vec<_> =
        desk.log("transition").iter().map(|it| json!([it["rule"], it["from"], it["to"], it["reason"]])).collect();
    assert_eq!(moves, [json!(["drift", 0, 1, "INPUT_DRIFT"]), json!(["drift", 1, 0, "RECOVERY_RAMP"])]);

    let decisions = desk.decisions();
    let switched = decisions.iter().position(|it| who(it).0 == 1).expect("the switch");
    let returning = decisions.iter().position(|it| compared(it, "drift_lot_permille").is_some()).expect("the ramp");
    let back = 1 + decisions.iter().rposition(|it| compared(it, "drift_lot_permille").is_some()).expect("its end");
    assert!(well < switched && switched < moved && moved < returning, "{well} {switched} {moved} {returning}");
    assert!(decisions[..switched].iter().chain(&decisions[back..]).all(|it| who(it) == (0, "PRIMARY_HEALTHY")));
    for record in &decisions[switched..returning] {
        let fact = compared(record, "drift").expect("what was compared");
        assert_eq!((who(record), &fact["of"]), ((1, "INPUT_DRIFT"), &json!("primary")), "{record}");
        assert_eq!((&fact["value"], &fact["threshold"], &fact["breached"]), (&json!("2"), &json!("2"), &json!(true)));
    }
    climbs(&decisions[returning..back]);

    let id = desk.asked[switched].clone();
    let said = evenkeel(&["decisions", "explain", &id, "--url", &desk.admin()]);
    let words = String::from_utf8_lossy(&said.stdout);
    assert!(words.contains("INPUT_DRIFT: "), "{words}");
}

/// Holds what was answered on the way back against the lot that each request drew, and the shares against the ramp of the file.
fn climbs(decisions: &[Value]) {
    let mut shares = Vec::new();
    for record in decisions {
        let fact = compared(record, "drift_lot_permille").expect("each drew a lot");
        let expected = if fact["breached"] == true { (1, "RECOVERY_RAMP") } else { (0, "PRIMARY_HEALTHY") };
        assert_eq!(who(record), expected, "{record}");
        shares.push(fact["threshold"].as_str().expect("a share"));
    }
    shares.dedup();
    assert_eq!(shares, ["250", "500"], "the shares of the primary, step by step");
    assert!([0, 1].iter().all(|tier| decisions.iter().any(|it| who(it).0 == *tier)), "both answered meanwhile");
}
