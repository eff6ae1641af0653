//! Grid: a scale of numbers in bins of equal mass. Equal numbers share a bin, however many they are.

/// Ascending upper ends of all bins but the last, each its bin's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    ends: Vec<f64>,
}

impl Grid {
    /// Parts numbers into at most `bins` of about equal mass. Numbers that are none are left out.
    pub fn equal_mass(numbers: &[f64], bins: usize) -> Self {
        let mut sorted: Vec<f64> = numbers.iter().copied().filter(|it| it.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let end = |bin: usize| sorted.get((bin * sorted.len() / bins).saturating_sub(1)).copied();
        let mut ends: Vec<f64> = (1..bins).filter_map(end).collect();
        ends.dedup();
        // An end that is the greatest number would leave a last bin with nothing in it.
        ends.retain(|it| sorted.last().is_some_and(|greatest| it < greatest));
        Self { ends }
    }

    /// Takes ends as they were kept; none where they do not ascend.
    pub fn of(ends: Vec<f64>) -> Option<Self> {
        let ascending = ends.windows(2).all(|it| it[0] < it[1]) && ends.iter().all(|it| it.is_finite());
        ascending.then_some(Self { ends })
    }

    /// Returns the ends, ascending.
    pub fn ends(&self) -> &[f64] {
        &self.ends
    }

    /// Returns how many bins there are.
    pub fn bins(&self) -> usize {
        self.ends.len() + 1
    }

    /// Returns the bin of a number.
    pub fn bin(&self, number: f64) -> usize {
        self.ends.partition_point(|it| *it < number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_equal_mass_and_equal_numbers_share_one() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let grid = Grid::equal_mass(&hundred, 4);
        assert_eq!(grid.ends(), [25.0, 50.0, 75.0]);
        assert_eq!([1.0, 25.0, 25.5, 1e9].map(|it| grid.bin(it)), [0, 0, 1, 3]);
        let ties = Grid::equal_mass(&[0.2, 0.2, 0.2, 0.2, 0.2, 1.0, f64::NAN], 4);
        assert_eq!((ties.ends(), ties.bins()), (&[0.2][..], 2));
        assert_eq!(Grid::equal_mass(&[0.5; 9], 12).bins(), 1);
        assert_eq!(Grid::equal_mass(&[], 12).bins(), 1);
        assert_eq!(Grid::of(vec![1.0, 1.0]), None);
    }
}
