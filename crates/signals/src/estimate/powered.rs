//! Powered: accuracy from few labels and the confidences of all rows (PPI++).
//!
//! Labels alone are unbiased and few; confidences are many and biased. The difference of the two where both are known corrects the
//! many, as far as the two move together.

use super::{Estimate, Method, NORMAL_97_5, Sum, float};

/// Sums of labels and predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Powered {
    labelled: Moments,
    predicted: Moments,
    as_of: u64,
    left_out: u64,
}

/// Sums of pairs: for rows without a label, of predictions alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moments {
    n: u64,
    y: Sum,
    yy: Sum,
    f: Sum,
    ff: Sum,
    yf: Sum,
}

/// What labels and predictions say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoweredReading {
    /// The estimate; its samples are the labelled rows.
    pub estimate: Estimate,
    /// How much of the predictions is used: 0 labels alone, 1 all.
    pub weight: f64,
    /// All rows, labelled or not.
    pub rows: u64,
    /// Rows whose prediction or label was no number.
    pub left_out: u64,
}

impl Moments {
    fn add(&mut self, y: f64, f: f64) {
        self.n += 1;
        self.y.add(y);
        self.yy.add(y * y);
        self.f.add(f);
        self.ff.add(f * f);
        self.yf.add(y * f);
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        for (ours, theirs) in [
            (&mut self.y, other.y),
            (&mut self.yy, other.yy),
            (&mut self.f, other.f),
            (&mut self.ff, other.ff),
            (&mut self.yf, other.yf),
        ] {
            ours.merge(theirs);
        }
    }
}

impl Powered {
    /// Counts a row: its prediction in [0, 1], and its label in [0, 1] where there is one.
    pub fn update(&mut self, at: u64, prediction: f64, label: Option<f64>) {
        let unit = 0.0..=1.0;
        if !unit.contains(&prediction) || label.is_some_and(|it| !unit.contains(&it)) {
            self.left_out += 1;
            return;
        }
        self.as_of = self.as_of.max(at);
        self.predicted.add(0.0, prediction);
        if let Some(label) = label {
            self.labelled.add(label, prediction);
        }
    }

    /// Adds what another one counted, of other rows.
    pub fn merge(&mut self, other: &Self) {
        self.labelled.merge(&other.labelled);
        self.predicted.merge(&other.predicted);
        self.as_of = self.as_of.max(other.as_of);
        self.left_out += other.left_out;
    }

    /// Says what is known; none below two labels.
    ///
    /// Its interval is asymptotic, and valid however bad the predictions are, if labels are missing at random. Show beside it the
    /// confidence sequence of the labels alone, which holds at every n.
    ///
    /// # Source
    /// Angelopoulos, Duchi, Zrnic 2023. The variance of the labels' part is that of y − w·f with n − 1.
    pub fn read(&self) -> Option<PoweredReading> {
        let (few, all) = (&self.labelled, &self.predicted);
        if few.n < 2 {
            return None;
        }
        let (n, rows) = (float(few.n), float(all.n));
        let (y, f, f_all) = (few.y.value() / n, few.f.value() / n, all.f.value() / rows);
        let covariance = (few.yf.value() - n * y * f) / (n - 1.0);
        let variance = (all.ff.value() / rows - f_all * f_all).max(0.0);
        let spread = variance * (1.0 + n / rows);
        // Predictions that are all alike say nothing.
        let weight = if spread > 1e-12 { (covariance / spread).clamp(0.0, 1.0) } else { 0.0 };
        let value = y + weight * (f_all - f);
        let squares = few.yy.value() - 2.0 * weight * few.yf.value() + weight * weight * few.ff.value();
        let residual = ((squares - n * (y - weight * f) * (y - weight * f)) / (n - 1.0)).max(0.0);
        let half = NORMAL_97_5 * (residual / n + weight * weight * variance / rows).sqrt();
        let within = |x: f64| x.clamp(0.0, 1.0);
        let estimate = Estimate {
            value: within(value),
            lo: within(value - half),
            hi: within(value + half),
            samples: few.n,
            as_of: self.as_of,
            state: Method::Powered,
        };
        Some(PoweredReading { estimate, weight, rows: all.n, left_out: self.left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELLED: [(f64, f64); 6] = [(1.0, 0.9), (1.0, 0.4), (0.0, 0.5), (1.0, 0.7), (0.0, 0.6), (1.0, 0.6)];
    const OTHER: [f64; 6] = [0.8, 0.2, 0.7, 0.5, 0.3, 0.8];

    fn oracle() -> Powered {
        let mut powered = Powered::default();
        LABELLED.iter().for_each(|(y, f)| powered.update(1, *f, Some(*y)));
        OTHER.iter().for_each(|f| powered.update(2, *f, None));
        powered
    }

    #[test]
    fn the_oracle_of_the_design_is_met() {
        let said = oracle().read().expect("six labels");
        assert!((said.weight - 0.429_530).abs() < 1e-6, "{said:?}");
        assert!((said.estimate.value - 0.652_349).abs() < 1e-6, "{said:?}");
        assert_eq!((said.estimate.samples, said.rows, said.estimate.as_of), (6, 12, 2));
        // By hand: y − w·f has variance .2504 (n − 1), f over all .0413889.
        let (low, high) = (said.estimate.lo, said.estimate.hi);
        let rest: Vec<f64> = LABELLED.iter().map(|(y, f)| y - said.weight * f).collect();
        let mean = rest.iter().sum::<f64>() / 6.0;
        let variance = rest.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / 5.0;
        let half = 1.959_964 * (variance / 6.0 + said.weight * said.weight * 0.041_388_9 / 12.0).sqrt();
        assert!((high.min(1.0) - (0.652_349 + half).min(1.0)).abs() < 1e-5 && (low - (0.652_349 - half)).abs() < 1e-5);
    }

    #[test]
    fn est_2_and_est_3_order_and_parts_do_not_matter_and_what_is_no_number_is_left_out() {
        let mut back = Powered::default();
        OTHER.iter().rev().for_each(|f| back.update(2, *f, None));
        let mut other = Powered::default();
        LABELLED.iter().rev().for_each(|(y, f)| other.update(1, *f, Some(*y)));
        other.update(9, f64::NAN, Some(1.0));
        other.update(9, 0.5, Some(f64::INFINITY));
        other.update(9, 1.5, None);
        back.merge(&other);
        assert_eq!(back.read().expect("labels").left_out, 3);
        assert_eq!(Powered { left_out: 0, ..back }, oracle());
        assert_eq!(Powered::default().read(), None, "not enough");
    }

    #[test]
    fn predictions_that_say_nothing_are_not_used() {
        let mut constant = Powered::default();
        (0..10_u32).for_each(|at| constant.update(0, 0.7, Some(f64::from(at % 2))));
        (0..90).for_each(|_| constant.update(0, 0.7, None));
        let said = constant.read().expect("labels");
        assert_eq!((said.weight, said.estimate.value), (0.0, 0.5));
        // Nor are those that go the wrong way.
        let mut wrong = Powered::default();
        (0..10_u32).for_each(|at| wrong.update(0, 1.0 - f64::from(at % 2), Some(f64::from(at % 2))));
        assert_eq!(wrong.read().expect("labels").weight, 0.0);
    }
}
