//! `evenkeel tune` as a command: what it writes is what a configuration takes, and when it writes nothing.

use std::path::Path;

use clap::Parser;
use evenkeel_config::{LearntConfidence, load_file};
use evenkeel_signals::{
    calibrate::{Calibrator, Row, Teacher},
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value,
};

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    it: Tune,
}

const CONFIG: &str = r#"version: 1
upstreams: {models: {protocol: openai, url: "http://127.0.0.1:1/v1"}}
routes:
  chat:
    protocol: openai-chat
    commit: full
    tiers:
      - {name: small, openai: {upstream: models, model: s}, accept: {confidence: "exp(logprobs.mean)", at_least: 0.9, calibration: sure.json}}
      - {name: large, openai: {upstream: models, model: l}}
      - {name: default, fixed: {content: Later.}}
"#;

/// A number below 1,000, by row and by what it is for (SplitMix64).
fn drawn(row: usize, of: usize) -> usize {
    let mut bits = ((row as u64) << 20 | of as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ bits >> 31) % 1_000) as usize
}

/// How sure the small model is of a row, in tenths, and whether it is right: as often as it says, but for the surest, which is right
/// nearly always.
fn small(at: usize, of: usize) -> (f64, bool) {
    let tenths = 3 + drawn(at, of) % 7;
    let right = drawn(at, of + 1) < if tenths == 9 { 990 } else { tenths * 100 };
    (tenths as f64 / 10.0, right)
}

fn folder(rows: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let taught: Vec<_> = (0..4_000).map(|it| small(it, 100)).collect();
    let row = |(said, right): &(f64, bool)| Row { label: "", confidence: Some(*said), right: *right };
    let learnt = Calibrator::taught(Teacher::Labels, 0, &taught.iter().map(row).collect::<Vec<_>>());
    std::fs::write(at.join("evenkeel.yaml"), CONFIG.replace(", calibration: sure.json", "")).expect("written");
    let loaded = load_file(&at.join("evenkeel.yaml"));
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let of = deployment.paths[0].confidence_of.clone().expect("it asks");
    let learnt = LearntConfidence { route: "chat".into(), of, as_of: 1_764_163_893, n: 4_000, rows: None, learnt };
    std::fs::write(at.join("sure.json"), learnt.write()).expect("written");
    std::fs::write(at.join("evenkeel.yaml"), CONFIG).expect("written");
    let line = |it: usize| {
        let ((said, right), large) = (small(it, 200), drawn(it, 300) < 980);
        let word = |right: bool| if right { "yes" } else { "no" };
        format!("yes,{},{said},{}\n", word(right), word(large))
    };
    let text = (0..rows).map(line).fold("truth,small,sure,large\n".to_owned(), |text, it| text + &it);
    std::fs::write(at.join("rows.csv"), text).expect("written");
    folder
}

fn run(at: &Path, extra: &[&str]) -> anyhow::Result<ExitCode> {
    let file = |name: &str| at.join(name).display().to_string();
    let mut line = vec!["tune".to_owned(), "chat".to_owned(), file("rows.csv"), "-c".to_owned(), file("evenkeel.yaml")];
    line.extend(["-o".to_owned(), file("chat.certificate.json"), "--truth".to_owned(), "truth".to_owned()]);
    line.extend(["--as-of".to_owned(), "2026-11-22T23:00:00Z".to_owned()]);
    line.extend(extra.iter().map(|it| (*it).to_owned()));
    Line::try_parse_from(line)?.it.run()
}

const BOTH: [&str; 6] = ["--tier", "small=small:sure", "--tier", "large=large", "--cost", "small=0.1"];

#[test]
fn what_is_certified_is_what_the_configuration_takes() {
    let folder = folder(6_000);
    let (at, config) = (folder.path(), folder.path().join("evenkeel.yaml"));
    assert_eq!(run(at, &BOTH).expect("it runs"), ExitCode::SUCCESS);
    let text = std::fs::read_to_string(at.join("chat.certificate.json")).expect("it is there");
    let it = Certified::read(&text).expect("a certificate");
    assert!((0.7..=0.95).contains(&it.at_least) && it.extra_loss < 0.01 && it.cost < 1.0, "{it:?}");
    let ladder = it.ladder.windows(2).all(|it| it[0] > it[1]) && it.ladder.last() > Some(&it.at_least);
    assert!(ladder && it.ladder[0] == 1.0, "what passed before it, the safest first: {:?}", it.ladder);
    assert_eq!((it.n, it.at, it.until()), (6_000, 1_795_388_400, 1_795_388_400 + 30 * DAY));
    assert_eq!(it.tiers[1], CertifiedTier { name: "large".into(), model: "openai models l".into(), calibration: None });
    let svg = at.join("curve.svg").display().to_string();
    let drawing = [&BOTH[..], &["--svg", &svg]].concat();
    let refused = run(at, &drawing).expect_err("it is there").to_string();
    assert!(refused.contains("--force replaces it"), "{refused}");
    let drawing = [&drawing[..], &["--force"]].concat();
    assert_eq!(run(at, &drawing).expect("it runs again"), ExitCode::SUCCESS);
    let drawn = std::fs::read_to_string(&svg).expect("it is drawn");
    assert!(["<svg", "policies", "large", "chosen"].iter().all(|it| drawn.contains(it)), "{drawn}");
    assert_eq!(std::fs::read_to_string(at.join("chat.certificate.json")).expect("it is there"), text, "the same bytes");
    let with = |least: f64, large: &str| {
        let text = CONFIG.replace("at_least: 0.9", &format!("at_least: {least}")).replace("model: l}", large);
        let text = text.replace("    commit:", "    certificate: chat.certificate.json\n    commit:");
        std::fs::write(&config, text).expect("written");
        load_file(&config)
    };
    let loaded = with(it.at_least, "model: l}");
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let issued = deployment.routes[0].certificate.as_ref().expect("it is named");
    assert_eq!((issued.certified.at_least, issued.void.as_deref()), (it.at_least, None));
    let lower = with(it.at_least - 0.2, "model: l}");
    let said: Vec<_> = lower.diagnostics.iter().map(|it| it.message.as_str()).collect();
    assert!(
        lower.deployment.is_none() && said.iter().any(|it| it.contains("the promise is of these thresholds")),
        "{said:?}"
    );
    // Another model has not earned what was promised of this one.
    let other = with(it.at_least, "model: x}");
    let deployment = other.deployment.unwrap_or_else(|| panic!("{:#?}", other.diagnostics));
    let void = deployment.routes[0].certificate.as_ref().and_then(|it| it.void.clone()).expect("it is void");
    assert!(void.contains("`large`") && other.diagnostics.iter().any(|it| it.code == "certificate-void"), "{void}");
}

#[test]
fn cert_5_the_order_of_a_file_earns_nothing_and_costs_nothing() {
    let folder = folder(6_000);
    let (at, rows, file) = (folder.path(), folder.path().join("rows.csv"), folder.path().join("chat.certificate.json"));
    let text = std::fs::read_to_string(&rows).expect("there");
    let (head, body) = text.split_once('\n').expect("a head");
    let drawn: Vec<&str> = body.lines().collect();
    let of_run = |lines: &[&str], end: &str| {
        std::fs::write(&rows, [&[head], lines].concat().join(end)).expect("written");
        assert_eq!(run(at, &[&BOTH[..], &["--force"]].concat()).expect("it runs"), ExitCode::SUCCESS);
        std::fs::read_to_string(&file).expect("it is there")
    };
    let first = of_run(&drawn, "\n");
    let (mut sorted, reversed): (Vec<_>, Vec<_>) = (drawn.clone(), drawn.iter().rev().copied().collect());
    // Where the small model is right comes first, and then where both are wrong: so much was lost only at the end of the file.
    sorted.sort_by_key(|it| (it.contains(",no,") && it.ends_with(",yes"), *it));
    for (lines, end) in [(&reversed, "\n"), (&sorted, "\n"), (&drawn, "\r\n")] {
        assert_eq!(of_run(lines, end), first, "to the byte");
    }
    let other = of_run(&drawn[..5_999], "\n");
    let digest = |text: &str| Certified::read(text).expect("a certificate").rows;
    assert_ne!(digest(&other), digest(&first), "other rows");
}

#[test]
fn cert_6_a_threshold_that_spares_nothing_is_not_certified() {
    let folder = folder(6_000);
    let (at, rows) = (folder.path(), folder.path().join("rows.csv"));
    let text = std::fs::read_to_string(&rows).expect("there");
    // The small model is wrong of all, whatever it says, and said to be right of no more than a calibration has learnt.
    let lines = text.lines().map(|it| it.replacen("yes,yes,", "yes,no,", 1));
    std::fs::write(&rows, lines.collect::<Vec<_>>().join("\n")).expect("written");
    assert_eq!(run(at, &BOTH).expect("it runs"), ExitCode::FAILURE);
    assert!(!at.join("chat.certificate.json").exists());
}

#[test]
fn a_certificate_names_the_reference_of_its_route_and_is_void_on_another_one() {
    let folder = folder(6_000);
    let (at, config) = (folder.path(), folder.path().join("evenkeel.yaml"));
    let save = |rows: u64| {
        let plan = Plan::new("chat", vec![Column::new("question", ColumnKind::Text, Role::Input)]);
        let text = |number: u64| Value::Text(["How?", "Where is it?"][number as usize % 2]);
        let row = |number| SourceRow { number, at: None, values: vec![text(number)] };
        let it = Reference::build(&plan, [7; 32], &(0..rows).map(row).collect::<Vec<_>>()).expect("sound");
        std::fs::write(at.join("chat.ref"), it.encode()).expect("written");
        hex(&it.digest())
    };
    let digest = save(1_500);
    std::fs::write(&config, CONFIG.replace("    tiers:", "    input: {reference: chat.ref}\n    tiers:"))
        .expect("written");
    assert_eq!(run(at, &BOTH).expect("it runs"), ExitCode::SUCCESS);
    let text = std::fs::read_to_string(at.join("chat.certificate.json")).expect("it is there");
    let it = Certified::read(&text).expect("a certificate");
    assert_eq!(it.reference.as_ref(), Some(&digest));
    let text = std::fs::read_to_string(&config)
        .expect("there")
        .replace("at_least: 0.9", &format!("at_least: {}", it.at_least));
    std::fs::write(&config, text.replace("    tiers:", "    certificate: chat.certificate.json\n    tiers:"))
        .expect("written");
    let void = || {
        let loaded = load_file(&config);
        let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        deployment.routes[0].certificate.as_ref().expect("it is named").void.clone()
    };
    assert_eq!(void(), None);
    assert_ne!(save(1_600), digest);
    assert!(void().is_some_and(|it| it.contains("another reference")));
}

#[test]
fn where_nothing_can_be_promised_nothing_is_written() {
    let folder = folder(300);
    let at = folder.path();
    assert_eq!(run(at, &BOTH).expect("it runs"), ExitCode::FAILURE);
    assert!(!at.join("chat.certificate.json").exists());
    let svg = at.join("curve.svg").display().to_string();
    assert_eq!(run(at, &[&BOTH[..], &["--svg", &svg]].concat()).expect("it runs"), ExitCode::FAILURE);
    let drawn = std::fs::read_to_string(&svg).expect("the curve says why");
    assert!(drawn.contains("policies") && !drawn.contains("chosen"), "{drawn}");
    for extra in [
        &["--tier", "small=small:sure"][..],
        &["--tier", "large=large", "--tier", "small=small:sure"],
        &["--tier", "small=small", "--tier", "large=large"],
        &["--tier", "small=small:sure", "--tier", "large=large", "--cost", "other=1"],
        &["--tier", "small=small:sure", "--tier", "large=large", "--epsilon", "0"],
        &["--tier", "small=nope:sure", "--tier", "large=large"],
        &["--tier", "small=small:sure", "--tier", "large=large", "--tuning", "0"],
        &["--tier", "small=small:sure", "--tier", "large=large", "--tuning", "1001"],
        &["--tier", "small=small:sure", "--tier", "large=large", "--valid-for", "0"],
        &["--tier", "small=small:sure", "--tier", "large=large", "--valid-for", "367"],
    ] {
        assert!(run(at, extra).is_err(), "{extra:?}");
    }
}

#[test]
fn rows_without_a_truth_promise_nothing_and_what_is_no_confidence_is_refused_by_line_and_column() {
    let folder = folder(6_000);
    let (at, rows) = (folder.path(), folder.path().join("rows.csv"));
    let text = std::fs::read_to_string(&rows).expect("there");
    let written = |text: &str| std::fs::write(&rows, text).expect("written");
    // Two of three rows have lost their truth.
    let lines = text.lines().enumerate();
    let thinned: Vec<String> =
        lines.map(|(at, it)| if at % 3 > 0 { it.replacen("yes,", ",", 1) } else { it.to_owned() }).collect();
    written(&thinned.join("\n"));
    assert_eq!(run(at, &BOTH).expect("it runs"), ExitCode::SUCCESS);
    let file = at.join("chat.certificate.json");
    let read = || Certified::read(&std::fs::read_to_string(&file).expect("it is there")).expect("a certificate");
    assert_eq!(read().n, 2_000);
    std::fs::remove_file(&file).expect("removed");
    let refused = || format!("{:#}", run(at, &BOTH).expect_err("refused"));
    written(&text.replace("\nyes,", "\n,"));
    assert!(refused().contains("column `truth` is empty in each of 6000 rows"), "{}", refused());
    written(&text.replace("\nyes,", "\nother,"));
    assert!(refused().contains("right on no row"), "{}", refused());
    for bad in ["NaN", "inf", "sure"] {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[7] = format!("yes,yes,{bad},yes");
        written(&lines.join("\n"));
        assert!(refused().contains(&format!("line 8, column `sure`: `{bad}` is no confidence")), "{}", refused());
    }
    assert!(!file.exists());
}

#[test]
fn rows_that_have_taught_a_calibration_earn_no_certificate() {
    let folder = folder(6_000);
    let (at, rows) = (folder.path(), folder.path().join("rows.csv"));
    let file = at.join("sure.json");
    let learnt = LearntConfidence::read(&std::fs::read_to_string(&file).expect("there")).expect("a calibration");
    let taught = |by: &[u8]| {
        let rows = Some(crate::profile::hex(&<sha2::Sha256 as sha2::Digest>::digest(by)));
        std::fs::write(&file, LearntConfidence { rows, ..learnt.clone() }.write()).expect("written");
    };
    taught(&std::fs::read(&rows).expect("there"));
    let refused = format!("{:#}", run(at, &BOTH).expect_err("refused"));
    assert!(refused.contains("`small` was learnt from these very rows"), "{refused}");
    taught(b"other rows");
    assert_eq!(run(at, &BOTH).expect("it runs"), ExitCode::SUCCESS);
}
