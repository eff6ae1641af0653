//! Latch: an alarm lasts until nothing was seen for a time and for some rows (`DRI-2`).

/// How long an alarm lasts after the last evidence: both must have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Time, ns.
    pub nanos: u64,
    /// Rows.
    pub rows: u64,
}

impl Default for Hold {
    /// 30 minutes and 5,000 rows.
    fn default() -> Self {
        Self { nanos: 30 * 60 * 1_000_000_000, rows: 5_000 }
    }
}

/// What drift amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Like the reference, as far as is seen.
    #[default]
    Stable,
    /// A thirtieth of an alarm: by chance at most once in T/30, on average.
    Warning,
    /// An alarm, or the hold after it.
    Drift,
}

/// The wealth at which a warning begins.
const WARNING: f64 = 1.0 / 30.0;

/// The last alarm.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Alarm {
    at: u64,
    row: u64,
    /// The greatest wealth since it began.
    wealth: f64,
}

/// An alarm that lasts, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Latch {
    alarm: Option<Alarm>,
}

impl Latch {
    /// Notes an alarm; returns whether it is a new one.
    pub(crate) fn alarm(&mut self, at: u64, row: u64, wealth: f64) -> bool {
        let before = self.alarm.map_or(0.0, |it| it.wealth);
        let new = self.alarm.is_none();
        self.alarm = Some(Alarm { at, row, wealth: wealth.max(before) });
        new
    }

    /// Ends an alarm whose hold is over; returns whether one ended.
    pub(crate) fn settle(&mut self, now: u64, row: u64, hold: Hold) -> bool {
        let over = self.alarm.is_some() && !self.holds(now, row, hold);
        if over {
            self.alarm = None;
        }
        over
    }

    fn holds(&self, now: u64, row: u64, hold: Hold) -> bool {
        self.alarm.is_some_and(|it| now.saturating_sub(it.at) < hold.nanos || row.saturating_sub(it.row) < hold.rows)
    }

    /// Returns the state and the wealth that stands for it: while an alarm lasts, the greatest since it began.
    pub(crate) fn read(&self, (now, row): (u64, u64), hold: Hold, wealth: f64) -> (State, f64) {
        match self.alarm {
            Some(alarm) if self.holds(now, row, hold) => (State::Drift, wealth.max(alarm.wealth)),
            _ if wealth >= 1.0 => (State::Drift, wealth),
            _ if wealth >= WARNING => (State::Warning, wealth),
            _ => (State::Stable, wealth),
        }
    }

    /// Takes the later of two alarms, and the greater wealth of both.
    pub(crate) fn merge(&mut self, other: &Self, rows: u64) {
        if let Some(it) = other.alarm {
            let at = self.alarm.map_or(it.at, |ours| ours.at.max(it.at));
            // Rows are those of both from now on: the hold of rows begins anew.
            self.alarm(at, rows, it.wealth);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dri_2_an_alarm_lasts_for_a_time_and_for_rows() {
        let hold = Hold { nanos: 100, rows: 10 };
        let mut latch = Latch::default();
        assert_eq!(
            [0.0, 0.04, 1.0].map(|it| latch.read((0, 0), hold, it).0),
            [State::Stable, State::Warning, State::Drift]
        );
        assert!(latch.alarm(50, 5, 3.0) && !latch.alarm(60, 6, 2.0));
        for (now, row, state) in
            [(61, 7, State::Drift), (160, 7, State::Drift), (61, 16, State::Drift), (160, 16, State::Stable)]
        {
            assert_eq!(latch.read((now, row), hold, 0.0).0, state, "{now} {row}");
        }
        assert_eq!(latch.read((61, 7), hold, 0.5).1, 3.0, "it keeps what it saw");
        assert!(!latch.settle(159, 16, hold) && latch.settle(160, 16, hold) && !latch.settle(160, 16, hold));
        assert_eq!(latch, Latch::default());
    }
}
