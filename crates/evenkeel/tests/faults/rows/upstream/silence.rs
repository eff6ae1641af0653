//! UP: servers that are there and say nothing, or nothing yet.

use std::time::Duration;

use super::{asked, first_result};
use crate::{
    exchange::outcome,
    row::{Forms::Both, Row, SHORT, Variant, act},
    rows::upstream_starred::{answered, left_and_not_asked_again},
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "UP-17",
        Both,
        &[
            Variant::named("comments", "{fault: keepalive_only, kind: comment}", SHORT),
            Variant::named("roles", "{fault: keepalive_only, kind: role}", SHORT),
            Variant::named("empty deltas", "{fault: keepalive_only, kind: empty_delta}", SHORT),
        ],
        act!(up_17),
    ),
    Row::new("UP-18", Both, &[Variant::named("", "{fault: slow_first_token, ms: 3000}", LAST_MODEL)], act!(up_18)),
    Row::new("UP-31", Both, &[Variant::named("", "", SHORT)], act!(up_31)),
];

/// One model and a safe default: the model is the last that can be slow.
const LAST_MODEL: &str = "
    protocol: openai-chat
    deadline: 8s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 1s}
      - {name: default, fixed: {content: \"Later.\"}}
";

async fn up_17(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 1);
    run.timed(Side::Client, if run.stream() { "streamed after" } else { "plain after" }, it.got.took);
    run.in_time(&it, Duration::from_secs(8));
    first_result(run, &it, if run.stream() { "target.keepalive_only" } else { "target.total_timeout" });
    if run.stream() {
        run.in_time(&it, Duration::from_secs(3));
    }
    left_and_not_asked_again(run).await;
}

async fn up_18(run: &mut Run) {
    let it = run.once().await;
    answered(run, &it, 0);
    run.must_be(it.results("primary"), vec!["ok"], "the record");
    asked(run, 1).await;
    run.timed(Side::Client, "answered after", it.got.took);
    run.must(it.got.took > Duration::from_millis(3_000), "beyond the clock of 1 s", &it.got.took);
}

async fn up_31(run: &mut Run) {
    // A machine that is gone sends neither FIN nor RST; a process that is stopped does neither, but its system still
    // acknowledges, so that only our clocks show it.
    run.house.primary.process.signal("STOP").await;
    let it = run.ask().await;
    answered(run, &it, 1);
    let wanted = if run.stream() { "target.first_token_timeout" } else { "target.total_timeout" };
    first_result(run, &it, wanted);
    run.saw(Side::Client, outcome(&it.got));
    run.timed(Side::Client, if run.stream() { "streamed after" } else { "plain after" }, it.got.took);
    run.saw(
        Side::Path,
        "by the clocks; not shown here: the end of the connection, since the system still acknowledges (ALIVE-1)",
    );
    run.saw(Side::Record, format!("`{wanted}`"));
}
