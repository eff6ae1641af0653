//! Ends: the intervals in which numbers lie.

use super::CELLS;

/// Ends that a look-up of eight steps goes through: one less than cells.
const SLOTS: usize = CELLS - 1;
/// Values that keep a cell of their own where not all can: with a gap on both sides of each they fit thrice over.
const HEAVIEST: usize = 80;
/// Rows that share a cell of a private column, at least; a lesser number would tell of single persons.
const SHARED: usize = 10;

/// Ascending upper ends of all cells but the last; each is its cell's own.
///
/// # Cost
/// Eight steps without a branch a look-up; 2 kB.
#[derive(Clone, Debug, PartialEq)]
pub struct Ends {
    /// The ends, then infinities.
    padded: Box<[f64; SLOTS]>,
    ends: usize,
}

impl Ends {
    /// Parts finite numbers into at most 256 cells. `rows` are all rows of the reference, those without a number included.
    pub(super) fn of_numbers(numbers: &mut [f64], rows: usize) -> Self {
        Self::parted(numbers, rows, Edges { least: 1, end: |value, _| Some(value) })
    }

    /// Parts finite numbers of which none may be told: ends lie between two values, written in as few digits as keep them apart, but for
    /// a value that so many rows share that it has a cell of its own; no cell is made for fewer than ten rows.
    pub(super) fn of_private(numbers: &mut [f64], rows: usize) -> Self {
        Self::parted(numbers, rows, Edges { least: SHARED, end: between })
    }

    fn parted(numbers: &mut [f64], rows: usize, edges: Edges) -> Self {
        numbers.sort_unstable_by(f64::total_cmp);
        let runs = runs(numbers);
        let is_heavy = |at: &usize| runs[*at].1 * CELLS >= rows && runs[*at].1 >= edges.least;
        let mut heavy: Vec<usize> = (0..runs.len()).filter(is_heavy).collect();
        let ends = part(&runs, &heavy, edges).unwrap_or_else(|| {
            // The heaviest first, of equals the least.
            heavy.sort_by_key(|at| std::cmp::Reverse(runs[*at].1));
            heavy.truncate(HEAVIEST);
            heavy.sort_unstable();
            part(&runs, &heavy, edges).expect("80 values, the gaps between them and as many cells are at most 256")
        });
        Self::of(&ends).expect("ascending")
    }

    /// Takes ends as they were kept; none where they do not ascend, are no numbers, or are too many.
    pub fn of(ends: &[f64]) -> Option<Self> {
        let ascending = ends.windows(2).all(|it| it[0] < it[1]) && ends.iter().all(|it| it.is_finite());
        let mut padded = Box::new([f64::INFINITY; SLOTS]);
        (ascending && ends.len() <= SLOTS).then(|| {
            padded[..ends.len()].copy_from_slice(ends);
            Self { padded, ends: ends.len() }
        })
    }

    /// Returns the ends, ascending.
    pub fn ends(&self) -> &[f64] {
        &self.padded[..self.ends]
    }

    /// Returns how many cells there are.
    pub fn cells(&self) -> usize {
        self.ends + 1
    }

    /// Returns the cell of a finite number.
    #[inline]
    pub fn cell(&self, number: f64) -> usize {
        let mut base = 0;
        for half in [128, 64, 32, 16, 8, 4, 2, 1] {
            base += if self.padded[base + half - 1] < number { half } else { 0 };
        }
        base
    }
}

/// Where cells end that are no value's own.
#[derive(Clone, Copy)]
struct Edges {
    /// Rows of a cell, at least.
    least: usize,
    /// The end after a value, before the next one; none where there is no room for one.
    end: fn(f64, f64) -> Option<f64>,
}

/// Returns the number of the fewest digits strictly between two, beginning with that in their middle; none where none is.
fn between(value: f64, next: f64) -> Option<f64> {
    let middle = value / 2.0 + next / 2.0;
    let shorter = (0..17).filter_map(|digits| format!("{middle:.digits$e}").parse::<f64>().ok());
    shorter.into_iter().find(|it| value < *it && *it < next)
}

/// Each value with how often it is there. The two zeros are one.
fn runs(sorted: &[f64]) -> Vec<(f64, usize)> {
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for number in sorted {
        match runs.last_mut() {
            Some((value, times)) if *value == *number => *times += 1,
            _ => runs.push((*number, 1)),
        }
    }
    runs
}

/// Ends around the heavy values and of equal depth elsewhere; none where 256 cells do not suffice.
fn part(runs: &[(f64, usize)], heavy: &[usize], edges: Edges) -> Option<Vec<f64>> {
    let light: usize = runs.iter().map(|it| it.1).sum::<usize>() - heavy.iter().map(|at| runs[*at].1).sum::<usize>();
    // A gap before, between and after the heavy ones, whether or not the reference has a row in it.
    let budget = CELLS.checked_sub(2 * heavy.len() + 1).filter(|it| *it > 0 || light == 0)?;
    let depth = light.div_ceil(budget.max(1)).max(edges.least);
    let (mut ends, mut filled) = (Vec::new(), 0);
    let mut next = heavy.iter().peekable();
    for (at, (value, times)) in runs.iter().enumerate() {
        if next.next_if(|it| **it == at).is_some() {
            // The cell before ends just below, so that this one is the value's own.
            let below = value.next_down();
            if below.is_finite() && ends.last().is_none_or(|end| *end < below) {
                ends.push(below);
            }
            ends.push(*value);
            filled = 0;
            continue;
        }
        filled += times;
        let next = runs.get(at + 1).filter(|_| filled >= depth);
        if let Some(end) = next.and_then(|next| (edges.end)(*value, next.0)) {
            ends.push(end);
            filled = 0;
        }
    }
    // The greatest double has nothing above it.
    ends.retain(|it| *it < f64::MAX);
    Some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(numbers: &[f64]) -> Ends {
        Ends::of_numbers(&mut numbers.to_vec(), numbers.len())
    }

    #[test]
    fn cells_have_equal_depth_and_heavy_values_have_their_own() {
        let thousand: Vec<f64> = (0..2_560).map(f64::from).collect();
        let it = ends(&thousand);
        let mut counts = vec![0; it.cells()];
        thousand.iter().for_each(|x| counts[it.cell(*x)] += 1);
        assert!(it.cells() > 200 && counts.iter().all(|n| *n <= 11), "{counts:?}");

        let spiked: Vec<f64> = (0..1_000).map(|at| if at % 4 == 0 { 0.0 } else { f64::from(at) - 500.0 }).collect();
        let it = ends(&spiked);
        let own = it.cell(0.0);
        assert_eq!([it.cell(0.0_f64.next_down()), it.cell(-0.0), it.cell(0.0_f64.next_up())], [own - 1, own, own + 1]);
    }

    #[test]
    fn a_constant_one_row_and_none_have_cells_that_notice_another_value() {
        for numbers in [vec![5.0; 100], vec![5.0]] {
            let it = ends(&numbers);
            assert_eq!([4.9, 5.0, 5.1].map(|x| it.cell(x)), [0, 1, 2]);
        }
        assert_eq!(ends(&[]).cells(), 1);
        assert_eq!([f64::MIN, f64::MAX].map(|x| ends(&[f64::MIN, f64::MAX]).cell(x)), [0, 2]);
    }

    #[test]
    fn few_whole_numbers_each_have_a_cell_and_many_heavy_ones_still_fit() {
        let few: Vec<f64> = (0..1_000).map(|at| f64::from(at % 7)).collect();
        let it = ends(&few);
        assert_eq!(it.cells(), 15, "seven values, and a gap before, between and after them");
        let many: Vec<f64> = (0..20_000).map(|at| f64::from(at % 200)).collect();
        assert!(ends(&many).cells() <= CELLS);
        let mixed: Vec<f64> =
            (0..25_600).map(|at| if at < 12_800 { f64::from(at % 127) } else { f64::from(at) * 1e-3 }).collect();
        assert!(ends(&mixed).cells() <= CELLS);
    }

    #[test]
    fn ref_4_ends_of_a_private_column_are_no_values_of_it_but_those_that_many_share() {
        let mut bits = 9_u64;
        let mut draw = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (bits >> 40) as f64 / 100.0
        };
        let mut incomes: Vec<f64> = (0..3_000).map(|at| if at % 30 == 0 { 1_000.0 } else { draw() }).collect();
        let it = Ends::of_private(&mut incomes, 3_000);
        assert!(it.cells() > 200, "{}", it.cells());
        let told: Vec<f64> = it.ends().iter().copied().filter(|end| incomes.contains(end)).collect();
        assert_eq!(told, [1_000.0], "100 of 3,000 rows share it");
        let mut counts = vec![0; it.cells()];
        incomes.iter().for_each(|x| counts[it.cell(*x)] += 1);
        // What is left before a value with its own cell, or after the last end, may be fewer.
        assert!(counts.iter().filter(|n| (1..SHARED).contains(*n)).count() <= 3, "{counts:?}");
        incomes.reverse();
        assert_eq!(Ends::of_private(&mut incomes, 3_000), it, "the same rows, the same ends");
        assert_eq!(Ends::of_private(&mut [1.0, 2.0, 3.0], 3).ends(), [0.0; 0], "three rows are nobody's business");
        let close = [1.0_f64, 1.0_f64.next_up()];
        assert_eq!((between(1.0, 2.0), between(close[0], close[1])), (Some(1.5), None));
        assert_eq!([between(0.123_456, 0.123_461), between(-7.0, -3.0)], [Some(0.12346), Some(-5.0)]);
    }

    #[test]
    fn ends_that_do_not_ascend_or_are_too_many_are_refused() {
        let many: Vec<f64> = (0..256).map(f64::from).collect();
        for bad in [&[1.0, 1.0][..], &[2.0, 1.0], &[f64::NAN], &[f64::INFINITY], &many] {
            assert_eq!(Ends::of(bad), None);
        }
        assert_eq!(Ends::of(&many[..255]).map(|it| (it.cells(), it.cell(-1.0), it.cell(300.0))), Some((256, 0, 255)));
    }
}
