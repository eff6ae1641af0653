//! The demo: half a minute in which both routes lose their primary, and no client notices.

use std::{collections::BTreeMap, path::Path};

use evenkeel_api::evidence::{Members, Stream, segments};
use evenkeel_core::Reason;
use serde_json::Value;

use crate::process::{evenkeel, is_left_out};

const LENGTH_MS: u64 = 30_000;

#[test]
fn half_a_minute_of_broken_primaries_is_seen_by_no_client() {
    if is_left_out("demo", "it takes half a minute") {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let output = evenkeel(&["demo", "--for", "30s", "--json", "--data-dir", data.path().to_str().expect("text")]);
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let last: Value = serde_json::from_str(printed.lines().last().expect("a summary")).expect("JSON");
    println!("{last}");
    assert_eq!(output.status.code(), Some(0), "{last}\n{said}");
    for short in ["failed", "truncated", "late"] {
        assert_eq!(last[short], 0, "{last}");
    }
    assert_eq!(last["requests"], last["answered"], "{last}");
    for line in ["tiers: x cut off, ? being tried", "curl -s http://127.0.0.1:"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(last["failover_ms"]["max"].is_u64(), "{last}");
    assert_eq!(kept(data.path()), last["requests"].as_u64().expect("a number"), "each request is kept where it says");

    let routes = last["by_tier"].as_object().expect("routes");
    assert_eq!(routes.keys().collect::<Vec<_>>(), ["home-value", "support-chat"]);
    for (route, tiers) in routes {
        let below = tiers.as_object().expect("tiers").iter().filter(|(tier, count)| *tier != "0" && **count != 0);
        assert!(below.count() >= 2, "{route}: at least two tiers below 0 served: {tiers}");
        assert!(tiers["0"].as_u64() > Some(0), "{route}: and tier 0 did");
    }
    transitions_name_their_causes(&last);
    for (route, away) in away_from_tier_0(&last) {
        assert!(away >= LENGTH_MS / 3, "{route} was away from tier 0 for {away} ms only: {last}");
    }
}

/// How many requests are kept in a folder.
fn kept(data: &Path) -> u64 {
    let instance = data.join("instances/i1");
    let found = segments(&instance, Stream::Decisions).expect("read");
    let bytes = found.iter().map(|it| (it.first, it.read().expect("read")));
    bytes.map(|(first, bytes)| Members::new(&bytes, first).map(|it| it.count()).sum::<u64>()).sum()
}

fn transitions(summary: &Value) -> &Vec<Value> {
    summary["transitions"].as_array().expect("a list")
}

fn transitions_name_their_causes(summary: &Value) {
    let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    for it in transitions(summary) {
        let reason = it["reason"].as_str().expect("a reason");
        assert!(known.contains(&reason), "{it}");
        let healthy = matches!(reason, "PRIMARY_HEALTHY" | "NEXT_ELIGIBLE_TIER" | "LAST_RESORT");
        assert!(!(healthy && it["to"].as_u64() > it["from"].as_u64()), "a way down has a cause: {it}");
    }
}

/// How long each route started below tier 0, in milliseconds: what the broken primary looks like from outside.
fn away_from_tier_0(summary: &Value) -> BTreeMap<&str, u64> {
    let (mut left, mut away) = (BTreeMap::new(), BTreeMap::from([("support-chat", 0), ("home-value", 0)]));
    for it in transitions(summary) {
        let (route, at) = (it["route"].as_str().expect("a route"), it["at_ms"].as_u64().expect("a time"));
        if it["to"] == 0 {
            let since: u64 = left.remove(route).expect("it was away");
            *away.get_mut(route).expect("one of two") += at - since;
        } else {
            left.entry(route).or_insert(at);
        }
    }
    assert!(left.is_empty(), "both are back: {summary}");
    away
}
