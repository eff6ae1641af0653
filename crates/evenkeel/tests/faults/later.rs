//! Later: the rows that the bench does not play, each with its reason.

/// Reasons, and the rows that they stand for.
const LATER: &[(&str, &[&str])] = &[
    ("issue 9: the admin plane has neither tokens nor a check of `Host` yet", &["SE-06", "SE-07"]),
    ("played in `tests/it/examples/panel.rs`, `gateway/tests/it/votes.rs` and `scenarios/panel.yaml`", &["TN-11"]),
    ("played against a gateway in process, with a real Redis, by `gateway/tests/it/shared.rs`", &["DA-05", "DA-06"]),
    (
        "played against a gateway in process, from both sides, by `gateway/tests/it/cache.rs` and `stampede.rs`",
        &["CL-02", "DA-07", "DA-08", "DA-09", "DA-10"],
    ),
    ("played by `gateway/tests/it/rows.rs` (confidence) and `votes.rs` (quorum)", &["TN-10"]),
    (
        "played as far as documents stand in it, with a real server, by `tests/it/postgres/outage.rs`; issue 7: the store is not built yet",
        &["DA-04"],
    ),
    ("takes a day, and is played with a clock of its own by `core/src/machine/tests/shadows.rs`", &["OV-17"]),
    (
        "issue 6: detectors, confidence, pinned probes and signals are not built yet",
        &["UP-29", "UP-38", "UP-39", "TN-03", "TN-04", "TN-05", "OV-15", "OV-16", "CF-08", "SE-11"],
    ),
    ("played by `gateway/tests/it/feedback.rs`", &["SE-12"]),
    (
        "issue 7: the store, the audit log and the sinks are not built yet",
        &["DA-01", "DA-02", "DA-03", "DA-11", "DA-12"],
    ),
    ("played over sockets by `tests/it/hedge.rs` and `bench/hedge`, which need two gateways side by side", &["OV-11"]),
    (
        "needs a resolver that lies, which only the system could put in place; tested in `gateway/src/upstream`",
        &["UP-19"],
    ),
    ("the caller's own credential is not passed through yet (`auth`)", &["UP-22"]),
    ("issue 7: there is no `data_dir` with an earlier revision in it yet", &["CF-05"]),
    ("later issues: rollouts, overrides and drills are not built yet", &["CF-03", "CF-09", "OV-18"]),
    ("later issues: gateways do not hear of one another yet", &["OV-14"]),
    (
        "cannot be caused from outside: the clock of one process alone does not move; no decision can read it (`cargo xtask tidy`)",
        &["PR-01"],
    ),
    ("cannot be caused from outside; equal times are in the properties of `crates/core/tests/rules`", &["PR-02"]),
    (
        "cannot be caused from outside: no model file makes a worker of this build take long or panic; a worker that does is tested in \
         `gateway/src/path/workers`",
        &["PR-05", "PR-06", "TN-14"],
    ),
    ("needs a machine of its own to starve; late timers are played by `evenkeel simulate`", &["PR-10"]),
];

/// Returns why a row is not played.
pub(crate) fn why(id: &str) -> Option<&'static str> {
    LATER.iter().find(|(_, ids)| ids.contains(&id)).map(|(why, _)| *why)
}
