//! Evidence: what an alarm saw.

/// One stream that carries an alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Culprit {
    /// The stream, by its place in the panel.
    pub stream: usize,
    /// Its name.
    pub name: String,
    /// Its wealth W at the alarm.
    pub wealth: f64,
    /// Since about when it differs, ns.
    pub since: u64,
}

/// An alarm of a panel: how strong, since about when, and who carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The time of the alarm, ns.
    pub at: u64,
    /// The rows of the panel until then.
    pub rows: u64,
    /// The weighted sum of wealths, at least 1.
    pub wealth: f64,
    /// Since about when the first culprit differs, ns.
    pub since: u64,
    /// The streams that carry it, the strongest first. They are ordered, and no rate of error is promised for the order.
    pub culprits: Vec<Culprit>,
    /// Whether the route was held to be stable, or at most warned of, before it.
    pub new: bool,
}
