//! CL: the client: it leaves, wishes, and sends what is no request; a file for each.

mod leaving;
mod malformed;
mod wishes;

use serde_json::{Value, json};

use crate::{
    row::Row,
    run::{Run, Side, counts},
};

/// The rows of these files.
pub(super) const ROWS: &[&[Row]] = &[leaving::ROWS, malformed::ROWS, wishes::ROWS];

/// Writes a whole request to the route.
pub(super) fn request(run: &Run) -> Vec<u8> {
    let body = run.chat(&run.route).to_string();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Claims that so many requests of the route were recorded as left by their clients, each after one attempt, cancelled.
async fn gone_of(run: &mut Run, requests: usize) {
    let route = format!("\"route\":\"{}\"", run.route);
    let recorded = async || {
        let lines = run.house.gateway.lines(&route);
        let left: Vec<Value> = lines.into_iter().filter(|it| it["status"] == 499).collect();
        (left.len() == requests).then_some(left)
    };
    let left = run.until(recorded).await.unwrap_or_default();
    run.must_be(left.len(), requests, "a record of status 499 for each");
    for line in &left {
        run.must_be(&line["attempts"], &json!([["primary", "cancelled.client_gone"]]), "one attempt, cancelled");
    }
    let cancelled = async || Some(run.primary_saw().await.iter().filter(|it| it.client_gone).count());
    let cancelled = run.until(async || cancelled().await.filter(|count| *count >= requests)).await.unwrap_or_default();
    run.must(cancelled >= requests, "the provider saw each client go", &cancelled);
    let breaker = run.breaker().await;
    run.must_be(breaker.as_str(), "closed", "neutral");
    run.saw(Side::Client, "gone");
    let saw = (run.primary_saw().await.len(), run.lower_saw().await.len());
    run.saw(Side::Path, format!("P = {}, {cancelled} cancelled, L = {}, breaker {breaker}", saw.0, saw.1));
    let words = left.iter().map(|it| format!("{} `{}`", it["status"], it["attempts"][0][1].as_str().unwrap_or("none")));
    run.saw(Side::Record, counts(words));
}
