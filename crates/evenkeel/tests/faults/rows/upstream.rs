//! UP: the upstream, up to the first content: a file for each kind of trouble, and what they all claim.

mod answers;
mod certificates;
mod connections;
mod readiness;
mod refusals;
mod replicas;
mod silence;
mod unprocessed;

use serde_json::Value;

use crate::{exchange::Exchange, row::Row, run::Run};

/// The rows of these files.
pub(super) const ROWS: &[&[Row]] = &[
    refusals::ROWS,
    answers::ROWS,
    connections::ROWS,
    silence::ROWS,
    unprocessed::ROWS,
    certificates::ROWS,
    readiness::ROWS,
    replicas::ROWS,
];

/// Claims the first result of the primary.
fn first_result(run: &mut Run, it: &Exchange, wanted: &str) {
    let results = it.results("primary");
    run.must(results.first() == Some(&wanted), wanted, &results);
}

/// Claims that the primary was asked so often.
async fn asked(run: &mut Run, times: usize) {
    run.must_be(run.primary_saw().await.len(), times, "P");
}

/// Claims that the lower tier was started as soon as the primary had failed.
fn at_once(run: &mut Run, it: &Exchange) {
    let attempts = it.record["attempts"].as_array().cloned().unwrap_or_default();
    let time = |it: &Value, name: &str| it[name].as_u64().unwrap_or(0);
    if let [.., failed, next] = &attempts[..] {
        let pause = time(next, "start_us").saturating_sub(time(failed, "start_us") + time(failed, "duration_us"));
        run.must(pause < 250_000, "at once", &it.record["attempts"]);
    }
}
