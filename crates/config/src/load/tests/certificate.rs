//! `certificate`: what its mode does, that the file is part of the revision, and what is said where nothing can come of it.

use evenkeel_core::StepPolicy;
use evenkeel_signals::{
    reference::{Column, ColumnKind, Reference, Role},
    row::Value,
};

use super::{guards::reference, *};
use crate::calibration::{Certified, CertifiedTier};

const SCORE: &str = r#"version: 1
upstreams: {models: {protocol: oip, url: "http://127.0.0.1:1"}}
routes:
  score:
    protocol: oip
    certificate: FILE
    output: {tensors: {sure: {datatype: FP32}, label: {datatype: BYTES}}}
    quality: {output: label}
    tiers:
      - {name: small, oip: {upstream: models, model: s}, accept: {confidence: outputs.sure, at_least: 0.7}}
      - {name: large, oip: {upstream: models, model: l}}
      - {name: default, fixed: {outputs: {sure: 0.5, label: none}}}
"#;

fn with(file: &str) -> String {
    SCORE.replace("FILE", file)
}

/// Writes a certificate of these models.
fn issue(folder: &Path, (route, at_least, ladder): (&str, f64, &[f64])) {
    let loaded = load_text("evenkeel.yaml", &with("none").replace("    certificate: none\n", ""), folder);
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let tier = |at: usize| {
        let tier = &deployment.revision.routes[0].tiers[at];
        let model = deployment.paths[tier.path.index()].model.clone();
        CertifiedTier { name: tier.name.clone(), model, calibration: None }
    };
    let mut it = Certified::new(route.into(), vec![tier(0), tier(1)], at_least);
    (it.ladder, it.epsilon, it.delta) = (ladder.to_vec(), 0.01, 0.05);
    std::fs::write(folder.join("score.json"), it.write()).expect("written");
}

fn said(text: &str, folder: &Path) -> Vec<(&'static str, String)> {
    let found = load_text("evenkeel.yaml", text, folder).diagnostics.into_iter();
    found.map(|it| (it.code, it.key)).collect()
}

#[test]
fn a_route_steps_back_under_enforce_alone_to_what_is_safer_than_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    issue(folder.path(), ("score", 0.6, &[1.0, 0.9, 0.8, 0.7]));
    let load = |text: &str| {
        let loaded = load_text("evenkeel.yaml", text, folder.path());
        loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
    };
    let (alone, observed) = (load(&with("score.json")), load(&with("{file: score.json}")));
    let named = load(&with("{file: score.json, mode: observe}"));
    assert!(alone.name() == observed.name() && alone.name() == named.name(), "three ways to write the same");
    assert_eq!(
        (alone.revision.routes[0].certificate, alone.routes[0].certificate == named.routes[0].certificate),
        (None, true)
    );
    let enforced = load(&with("{file: score.json, mode: enforce}"));
    assert_ne!(enforced.name(), alone.name());
    let policy = enforced.revision.routes[0].certificate;
    assert_eq!(policy, Some(StepPolicy { last: 1, thresholds: 3 }), "0.7 is what the route asks for");
    let issued = enforced.routes[0].certificate.as_ref().expect("it is named");
    let steps: Vec<_> = (0..=4).map(|it| issued.stepped(it)).collect();
    assert_eq!(steps, [None, Some(0.8), Some(0.9), Some(1.0), None], "each safer than the one before");
    issue(folder.path(), ("score", 0.7, &[]));
    let older = load(&with("{file: score.json, mode: enforce}"));
    assert_eq!(older.revision.routes[0].certificate, Some(StepPolicy { last: 1, thresholds: 0 }));
    assert_ne!(older.name(), enforced.name(), "the file is part of the revision");
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_where_it_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    issue(folder.path(), ("score", 0.6, &[0.7]));
    let (here, key) = (folder.path(), || "routes.score.certificate".to_owned());
    let enforced = with("{file: score.json, mode: enforce}");
    assert_eq!(said(&enforced, here), []);
    let unlabelled = enforced.replace("    quality: {output: label}\n", "");
    let uncopied = enforced.replace("    quality:", "    shadow: {share: 0}\n    quality:");
    for never in [&unlabelled, &uncopied] {
        assert_eq!(said(never, here), [("no-effect", format!("{}.mode", key()))], "nothing tests it");
        assert_eq!(said(&never.replace("mode: enforce", "mode: observe"), here), []);
    }
    assert_eq!(said(&with("{file: other.json}"), here), [("missing-file", key())]);
    assert_eq!(said(&with("{file: score.json, mode: recommend}"), here), [("unknown-word", format!("{}.mode", key()))]);
    assert_eq!(said(&with("{mode: enforce}"), here)[0].0, "missing-key");
    issue(folder.path(), ("another", 0.6, &[]));
    assert_eq!(said(&enforced, here), [("wrong-certificate", key())]);
    issue(folder.path(), ("score", 0.8, &[]));
    assert_eq!(said(&enforced, here), [("wrong-certificate", "routes.score.tiers[0].accept.at_least".into())]);
}

#[test]
fn a_certificate_is_void_on_another_reference_than_it_was_issued_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let save = |rows: u64| {
        let column = Column::new("x", ColumnKind::Number, Role::Input);
        let bytes = reference(vec![column], rows, |row, _| Value::Number(row as f64));
        let digest = Reference::decode(&bytes).expect("sound").digest();
        std::fs::write(folder.path().join("x.ref"), bytes).expect("written");
        digest.iter().map(|it| format!("{it:02x}")).collect::<String>()
    };
    let watched = |text: &str| {
        let input = "    input: {features: {x: {type: float}}, reference: x.ref}\n    guards: {anomaly: off}\n";
        text.replace("    output:", &format!("{input}    output:"))
    };
    let void = |text: &str| {
        let loaded = load_text("evenkeel.yaml", text, folder.path());
        let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        let void = deployment.routes[0].certificate.as_ref().expect("it is named").void.clone();
        assert_eq!(void.is_some(), loaded.diagnostics.iter().any(|it| it.code == "certificate-void"));
        void
    };
    let issued = save(1_000);
    issue(folder.path(), ("score", 0.6, &[0.7]));
    let (file, text) = (folder.path().join("score.json"), with("score.json"));
    let it = Certified::read(&std::fs::read_to_string(&file).expect("there")).expect("a certificate");
    assert_eq!((void(&text), void(&watched(&text))), (None, None), "it says nothing of a reference");
    std::fs::write(&file, Certified { reference: Some(issued.clone()), ..it }.write()).expect("written");
    assert_eq!(void(&watched(&text)), None);
    assert!(void(&text).is_some_and(|it| it.contains("and has none")));
    assert_ne!(save(1_100), issued);
    assert!(void(&watched(&text)).is_some_and(|it| it.contains("another reference")));
}

#[test]
fn what_was_not_tested_is_not_promised() {
    let folder = tempfile::tempdir().expect("a folder");
    issue(folder.path(), ("score", 0.6, &[0.9, 0.7]));
    let text = with("score.json");
    let accept = |keys: &str| said(&text.replace("at_least: 0.7", keys), folder.path());
    for keys in ["at_least: 0.6", "at_least: 0.7", "at_least: 0.9", "at_least: 0.7, rows: any"] {
        assert_eq!(accept(keys), [], "{keys}");
    }
    for (keys, at) in [
        ("at_least: 0.59", "at_least"),
        ("at_least: 0.65", "at_least"),
        ("at_least: 0.95", "at_least"),
        ("at_least: 0.7, on_error: pass", "on_error"),
        ("at_least: 0.7, rows: all", "rows"),
        ("at_least: 0.7, rows: {fraction: 0.5}", "rows"),
    ] {
        let found = accept(keys);
        let wrong: Vec<_> = found.iter().filter(|it| it.0 == "wrong-certificate").map(|it| it.1.as_str()).collect();
        assert_eq!(wrong, [format!("routes.score.tiers[0].accept.{at}")], "{keys}: {found:?}");
    }
}
