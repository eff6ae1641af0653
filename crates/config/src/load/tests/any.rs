//! Any text is read without a panic, and is either right or has a diagnostic.

use proptest::{prelude::*, test_runner::RngSeed};

use super::*;
use crate::{
    expr::{Expr, Type},
    rules::RuleSet,
};

/// Every key, with the values that are hardest to read.
const WHOLE: &str = r#"version: 1
server: {listen: "127.0.0.1:1", admin: "127.0.0.1:2", max_body: 1MiB, body_bytes: 8MiB, read_timeout: 1s, write: 1s, connections: 9, drain: 1s, data_dir: d}
store: off
decisions: {sample: 0.5, spool: 1GiB, keep: 9d, inputs: 1GiB}
audit: {level: local, origin: example.com/audit, key: x, git: {repository: r, branch: b, every: 1m}}
upstreams:
  a: {protocol: openai, url: "http://a", api_key: x, dialect: auto, dns: 1s, connect: 1s, tls: 1s, idle: 1s, probe: {every: 1s, timeout: 1s}}
  b: {protocol: oip, urls: ["http://b", "http://c"], dialect: triton, min_available: 2, probe: off}
routes:
  chat:
    protocol: openai-chat
    deadline: 10s
    max_attempts: 2
    on_policy: next
    on_capability: error
    language: de
    shadow: {share: 0.02, max_cost: 0.02, tolerance: 0.1}
    rehearsal: 12h
    residency: [eu, ch]
    slo: {latency: {p95: 200ms}}
    priority: critical
    require_headroom: true
    retry_budget: {ratio: 0.1, floor: 3, per: 10s}
    tiers:
      - name: primary
        method: primary
        openai: {upstream: a, model: m}
        first_token: 1s
        stall: 5s
        total: 9s
        finalise: 1s
        min_rate: 3
        retries: 1
        max_answer: 1MiB
        limit: 8
        hedge: auto
        context: 100
        features: [tools, n]
        languages: [de, pt-BR]
        residency: [eu]
        space: s
        breaker: {consecutive: 5, fast: [20, 0.5, 10s], slow: [50, 0.2, 60s], low: [2, 3], open: 1s, open_max: 2s, flap_max: 20s, probes: 1, successes: 1, ramp: [0.5, 1]}
      - {name: last, fixed: {content: x}}
  value:
    protocol: oip
    input: {tensor: x, columns: [a, b], features: {a: {type: int, min: 0, max: 9, required: true}}}
    versions: ["7", "8"]
    output: {tensors: {s: {datatype: FP32, shape: [-1], min: 0, max: 1}, w: {datatype: BYTES}}, non_finite: allow}
    tiers:
      - {name: p, oip: {upstream: b, model: m, version: "1"}, datatypes: [FP32, BYTES], map: {s: {from: t, column: 1, datatype: FP32, shape: [-1]}, w: {from: c, round: true, labels: [x]}}}
      - {name: o, onnx: {file: o.onnx, threads: 2}, map: {w: {default: y}}}
      - {name: r, rules: {file: r.rules}}
      - {name: f, fixed: {outputs: {s: {dtype: FP32, shape: [1], data: [0.5]}}}, map: {w: {default: y}}}
"#;

const RULES: &str = r#"inputs: {a: int, b: float, c: category}
mode: first
complete: false
rules:
  - {id: x, when: "a > 1 && b / 2.0 < 3.0", answer: {s: 0.5}, owner: o, why: w}
otherwise: {s: 0.1}
tests: [{given: {a: 1, b: 2}, expect: {s: 0.1}, rule: otherwise}, {given: {a: 2, b: 2}, rule: x}]
"#;

/// What may come in the place of a word.
const WORDS: [&str; 24] = [
    "",
    "~",
    "no",
    "true",
    "0",
    "-1",
    "1.5",
    "1e999",
    ".nan",
    "nan",
    "99999999999999999999",
    "5s",
    "0s",
    "x",
    "[]",
    "{}",
    "[[1]]",
    "{a: {b: c}}",
    "\"\"",
    "'",
    "- ",
    ": ",
    "*a",
    "\u{0}",
];

/// Replaces the nth word of a text.
fn replaced(text: &str, nth: usize, by: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let starts = text
        .char_indices()
        .zip([' '].into_iter().chain(text.chars()))
        .filter(|((_, c), before)| is_word(*c) && !is_word(*before));
    let starts: Vec<usize> = starts.map(|((at, _), _)| at).collect();
    let start = starts[nth % starts.len()];
    let end = text[start..].find(|c| !is_word(c)).map_or(text.len(), |length| start + length);
    format!("{}{by}{}", &text[..start], &text[end..])
}

fn is_judged(text: &str) {
    let loaded = load(text);
    assert_eq!(loaded.deployment.is_some(), loaded.errors() == 0);
    let (set, found) = RuleSet::read("r", text);
    assert_eq!(set.is_some(), found.iter().all(|it| it.severity == Severity::Warning));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shape_1_whatever_stands_in_the_place_of_a_word_is_judged(nth in 0usize..400, word in 0..WORDS.len(), twice in any::<Option<(usize, u8)>>()) {
        for text in [WHOLE, RULES] {
            let mut text = replaced(text, nth, WORDS[word]);
            if let Some((other, by)) = twice {
                text = replaced(&text, other, WORDS[usize::from(by) % WORDS.len()]);
            }
            is_judged(&text);
        }
    }

    #[test]
    fn any_text_is_judged(text in "\\PC{0,80}") {
        is_judged(&text);
    }

    #[test]
    fn any_condition_is_judged(parts in proptest::collection::vec(0usize..32, 0..24)) {
        const PARTS: [&str; 32] = [
            "a", "b", "c", "vip", " ", "1", "2.5", "'x'", "(", ")", "[", "]", "{", "}", ",", ".", "?", ":", "&&", "||",
            "!", "-", "+", "*", "/", "%", "==", "<", " in ", "has", "size(", "null",
        ];
        let text: String = parts.into_iter().map(|at| PARTS[at]).collect();
        let inputs = [("a", Type::Int), ("b", Type::Float), ("c", Type::Text), ("vip", Type::Bool)];
        let inputs = inputs.map(|(name, of)| (name.to_owned(), of));
        if let Ok(expr) = Expr::compile(&text, &inputs) {
            let _ = (expr.logic(&inputs), expr.implies(&expr));
        }
    }
}

#[test]
fn the_whole_text_has_no_mistake_but_absent_files() {
    let codes: Vec<_> =
        load(WHOLE).diagnostics.iter().filter(|it| it.severity == Severity::Error).map(|it| it.code).collect();
    assert_eq!(codes, ["misplaced-key", "misplaced-key", "missing-file", "missing-file", "breaks-contract"]);
    assert_eq!(RuleSet::read("r", RULES).1, []);
}
