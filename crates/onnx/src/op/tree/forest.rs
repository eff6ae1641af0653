//! Forest: trees in flat arrays, proven when they are read.
//!
//! # Invariants
//! - `TREE-1`: whatever the input, a walk ends, and visits no node twice: no node is the child of two, and no root is a child.
//! - `TREE-2`: whatever the input, a walk stays inside the arrays; features beyond the input are refused before.

use std::collections::BTreeMap;

use crate::{
    attribute::Attributes,
    op::room,
    tensor::{Data, Tensor},
};

/// When the walk goes to the child `yes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Leaf,
    AtMost,
    Below,
    AtLeast,
    Above,
    Equal,
    Unequal,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) mode: Mode,
    /// A missing value, which is NaN, goes to `yes`.
    pub(super) missing: bool,
    pub(super) feature: u32,
    pub(super) threshold: f64,
    /// The children of a branch; the first weight of a leaf, and the one after its last.
    pub(super) yes: u32,
    pub(super) no: u32,
}

/// What a leaf adds to a target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    pub(super) target: u32,
    pub(super) value: f64,
}

/// What a target has so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Score {
    pub(super) value: f64,
    /// Whether a leaf spoke of it.
    pub(super) seen: bool,
}

impl Score {
    /// Returns what is told of the target: zero where no leaf spoke of it, whatever was added since.
    pub(super) fn told(&self) -> f32 {
        if self.seen { self.value as f32 } else { 0.0 }
    }
}

/// Trees.
#[derive(Debug)]
pub(super) struct Forest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    weights: Vec<Weight>,
    targets: usize,
    /// The most features that a node reads.
    width: usize,
    /// Weights are f32, and sums of them too.
    narrow: bool,
}

impl Forest {
    /// Reads trees; `what` is the word before the names of the weights' attributes.
    pub(super) fn new(attributes: Attributes<'_>, what: &str, targets: usize) -> Result<Self, String> {
        let ids = Ids::read(attributes)?;
        let mut nodes = branches(attributes, &ids)?;
        let roots = ids.roots(&nodes)?;
        let weights_key = format!("{what}_weights");
        let narrow = !attributes.is_given(&format!("{weights_key}_as_tensor"));
        let weights = leaves(attributes, what, &ids, (&mut nodes, targets))?;
        Ok(Self::of(nodes, roots, (weights, targets), narrow))
    }

    /// Takes trees that were proven elsewhere: the children of `nodes` come behind them, and leaves name their weight.
    pub(super) fn of(
        nodes: Vec<Node>,
        roots: Vec<u32>,
        (weights, targets): (Vec<Weight>, usize),
        narrow: bool,
    ) -> Self {
        let width = width(&nodes);
        Self { nodes, roots, weights, targets, width, narrow }
    }

    pub(super) fn targets(&self) -> usize {
        self.targets
    }

    /// Returns how many weights there are.
    pub(super) fn weights(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn trees(&self) -> usize {
        self.roots.len()
    }

    /// Returns whether a weight is negative, and which targets have weights.
    pub(super) fn signs(&self) -> (bool, Vec<u32>) {
        let mut targets: Vec<u32> = self.weights.iter().map(|it| it.target).collect();
        targets.sort_unstable();
        targets.dedup();
        (self.weights.iter().any(|it| it.value < 0.0), targets)
    }

    /// Rounds to the width of the weights.
    pub(super) fn round(&self, value: f64) -> f64 {
        if self.narrow { f64::from(value as f32) } else { value }
    }

    /// Adds in the width of the weights: the sum of two f32, taken in f64 and rounded, is their f32 sum.
    pub(super) fn add(&self, a: f64, b: f64) -> f64 {
        self.round(a + b)
    }

    /// Walks all trees for each row, and hands out what each row comes to; returns the rows.
    pub(super) fn run(
        &self,
        input: &Tensor,
        combine: impl Fn(&mut Score, f64),
        mut row_done: impl FnMut(&mut Vec<Score>),
    ) -> Result<usize, String> {
        let (rows, columns) = input.rows().ok_or_else(|| format!("the shape {:?} is no table", input.shape()))?;
        if rows > 0 && columns < self.width {
            return Err(format!("the trees read {} columns, the input has {columns}", self.width));
        }
        room(&[rows, self.targets])?;
        let numbers: Vec<f64> = match input.data() {
            Data::F32(it) => it.iter().copied().map(f64::from).collect(),
            Data::F64(it) => it.clone(),
            // Whole numbers are compared in the width of the trees.
            Data::I32(it) => it.iter().map(|it| self.round(f64::from(*it))).collect(),
            Data::I64(it) if self.narrow => it.iter().map(|it| f64::from(*it as f32)).collect(),
            Data::I64(it) => it.iter().map(|it| *it as f64).collect(),
            Data::Bool(_) | Data::Text(_) => return Err("trees read numbers".into()),
        };
        let mut scores = Vec::with_capacity(self.targets);
        for row in 0..rows {
            let features = &numbers[row * columns..(row + 1) * columns];
            scores.clear();
            scores.resize(self.targets, Score::default());
            for root in &self.roots {
                for weight in self.walk(*root, features) {
                    let score = &mut scores[weight.target as usize];
                    combine(score, weight.value);
                    score.seen = true;
                }
            }
            row_done(&mut scores);
        }
        Ok(rows)
    }

    fn walk(&self, root: u32, features: &[f64]) -> &[Weight] {
        let mut node = &self.nodes[root as usize];
        loop {
            let feature = features.get(node.feature as usize).copied().unwrap_or(f64::NAN);
            let goes = match node.mode {
                Mode::Leaf => return &self.weights[node.yes as usize..node.no as usize],
                Mode::AtMost => feature <= node.threshold,
                Mode::Below => feature < node.threshold,
                Mode::AtLeast => feature >= node.threshold,
                Mode::Above => feature > node.threshold,
                Mode::Equal => feature == node.threshold,
                Mode::Unequal => feature != node.threshold,
            };
            let next = if goes || (node.missing && feature.is_nan()) { node.yes } else { node.no };
            node = &self.nodes[next as usize];
        }
    }
}

/// Returns the most columns that a node asks for.
fn width(nodes: &[Node]) -> usize {
    nodes.iter().filter(|it| it.mode != Mode::Leaf).map(|it| it.feature as usize + 1).max().unwrap_or(0)
}

/// The names of nodes, as a file gives them: a tree and a number in it.
struct Ids<'a> {
    trees: &'a [i64],
    nodes: &'a [i64],
    places: BTreeMap<(i64, i64), u32>,
}

impl<'a> Ids<'a> {
    fn read(attributes: Attributes<'a>) -> Result<Self, String> {
        let (trees, nodes) = (attributes.ints("nodes_treeids"), attributes.ints("nodes_nodeids"));
        if trees.is_empty() || trees.len() != nodes.len() || u32::try_from(trees.len()).is_err() {
            return Err(format!("`nodes_treeids` has {} entries, `nodes_nodeids` {}", trees.len(), nodes.len()));
        }
        let mut places = BTreeMap::new();
        for (at, key) in trees.iter().copied().zip(nodes.iter().copied()).enumerate() {
            if places.insert(key, at as u32).is_some() {
                return Err(format!("tree {} has node {} twice", key.0, key.1));
            }
        }
        Ok(Self { trees, nodes, places })
    }

    fn place(&self, tree: i64, node: i64) -> Result<u32, String> {
        self.places.get(&(tree, node)).copied().ok_or_else(|| format!("tree {tree} has no node {node}"))
    }

    /// Proves that every node is reached at most once, and returns where each tree begins: with its first node.
    fn roots(&self, nodes: &[Node]) -> Result<Vec<u32>, String> {
        let mut parents = vec![0_u8; nodes.len()];
        for node in nodes.iter().filter(|it| it.mode != Mode::Leaf) {
            for child in [node.yes, node.no] {
                let count = &mut parents[child as usize];
                *count += 1;
                if *count > 1 {
                    let at = child as usize;
                    return Err(format!("tree {} leads to node {} twice", self.trees[at], self.nodes[at]));
                }
            }
        }
        let mut roots: Vec<u32> = Vec::new();
        let mut begun = std::collections::BTreeSet::new();
        for (at, tree) in self.trees.iter().enumerate() {
            if begun.insert(*tree) {
                if parents[at] > 0 {
                    return Err(format!("tree {tree} does not begin with its root"));
                }
                roots.push(at as u32);
            }
        }
        Ok(roots)
    }
}

fn branches(attributes: Attributes<'_>, ids: &Ids<'_>) -> Result<Vec<Node>, String> {
    let count = ids.trees.len();
    let same = |name: &str, found: usize, optional: bool| match found {
        0 if optional => Ok(()),
        found if found == count => Ok(()),
        found => Err(format!("`{name}` has {found} entries for {count} nodes")),
    };
    let (yes, no) = (attributes.ints("nodes_truenodeids"), attributes.ints("nodes_falsenodeids"));
    let (modes, features) = (attributes.texts("nodes_modes"), attributes.indices("nodes_featureids")?);
    let (values, missing) = (attributes.numbers("nodes_values")?, attributes.ints("nodes_missing_value_tracks_true"));
    same("nodes_truenodeids", yes.len(), false)?;
    same("nodes_falsenodeids", no.len(), false)?;
    same("nodes_modes", modes.len(), false)?;
    same("nodes_featureids", features.len(), false)?;
    same("nodes_values", values.len(), false)?;
    same("nodes_missing_value_tracks_true", missing.len(), true)?;
    let node = |at: usize| {
        let mode = match modes[at].as_str() {
            "LEAF" => Mode::Leaf,
            "BRANCH_LEQ" => Mode::AtMost,
            "BRANCH_LT" => Mode::Below,
            "BRANCH_GTE" => Mode::AtLeast,
            "BRANCH_GT" => Mode::Above,
            "BRANCH_EQ" => Mode::Equal,
            "BRANCH_NEQ" => Mode::Unequal,
            other => return Err(format!("`nodes_modes` has {other:?}, which is none of its words")),
        };
        let (yes, no) = match mode {
            Mode::Leaf => (0, 0),
            _ => (ids.place(ids.trees[at], yes[at])?, ids.place(ids.trees[at], no[at])?),
        };
        let missing = missing.get(at).is_some_and(|it| *it != 0);
        Ok(Node { mode, missing, feature: features[at], threshold: values[at], yes, no })
    };
    (0..count).map(node).collect()
}

/// Reads the weights, and tells each leaf which of them are its own.
fn leaves(
    attributes: Attributes<'_>,
    what: &str,
    ids: &Ids<'_>,
    (nodes, targets): (&mut [Node], usize),
) -> Result<Vec<Weight>, String> {
    let key = |name: &str| format!("{what}_{name}");
    let (trees, leaves) = (attributes.ints(&key("treeids")), attributes.ints(&key("nodeids")));
    let (wanted, values) = (attributes.indices(&key("ids"))?, attributes.numbers(&key("weights"))?);
    let counts = [leaves.len(), wanted.len(), values.len()];
    if counts.iter().any(|it| *it != trees.len()) {
        return Err(format!("the weights of `{what}_…` have {} trees and {counts:?} of the rest", trees.len()));
    }
    let mut found: Vec<(u32, Weight)> = Vec::with_capacity(values.len());
    for (at, value) in values.into_iter().enumerate() {
        let place = ids.place(trees[at], leaves[at])?;
        let target = wanted[at];
        if nodes[place as usize].mode != Mode::Leaf {
            return Err(format!("tree {} has a weight at node {}, which is no leaf", trees[at], leaves[at]));
        }
        if target as usize >= targets {
            return Err(format!("`{}` has {target}, the last is {}", key("ids"), targets - 1));
        }
        found.push((place, Weight { target, value }));
    }
    // Within a leaf they stay in the order of the file.
    found.sort_by_key(|it| it.0);
    let mut first = 0;
    for group in found.chunk_by(|a, b| a.0 == b.0) {
        let leaf = &mut nodes[group[0].0 as usize];
        (leaf.yes, leaf.no) = (first, first + group.len() as u32);
        first = leaf.no;
    }
    Ok(found.into_iter().map(|it| it.1).collect())
}
