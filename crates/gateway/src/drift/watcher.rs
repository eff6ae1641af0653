//! Watcher: the panel of a route with what it has seen. It knows no clock, no queue and no socket.
//!
//! # Invariants
//! - `DRW-1`: what is said of a route follows from its rows and their times alone.
//! - `DRW-2`: without a row there is no signal.
//! - `DRW-4`: an alarm is told as it began, however often it is seen again until it is over.
//! - `DRW-3`: outputs alone have moved as long as no culprit of the alarm, since it began, is anything else.

use evenkeel_signals::drift::{Evidence, Panel, State};

use super::{
    plan::Plan,
    row::Row,
    sessions::{Sessions, Taken},
};

/// A stream as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamState {
    /// Its name: `feature:age`, `row_score`, `output:primary.score`.
    pub(crate) name: String,
    /// What it amounts to.
    pub(crate) state: State,
    /// In thousandths, 1,000 being an alarm; none before its first row.
    pub(crate) score: Option<i64>,
}

/// A route as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// What it amounts to.
    pub(crate) state: State,
    /// What the core compares: 0, 1, 2.
    pub(crate) value: u64,
    /// It is an alarm, and all that has carried it since it began is outputs.
    pub(crate) outputs_alone: bool,
    /// In thousandths, 1,000 being an alarm.
    pub(crate) score: i64,
    /// Rows that were looked at.
    pub(crate) rows: u64,
    /// When the last of them came, in nanoseconds since the epoch.
    pub(crate) as_of: u64,
}

/// The panel of a route with what it has seen.
#[derive(Debug)]
pub(crate) struct Watcher {
    plan: Plan,
    panel: Panel,
    sessions: Sessions,
    /// Rows that were left out because too many sessions waited.
    left_out: u64,
    /// All culprits since the alarm began are outputs.
    outputs_alone: bool,
    /// The alarm as it began, with all that has carried it since.
    alarm: Option<Evidence>,
}

impl Watcher {
    pub(crate) fn new(plan: Plan, panel: Panel) -> Self {
        Self { plan, panel, sessions: Sessions::default(), left_out: 0, outputs_alone: false, alarm: None }
    }

    /// Returns what is watched.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes a row; returns the alarms that it brings.
    pub(crate) fn take(&mut self, row: Row) -> Vec<Evidence> {
        let Taken { over, row, left_out } = self.sessions.take(row);
        self.left_out += left_out;
        self.look(over.iter().chain(&row))
    }

    /// Lets time pass; returns the alarms that rows bring which have waited for it.
    pub(crate) fn pass(&mut self, now: u64) -> Vec<Evidence> {
        let rows = self.sessions.pass(now);
        self.look(rows.iter())
    }

    fn look<'a>(&mut self, rows: impl Iterator<Item = &'a Row>) -> Vec<Evidence> {
        let mut alarms = Vec::new();
        for row in rows {
            if let Some(it) = self.plan.show(row, &mut self.panel) {
                self.alarmed(&it);
                alarms.push(it);
            }
        }
        alarms
    }

    /// Notes an alarm.
    fn alarmed(&mut self, it: &Evidence) {
        match self.alarm.as_mut().filter(|_| !it.new) {
            Some(alarm) => carried(alarm, it),
            None => self.alarm = Some(it.clone()),
        }
        let outputs = it.culprits.iter().all(|it| self.plan.is_output(it.stream));
        self.outputs_alone = outputs && (it.new || self.outputs_alone);
    }

    /// Reads the route; none before its first row (DRW-2).
    pub(crate) fn read(&self, now: u64) -> Option<Seen> {
        let reading = self.panel.read(now);
        let (value, score) = reading.quantise();
        let value = u64::try_from(value).unwrap_or(0);
        let (rows, as_of) = (reading.samples, reading.as_of);
        let outputs_alone = self.outputs_alone && reading.state == State::Drift;
        (rows > 0).then_some(Seen { state: reading.state, value, outputs_alone, score, rows, as_of })
    }

    /// Reads every stream, in order.
    pub(crate) fn streams(&self, now: u64) -> Vec<StreamState> {
        let read = |(at, name): (usize, &str)| {
            let reading = self.panel.read_stream(now, at);
            let (state, score) = reading.map_or((State::Stable, None), |it| (it.state, Some(it.quantise().1)));
            StreamState { name: name.into(), state, score }
        };
        self.panel.names().enumerate().map(read).collect()
    }

    /// Returns the last alarm as it began, with all that has carried it since.
    pub(crate) fn evidence(&self) -> Option<&Evidence> {
        self.alarm.as_ref()
    }

    /// Returns the bytes of the rows that wait for the end of a minute.
    pub(crate) fn waiting(&self) -> usize {
        self.sessions.bytes()
    }

    /// Returns how many rows were left out because too many sessions waited.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }
}

/// Adds what carries an alarm anew: of each stream its greatest wealth, and when it was first seen to differ.
fn carried(alarm: &mut Evidence, by: &Evidence) {
    for new in &by.culprits {
        match alarm.culprits.iter_mut().find(|it| it.stream == new.stream) {
            Some(it) => (it.wealth, it.since) = (it.wealth.max(new.wealth), it.since.min(new.since)),
            None => alarm.culprits.push(new.clone()),
        }
    }
    alarm.culprits.sort_by(|a, b| b.wealth.total_cmp(&a.wealth).then(a.stream.cmp(&b.stream)));
}
