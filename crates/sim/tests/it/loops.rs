//! The loops that keep a failure alive after its cause is gone (F-191): which scenario plays each, and which come later.
//!
//! What the scenarios expect, and that all is well again after them, is held over many seeds by `seeds`.

use crate::golden::{folder, scenarios};

/// How a loop of F-191 is played.
enum Played {
    By(&'static str),
    /// With the issue that builds what it needs.
    Later(u8),
}

use Played::{By, Later};

/// Each loop, in the words and the order of the rule.
const LOOPS: [(&str, Played); 10] = [
    // Every second attempt fails, fast: retries would double the load, were they not paid from one purse.
    ("retries", By("brownout-fast")),
    ("hedges", By("hedges")),
    ("client retries on 503", By("client-retries")),
    ("fallback stampede", By("fallback-full")),
    ("cold cache", By("cold-cache")),
    ("probes in step", By("probe-storm")),
    ("queue of dead requests", By("overload")),
    // At one request in four seconds no step of the ramp gets its ten good answers: time ends it.
    ("ramp that never ends", By("flap-once")),
    ("alert storm", Later(7)),
    ("spool replay", Later(7)),
];

#[test]
fn f_191_every_loop_that_can_be_played_has_its_scenario() {
    let page = std::fs::read_to_string(folder().join("../docs/design/failures.md")).expect("the page is there");
    let rule = page.lines().find_map(|it| it.strip_prefix("| F-191 | ")).expect("the rule is there");
    let named = rule.split_once(": ").and_then(|(_, it)| it.split_once(". ")).expect("a list of loops").0;
    let loops: Vec<&str> = LOOPS.iter().map(|(name, _)| *name).collect();
    assert_eq!(loops.join(", "), named, "each loop of the rule, and no other");
    let scenarios = scenarios();
    for (name, played) in LOOPS {
        match played {
            By(scenario) => assert!(scenarios.iter().any(|it| it.name == scenario), "{name}: no scenario `{scenario}`"),
            Later(issue) => {
                assert!(rule.contains(&format!("issue {issue}")), "{name}: the rule does not say that it comes later");
            }
        }
    }
}
