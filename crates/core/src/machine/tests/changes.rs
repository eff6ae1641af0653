//! Changes: every breaker that moves is told of, a path's and a replica's (F-060).

use super::*;
use crate::{
    change::{BreakerChange, BreakerTurn},
    output::Probe,
    probe::Found,
    revision::ProbePolicy,
};

const EVERY: Nanos = 10 * SECOND;

impl Kit {
    fn changes(&self) -> Vec<BreakerChange> {
        let change = |output: &Output| match output {
            Output::Breaker(change) => Some((**change).clone()),
            _ => None,
        };
        self.out.iter().filter_map(change).collect()
    }

    /// Returns of each change: of which replica, from where to where, and by which rule.
    fn told(&self) -> Vec<(Option<u16>, [&'static str; 2], &'static str)> {
        let turn = |it: &BreakerTurn| ([it.from.name(), it.to.name()], it.rule());
        let one = |it: &BreakerChange| (it.replica.map(|it| it.0), turn(&it.turn).0, turn(&it.turn).1);
        self.changes().iter().map(one).collect()
    }

    /// Lets so many streams be answered, one a second.
    fn let_pass(&mut self, requests: usize) {
        for _ in 0..requests {
            self.until(self.now + SECOND);
            self.admit(Operation::ChatStream);
            self.end(R::Ok, 200);
        }
    }

    /// Answers the next probe of the last replica; the others stay without an answer.
    fn answer_probe(&mut self, found: Found) {
        let before = self.out.len();
        let probe = loop {
            let (at, _) = self.core.next_timeout().expect("a probe comes");
            self.until(at);
            let probe = self.out[before..].iter().find_map(|output| match output {
                Output::Probe(Probe { probe, replica: ReplicaId(2), .. }) => Some(*probe),
                _ => None,
            });
            if let Some(probe) = probe {
                break probe;
            }
        };
        self.feed(Input::Probed { probe, found });
    }
}

#[test]
fn f_060_each_change_of_a_path_says_why_by_which_rule_with_which_counts_and_revision() {
    let mut kit = Kit::new(revision(1));
    kit.open_primary();
    kit.let_pass(200);
    assert_eq!(
        kit.told(),
        [
            (None, ["closed", "open"], "F-063"),
            (None, ["open", "half_open"], "F-066"),
            (None, ["half_open", "ramp"], "F-070"),
            (None, ["ramp", "closed"], "F-071"),
        ]
    );
    let changes = kit.changes();
    let opened = &changes[0];
    assert_eq!((opened.path, opened.operation), (PathId(0), Operation::ChatStream));
    assert_eq!((opened.turn.reason(), &opened.revision), (Reason::ConnectFailed, kit.core.revision()));
    let trip = opened.turn.trip.expect("CHG-2");
    assert_eq!((trip.result, trip.bad), (Some(R::ConnectFailed), 2));
    assert_eq!(changes[1].turn.reason(), Reason::RecoveryRamp);
    assert!(changes.windows(2).all(|pair| pair[0].at < pair[1].at && pair[0].turn.to == pair[1].turn.from), "CHG-1");
}

#[test]
fn f_060_f_102_a_replica_that_is_cut_off_is_told_of_though_no_route_moves() {
    let mut kit = replicas::cut_off();
    assert!(kit.transitions().is_empty(), "F-073");
    assert_eq!(kit.told(), [(Some(1), ["closed", "open"], "F-063")]);
    kit.let_pass(200);
    let told = kit.told();
    assert_eq!(told.last(), Some(&(Some(1), ["ramp", "closed"], "F-071")));
    assert!(told.iter().all(|it| it.0 == Some(1)), "{told:?}");
}

#[test]
fn f_060_f_103_a_replica_that_is_worse_than_its_peers_is_told_of_with_both_numbers() {
    let (kit, _) = replicas::grey(1, (Nanos::MAX, 40 * SECOND));
    assert_eq!(kit.told().first(), Some(&(Some(2), ["closed", "open"], "F-103")));
    let trip = kit.changes()[0].turn.trip.expect("CHG-2");
    assert!(trip.result == Some(R::Slow) && trip.bad > trip.of, "{trip:?}");
    assert!(kit.transitions().is_empty());
}

#[test]
fn f_060_f_113_a_replica_that_readiness_takes_out_is_told_of_and_so_is_its_return() {
    let mut revision = revision(3);
    revision.upstreams[0].probe = Some(ProbePolicy { every: EVERY, timeout: SECOND });
    let mut kit = Kit::new(revision);
    (0..3).for_each(|_| kit.answer_probe(Found::Refused));
    (0..2).for_each(|_| kit.answer_probe(Found::Good));
    let (out, back) = ((Some(2), ["closed", "open"], "F-113"), (Some(2), ["open", "half_open"], "F-113"));
    assert_eq!(kit.told(), [out, out, back, back], "without any traffic, for each of two operations");
    let operations: Vec<_> = kit.changes().iter().map(|it| it.operation).collect();
    assert_eq!(operations, [Operation::Chat, Operation::ChatStream].repeat(2));
    assert_eq!(kit.changes()[0].turn.reason(), Reason::HealthcheckFailed);
}
