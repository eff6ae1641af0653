//! Metrics of the decision store: whether it is written, what waits for it, and what is not in it though it is on disk.

use std::fmt::Write as _;

use evenkeel_api::StoreState;

/// What ends a text of metrics (OpenMetrics).
const END: &str = "# EOF\n";

/// Adds how the store stands to metrics.
pub(super) fn measure(metrics: &mut String, it: &StoreState) {
    if !metrics.ends_with(END) {
        return;
    }
    metrics.truncate(metrics.len() - END.len());
    let mut tell = |name: &str, kind: &str, help: &str, value: u64| {
        let total = if kind == "counter" { "_total" } else { "" };
        let told = format_args!("# HELP {name} {help}.\n# TYPE {name} {kind}\n{name}{total} {value}\n");
        metrics.write_fmt(told).expect("memory takes it");
    };
    tell(
        UP,
        "gauge",
        "Whether the decision store can be written, by this process or another",
        (it.state != "away").into(),
    );
    tell(BEHIND, "gauge", "Lines on disk that are known to wait for the decision store, at least", it.behind_n);
    let unread = it.unread.len() as u64;
    tell(UNREAD, "gauge", "Instances whose lines wait as their folder cannot be read", unread);
    tell(UNKNOWN, "counter", "Lines that are not stored as this version does not know their schema", it.unknown_n);
    tell(DAMAGED, "counter", "Segments that are stored in part as they are damaged", it.damaged_n);
    tell(LACKING, "counter", "Numbers that the store has passed over as no line had them", it.lacking_n);
    metrics.push_str(END);
}

const UP: &str = "evenkeel_store_up";
const BEHIND: &str = "evenkeel_store_behind_lines";
const UNREAD: &str = "evenkeel_store_unread_instances";
const UNKNOWN: &str = "evenkeel_store_unknown_lines";
const DAMAGED: &str = "evenkeel_store_damaged_segments";
const LACKING: &str = "evenkeel_store_lacking_lines";
