//! Calibration: the maps by which a tier's scores are brought to the scale of the first one: a file's, or learnt while serving.
//!
//! What is learnt comes from copies of requests (F-150): a client got the first tier's scores, and the tier below was asked the same. It
//! is learnt when the copy is over, so no client waits for it. A reload keeps what was learnt while neither tier changes, no member of one, and not how those vote;
//! a new process begins anew.
//!
//! # Invariants
//! - `LIVE-1`: pairs hold what the tier said before any map, and both before the steps of their route (`post`): a map never learns
//!   from itself, nor that scores end where they were clamped.
//! - `LIVE-2`: an answer goes through one map, whole, and its record names that one.
//! - `LIVE-3`: pairs that tell no score from another (a tier or a primary that says one thing for a while) make no map of an output:
//!   the one that it had stays.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwapOption;
use evenkeel_config::{Calibration, LiveCalibration, MappedScores, PathSpec, ScoreMaps};
use evenkeel_signals::score_map::{Learner, Shape};
use jiff::Timestamp;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::tensor::{Datatype, InferAnswer, Tensor};

/// Pairs after which a map is made anew.
const ANEW: u64 = 50;

/// Where the maps of a tier come from.
#[derive(Clone, Debug)]
pub(crate) enum Scale {
    /// A file.
    Fixed(Arc<Calibration>),
    /// Copies of requests.
    Live(Arc<Live>),
}

impl Scale {
    /// Returns the scale of a path; none where its scores stay as they are.
    pub(crate) fn of(spec: &PathSpec) -> Option<Self> {
        let live = || spec.live_calibration.clone().map(|it| Self::Live(Arc::new(Live::new(it))));
        spec.calibration.clone().map(Self::Fixed).or_else(live)
    }

    /// Returns the maps that count now; none where too little was learnt.
    pub(crate) fn now(&self) -> Option<Arc<Calibration>> {
        match self {
            Self::Fixed(it) => Some(it.clone()),
            Self::Live(it) => it.current.load_full(),
        }
    }
}

/// Maps that are learnt while serving.
#[derive(Debug)]
pub(crate) struct Live {
    of: LiveCalibration,
    learnt: Mutex<Learnt>,
    current: ArcSwapOption<Calibration>,
}

#[derive(Debug, Default)]
struct Learnt {
    /// By output.
    learners: BTreeMap<String, Learner>,
    /// Pairs since the maps were made.
    fresh: u64,
}

impl Live {
    fn new(of: LiveCalibration) -> Self {
        Self { of, learnt: Mutex::default(), current: ArcSwapOption::empty() }
    }

    /// Learns from a request that both answered: what the first tier said, and what this one said of it.
    pub(crate) fn learn(&self, at: Timestamp, first: &InferAnswer, own: &InferAnswer) {
        let now = u64::try_from(at.as_nanosecond()).unwrap_or(0);
        let mut learnt = self.learnt.lock();
        for output in &first.outputs {
            let name = output.tensor.name();
            let (Some(first), Some(own)) = (first.unposted(name).and_then(scores), own.raw(name).and_then(scores))
            else {
                continue;
            };
            if first.len() != own.len() {
                continue;
            }
            learnt.fresh += first.len() as u64;
            let learner = learnt.learners.entry(name.to_owned()).or_default();
            own.into_iter().zip(first).for_each(|(own, first)| learner.learn(now, own, first));
        }
        if learnt.fresh >= ANEW {
            learnt.fresh = 0;
            let before = self.current.load_full();
            self.current.store(self.made(&learnt.learners, now, before));
        }
    }

    /// Makes maps of what was learnt; none where nothing has a shape yet.
    fn made(
        &self,
        learners: &BTreeMap<String, Learner>,
        now: u64,
        before: Option<Arc<Calibration>>,
    ) -> Option<Arc<Calibration>> {
        let had = |name: &str| before.as_ref()?.maps.outputs.iter().find(|it| it.0 == name).cloned();
        let LiveCalibration { route, tier, to, keeps } = &self.of;
        let output = |(name, learner): (&String, &Learner)| {
            let map = learner.fit(now, *keeps);
            if map.is_flat() {
                return had(name);
            }
            let n = learner.n(now).round() as u64;
            (map.shape() != Shape::Identity).then(|| (name.clone(), MappedScores { n, maps: vec![map] }))
        };
        let outputs: Vec<_> = learners.iter().filter_map(output).collect();
        if before.as_ref().is_some_and(|it| it.maps.outputs == outputs) {
            return before;
        }
        let maps = ScoreMaps {
            route: route.clone(),
            tier: tier.clone(),
            to: to.clone(),
            keeps: *keeps,
            as_of: learners.values().map(Learner::as_of).max().unwrap_or(0) / 1_000_000_000,
            outputs,
        };
        let sha256 = Sha256::digest(maps.write()).into();
        (!maps.outputs.is_empty()).then(|| Arc::new(Calibration { sha256, maps: Arc::new(maps) }))
    }
}

/// The scores of an output that has one a row; none of any other.
fn scores(tensor: &Tensor) -> Option<Vec<f64>> {
    let is_score = matches!(tensor.datatype(), Datatype::Fp32 | Datatype::Fp64);
    let one_a_row = tensor.shape().iter().skip(1).all(|it| *it == 1);
    (is_score && one_a_row).then(|| tensor.to_f64()).flatten()
}

#[cfg(test)]
mod tests {
    use evenkeel_signals::score_map::Match;

    use super::*;

    fn live(keeps: Match) -> Live {
        Live::new(LiveCalibration { route: "r".into(), tier: "small".into(), to: "primary".into(), keeps })
    }

    /// Spread over (0, 1) without a random number: the fractional parts of multiples of a number that is no fraction.
    fn spread(at: usize, by: f64) -> f32 {
        (at as f64 * by).fract() as f32
    }

    /// Teaches so many pairs, by hundreds: the tier's score and the primary's.
    fn teach(live: &Live, rows: std::ops::Range<usize>, pair: impl Fn(usize) -> (f32, f32)) {
        for from in rows.step_by(100) {
            let (own, first): (Vec<f32>, Vec<f32>) = (from..from + 100).map(&pair).unzip();
            let answer = |it: &[f32]| InferAnswer::of([Tensor::from_f32("y", vec![100], it).expect("fits")]);
            live.learn(Timestamp::from_second(1_795_651_200).expect("a time"), &answer(&first), &answer(&own));
        }
    }

    fn map(live: &Live) -> Option<MappedScores> {
        live.current.load().as_ref().map(|it| it.maps.outputs[0].1.clone())
    }

    /// A tier that knows half of what the primary says.
    fn noisy(at: usize) -> (f32, f32) {
        let (u, v) = (spread(at, 0.618_033_988_749_895), spread(at, 0.414_213_562_373_095));
        (0.4 + 0.2 * u, f32::midpoint(u, v))
    }

    #[test]
    fn what_a_live_map_is_to_keep_says_how_often_a_threshold_is_passed() {
        let passed = |keeps| {
            let live = live(keeps);
            teach(&live, 0..4_000, noisy);
            let map = map(&live).expect("it has learnt").maps.remove(0);
            let above = (0..4_000).filter(|at| map.apply(f64::from(noisy(*at).0)).expect("a number") >= 0.7);
            above.count() as f64 / 4_000.0
        };
        let primary = (0..4_000).filter(|at| noisy(*at).1 >= 0.7).count() as f64 / 4_000.0;
        let (rate, mean) = (passed(Match::Rate), passed(Match::Mean));
        assert!((rate - primary).abs() < 0.02 && mean < primary - 0.05, "{primary}: {rate} {mean}");
    }

    #[test]
    fn live_3_pairs_that_tell_no_score_from_another_make_no_map_and_take_none_away() {
        for keeps in [Match::Mean, Match::Rate] {
            let live = live(keeps);
            teach(&live, 0..1_200, |at| (noisy(at).0, 0.5));
            assert_eq!(map(&live), None, "a primary that never moves");
        }
        let live = live(Match::Mean);
        teach(&live, 0..300, noisy);
        let falling = |at: usize| (noisy(at).0, 1.0 - spread(at, 0.618_033_988_749_895));
        teach(&live, 300..3_000, falling);
        let (kept, whole) = (map(&live).expect("the last that told scores apart"), live.current.load_full());
        assert!(kept.n < 3_000 && !kept.maps[0].is_flat(), "{kept:?}");
        teach(&live, 3_000..3_500, falling);
        assert!(live.current.load_full() == whole, "its time and its digest are those of what taught it");
    }
}
