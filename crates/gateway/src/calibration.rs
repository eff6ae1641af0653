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
            self.current.store(self.made(&learnt.learners, now));
        }
    }

    /// Makes maps of what was learnt; none where nothing has a shape yet.
    fn made(&self, learners: &BTreeMap<String, Learner>, now: u64) -> Option<Arc<Calibration>> {
        let LiveCalibration { route, tier, to, keeps } = &self.of;
        let output = |(name, learner): (&String, &Learner)| {
            let map = learner.fit(now, *keeps);
            let n = learner.n(now).round() as u64;
            (map.shape() != Shape::Identity).then(|| (name.clone(), MappedScores { n, maps: vec![map] }))
        };
        let maps = ScoreMaps {
            route: route.clone(),
            tier: tier.clone(),
            to: to.clone(),
            keeps: *keeps,
            as_of: learners.values().map(Learner::as_of).max().unwrap_or(0) / 1_000_000_000,
            outputs: learners.iter().filter_map(output).collect(),
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
