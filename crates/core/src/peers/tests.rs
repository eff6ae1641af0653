//! Who is found among peers, who is not, and what starts again after an ejection.

use std::{vec, vec::Vec};

use super::*;

/// How a replica behaves: failures in a thousand outcomes, the points of a good answer, and outcomes a second.
type Manner = (u64, u64, u64);

const WELL: Manner = (0, 1_000, 10);

/// Plays replicas for a while; returns when each was found, and how. Those found stay out.
fn play(manners: &[Manner], min_available: usize, seconds: u64) -> Vec<(u64, Outlier)> {
    let mut peers = Peers::new(manners.len(), min_available);
    let mut out: Vec<ReplicaId> = Vec::new();
    let mut found = Vec::new();
    for second in 0..seconds {
        let now = second * SECOND;
        for (at, &(failures, points, rate)) in manners.iter().enumerate() {
            let replica = ReplicaId(at as u16);
            if out.contains(&replica) {
                continue;
            }
            for n in second * rate..(second + 1) * rate {
                // Spread evenly: in any thousand in a row as many as it says.
                if (n * failures) % 1_000 < failures {
                    peers.bad(now, replica, ResultCode::Status5xx)
                } else {
                    peers.good(now, replica, points)
                }
            }
        }
        if let Some(outlier) = peers.judge(now, |replica| !out.contains(&replica)) {
            out.push(outlier.replica);
            found.push((second, outlier));
        }
    }
    found
}

fn who(found: &[(u64, Outlier)]) -> Vec<(u16, Measure)> {
    found.iter().map(|(_, outlier)| (outlier.replica.0, outlier.measure)).collect()
}

#[test]
fn f_103_the_replica_that_fails_or_drags_is_found_by_table() {
    use Measure::{Failures, Latency};
    type Row = (&'static str, Vec<Manner>, Vec<(u16, Measure)>);
    let table: Vec<Row> = vec![
        ("all alike", vec![WELL; 5], vec![]),
        ("one of three fails", vec![WELL, (200, 1_000, 10), WELL], vec![(1, Failures)]),
        ("a grey one, too little for a breaker", vec![WELL, WELL, WELL, (150, 1_000, 10)], vec![(3, Failures)]),
        ("a few failures are everyday", vec![WELL, WELL, (80, 1_000, 10)], vec![]),
        ("one of three is slow", vec![(0, 2_000, 10), WELL, WELL], vec![(0, Latency)]),
        ("a little slower is no outlier", vec![(0, 1_400, 10), WELL, WELL], vec![]),
        ("all fail alike", vec![(500, 1_000, 10); 4], vec![]),
        ("most fail: nobody is found", vec![(500, 1_000, 10), (500, 1_000, 10), WELL], vec![]),
        ("unlike each other, so none is an outlier", vec![(0, 500, 10), (0, 1_000, 10), (0, 2_000, 10)], vec![]),
        (
            "two of five, one after the other",
            vec![WELL, (300, 1_000, 10), WELL, (900, 1_000, 10), WELL],
            vec![(3, Failures), (1, Failures)],
        ),
        ("two replicas are never compared", vec![WELL, (1_000, 1_000, 10)], vec![]),
        ("three are, but one has too few samples", vec![WELL, (1_000, 1_000, 10), (0, 1_000, 0)], vec![]),
        ("it has too few itself", vec![WELL, WELL, (1_000, 1_000, 0)], vec![]),
    ];
    for (claim, manners, expected) in table {
        assert_eq!(who(&play(&manners, 1, 120)), expected, "{claim}");
    }
}

#[test]
fn f_103_twice_in_a_row_ten_seconds_apart() {
    let found = play(&[WELL, WELL, (500, 1_000, 10)], 1, 60);
    assert_eq!(found[0].0, 20, "PEER-2: beyond at 10 s, found at 20 s");
    assert_eq!(
        found[0].1,
        Outlier {
            replica: ReplicaId(2),
            measure: Measure::Failures,
            value: 500,
            bound: 100,
            result: ResultCode::Status5xx
        }
    );

    let ill = (900, 1_000, 10);
    let times: Vec<u64> = play(&[WELL, ill, WELL, ill, WELL], 1, 60).into_iter().map(|(second, _)| second).collect();
    assert_eq!(times, [20, 40], "PEER-4: the strikes of the other start at zero too");
}

#[test]
fn f_103_once_beyond_and_once_within_is_not_found() {
    let mut peers = Peers::new(3, 1);
    let mut beyond = 0;
    for round in 1..=40u64 {
        let now = round * 60 * SECOND;
        for replica in [0, 1, 2].map(ReplicaId) {
            (0..20).for_each(|_| peers.good(now, replica, 1_000));
        }
        // Every second minute it is ill.
        (0..round % 2 * 20).for_each(|_| peers.bad(now, ReplicaId(1), ResultCode::Status5xx));
        beyond += round % 2;
        assert_eq!(peers.judge(now, |_| true), None, "PEER-2: round {round}");
    }
    assert_eq!(beyond, 20);
}

#[test]
fn f_103_one_hanging_answer_is_no_slow_replica() {
    let mut peers = Peers::new(3, 1);
    for tick in 0..6 {
        let now = tick * 10 * SECOND;
        for replica in [0, 1, 2].map(ReplicaId) {
            (0..4).for_each(|_| peers.good(now, replica, 1_000));
        }
        if tick == 0 {
            peers.good(now, ReplicaId(0), u64::MAX);
        }
        assert_eq!(peers.judge(now, |_| true), None);
    }
}

#[test]
fn f_104_min_available_is_left() {
    let ill = (900, 1_000, 10);
    let manners = [WELL, ill, WELL, ill, WELL];
    for (min_available, ejected) in [(0, 2), (1, 2), (3, 2), (4, 1), (5, 0), (9, 0)] {
        assert_eq!(play(&manners, min_available, 300).len(), ejected, "PEER-3: {min_available}");
    }
}

#[test]
fn f_104_those_that_are_out_are_neither_compared_nor_counted() {
    let mut peers = Peers::new(4, 1);
    for tick in 1..=10 {
        let now = tick * 10 * SECOND;
        for replica in [0, 1, 2, 3].map(ReplicaId) {
            (0..20).for_each(|_| {
                if replica.0 == 3 {
                    peers.bad(now, replica, ResultCode::Status5xx)
                } else {
                    peers.good(now, replica, 1_000)
                }
            });
        }
        assert_eq!(peers.judge(now, |replica| replica.0 != 3), None, "it is out already");
    }
}

#[test]
fn f_104_counters_start_at_zero_after_an_ejection() {
    let mut peers = Peers::new(4, 1);
    let feed = |peers: &mut Peers, now, ill: bool| {
        for replica in [0, 1, 2, 3].map(ReplicaId) {
            let bad = ill && replica.0 == 3;
            (0..20).for_each(|_| {
                if bad { peers.bad(now, replica, ResultCode::Status5xx) } else { peers.good(now, replica, 1_000) }
            });
        }
    };
    for (round, ill) in [true, true, false, false, false, false, false, false].into_iter().enumerate() {
        let now = (round as u64 + 1) * SLOT;
        feed(&mut peers, now, ill);
        let found = peers.judge(now, |_| true).is_some();
        assert_eq!(
            found,
            round == 1,
            "PEER-4: it came back well, so the old failures are not held against it: {round}"
        );
    }
}

#[test]
fn f_103_bounds_by_table() {
    for (measure, values, expected) in [
        (Measure::Failures, vec![0, 0], None),
        (Measure::Failures, vec![0, 0, 0], Some(100)),
        (Measure::Failures, vec![0, 0, 1_000], Some(100)),
        (Measure::Failures, vec![50, 100, 150], Some(350)),
        (Measure::Latency, vec![1_000, 1_000, 9_000], Some(1_500)),
        (Measure::Latency, vec![900, 1_000, 1_300, 5_000], Some(1_500)),
        (Measure::Latency, vec![600, 1_000, 1_400, 5_000, 900], Some(3_000)),
        (Measure::Latency, vec![0, 0, 0], Some(5)),
    ] {
        assert_eq!(bound(measure, values.clone()), expected, "{measure:?} {values:?}");
    }
}

#[test]
fn a_replica_that_is_not_there_is_not_counted() {
    let mut peers = Peers::new(1, 1);
    peers.good(0, ReplicaId(7), 1_000);
    peers.bad(0, ReplicaId(7), ResultCode::Status5xx);
    assert_eq!(peers.judge(SLOT, |_| true), None);
}
