//! ★ OV-01: a primary that is away for a minute, asked once every 4 s.

use std::time::{Duration, Instant};

use super::upstream_starred::answered;
use crate::{
    exchange::outcome,
    row::{Forms::Both, Row, Variant, act},
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] =
    &[Row::new("OV-01", Both, &[Variant::starred("{fault: status, status: 503}")], act!(ov_01)).long()];

const EVERY: Duration = Duration::from_secs(4);
const OUTAGE: u32 = 15;
const REQUESTS: u32 = 20;

async fn ov_01(run: &mut Run) {
    let start = Instant::now();
    run.break_primary().await;
    let (mut returned, mut back, mut in_outage, mut due) = (start, None, 0, start);
    // How long the clients were asking since the primary has returned.
    let mut asking = Duration::ZERO;
    for number in 0..REQUESTS {
        tokio::time::sleep_until(due.into()).await;
        if number == OUTAGE {
            in_outage = run.primary_saw().await.len();
            run.set_primary("").await;
            returned = Instant::now();
        }
        let asked = Instant::now();
        let it = run.ask().await;
        // From the end of this one: by the clock, a machine that was late with one request and prompt with a later one would
        // ask a moment before the path may be tried again, and the next chance is four seconds later.
        due = Instant::now() + EVERY;
        let tier = it.got.tier().unwrap_or(9);
        if tier == 0 && back.is_none() {
            back = Some(asked + it.got.took - returned);
        }
        if number >= OUTAGE && back.is_none() {
            asking += asked.elapsed();
        }
        answered(run, &it, tier);
        run.must(tier == 0 || back.is_none(), "no relapse", &it.record);
        run.in_time(&it, Duration::from_secs(3));
        run.saw(Side::Client, outcome(&it.got));
    }
    run.saw(Side::Client, format!("all {REQUESTS} answered"));
    run.must(in_outage <= 4, "at most 4 attempts in the outage", &in_outage);
    run.saw(Side::Path, format!("{in_outage} attempts in the outage"));
    // The gateway can come back with a request alone, and each comes 4 s after the end of the one before: what that one took,
    // which is held above, makes the next one late, and so does the machine.
    let noise = asking + run.house.late.get() + Duration::from_millis(250);
    let most = Duration::from_secs(16) + noise;
    run.must(back.is_some_and(|it| it <= most), "the primary again within 16 s", &(back, "noise", noise));
    run.timed(Side::Client, "asked 4 s after each answer: primary again after", back.unwrap_or_default());
    home(run, returned).await;
}

/// Goes on asking until the route starts at the primary again, and holds the transitions against the row.
async fn home(run: &mut Run, returned: Instant) {
    let is_home = |run: &Run| run.transitions().iter().any(|it| it["to"] == 0);
    while !is_home(run) && returned.elapsed() < Duration::from_secs(180) {
        let it = run.ask().await;
        run.must(it.got.is_whole(), "an answer on the way back", &it.got);
        // The pace of the clients on the way back.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    run.timed(Side::Record, "route back after", returned.elapsed());
    let told = run.transitions();
    let out = told.iter().any(|it| it["from"] == 0 && it["to"] == 1 && it["rule"].is_string());
    let back = told.iter().any(|it| it["from"] == 1 && it["to"] == 0 && it["reason"].is_string());
    run.must(out && back, "transitions out and back, with causes", &told);
    for it in told {
        run.saw(Side::Record, format!("{} → {} {}", it["from"], it["to"], it["reason"].as_str().unwrap_or("?")));
    }
}
