//! PR and CF: the process and its configuration.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::upstream_starred::answered;
use crate::{
    process::Process,
    row::{
        Forms::{Plain, Streamed},
        PLAIN, Row, SHORT, STARRED, Setting, Variant, act,
    },
    run::{Run, Side, outcome},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("CF-01", Plain, &[Variant::named("", "", SHORT)], act!(cf_01)).single(),
    Row::new("CF-02", Streamed, &[Variant::named("", "", SHORT)], act!(cf_02)).single(),
    Row::new("CF-04", Plain, &[Variant::named("", "", SHORT)], act!(cf_04)).single(),
    Row::new("CF-06", Plain, &[Variant::named("", "", SHORT)], act!(cf_06)).single(),
    Row::new("CF-07", Plain, &[Variant::named("", "", SHORT)], act!(cf_07)).single(),
    Row::new("CF-10", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 200}", STARRED)], act!(cf_10))
        .single(),
    Row::new("PR-03", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 120}", STARRED)], act!(pr_03))
        .single()
        .within(Setting { files: Some(64), ..PLAIN }),
    Row::new("PR-04", Plain, &[Variant::named("", "{fault: slow_first_token, ms: 2500}", ONE_MODEL)], act!(pr_04))
        .single()
        .within(Setting { server: ", body_bytes: 4MiB, max_body: 1MiB", ..PLAIN }),
    Row::new("PR-07", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 100}", STARRED)], act!(pr_07))
        .single()
        .within(Setting { ends: true, ..PLAIN }),
    Row::new("PR-08", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 200}", STARRED)], act!(pr_08))
        .single()
        .within(Setting { ends: true, ..PLAIN }),
    Row::new("PR-09", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 300}", FROZEN)], act!(pr_09))
        .single(),
];

/// Clocks that run out while the process stands still.
const FROZEN: &str = "
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 2s, stall: 2s}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
";

/// A model and a safe default.
const ONE_MODEL: &str = "
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}}
      - {name: default, fixed: {content: \"Later.\"}}
";

/// Reads the configuration of the house.
fn config(run: &Run) -> String {
    std::fs::read_to_string(run.house.folder.path().join("evenkeel.yaml")).expect("the file is there")
}

/// Saves a configuration in its place, whole at once: what is refused is counted once for each, and not for an empty file
/// in between.
fn save(run: &Run, text: &str) {
    let folder = run.house.folder.path();
    std::fs::write(folder.join("next"), text).expect("written");
    std::fs::rename(folder.join("next"), folder.join("evenkeel.yaml")).expect("in its place");
}

/// Returns the revision in force and what was refused last.
async fn ready(run: &Run) -> (Value, Value) {
    let ready = run.house.client.send(run.house.admin, "GET", "/readyz", String::new()).await.json();
    (ready["revision"].clone(), ready["rejected"].clone())
}

/// Claims that a saved file is refused and changes nothing.
async fn refuses(run: &mut Run, what: &str, text: &str) {
    let (before, _) = ready(run).await;
    let failures = run.house.metric("evenkeel_config_apply_failures_total").await;
    save(run, text);
    let counted = async || {
        let now = run.house.metric("evenkeel_config_apply_failures_total").await;
        (now > failures).then_some(())
    };
    let counted = run.until(counted).await;
    run.must(counted.is_some(), "refused, and counted", &what);
    let (after, rejected) = ready(run).await;
    run.must(after == before && !rejected.is_null(), "the last good revision stays", &(what, &rejected));
    let it = run.ask().await;
    answered(run, &it, 0);
}

async fn cf_01(run: &mut Run) {
    let good = config(run);
    let half = good[..good.len() / 2].to_owned() + "\n  x: [";
    let huge = format!("{good}\n# {}\n", "x".repeat(20_000_000));
    for (what, text) in [
        ("unknown keys", format!("{good}\nnonsense: 1\n")),
        ("half-written", half),
        ("empty", String::new()),
        ("NaN", good.replace("deadline: 8s", "deadline: NaN")),
        ("huge", huge),
    ] {
        refuses(run, what, &text).await;
    }
    save(run, &good);
    run.saw(Side::Client, "no change");
    run.saw(Side::Path, "no change");
    run.saw(Side::Record, "refused with diagnostics in `/readyz`, counted");
}

async fn cf_02(run: &mut Run) {
    let good = config(run);
    let other = good.replace("deadline: 8s", "deadline: 9s");
    let start = Instant::now();
    let (mut asked, mut saved) = (0_u32, 0_u32);
    while start.elapsed() < Duration::from_secs(4) {
        save(run, if saved % 2 == 0 { &other } else { &good });
        saved += 1;
        run.house.gateway.signal("HUP").await;
        let it = run.ask().await;
        answered(run, &it, 0);
        run.must(it.got.header("evenkeel-revision").starts_with("sha256:"), "one revision", &it.got);
        asked += 1;
    }
    run.must(asked > 10, "answers under reloads", &asked);
    save(run, &good);
    run.saw(Side::Client, "no error");
    run.saw(Side::Path, "no change");
    run.saw(Side::Record, "one revision per request");
}

async fn cf_04(run: &mut Run) {
    let good = config(run);
    for version in ["version: 0", "version: 2", "version: 99"] {
        refuses(run, version, &good.replacen("version: 1", version, 1)).await;
    }
    save(run, &good);
    run.saw(Side::Client, "no change");
    run.saw(Side::Record, "refused");
}

async fn cf_06(run: &mut Run) {
    let good = config(run);
    let missing = good.replacen("protocol: openai,", "protocol: openai, api_key: \"${env:EVENKEEL_NOT_SET}\",", 1);
    refuses(run, "a secret that is missing", &missing).await;
    // One in a file is read again when the file that names it is applied.
    let secret = run.house.folder.path().join("key");
    std::fs::write(&secret, "sk-rotated-0001").expect("written");
    let keyed = format!("protocol: openai, api_key: \"${{file:{}}}\",", secret.display());
    let (before, _) = ready(run).await;
    save(run, &good.replacen("protocol: openai,", &keyed, 1));
    let applied = run.until(async || (ready(run).await.0 != before).then_some(())).await;
    run.must(applied.is_some(), "a new credential without a restart", &ready(run).await);
    let it = run.ask().await;
    answered(run, &it, 0);
    let sent = run.primary_saw().await.pop().is_some_and(|it| it.headers.contains_key("authorization"));
    run.must(sent, "the new credential is sent", &sent);
    run.must(!run.house.gateway.log_text().contains("sk-rotated"), "never the value", &"the log");
    save(run, &good);
    run.saw(Side::Client, "no error");
    run.saw(Side::Path, "new credential without a restart");
    run.saw(Side::Record, "never the value");
}

async fn cf_07(run: &mut Run) {
    let file = run.house.folder.path().join("warned.yaml");
    let text = "version: 1\nupstreams:\n  u: {protocol: openai, url: \"http://127.0.0.1:1/v1\"}\nroutes:\n  r:\n    protocol: \
                openai-chat\n    tiers:\n      - {name: sure, fixed: {content: x}}\n      - {name: beyond, openai: {upstream: u, model: \
                m}}\n";
    std::fs::write(&file, text).expect("written");
    let said = Process::run(&["check", file.to_str().expect("text")]).await;
    run.must(said.contains("warning[unreachable]") && said.contains("`beyond`"), "a tier that is never reached", &said);
    run.must(said.contains("warning[last-tier-can-fail]"), "a last tier that can fail", &said);
    run.saw(Side::Record, "warnings of `check`; not built: rules that never fire, `plan`");
}

async fn cf_10(run: &mut Run) {
    run.break_primary().await;
    let whole = run.whole_text().await;
    let good = config(run);
    let mut beside = run.beside();
    let removing = async {
        sleep(Duration::from_millis(1_000)).await;
        let kept = good.replace("upstream: primary", "upstream: lower");
        let kept: String =
            kept.lines().filter(|line| !line.starts_with("  primary:")).map(|it| format!("{it}\n")).collect();
        save(&beside, &kept);
        sleep(Duration::from_millis(1_500)).await;
        beside.ask().await
    };
    let (it, after) = tokio::join!(run.ask(), removing);
    run.failed.append(&mut beside.failed);
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "the request finishes on its revision");
    let revisions = (it.got.header("evenkeel-revision").to_owned(), after.got.header("evenkeel-revision").to_owned());
    run.must(revisions.0 != revisions.1, "the next one is of the new revision", &revisions);
    run.must(after.got.is_whole(), "and answered", &after.got);
    save(run, &good);
    run.saw(Side::Client, "whole answer on its revision");
    run.saw(Side::Path, "drained");
    run.saw(Side::Record, "revision per record");
}

/// Opens streams, and waits until all of them have begun at the provider.
async fn streams(run: &mut Run, count: usize) -> tokio::task::JoinSet<Result<crate::client::Got, String>> {
    run.break_primary().await;
    let mut open = tokio::task::JoinSet::new();
    let body = bytes::Bytes::from(run.chat(&run.route).to_string());
    for _ in 0..count {
        let (house, body) = (run.house.clone(), body.clone());
        open.spawn_local(async move {
            let headers = [("content-type", "application/json")];
            house.client.post(house.data, "/v1/chat/completions", body, &headers).await
        });
    }
    let begun = async || {
        let saw = run.primary_saw().await;
        (saw.len() == count && saw.iter().all(|it| it.tokens > 0)).then_some(())
    };
    let begun = run.until(begun).await;
    run.must(begun.is_some(), "all streams begin", &count);
    open
}

async fn pr_03(run: &mut Run) {
    run.break_primary().await;
    let whole = run.whole_text().await;
    let mut working = run.beside();
    let flood = async {
        sleep(Duration::from_millis(500)).await;
        // More connections than there are descriptors; those that are taken hold theirs.
        let mut held = Vec::new();
        for _ in 0..120 {
            held.extend(tokio::net::TcpStream::connect(run.house.data).await);
        }
        sleep(Duration::from_millis(2_500)).await;
        run.house.gateway.sockets()
    };
    let (it, sockets) = tokio::join!(working.ask(), flood);
    run.failed.append(&mut working.failed);
    run.must(sockets >= 50, "the descriptors are used up", &sockets);
    answered(run, &it, 0);
    run.must_be(it.got.said(), whole, "what is in work finishes");
    let again = run.ask().await;
    run.must(again.got.is_whole(), "served again when descriptors are free", &again.got);
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.saw(Side::Client, "what is in work finishes; served again when descriptors are free");
    run.saw(Side::Path, "breaker closed");
    run.saw(Side::Record, "not shown: `CAPACITY_EXHAUSTED`, for a connection that is not taken has no record");
}

async fn pr_04(run: &mut Run) {
    run.break_primary().await;
    let before = run.house.gateway.peak_kib();
    let mut body = run.chat(&run.route);
    body["messages"][0]["content"] = "x".repeat(400 << 10).into();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (mut one, body) = (run.beside(), body.to_string());
        asking.spawn_local(async move { one.post(body.into(), &[]).await });
    }
    let answers = asking.join_all().await;
    let of = |tier: u8| answers.iter().filter(|it| it.is_whole() && it.tier() == Some(tier)).count();
    let refused = answers.iter().filter(|it| it.status == 503 && it.is_error()).count();
    let (primary, default) = (of(0), of(1));
    run.must_be(primary + default + refused, answers.len(), "answered by a model or the default, or refused");
    run.must((1..=9).contains(&primary), "models get no more than what fits into four fifths of 4 MiB", &primary);
    run.must(default + refused > 0, "the rest is shed", &(primary, default, refused));
    run.grew_by_less_than(before, 64);
    run.must_be(run.breaker().await, "closed".to_owned(), "neutral");
    run.set_primary("").await;
    let it = run.ask().await;
    answered(run, &it, 0);
    run.saw(
        Side::Client,
        format!("12 MB at once: {primary} of the primary, {default} of the default, {refused} × 503; then normal"),
    );
    run.saw(Side::Path, "breaker closed");
    run.saw(Side::Record, "CAPACITY_EXHAUSTED, or counted");
}

async fn pr_07(run: &mut Run) {
    const STREAMS: usize = 100;
    let whole = run.whole_text().await;
    let open = streams(run, STREAMS).await;
    run.house.gateway.signal("TERM").await;
    let mut finished = 0;
    for got in open.join_all().await {
        match got {
            Ok(got) if got.is_whole() && got.said() == whole => finished += 1,
            Ok(got) => run.must(got.is_error(), "finished, or a terminal error", &got),
            Err(error) => run.must(false, "finished, or a terminal error", &error),
        }
    }
    let (code, _) = run.house.gateway.ended(Duration::from_secs(40)).await;
    run.must_be(code, Some(0), "the process ends");
    run.saw(Side::Client, format!("{finished} of {STREAMS} finished"));
    run.saw(Side::Path, "closed properly");
    let records = run.house.gateway.lines("evenkeel::decision\"").len();
    run.must(records >= STREAMS, "a record for each", &records);
    run.saw(Side::Record, "one each");
}

async fn pr_08(run: &mut Run) {
    const STREAMS: usize = 50;
    let open = streams(run, STREAMS).await;
    run.house.gateway.signal("KILL").await;
    // Some break before anything came.
    for got in open.join_all().await.into_iter().flatten() {
        run.must(got.torn && !got.is_whole() && got.dones() == 0, "no false success", &got);
    }
    let file = run.house.folder.path().join("evenkeel.yaml");
    let again = Process::start(&["serve", "-c", file.to_str().expect("text")]).await;
    run.set_primary("").await;
    let body = bytes::Bytes::from(run.chat(&run.route).to_string());
    let data = again.address("serves at http://");
    let got = run.house.client.post(data, "/v1/chat/completions", body, &[]).await;
    run.must(got.as_ref().is_ok_and(crate::client::Got::is_whole), "it serves again", &got);
    run.saw(Side::Client, format!("{STREAMS} connections break, none looks whole; serves after a restart"));
    run.saw(Side::Record, "not shown: the admission log is of issue 7");
}

async fn pr_09(run: &mut Run) {
    let whole = run.whole_text().await;
    run.break_primary().await;
    let mut beside = run.beside();
    let freezing = async {
        sleep(Duration::from_millis(2_000)).await;
        run.house.gateway.signal("STOP").await;
        sleep(Duration::from_secs(6)).await;
        run.house.gateway.signal("CONT").await;
    };
    let (it, ()) = tokio::join!(beside.ask(), freezing);
    run.failed.append(&mut beside.failed);
    run.must(it.got.is_whole() || it.got.is_error(), "a whole answer or an honest end", &it.got);
    run.must(!it.got.is_whole() || it.got.said() == whole, "no word lost", &it.got);
    run.must_be(run.breaker().await, "closed".to_owned(), "their silence is not the upstream's fault");
    run.saw(Side::Client, outcome(&it.got));
    run.saw(Side::Path, "breaker closed");
    let results: Vec<String> = it.results("primary").iter().map(|it| format!("`{it}`")).collect();
    run.must(results.iter().all(|it| it == "`ok`" || it.contains("local_pause")), "the record", &results);
    run.saw(Side::Record, results.join(", "));
}
