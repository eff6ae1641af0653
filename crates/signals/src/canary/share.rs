//! Share: does the new revision get the share of traffic that it should.
//!
//! A wrong share means that something chooses who is asked, and then the arms are not comparable: the rollout stops, whatever its
//! metrics say.

use crate::eproc::{EProc, Form, Null, Wealth};

/// Bets that the share is too great, and that it is too small.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    more: EProc,
    fewer: EProc,
    alpha: f64,
    wrong: bool,
}

impl Share {
    /// Watches a share strictly between 0 and 1, with a chance of `alpha` ever to call a right share wrong; none where either is not
    /// strictly between 0 and 1.
    pub fn new(share: f64, alpha: f64) -> Option<Self> {
        let bounds = (0.0, 1.0);
        let (most, least) = (Null::at_most(share, bounds)?, Null::at_least(share, bounds)?);
        let engine = |null| EProc::new(Form::Plain, null);
        let sound = share < 1.0 && share > 0.0 && alpha > 0.0 && alpha < 1.0;
        sound.then(|| Self { more: engine(most), fewer: engine(least), alpha, wrong: false })
    }

    /// Counts a request by whether the new revision got it.
    pub fn update(&mut self, at: u64, new: bool) {
        let x = f64::from(u8::from(new));
        self.more.update(at, x);
        self.fewer.update(at, x);
        // The mean of both, against 1/α.
        self.wrong |= self.more.wealth().plus(self.fewer.wealth()) >= Wealth::of(2.0 / self.alpha);
    }

    /// Says whether the share has been shown to be wrong.
    pub fn is_wrong(&self) -> bool {
        self.wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_share_is_found_in_either_direction_and_a_right_one_is_left_alone() {
        let found = |share: f64, every: u64| {
            let mut watch = Share::new(share, 0.001).expect("sound");
            (0..20_000).find(|at| {
                watch.update(*at, at % every == 0);
                watch.is_wrong()
            })
        };
        assert_eq!(found(0.1, 10), None);
        assert!(found(0.1, 20).is_some_and(|row| row < 2_000), "half of what it should be: {:?}", found(0.1, 20));
        assert!(found(0.1, 5).is_some_and(|row| row < 1_000), "twice: {:?}", found(0.1, 5));
        assert!(Share::new(0.0, 0.01).is_none() && Share::new(1.0, 0.01).is_none() && Share::new(0.5, 1.0).is_none());
    }
}
