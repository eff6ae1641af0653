//! Control: the `/mock` endpoints, by which faults are switched and the log is read while the mock runs.
//!
//! It is not touched by any fault, and its own requests do not stand in the log.
//!
//! # Source
//! `interfaces.md`, section 3, paragraph `evenkeel mock`.

use serde_json::{Value, json};

use crate::{
    Attempt, Rule,
    fault::parse_faults_json,
    reply::Reply,
    server::{Head, Shared},
};

/// What a request changes.
#[derive(Debug)]
pub(crate) enum Change {
    Nothing,
    Faults(Vec<Rule>),
    /// The faults of one model, and of no other.
    FaultsOf(String, Vec<Rule>),
    Reset,
}

impl Change {
    /// Says whether the model port will be closed by it.
    pub(crate) fn closes(&self) -> bool {
        matches!(self, Change::Faults(rules) if rules.iter().any(|rule| rule.fault.closing().is_some()))
    }

    /// Puts it in force.
    pub(crate) fn make(self, shared: &Shared) {
        match self {
            Change::Nothing => {}
            Change::Faults(rules) => shared.set_faults(rules),
            Change::FaultsOf(model, rules) => shared.set_faults_of(&model, rules),
            Change::Reset => shared.reset(),
        }
    }
}

/// Answers a request to `/mock/…` and says what is to change.
pub(crate) fn handle(shared: &Shared, head: &Head, body: &[u8]) -> (Reply, Change) {
    match (head.method.as_str(), head.path()) {
        ("PUT" | "DELETE", "/mock/faults") if head.query("model").is_some() => {
            let model = head.query("model").unwrap_or_default();
            let list = if head.method == "DELETE" { b"[]" } else { body };
            match parse_faults_json(list).map_err(|error| error.to_string()).and_then(|rules| of(model, rules)) {
                Ok(rules) => (faults(&rules), Change::FaultsOf(model.to_owned(), rules)),
                Err(error) => (refuse(400, &format!("cannot {error}")), Change::Nothing),
            }
        }
        ("PUT", "/mock/faults") => match parse_faults_json(body) {
            Ok(rules) => (faults(&rules), Change::Faults(rules)),
            Err(error) => (refuse(400, &format!("cannot {error}")), Change::Nothing),
        },
        ("DELETE", "/mock/faults") => (faults(&[]), Change::Faults(Vec::new())),
        ("GET" | "HEAD", "/mock/faults") => (faults(shared.faults.lock().rules()), Change::Nothing),
        ("GET" | "HEAD", "/mock/log") => (log(shared, head), Change::Nothing),
        ("POST", "/mock/reset") => (Reply::json(200, &json!({"reset": true})), Change::Reset),
        (_, "/mock/faults" | "/mock/log" | "/mock/reset") => {
            (refuse(405, "faults take GET, PUT and DELETE, log takes GET, reset takes POST"), Change::Nothing)
        }
        _ => (refuse(404, "there are /mock/faults, /mock/log and /mock/reset"), Change::Nothing),
    }
}

/// Turns rules to one model.
fn of(model: &str, rules: Vec<Rule>) -> Result<Vec<Rule>, String> {
    let one = |rule: Rule| match &rule.model {
        _ if rule.fault.closing().is_some() => {
            Err(format!("set `{}` for one model: it closes the port, which all models share", rule.name()))
        }
        Some(other) if other != model => Err(format!("set faults of `{other}` in the list of `{model}`")),
        _ => Ok(rule.model(model)),
    };
    rules.into_iter().map(one).collect()
}

fn refuse(status: u16, why: &str) -> Reply {
    Reply::json(status, &json!({"error": why}))
}

/// Shows a list of faults as it can be put again.
fn faults<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Reply {
    Reply::json(200, &rules.into_iter().map(Rule::to_json).collect::<Value>())
}

/// Shows the log; `?since=N` from an attempt on, `?model=M` of one model, `?bodies=true` with the request bodies.
fn log(shared: &Shared, head: &Head) -> Reply {
    let since = match head.query("since").map(str::parse::<u64>) {
        None => 0,
        Some(Ok(since)) => since,
        Some(Err(_)) => return refuse(400, "`since` must be the number of an attempt"),
    };
    let bodies = head.query("bodies") == Some("true");
    let attempts = shared.log.attempts(since, head.query("model"));
    let attempts: Vec<Value> = attempts.iter().map(|one| show(one, bodies)).collect();
    let (total, by_model, forgotten) = shared.log.counts();
    let now_ms = shared.clock.now().as_micros() as f64 / 1e3;
    Reply::json(
        200,
        &json!({
            "now_ms": now_ms, "total": total, "by_model": by_model, "forgotten": forgotten, "attempts": attempts,
        }),
    )
}

/// Shows an attempt. A body that is no UTF-8 is shown in hexadecimal.
fn show(attempt: &Attempt, bodies: bool) -> Value {
    let mut shown = serde_json::to_value(attempt).expect("an attempt is plain data");
    if let Some(body) = attempt.body.as_ref().filter(|_| bodies) {
        match std::str::from_utf8(body) {
            Ok(text) => shown["body"] = text.into(),
            Err(_) => shown["body_hex"] = body.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        }
    }
    shown
}
