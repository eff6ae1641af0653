//! Replicas: which one is asked, and what failures and silence leave behind (`failures.md`, section 7).

use super::*;

impl Kit {
    /// Admits some requests at once; returns what was started, in order.
    fn at_once(&mut self, count: usize) -> Vec<Start> {
        let started = |kit: &mut Self| (kit.admit(Operation::ChatStream), kit.start()).1;
        (0..count).map(|_| started(self)).collect()
    }

    fn ends(&mut self, attempt: AttemptId, result: R) {
        self.feed(Input::Attempt { attempt, event: Event::Ended { result, status: None, after: None } });
    }

    /// Lets an attempt answer after a while.
    fn answers(&mut self, attempt: AttemptId, after: Nanos) {
        self.until(self.now + after);
        self.feed(Input::Attempt { attempt, event: Event::FirstContent });
        self.ends(attempt, R::Ok);
    }
}

fn of(starts: &[Start]) -> Vec<u16> {
    starts.iter().map(|start| start.replica.0).collect()
}

#[test]
fn f_100_the_replica_with_less_to_do_is_asked() {
    let mut kit = Kit::new(revision(2));
    let starts = kit.at_once(6);
    assert_eq!(of(&starts), [0, 1, 0, 1, 0, 1]);
    starts.iter().filter(|start| start.replica.0 == 1).for_each(|start| kit.ends(start.attempt, R::Ok));
    assert_eq!(of(&kit.at_once(3)), [1, 1, 1], "what has ended is not in flight");
}

#[test]
fn f_100_a_slow_replica_is_asked_for_less() {
    let mut kit = Kit::new(revision(2));
    let mut asked = [0; 2];
    for n in 0..200u64 {
        kit.admit_as(Operation::ChatStream, |admit| admit.entropy = n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let start = kit.start();
        asked[start.replica.index()] += 1;
        kit.answers(start.attempt, if start.replica.0 == 0 { 200 } else { 20 } * MILLISECOND);
    }
    assert!(asked[0] * 3 < asked[1], "{asked:?}");
}

#[test]
fn f_101_up_37_a_replica_that_failed_at_once_attracts_nobody() {
    let mut kit = Kit::new(revision(2));
    let [first, second] = [(); 2].map(|()| kit.at_once(1).remove(0));
    kit.answers(first.attempt, 20 * MILLISECOND);
    kit.ends(second.attempt, R::Truncated);
    assert_eq!(of(&kit.at_once(8)), [first.replica.0; 8], "it has nothing to do, and is not asked");
}

#[test]
fn f_173_silence_before_a_client_leaves_makes_a_replica_slower_and_is_no_evidence() {
    let mut kit = Kit::new(revision(2));
    for start in kit.at_once(2) {
        kit.answers(start.attempt, 20 * MILLISECOND);
    }
    for _ in 0..20 {
        let request = kit.admit(Operation::ChatStream);
        let start = kit.start();
        kit.until(kit.now + if start.replica.0 == 0 { 2 * SECOND } else { MILLISECOND });
        kit.feed(Input::ClientGone { request });
    }
    assert_eq!(of(&kit.at_once(2)), [1, 1], "the silent one is not asked though it is idle");
    assert_eq!(kit.core.breaker(PathId(0), Operation::ChatStream), BreakerState::Closed, "core rule 5");
}

#[test]
fn cl_07_f_173_impatient_clients_do_not_hide_that_a_path_hangs() {
    for (silence, slows) in [(2 * SECOND, true), (10 * MILLISECOND, false)] {
        let mut kit = Kit::new(revision(1));
        for _ in 0..60 {
            let start = kit.at_once(1).remove(0);
            kit.answers(start.attempt, 20 * MILLISECOND);
        }
        let p95 = |kit: &Kit| {
            let lane = kit.core.paths.state(kit.core.generation.slots[0]).seen(Operation::ChatStream);
            lane.and_then(|lane| lane.latency.p95()).expect("60 answers")
        };
        let before = p95(&kit);
        for _ in 0..40 {
            let request = kit.admit(Operation::ChatStream);
            kit.until(kit.now + silence);
            kit.feed(Input::ClientGone { request });
        }
        assert_eq!(p95(&kit) > 50 * before, slows, "{before} ns, then {} ns", p95(&kit));
        assert_eq!(kit.breaker(0), BreakerState::Closed, "core rule 5");
    }
}

/// Two replicas, the second of which breaks connections until it is cut off.
pub(super) fn cut_off() -> Kit {
    let mut kit = Kit::new(revision(2));
    let starts = kit.at_once(4);
    for start in &starts {
        let result = if start.replica.0 == 1 { R::ConnectFailed } else { R::Ok };
        kit.ends(start.attempt, result);
        if !result.is_ok() {
            assert_eq!(
                (kit.start().tier, kit.start().replica),
                (0, ReplicaId(0)),
                "mended by the other (F-042, F-043)"
            );
            kit.end(R::Ok, 200);
        }
    }
    kit
}

#[test]
fn f_042_f_073_f_102_a_replica_that_others_mend_is_cut_off_and_its_path_is_not() {
    let mut kit = cut_off();
    assert_eq!(kit.breaker(0), BreakerState::Closed);
    assert_eq!(of(&kit.at_once(4)), [0; 4], "F-102: it is open");
}

#[test]
fn f_102_f_105_a_path_whose_replicas_are_all_out_is_out_and_the_ladder_decides() {
    let mut kit = cut_off();
    while kit.breaker(0) == BreakerState::Closed {
        kit.admit(Operation::Chat);
        while kit.core.open() > 0 {
            kit.end(if kit.start().tier == 0 { R::ConnectFailed } else { R::Ok }, 0);
            kit.until(kit.now + SECOND / 2);
        }
    }
    let before = kit.starts().len();
    kit.admit(Operation::Chat);
    kit.end(R::Ok, 200);
    assert_eq!(kit.starts()[before..], [(1, 0)], "none of them is asked in a panic");
    assert_eq!(kit.decision().candidates[0].verdict, Verdict::Rejected);
}

#[test]
fn f_068_a_half_open_replica_is_asked_first_and_f_069_a_stream_that_goes_on_keeps_its_lease() {
    let mut kit = cut_off();
    kit.now = kit.core.next_timeout().expect("the replica's open time ends").0;
    let probe = kit.at_once(1).remove(0);
    assert_eq!(probe.replica, ReplicaId(1));
    assert_eq!(of(&kit.at_once(1)), [0], "one lease until it shows content");
    kit.feed(Input::Attempt { attempt: probe.attempt, event: Event::FirstContent });
    for _ in 0..6 {
        kit.until(kit.now + 900 * MILLISECOND);
        kit.feed(Input::Attempt { attempt: probe.attempt, event: Event::Progress });
    }
    assert_eq!(of(&kit.at_once(1)), [1], "its lease has not expired under the stream");
}

#[test]
fn f_101_a_replica_that_proved_itself_is_taken_for_what_its_peers_are() {
    let mut kit = cut_off();
    kit.now = kit.core.next_timeout().expect("the replica's open time ends").0;
    for _ in 0..2 {
        let probe = kit.at_once(1).remove(0);
        assert_eq!(probe.replica, ReplicaId(1));
        kit.answers(probe.attempt, 20 * MILLISECOND);
    }
    kit.until(kit.now + 2 * SECOND);
    let asked = kit.at_once(2);
    assert_eq!(of(&asked), [0, 1], "its ramp admits one a second, and nothing else is held against it");
}

#[test]
fn f_074_what_runs_at_other_addresses_is_not_counted_after_a_reload() {
    let mut kit = Kit::new(revision(2));
    let before = kit.at_once(3);
    let mut grown = revision(3);
    grown.digest = [8; 32];
    kit.feed(Input::Revision(Arc::new(grown)));
    assert!(kit.at_once(6).iter().all(|start| start.tier == 0));
    before.iter().for_each(|start| kit.ends(start.attempt, R::Ok));
    let mut asked = of(&kit.at_once(3));
    asked.sort_unstable();
    assert!(asked.len() == 3 && asked[2] <= 2, "{asked:?}");
}

/// Three replicas with six requests at a time, the third three times as slow for so long; returns when that was asked, too.
pub(super) fn grey(min_available: u16, (slow, end): (Nanos, Nanos)) -> (Kit, Vec<Nanos>) {
    let mut revision = revision(3);
    revision.upstreams[0].min_available = min_available;
    let mut kit = Kit::new(revision);
    let (mut flying, mut asked, mut n) = (std::collections::BTreeMap::new(), Vec::new(), 0u64);
    while kit.now < end {
        while flying.len() < 6 {
            n += 1;
            kit.admit_as(Operation::ChatStream, |admit| admit.entropy = n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let start = kit.start();
            if start.replica == ReplicaId(2) {
                asked.push(kit.now);
            }
            let took = if start.replica == ReplicaId(2) && kit.now < slow { 60 } else { 20 } * MILLISECOND;
            flying.insert((kit.now + took, n), start.attempt);
        }
        let ((at, _), attempt) = flying.pop_first().expect("six");
        kit.until(at);
        kit.feed(Input::Attempt { attempt, event: Event::FirstContent });
        kit.ends(attempt, R::Ok);
    }
    assert_eq!(kit.breaker(0), BreakerState::Closed, "F-073: the path is well");
    (kit, asked)
}

/// Counts those in a span of seconds.
fn within(asked: &[Nanos], from: u64, to: u64) -> usize {
    asked.iter().filter(|at| (from * SECOND..to * SECOND).contains(*at)).count()
}

#[test]
fn f_103_f_104_a_replica_that_is_worse_than_its_peers_is_left_alone_unless_too_few_are_left() {
    let asked = |min_available| within(&grey(min_available, (Nanos::MAX, 40 * SECOND)).1, 28, 29);
    assert_eq!(asked(1), 0, "beyond at 10 s and at 20 s, so it is open");
    assert!(asked(3) > 0, "all three are needed");
}

#[test]
fn f_070_f_103_a_replica_left_for_being_slow_does_not_come_back_while_it_is() {
    let (_, asked) = grey(1, (80 * SECOND, 160 * SECOND));
    let (ill, well) = (within(&asked, 22, 80), within(&asked, 150, 160));
    assert!((2..=4).contains(&ill), "a late probe opens it again, for longer: {ill}");
    assert!(well > 100, "two in time bring it back: {well}");
}

#[test]
fn f_073_a_failure_that_another_replica_mended_slowly_counts_against_the_replica_alone() {
    let mut kit = Kit::new(revision(2));
    for _ in 0..2 {
        kit.admit(Operation::ChatStream);
        let first = kit.start().replica;
        kit.end(R::ConnectFailed, 0);
        assert_ne!(kit.start().replica, first);
        kit.event(Event::FirstContent);
        kit.event(Event::Slow { said: 15 });
        kit.end(R::Ok, 200);
        assert_eq!(kit.results()[1], "ok_slow", "whole, and none the less slow");
    }
    assert_eq!(kit.breaker(0), BreakerState::Closed, "two hard failures in a row would have opened it: F-063");
}
