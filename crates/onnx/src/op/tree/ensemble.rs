//! `TreeEnsemble`: trees whose leaves stand apart from their branches, and that may ask for a member of a set.
//!
//! # Source
//! ONNX-ML operators, version 5.

use super::{
    Aggregate, Regressor,
    forest::{Forest, Mode, Node, Weight},
};
use crate::{
    attribute::Attributes,
    post::Post,
    tensor::{Data, Kind},
};

/// The number of a branch that asks for a member of a set.
const MEMBER: u8 = 6;

/// Reads trees, which become those of the other two operators.
///
/// # Errors
/// They contradict themselves, in words.
pub(in crate::op) fn ensemble(attributes: Attributes<'_>) -> Result<Regressor, String> {
    let (leaves, kind) = numbers(attributes, "leaf_weights")?;
    let targets = usize::try_from(attributes.int("n_targets").unwrap_or(0)).ok();
    let targets = targets.filter(|it| (1..=leaves.len()).contains(it));
    let targets = targets.ok_or("`n_targets` is below 1, or above the number of leaves")?;
    let wanted = attributes.indices("leaf_targetids")?;
    if wanted.len() != leaves.len() || wanted.iter().any(|it| *it as usize >= targets) {
        return Err("`leaf_targetids` does not fit `leaf_weights` and `n_targets`".into());
    }
    let weights: Vec<Weight> = wanted.into_iter().zip(leaves).map(|(target, value)| Weight { target, value }).collect();
    let written = Written::read(attributes, kind)?;
    let (nodes, roots) = written.trees(attributes.ints("tree_roots"), &weights)?;
    let forest = Forest::of(nodes, roots, (weights, targets), kind == Kind::F32);
    let aggregate = match attributes.int("aggregate_function").unwrap_or(1) {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Min,
        3 => Aggregate::Max,
        other => return Err(format!("`aggregate_function` has {other}, which is none of its numbers")),
    };
    let post = match attributes.int("post_transform").unwrap_or(0) {
        0 => Post::None,
        // As the ONNX Runtime counts them; the specification has these two the other way round.
        1 => Post::Logistic,
        2 => Post::Softmax,
        3 => Post::SoftmaxZero,
        4 => Post::Probit,
        other => return Err(format!("`post_transform` has {other}, which is none of its numbers")),
    };
    let wide = kind == Kind::F64;
    if wide && post != Post::None {
        return Err("`post_transform` of F64 is not offered".into());
    }
    Ok(Regressor { forest, aggregate, base: Vec::new(), post, wide })
}

/// Reads a tensor of numbers with a fraction, and of which kind they are.
fn numbers(attributes: Attributes<'_>, name: &str) -> Result<(Vec<f64>, Kind), String> {
    let tensor = attributes.tensor(name)?.ok_or_else(|| format!("`{name}` is missing"))?;
    let kind = tensor.kind();
    match tensor.into_parts().1 {
        Data::F32(it) => Ok((it.into_iter().map(f64::from).collect(), kind)),
        Data::F64(it) => Ok((it, kind)),
        _ => Err(format!("`{name}` holds no numbers with a fraction")),
    }
}

/// Branches as the file has them.
struct Written<'a> {
    modes: Vec<u8>,
    features: Vec<u32>,
    splits: Vec<f64>,
    missing: &'a [i64],
    /// For yes and for no: which, and whether it is a leaf.
    children: [(Vec<u32>, &'a [i64]); 2],
    /// The members that each branch asks for.
    members: Vec<Vec<f64>>,
}

impl<'a> Written<'a> {
    fn read(attributes: Attributes<'a>, kind: Kind) -> Result<Self, String> {
        let modes = attributes.octets("nodes_modes")?;
        let (splits, split_kind) = numbers(attributes, "nodes_splits")?;
        let child = |which: &str| -> Result<_, String> {
            let (ids, leaves) = (format!("nodes_{which}nodeids"), format!("nodes_{which}leafs"));
            Ok((attributes.indices(&ids)?, attributes.ints(&leaves)))
        };
        let children = [child("true")?, child("false")?];
        let features = attributes.indices("nodes_featureids")?;
        let missing = attributes.ints("nodes_missing_value_tracks_true");
        let all = [features.len(), splits.len(), children[0].0.len(), children[0].1.len(), children[1].0.len()];
        let fits = all.iter().chain([&children[1].1.len()]).all(|it| *it == modes.len());
        if !fits || split_kind != kind || !(missing.is_empty() || missing.len() == modes.len()) {
            return Err(format!("the lists of its {} nodes are not of one length and kind", modes.len()));
        }
        let members = Self::members(attributes, &modes)?;
        Ok(Self { modes, features, splits, missing, children, members })
    }

    /// Shares out the members: one list for each branch that asks, a NaN between two.
    fn members(attributes: Attributes<'_>, modes: &[u8]) -> Result<Vec<Vec<f64>>, String> {
        let all = if modes.contains(&MEMBER) { numbers(attributes, "membership_values")?.0 } else { Vec::new() };
        let mut lists = all.split(|it| it.is_nan()).filter(|it| !it.is_empty());
        let list = |mode: &u8| match *mode == MEMBER {
            true => lists.next().map(Into::into).ok_or("`membership_values` has too few sets"),
            false => Ok(Vec::new()),
        };
        modes.iter().map(list).collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Follows the trees from their roots. Each branch is met once, so that a walk ends (TREE-1); a set becomes a chain of
    /// branches that ask for one member each.
    fn trees(&self, roots: &[i64], weights: &[Weight]) -> Result<(Vec<Node>, Vec<u32>), String> {
        let mut met = vec![false; self.modes.len()];
        let (mut nodes, mut begins): (Vec<Node>, Vec<u32>) = (Vec::new(), Vec::new());
        if roots.is_empty() {
            return Err("`tree_roots` has none".into());
        }
        // What is to be followed: a branch or a leaf, and the places that wait for it.
        let mut open: Vec<(u32, bool, Wait)> = Vec::new();
        for root in roots {
            let at = u32::try_from(*root).ok().filter(|it| (*it as usize) < met.len());
            let at = at.ok_or_else(|| format!("`tree_roots` has {root}, which is no node"))?;
            let [(yes, yes_leaf), (no, no_leaf)] = &self.children;
            let one = at as usize;
            // A tree of one leaf is a branch, both of whose ways lead to it.
            let alone = yes[one] == no[one] && yes_leaf[one] != 0 && no_leaf[one] != 0;
            begins.push(place(&nodes)?);
            open.push(if alone { (yes[one], true, Wait::Nobody) } else { (at, false, Wait::Nobody) });
            while let Some((at, is_leaf, wait)) = open.pop() {
                let here = place(&nodes)?;
                wait.answer(&mut nodes, here);
                if is_leaf {
                    if at as usize >= weights.len() {
                        return Err(format!("there is no leaf {at}"));
                    }
                    nodes.push(Node {
                        mode: Mode::Leaf,
                        missing: false,
                        feature: 0,
                        threshold: 0.0,
                        yes: at,
                        no: at + 1,
                    });
                    continue;
                }
                let one = at as usize;
                match met.get_mut(one) {
                    None => return Err(format!("there is no node {at}")),
                    Some(true) => return Err(format!("the trees lead to node {at} twice")),
                    Some(it) => *it = true,
                }
                self.branch(one, &mut nodes)?;
                let last = place(&nodes)? - 1;
                open.push((no[one], no_leaf[one] != 0, Wait::No(last)));
                open.push((yes[one], yes_leaf[one] != 0, Wait::Yes(here, last)));
            }
        }
        Ok((nodes, begins))
    }

    /// Writes a branch, or a chain of them; those of a chain lead on to the next.
    fn branch(&self, at: usize, nodes: &mut Vec<Node>) -> Result<(), String> {
        let missing = self.missing.get(at).is_some_and(|it| *it != 0);
        let feature = self.features[at];
        let mode = match self.modes[at] {
            0 => Mode::AtMost,
            1 => Mode::Below,
            2 => Mode::AtLeast,
            3 => Mode::Above,
            4 | MEMBER => Mode::Equal,
            5 => Mode::Unequal,
            other => return Err(format!("`nodes_modes` has {other}, which is none of its numbers")),
        };
        let one = [self.splits[at]];
        let thresholds = if self.modes[at] == MEMBER { &self.members[at][..] } else { &one };
        for threshold in thresholds {
            let no = place(nodes)? + 1;
            nodes.push(Node { mode, missing, feature, threshold: *threshold, yes: 0, no });
        }
        Ok(())
    }
}

/// The next place.
fn place(nodes: &[Node]) -> Result<u32, String> {
    u32::try_from(nodes.len()).map_err(|_| "there are too many nodes".into())
}

/// Who waits for a place.
#[derive(Clone, Copy)]
enum Wait {
    Nobody,
    /// The branches from one place to another, for where yes leads.
    Yes(u32, u32),
    /// A branch, for where no leads.
    No(u32),
}

impl Wait {
    fn answer(self, nodes: &mut [Node], place: u32) {
        match self {
            Self::Nobody => {}
            Self::Yes(from, to) => nodes[from as usize..=to as usize].iter_mut().for_each(|it| it.yes = place),
            Self::No(at) => nodes[at as usize].no = place,
        }
    }
}
