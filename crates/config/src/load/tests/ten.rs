//! One file with many different mistakes: each is reported once, with its line and a hint.

use super::*;

/// A mistake a line, marked with the code that it gives.
const WRONG: &str = r#"version: 1
server: {listen: "here", drain: 30}                                           # bad-address bad-value
upstreams:
  big: {protocol: openai, url: "ftp://x"}                                     # bad-url
  small: {protocol: openai, url: "http://y", api_key: "${env:EVENKEEL_NONE}"} # missing-secret
  small: {protocol: openai, url: "http://z"}                                  # duplicate-key
  models: {protocol: oip, url: "http://m:8000", dialect: tritn}               # unknown-word
routes:
  chat:
    protocol: openai-chat
    max_attempts: no                                                          # wrong-type
    retry_budget: {ratio: 1.5}                                                # out-of-range
    tiers:
      - {name: primary, openai: {upstream: bigg, model: m}}                   # unknown-upstream
      - name: primary                                                         # duplicate-name
        openai: {upstream: small, model: m}
        stal: 5s                                                              # unknown-key
      - {name: both, openai: {upstream: big, model: m}, fixed: {content: x}}  # two-kinds
      - {name: ramp, openai: {upstream: big, model: m}, breaker: {ramp: [1, 0.5]}} # ramp
      - {name: nameless, openai: {upstream: big}}                             # last-tier-can-fail missing-key
  value:
    protocol: oip
    input: {tensor: x, columns: [income, rooms]}
    output: {tensors: {score: {datatype: FP32, min: 0, max: 1}}}
    tiers:
      - {name: chat, openai: {upstream: big, model: m}}                       # wrong-protocol
      - {name: local, onnx: {file: absent.onnx}}                              # missing-file
      - {name: rules, rules: {file: wrong.rules}}
      - {name: default, fixed: {outputs: {score: 1.5}}}                       # breaks-contract
"#;

const WRONG_RULES: &str = r#"inputs: {income: float}
rules:
  - {id: high, when: "incom > 5.0", answer: {score: 0.9}}                     # bad-expression
otherwise: {score: 0.1}
"#;

fn marked(text: &str) -> Vec<(String, usize)> {
    let lines =
        text.lines().enumerate().filter_map(|(at, line)| line.split_once(" # ").map(|(_, codes)| (at + 1, codes)));
    lines.flat_map(|(at, codes)| codes.split(' ').map(move |code| (code.to_owned(), at))).collect()
}

#[test]
fn cf_01_many_mistakes_give_as_many_diagnostics_each_with_line_and_hint() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("wrong.rules"), WRONG_RULES).expect("written");
    let loaded = load_text("evenkeel.yaml", WRONG, folder.path());
    assert!(loaded.deployment.is_none());
    let (own, rules): (Vec<_>, Vec<_>) = loaded.diagnostics.iter().partition(|it| it.file == "evenkeel.yaml");
    let found = |these: &[&Diagnostic]| these.iter().map(|it| (it.code.to_owned(), it.line)).collect::<Vec<_>>();
    assert_eq!(found(&own), marked(WRONG), "{own:#?}");
    assert_eq!(found(&rules), marked(WRONG_RULES));
    assert!(rules[0].file.ends_with("wrong.rules") && rules[0].column == 23, "{}", rules[0]);
    for diagnostic in &loaded.diagnostics {
        assert!(diagnostic.column > 0 && !diagnostic.hint.is_empty(), "{diagnostic}");
    }
}

#[test]
fn a_diagnostic_reads_as_a_line_that_editors_follow() {
    let loaded = load(&with("        stal: 5s\n      - {name: d, fixed: {content: x}}\n"));
    let text: Vec<_> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    let expected = "evenkeel.yaml:10:9: error[unknown-key] routes.chat.tiers[0].stal: `stal` is not a key here\n    \
                    hint: did you mean `stall`?";
    assert_eq!(text, [expected]);
    let json = serde_json::to_value(&loaded.diagnostics[0]).expect("it is data");
    let keys: Vec<_> = json.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["code", "column", "file", "hint", "key", "line", "message", "severity"]);
    assert_eq!(json["severity"], "error");
}

#[test]
fn a_mistake_does_not_hide_others_and_is_not_repeated_in_other_words() {
    for (text, expected) in [
        // A route of unknown protocol: nothing is said of what its tiers may be.
        (
            with("        stal: 1s\n").replace("openai-chat", "openai-chatt"),
            vec![("unknown-word", 6), ("unknown-key", 10)],
        ),
        // An upstream of unknown protocol: nothing is said of who may call it.
        (with("").replace("protocol: openai,", "protocol: opnai,"), vec![("unknown-word", 3)]),
        // An upstream that is no map is still declared.
        (with("").replace("{protocol: openai, url: \"http://127.0.0.1:1/v1\"}", "5"), vec![("wrong-type", 3)]),
        // A tier without a name is still checked.
        (
            with("").replace("- name: primary\n        openai: {upstream: big", "- openai: {upstream: bug"),
            vec![("missing-key", 8), ("unknown-upstream", 8)],
        ),
        (with("").replace("model: m", "model: "), vec![("wrong-type", 9)]),
    ] {
        let mut found = codes(&text);
        found.retain(|it| it.0 != "last-tier-can-fail");
        found.sort_by_key(|it| it.1);
        assert_eq!(found, expected, "{text}");
    }
}
