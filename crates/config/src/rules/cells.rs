//! Cells: the rows that rules can tell apart, searched for one in which some hold and others do not.
//!
//! The constants that rules compare an input with cut its values into cells, a constant or what lies between two; within a
//! cell every comparison is the same. A row of cells is searched for input by input, and left as soon as it cannot be one.
//!
//! # Invariants
//! - `CELL-1`: none found means that there is none; one that is found exists where nothing in the rules is opaque.
//! - `CELL-2`: the search is bounded: beyond [`STEPS`] nothing is claimed.

use std::collections::BTreeSet;

use crate::expr::{Constant, Inputs, Logic, Sign, Type};

/// Steps of one search.
const STEPS: usize = 20_000;

/// What a search has found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// There is no such row.
    None,
    /// A row, as a test writes it; for inputs that do not matter any value is as good.
    Row(Vec<(String, String)>),
    /// There may be one, and nothing is known of it: the search was given up, or something in the rules is opaque.
    Unknown,
}

/// Searches for a row for which these hold, and none of those.
pub(super) fn search(hold: &[&Logic], not: &[&Logic], inputs: &Inputs) -> Found {
    let all: Vec<&Logic> = hold.iter().chain(not).copied().collect();
    let wanted: Vec<(&Logic, bool)> =
        hold.iter().map(|it| (*it, true)).chain(not.iter().map(|it| (*it, false))).collect();
    let mut named: BTreeSet<usize> = BTreeSet::new();
    let mut opaque: BTreeSet<String> = BTreeSet::new();
    for logic in &all {
        logic.each(&mut |it| match it {
            Logic::Compared(at, ..) => drop(named.insert(*at)),
            Logic::Opaque(written) => drop(opaque.insert(written.clone())),
            _ => {}
        });
    }
    let axes: Vec<Axis> = named.into_iter().map(|at| Axis { at, cells: cells(at, &all, inputs[at].1) }).collect();
    let mut search = Search {
        wanted,
        axes,
        opaque: opaque.into_iter().collect(),
        values: Vec::new(),
        guessed: Vec::new(),
        steps: 0,
    };
    match search.walk() {
        None => Found::Unknown,
        Some(false) => Found::None,
        Some(true) if !search.opaque.is_empty() => Found::Unknown,
        Some(true) => Found::Row(search.row(inputs)),
    }
}

/// An input, with a value for each of its cells.
struct Axis {
    at: usize,
    cells: Vec<Constant>,
}

struct Search<'l> {
    wanted: Vec<(&'l Logic, bool)>,
    axes: Vec<Axis>,
    opaque: Vec<String>,
    /// Which cell of each axis, as far as it is chosen.
    values: Vec<usize>,
    /// Whether each opaque part is true, as far as it is chosen.
    guessed: Vec<bool>,
    steps: usize,
}

impl Search<'_> {
    /// Says whether there is a row that goes on with what is chosen; none where the search is given up.
    fn walk(&mut self) -> Option<bool> {
        self.steps += 1;
        if self.steps > STEPS {
            return None;
        }
        let known = |it: &Logic| self.known(it);
        let mut open = false;
        for (logic, wanted) in &self.wanted {
            match logic.holds(&known) {
                Some(holds) if holds != *wanted => return Some(false),
                Some(_) => {}
                None => open = true,
            }
        }
        if !open {
            return Some(true);
        }
        if self.values.len() < self.axes.len() {
            for cell in 0..self.axes[self.values.len()].cells.len() {
                self.values.push(cell);
                if self.walk()? {
                    return Some(true);
                }
                self.values.pop();
            }
            return Some(false);
        }
        for guess in [true, false] {
            self.guessed.push(guess);
            if self.walk()? {
                return Some(true);
            }
            self.guessed.pop();
        }
        Some(false)
    }

    fn known(&self, it: &Logic) -> Option<bool> {
        match it {
            Logic::Compared(at, sign, constant) => {
                let axis = self.axes.iter().position(|axis| axis.at == *at)?;
                let cell = *self.values.get(axis)?;
                Some(constant.is(&self.axes[axis].cells[cell], *sign))
            }
            Logic::Opaque(written) => {
                let at = self.opaque.iter().position(|it| it == written)?;
                self.guessed.get(at).copied()
            }
            _ => None,
        }
    }

    /// Returns the row that was found.
    fn row(&self, inputs: &Inputs) -> Vec<(String, String)> {
        let value = |(axis, cell): (&Axis, &usize)| {
            let (name, of) = &inputs[axis.at];
            (name.clone(), axis.cells[*cell].shown(*of))
        };
        self.axes.iter().zip(&self.values).map(value).collect()
    }
}

/// Returns a value of each cell of an input.
fn cells(at: usize, all: &[&Logic], of: Type) -> Vec<Constant> {
    let mut constants: Vec<Constant> = Vec::new();
    for logic in all {
        logic.each(&mut |it| {
            if let Logic::Compared(input, _, constant) = it
                && *input == at
                && !constants.contains(constant)
            {
                constants.push(constant.clone());
            }
        });
    }
    match of {
        Type::Bool => vec![Constant::Bool(true), Constant::Bool(false)],
        Type::Text => {
            let mut other = "other".to_owned();
            while constants.iter().any(|it| it.is(&Constant::Text(other.clone()), Sign::Equal)) {
                other.push('_');
            }
            constants.push(Constant::Text(other));
            constants
        }
        Type::Int | Type::Float => numbers(constants, of),
    }
}

/// Returns each constant, and a number below, between and above them.
fn numbers(constants: Vec<Constant>, of: Type) -> Vec<Constant> {
    let mut points: Vec<f64> =
        constants.into_iter().filter_map(|it| if let Constant::Number(it) = it { Some(it) } else { None }).collect();
    points.sort_by(f64::total_cmp);
    points.dedup();
    let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else {
        return vec![Constant::Number(0.0)];
    };
    let whole = of == Type::Int;
    let below = if first - 1.0 < first { first - 1.0 } else { first.next_down() };
    let above = if last + 1.0 > last { last + 1.0 } else { last.next_up() };
    let between = points.windows(2).map(|pair| match whole {
        true => pair[0].floor() + 1.0,
        false => pair[0] + (pair[1] - pair[0]) / 2.0,
    });
    let between = between.zip(&points[1..]).filter(|(it, next)| it < next).map(|it| it.0);
    let ends = [if whole { below.ceil() } else { below }, if whole { above.floor() } else { above }];
    let mut all: Vec<f64> = points.iter().copied().chain(between).chain(ends).filter(|it| it.is_finite()).collect();
    all.retain(|it| !whole || it.fract() == 0.0);
    all.sort_by(f64::total_cmp);
    all.dedup();
    all.into_iter().map(Constant::Number).collect()
}
