//! What a route does about drift.

use evenkeel_core::{DriftMode, DriftPolicy, Permille, SECOND};
use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan as Profile, Reference, Role, SourceRow},
    row::Value,
};

use super::{keys::compiled, *};

/// The smallest route that does something about drift.
fn drifting(keys: &str) -> String {
    with("      - {name: last, fixed: {content: x}}\n").replace("    tiers:", &format!("    drift: {keys}\n    tiers:"))
}

fn policy(keys: &str) -> DriftPolicy {
    let loaded = load(&drifting(keys));
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{keys}: {:#?}", loaded.diagnostics));
    deployment.revision.routes[0].drift.clone().expect("it has one")
}

#[test]
fn what_is_not_said_of_drift_is_to_recommend_and_to_come_back_in_four_steps() {
    let ramp = [50, 250, 500, 1_000].map(Permille::new).to_vec();
    let expected = DriftPolicy { start_at: 1, mode: DriftMode::Recommend, ramp, every: 60 * SECOND };
    assert_eq!(policy("{then: {start_at: last}}"), expected);
    assert_eq!(policy("{then: {mode: observe}}").mode, DriftMode::Observe);
    let enforced = policy("{then: {start_at: last, mode: enforce}, recover: {ramp: [0.5, 1], every: 1s}}");
    let ramp = [500, 1_000].map(Permille::new).to_vec();
    assert_eq!(enforced, DriftPolicy { start_at: 1, mode: DriftMode::Enforce, ramp, every: SECOND });
    assert_eq!(load(&with("")).deployment.expect("compiles").revision.routes[0].drift, None);
}

#[test]
fn each_key_of_drift_changes_what_is_compiled() {
    let plain = "{then: {start_at: last, mode: enforce}}";
    for turned in [
        "{then: {start_at: last, mode: recommend}}",
        "{then: {start_at: last, mode: observe}}",
        "{then: {start_at: last, mode: enforce}, recover: {ramp: [1]}}",
        "{then: {start_at: last, mode: enforce}, recover: {every: 1s}}",
        "{then: {start_at: last, mode: enforce}, false_alarm_every: 7d}",
        "{then: {start_at: last, mode: enforce}, hold: {for: 1s}}",
        "{then: {start_at: last, mode: enforce}, hold: {rows: 10}}",
        "{then: {start_at: last, mode: enforce}, watch: [inputs, row_score]}",
        "{then: {start_at: last, mode: enforce}, watch: [outputs]}",
    ] {
        let [one, other] = [turned, plain].map(|keys| compiled(&drifting(keys), Path::new(".")));
        assert_ne!(one, other, "{turned}");
    }
    let third = |name: &str| {
        let tiers = drifting(plain).replace("start_at: last", &format!("start_at: {name}"));
        let tiers = tiers.replace(
            "      - {name: last",
            "      - {name: second, openai: {upstream: big, model: m}}\n      - {name: last",
        );
        load(&tiers).deployment.expect("compiles").revision.routes[0].drift.clone().expect("it has one").start_at
    };
    assert_eq!([third("second"), third("last")], [1, 2]);
}

#[test]
fn what_cannot_be_meant_of_drift_is_refused_by_name() {
    for (keys, code, key) in [
        ("{}", "missing-key", "drift.then.start_at"),
        ("{then: {mode: enforce}}", "missing-key", "drift.then.start_at"),
        ("{then: {start_at: primary}}", "order", "drift.then.start_at"),
        ("{then: {start_at: lats}}", "unknown-tier", "drift.then.start_at"),
        ("{then: {start_at: last, mode: force}}", "unknown-word", "drift.then.mode"),
        ("{then: {start_at: last, mode: enforce}, recover: {ramp: [0.5]}}", "ramp", "drift.recover.ramp"),
        ("{then: {start_at: last, mode: enforce}, recover: {ramp: [0.5, 0.2, 1]}}", "ramp", "drift.recover.ramp"),
        ("{then: {start_at: last, mode: enforce}, recover: {every: 1us}}", "out-of-range", "drift.recover.every"),
        ("{then: {start_at: last}, false_alarm_every: 1us}", "out-of-range", "drift.false_alarm_every"),
        ("{then: {start_at: last}, watch: []}", "wrong-length", "drift.watch"),
        ("{then: {start_at: last}, watch: [inputs, inputs]}", "duplicate-name", "drift.watch"),
        ("{then: {start_at: last}, watch: [input]}", "unknown-word", "drift.watch[0]"),
        ("{then: {start_at: last}, hold: {rows: 0}}", "out-of-range", "drift.hold.rows"),
        ("{then: {start_at: last}, recover: {every: 1s}}", "no-effect", "drift.recover"),
    ] {
        let found = load(&drifting(keys)).diagnostics;
        let fits = |it: &Diagnostic| it.code == code && it.key.ends_with(key);
        assert!(found.iter().any(fits), "{keys}: {code} at {key} in {found:#?}");
    }
}

/// A route over tensors that compares its one feature with a reference of so many rows, so many minutes apart.
fn referred(folder: &Path, (rows, minutes): (u64, u64), mode: &str) -> Vec<(&'static str, String)> {
    referring(folder, (rows, minutes), drawn, &format!("then: {{start_at: last, mode: {mode}}}"))
}

/// A number below 97 that has nothing to do with the one before.
fn drawn(number: u64) -> f64 {
    ((number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 97) as f64
}

/// The same with rows of these numbers, and these keys of `drift`.
fn referring(
    folder: &Path,
    (rows, minutes): (u64, u64),
    value: fn(u64) -> f64,
    keys: &str,
) -> Vec<(&'static str, String)> {
    let profile = Profile::new("value", vec![Column::new("x", ColumnKind::Number, Role::Input)]);
    let row = |number: u64| SourceRow {
        number,
        at: Some(number * minutes * 60 * SECOND),
        values: vec![Value::Number(value(number))],
    };
    let reference = Reference::build(&profile, [1; 32], &(0..rows).map(row).collect::<Vec<_>>()).expect("sound");
    std::fs::write(folder.join("value.ref"), reference.encode()).expect("written");
    let text = format!(
        "version: 1\nupstreams:\n  big: {{protocol: oip, url: \"http://127.0.0.1:1\"}}\nroutes:\n  value:\n    protocol: oip\n    \
         input: {{features: {{x: {{type: float}}}}, reference: value.ref}}\n    drift: {{{keys}}}\n    \
         tiers:\n      - {{name: primary, oip: {{upstream: big, model: m}}}}\n      - {{name: last, fixed: {{outputs: {{y: 1}}}}}}\n"
    );
    let found = load_text("evenkeel.yaml", &text, folder).diagnostics;
    found.into_iter().filter(|it| it.key.contains(".drift")).map(|it| (it.code, it.key)).collect()
}

#[test]
fn what_a_reference_is_too_little_for_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let codes = |rows, mode| {
        let found = referred(folder.path(), rows, mode).into_iter().map(|it| it.0);
        found.collect::<Vec<_>>()
    };
    assert_eq!(codes((1_200, 10), "enforce"), [""; 0], "eight days, and rows enough");
    assert_eq!(codes((1_200, 1), "enforce"), ["observe-first"], "less than a day");
    assert_eq!(codes((1_200, 1), "recommend"), [""; 0], "nothing is moved by itself");
    assert_eq!(codes((999, 12), "enforce"), ["too-few-rows"]);
    let unreferred = load(&drifting("{then: {start_at: last}}")).diagnostics;
    assert!(unreferred.iter().any(|it| it.code == "no-effect" && it.key.ends_with("chat.drift")), "{unreferred:#?}");
}

#[test]
fn a_reference_whose_own_rows_bring_alarms_too_often_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    // A day's course: rows of one hour are all alike.
    let day = |number: u64| ((number / 60) % 24) as f64 + drawn(number) / 1e3;
    let warned = |keys: &str| {
        let found = referring(folder.path(), (12_000, 1), day, &format!("then: {{mode: observe}}{keys}"));
        found.iter().any(|it| it.0 == "false-alarms" && it.1.ends_with("drift.false_alarm_every"))
    };
    assert!(warned(""));
    assert!(!warned(", false_alarm_every: 1s"), "that often is often enough");
    assert!(!warned(", watch: [outputs]"), "what is not watched does not alarm");
}

#[test]
fn what_of_a_reference_the_first_tier_does_not_say_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let schema = vec![
        Column::new("question", ColumnKind::Text, Role::Input),
        Column::new("sure", ColumnKind::Number, Role::Confidence),
        Column::new("reply", ColumnKind::Text, Role::Output),
        Column::new("toxicity", ColumnKind::Number, Role::Output),
    ];
    let profile = Profile { seed: 1, false_alarms_per_million: 10_000, ..Profile::new("chat", schema) };
    let values = || vec![Value::Text("how?"), Value::Number(0.5), Value::Text("so"), Value::Number(0.1)];
    let rows: Vec<_> = (0..1_000).map(|number| SourceRow { number, at: None, values: values() }).collect();
    let reference = Reference::build(&profile, [1; 32], &rows).expect("sound");
    std::fs::write(folder.path().join("chat.ref"), reference.encode()).expect("written");
    let found = |accept: &str, watch: &str| {
        let keys = format!(
            "    commit: full\n    input: {{reference: chat.ref}}\n    drift: {{watch: [{watch}], then: {{mode: observe}}}}\n    tiers:"
        );
        let text = with("      - {name: last, fixed: {content: x}}\n").replace("    tiers:", &keys);
        let text = text.replacen("model: m}", &format!("model: m}}{accept}"), 1);
        let found = load_text("evenkeel.yaml", &text, folder.path()).diagnostics;
        found.into_iter().filter(|it| it.code == "not-watched").map(|it| it.message).collect::<Vec<_>>()
    };
    let accept = "\n        accept: {confidence: \"exp(logprobs.mean)\", at_least: 0}";
    let (unsure, sure) = (found("", "outputs"), found(accept, "outputs"));
    assert!(
        matches!(&unsure[..], [it] if it.starts_with("`sure` of the reference and 1 more is nothing")),
        "{unsure:?}"
    );
    assert!(matches!(&sure[..], [it] if it.starts_with("`toxicity` of the reference is nothing")), "{sure:?}");
    assert_eq!(found("", "inputs"), [""; 0], "nobody looks at them");
}

#[test]
fn guards_that_keep_rows_from_the_first_tier_whose_outputs_are_compared_are_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = |role| {
        let schema =
            vec![Column::new("x", ColumnKind::Number, Role::Input), Column::new("y", ColumnKind::Number, role)];
        let row = |number: u64| SourceRow {
            number,
            at: None,
            values: vec![Value::Number(drawn(number)), Value::Number(drawn(number + 9_999))],
        };
        let rows: Vec<_> = (0..4_000).map(row).collect();
        let reference = Reference::build(&Profile::new("value", schema), [1; 32], &rows).expect("sound");
        std::fs::write(folder.path().join("value.ref"), reference.encode()).expect("written");
    };
    let found = |watch: &str, guards: &str| {
        let text = format!(
            "version: 1\nupstreams:\n  big: {{protocol: oip, url: \"http://127.0.0.1:1\"}}\nroutes:\n  value:\n    protocol: oip\n    \
             input: {{features: {{x: {{type: float}}}}, reference: value.ref}}\n    \
             drift: {{watch: [{watch}], then: {{mode: observe}}}}\n    guards: {{{guards}}}\n    \
             tiers:\n      - {{name: primary, oip: {{upstream: big, model: m}}}}\n      - {{name: last, fixed: {{outputs: {{y: 1}}}}}}\n"
        );
        let found = load_text("evenkeel.yaml", &text, folder.path()).diagnostics;
        found.into_iter().filter(|it| it.code == "outputs-moved").map(|it| it.message).collect::<Vec<_>>()
    };
    let moves = "range: {then: {start_at: last}}, unseen: {then: {start_at: last}}";
    written(Role::Output);
    let warned = found("inputs, outputs", moves);
    assert!(matches!(&warned[..], [it] if it.starts_with("`guards.range` and 1 more moves requests")), "{warned:?}");
    assert_eq!(found("inputs", moves), [""; 0], "outputs are not compared");
    assert_eq!(found("inputs, outputs", "range: {}"), [""; 0], "it only tells");
    written(Role::Label);
    assert_eq!(found("inputs, outputs", moves), [""; 0], "the reference has no outputs");
}

#[test]
fn a_session_key_is_the_name_of_a_header_and_matters_where_drift_is_watched() {
    let keyed =
        |key: &str, drift: &str| drifting(drift).replace("    tiers:", &format!("    session_key: {key}\n    tiers:"));
    let spec = |text: &str| load(text).deployment.expect("compiles").routes[0].session_key.clone();
    let observed = "{then: {mode: observe}}";
    assert_eq!(spec(&keyed("X-Conversation", observed)), Some("x-conversation".into()));
    assert_eq!(spec(&drifting(observed)), None);
    let code = |text: &str| {
        let found = load(text).diagnostics.into_iter();
        found.filter(|it| it.key.ends_with("session_key")).map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(code(&keyed("x-conversation", observed)), [""; 0]);
    assert_eq!(code(&keyed("\"no header\"", observed)), ["bad-name"]);
    let undrifting = with("").replace("    tiers:", "    session_key: x-conversation\n    tiers:");
    assert_eq!(code(&undrifting), ["no-effect"]);
}
