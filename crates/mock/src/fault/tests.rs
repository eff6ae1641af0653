//! The table and the two formats, without a socket.

use std::time::Duration;

use super::{Facts, Fault, How, RetryAfter, Rule, Table, Tail, parse_faults_json, parse_faults_yaml, stream};
use crate::{draw::Draw, protocol::Work};

fn facts(now_ms: u64) -> Facts<'static> {
    Facts {
        model: "m",
        work: Work::Chat { stream: false },
        body: b"",
        reused: false,
        now: Duration::from_millis(now_ms),
    }
}

#[test]
fn table_2_times_count_what_met_the_fault() {
    let mut table = Table::new(vec![Rule::new(Fault::ModelMissing {}).share(0.5).times(10)], Duration::ZERO);
    let met = (0..1_000).filter(|number| table.pick(facts(0), &mut Draw::new(1, *number)).is_some()).count();
    assert_eq!(met, 10);
}

#[test]
fn table_3_shares_are_kept_over_many_requests() {
    let mut table = Table::new(vec![Rule::new(Fault::ModelMissing {}).share(0.3)], Duration::ZERO);
    let met = (0..10_000).filter(|number| table.pick(facts(0), &mut Draw::new(1, *number)).is_some()).count();
    assert!((2_850..=3_150).contains(&met), "{met}");
}

#[test]
fn a_spike_is_in_force_for_its_part_of_each_period() {
    let spike = Fault::LatencySpike { ms: 1, every_ms: 100, for_ms: 20 };
    let mut table = Table::new(vec![Rule::new(spike)], Duration::from_millis(1_000));
    let mut at = |now_ms| table.pick(facts(now_ms), &mut Draw::new(0, 0)).is_some();
    assert_eq!(
        [1_000, 1_019, 1_020, 1_099, 1_100, 1_119, 1_120].map(&mut at),
        [true, true, false, false, true, true, false]
    );
}

#[test]
fn parse_1_yaml_asks_by_type_where_yaml_alone_would_guess() {
    let yaml = "
- fault: rate_limited
  model: no          # a model's name, not `false`
  retry_after: 2
- {fault: reset, how: fin, share: 1, times: 12}
- {fault: error_event, code: 1e3}
";
    let rules = parse_faults_yaml(yaml).expect("it is right");
    assert_eq!(rules[0].model.as_deref(), Some("no"));
    let Fault::RateLimited { retry_after, .. } = &rules[0].fault else { panic!("{:?}", rules[0]) };
    assert_eq!(*retry_after, Some(RetryAfter::Seconds(2)));
    assert_eq!((&rules[1].fault, rules[1].share), (&Fault::Reset { how: How::Fin }, 1.0));
    assert!(matches!(&rules[2].fault, Fault::ErrorEvent { code, .. } if code == "1e3"));
    assert_eq!(parse_faults_yaml("").expect("nothing is right"), []);
    assert_eq!(parse_faults_yaml("# nothing\n").expect("nothing is right"), []);
}

#[test]
fn parse_2_a_yaml_message_names_place_and_names() {
    for (yaml, words) in [
        ("- fault: nope", vec!["entry 0", "nope", "`latency`", "`cut`"]),
        ("- fault: latency\n  mss: 1", vec!["entry 0", "mss", "`ms`", "`share`"]),
        ("- fault: latency\n  ms: soon", vec!["line 2"]),
        ("- fault: latency\n  ms: 1\n  ms: 2", vec!["ms"]),
        ("fault: latency", vec!["line 1"]),
    ] {
        let message = parse_faults_yaml(yaml).expect_err(yaml).to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{yaml}: {message}");
    }
}

#[test]
fn fault_1_parameters_are_not_taken_from_another_fault() {
    let error = parse_faults_json(br#"[{"fault": "silence", "after_tokens": 3}]"#).expect_err("silence has no tokens");
    assert!(error.to_string().contains("`for_ms`"), "{error}");
}

#[test]
fn long_tails_have_their_median_and_their_tail() {
    for (shape, spread, tail) in [(Tail::Lognormal, 1.0, 5.18), (Tail::Pareto, 1.5, 4.64)] {
        let mut draw = Draw::new(3, 0);
        let mut drawn: Vec<f64> = (0..10_001).map(|_| stream::long_tailed(shape, 100.0, spread, &mut draw)).collect();
        drawn.sort_by(f64::total_cmp);
        let (median, p95) = (drawn[5_000] / 100.0, drawn[9_500] / 100.0);
        assert!((0.95..1.05).contains(&median), "{shape:?}: the median is {median}");
        assert!((0.9..1.1).contains(&(p95 / tail)), "{shape:?}: the 95th percentile is {p95} medians, not {tail}");
    }
}
