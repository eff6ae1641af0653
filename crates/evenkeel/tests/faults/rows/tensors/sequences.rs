//! TN-12: what has begun to add up somewhere is gone on with there, or not at all.

use serde_json::json;

use super::{infer, inferences, rows};
use crate::{
    client::Got,
    exchange::outcome,
    run::{Run, Side, counts},
};

/// Sends a request of a sequence.
async fn turn(run: &Run, id: &str, start: bool) -> Got {
    let mut body = rows();
    body["parameters"] = json!({"sequence_id": id, "sequence_start": start});
    infer(run, body.to_string()).await
}

/// Claims that a sequence is lost, and how many were asked for it; returns what the primary came to.
async fn lost(run: &mut Run, got: &Got, asked: usize) -> Vec<String> {
    let told = got.json()["error"].as_str().is_some_and(|error| error.contains("begin it again with sequence_start"));
    run.must(got.status == 409 && told, "409, and how to begin again", got);
    let record = run.record(got.header("evenkeel-decision")).await;
    let attempts = record["attempts"].as_array().cloned().unwrap_or_default();
    run.must(attempts.len() == asked, "no retry, and no other tier", &record);
    let elsewhere = record["inputs"].as_array().into_iter().flatten();
    let elsewhere = elsewhere.filter(|it| it["signal"] == "sequence_elsewhere" && it["breached"] == true).count();
    // Those below the one that has failed; all, once nobody has its state.
    run.must(elsewhere == if asked == 1 { 2 } else { 3 }, "why no other tier was asked", &record);
    attempts.iter().filter_map(|it| it["result"].as_str()).map(str::to_owned).collect()
}

pub(super) async fn tn_12(run: &mut Run) {
    let got = turn(run, "one", true).await;
    run.must(got.status == 200 && got.tier() == Some(0), "the primary begins it", &got);
    run.break_primary().await;
    let got = turn(run, "one", false).await;
    let results = lost(run, &got, 1).await;
    let reached = inferences(run).await;
    run.must_be(reached, 2, "the start, and once what went wrong");
    let mut statuses = vec![got.status];
    run.saw(Side::Record, results.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "));
    let got = turn(run, "one", false).await;
    lost(run, &got, 0).await;
    statuses.push(got.status);
    // A start may fall, and what follows stays where it fell.
    for start in [true, false] {
        let got = turn(run, "two", start).await;
        run.must(got.status == 200 && got.tier() == Some(1), "the lower tier has the other one", &got);
        run.saw(Side::Client, format!("start broken: {}", outcome(&got)));
    }
    run.set_primary("").await;
    let got = turn(run, "two", false).await;
    run.must(got.status == 200 && got.tier() == Some(1), "and stays there while the primary is well", &got);
    let got = turn(run, "one", true).await;
    run.must(got.status == 200, "begun again", &got);
    run.saw(Side::Client, format!("later: {}", counts(statuses)));
    run.saw(Side::Path, format!("P = {reached}"));
}
