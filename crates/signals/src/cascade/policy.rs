//! Policy: a look-up table that says, from the answer that stands, whom to ask next.

use std::sync::Arc;

use super::{Answer, Placed, gain::NOBODY};

/// Paths that a request asks at most (`CASC-1`).
const MOST_ASKED: usize = 3;

/// Who is asked first, and by what stands whom next.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(super) first: usize,
    pub(super) table: Arc<Table>,
}

/// What policies of one λ have in common.
#[derive(Debug, PartialEq)]
pub(super) struct Table {
    pub(super) lambda: f64,
    pub(super) costs: Vec<f64>,
    /// Places of a stage.
    pub(super) places: usize,
    /// By stage and place: the path, or nobody.
    pub(super) next: Vec<u8>,
}

/// What a policy gave on rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Given {
    /// Rows.
    pub rows: u64,
    /// Those whose answer was right.
    pub right: u64,
    /// What all of them cost, in the unit of the costs.
    pub cost: f64,
}

/// What is known in the middle of a request: whose answer stands, who else was asked last, whether they agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hand {
    pub(super) holder: usize,
    other: Option<usize>,
    agreed: bool,
}

impl Hand {
    pub(super) fn first(path: usize) -> Self {
        Self { holder: path, other: None, agreed: false }
    }

    /// What stands after one more answer (`CASC-2`).
    pub(super) fn asked(self, row: &[Answer], path: usize) -> Self {
        let (stands, comes) = (&row[self.holder], &row[path]);
        let agreed = stands.class == comes.class;
        let (holder, other) = if !agreed && comes.p > stands.p { (path, self.holder) } else { (self.holder, path) };
        Self { holder, other: Some(other), agreed }
    }

    pub(super) fn knows(self, path: usize) -> bool {
        self.holder == path || self.other == Some(path)
    }

    pub(super) fn cell(self, row: &[Answer], paths: usize, places: usize) -> usize {
        let stage = (self.holder * (paths + 1) + self.other.unwrap_or(paths)) * 2 + usize::from(self.agreed);
        stage * places + row[self.holder].place as usize
    }
}

impl Policy {
    /// Returns the path that is asked first.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Returns what cost is weighed by: a right answer is worth 1, a unit of cost this much.
    pub fn lambda(&self) -> f64 {
        self.table.lambda
    }

    /// Plays requests: of each whether its answer was right, and what it cost.
    pub fn play(&self, rows: &Placed) -> impl Iterator<Item = (bool, f64)> {
        rows.rows().map(|row| self.request(row))
    }

    /// Plays requests and adds up.
    pub fn given(&self, rows: &Placed) -> Given {
        let mut given = Given::default();
        for (right, cost) in self.play(rows) {
            given = Given { rows: given.rows + 1, right: given.right + u64::from(right), cost: given.cost + cost };
        }
        given
    }

    fn request(&self, row: &[Answer]) -> (bool, f64) {
        let table = &*self.table;
        let mut hand = Hand::first(self.first);
        let mut cost = table.costs[self.first];
        for _ in 1..MOST_ASKED {
            let next = table.next[hand.cell(row, table.costs.len(), table.places)];
            if next == NOBODY {
                break;
            }
            cost += table.costs[usize::from(next)];
            hand = hand.asked(row, usize::from(next));
        }
        (row[hand.holder].right, cost)
    }
}
