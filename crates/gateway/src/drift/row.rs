//! Row: what one request brings to the panel, in values of its own, so that it may wait while the request is gone.

use evenkeel_signals::cells::Value;

use crate::guard::Scalars;

/// A value of a scalar that belongs to nobody else.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Held {
    Missing,
    Invalid,
    Number(f64),
    Name(Box<str>),
}

impl Held {
    /// Returns it as a cell takes it.
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Invalid => Value::Invalid,
            Self::Number(number) => Value::Number(*number),
            Self::Name(name) => Value::Category(name),
        }
    }

    /// Returns the bytes that it takes while it waits.
    fn bytes(&self) -> usize {
        let own = if let Self::Name(name) = self { name.len() } else { 0 };
        size_of::<Self>() + own
    }
}

/// What one request brings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// When it came, in nanoseconds since the epoch.
    pub(crate) at: u64,
    /// The 64 uniform bits that came with it.
    pub(crate) entropy: u64,
    /// The sequence that it belongs to.
    pub(crate) session: Option<u128>,
    /// The scalars of the inputs of one of its rows, in the order of [`Live::scalars`](evenkeel_signals::reference::Live::scalars).
    pub(crate) inputs: Scalars,
    /// How far that row is from the reference; none where it has no score.
    pub(crate) score: Option<f64>,
    /// The outputs of that row that the first tier has given, as the plan names them; nothing where it gave none.
    pub(crate) outputs: Vec<Option<Held>>,
    /// The text that it has given, where that is compared; nothing in it where it gave something else, such as a call of a tool.
    pub(crate) text: Option<Option<Box<str>>>,
}

impl Row {
    /// Returns the bytes that it takes while it waits.
    pub(crate) fn bytes(&self) -> usize {
        let text = self.text.iter().flatten().map(|it| it.len());
        self.inputs.bytes() + self.outputs.iter().flatten().map(Held::bytes).chain(text).sum::<usize>()
    }

    /// Returns the 64 bits by which it is drawn among others, which are not those of its lots.
    pub(crate) fn drawn(&self) -> u64 {
        drawn(self.entropy, Lot::Session)
    }
}

/// What a request is drawn for. Each has bits of its own: who is kept where there is little room says nothing of which of its rows is looked
/// at, nor that of who stands for its session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lot {
    /// To be kept where not all can be.
    Room,
    /// One of its rows.
    Row,
    /// To stand for its session.
    Session,
}

/// Returns the 64 bits by which a request is drawn among others.
pub(crate) fn drawn(entropy: u64, lot: Lot) -> u64 {
    let salt = match lot {
        Lot::Room => 0x3C6E_F372_FE94_F82B,
        Lot::Row => 0xA54F_F53A_5F1D_36F1,
        Lot::Session => 0x510E_527F_ADE6_82D1,
    };
    // SplitMix64's finaliser, Steele and others 2014.
    let mut bits = entropy ^ salt;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Returns which of so many rows of a request is looked at: one, since rows of one batch depend on one another.
pub(crate) fn chosen(entropy: u64, rows: u64) -> u64 {
    ((u128::from(drawn(entropy, Lot::Row)) * u128::from(rows.max(1))) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_a_batch_is_looked_at_about_as_often() {
        let mut seen = [0; 7];
        (0..70_000).for_each(|entropy| seen[chosen(entropy, 7) as usize] += 1);
        assert!(seen.iter().all(|it| (9_500..=10_500).contains(it)), "{seen:?}");
        assert_eq!((chosen(u64::MAX, 1), chosen(9, 0)), (0, 0));
    }

    #[test]
    fn mon_2_who_is_kept_or_stands_for_a_session_says_nothing_of_its_row() {
        for lot in [Lot::Room, Lot::Session] {
            let low = (0..10_000).filter(|it| drawn(*it, lot) < u64::MAX / 4);
            let front = low.clone().filter(|it| chosen(*it, 100) < 50).count() as f64 / low.count() as f64;
            assert!((0.45..0.55).contains(&front), "{lot:?}: {front} of them in the front half");
        }
    }
}
