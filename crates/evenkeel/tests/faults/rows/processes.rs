//! PR: the process: it lacks something, is told to end, is killed, and stands still.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::upstream_starred::answered;
use crate::{
    client::Got,
    exchange::{Exchange, outcome},
    house::STOP,
    process::Process,
    row::{
        Forms::{Plain, Streamed},
        PLAIN, Row, STARRED, Setting, Variant, act,
    },
    run::{Run, Side, counts},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("PR-03", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 120}", STARRED)], act!(pr_03))
        .single()
        .within(Setting { files: Some(64), ..PLAIN }),
    Row::new("PR-04", Plain, &[Variant::named("", "{fault: slow_first_token, ms: 2500}", ONE_MODEL)], act!(pr_04))
        .single()
        .within(Setting { server: ", body_bytes: 4MiB, max_body: 1MiB", ..PLAIN }),
    Row::new("PR-07", Streamed, &[Variant::named("", SOME_END_SOON, STARRED)], act!(pr_07))
        .single()
        .within(Setting { ends: true, ..PLAIN }),
    Row::new("PR-08", Streamed, &[Variant::named("", SOME_END_SOON, STARRED)], act!(pr_08))
        .single()
        .within(Setting { ends: true, ..PLAIN }),
    Row::new("PR-09", Streamed, &[Variant::named("", "{fault: slow_tokens, every_ms: 300}", FROZEN)], act!(pr_09))
        .single(),
];

/// The first streams end after seconds, and all others speak for a minute.
const SOME_END_SOON: &str = "{fault: slow_tokens, every_ms: 100, times: 30}, {fault: slow_tokens, every_ms: 3000}";
const SOON: usize = 30;

/// Clocks that run out while the process stands still; and, in a second route, the deadline.
const FROZEN: &str = "
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}, first_token: 2s, stall: 2s}
      - {name: lower, openai: {upstream: lower, model: MODEL}}
  MODEL-overdue:
    protocol: openai-chat
    deadline: 4s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL-overdue}}
      - {name: lower, openai: {upstream: lower, model: MODEL-overdue}}
";
/// How long the process stands still: for three times as long as its clocks run, and longer than the deadline of the second route.
const STANDS_STILL: Duration = Duration::from_secs(6);
/// How long after that an overdue request may take to end, beside what the machine is late by.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A model and a safe default.
const ONE_MODEL: &str = "
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: primary, model: MODEL}}
      - {name: default, fixed: {content: \"Later.\"}}
";

/// Streams that are open.
type Open = tokio::task::JoinSet<Result<Got, String>>;

/// Opens streams, and waits until all of them have begun at the provider.
async fn streams(run: &mut Run, count: usize) -> Open {
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
    let (mut working, mut beside) = (run.beside(), run.beside());
    let line = format!("\"route\":\"{}\"", run.route);
    let flood = async {
        beside.begun().await;
        // More connections than there are descriptors; those that are taken hold theirs until the stream is over.
        let mut held = Vec::new();
        for _ in 0..120 {
            held.extend(tokio::net::TcpStream::connect(run.house.data).await);
        }
        let sockets = async || Some(run.house.gateway.sockets()).filter(|count| *count >= 50);
        let sockets = beside.until(sockets).await;
        let open = run.house.gateway.lines(&line).is_empty();
        beside.until(async || (!run.house.gateway.lines(&line).is_empty()).then_some(())).await;
        (sockets, open)
    };
    let (it, (sockets, open)) = tokio::join!(working.ask(), flood);
    run.failed.extend([working.failed, beside.failed].concat());
    run.must(sockets.is_some() && open, "the descriptors are used up while the stream is in work", &(sockets, open));
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
    let before = run.house.rest_kib().await;
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
    let (mut told, mut unread) = (0, 0);
    for it in &answers {
        match it.tier() {
            Some(1) => {
                let record = run.record(it.header("evenkeel-decision")).await;
                told += usize::from(record.to_string().contains("CAPACITY_EXHAUSTED"));
            }
            None => unread += 1,
            Some(_) => {}
        }
    }
    run.must_be((told, unread), (default, refused), "the reason of each that the default answers");
    run.counted(refused).await;
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
    run.saw(Side::Record, format!("{told} × CAPACITY_EXHAUSTED"));
}

/// Waits for the streams that end soon. Returns them.
async fn soon(run: &mut Run, open: &mut Open, whole: &str) -> Vec<Result<Got, String>> {
    let mut ended = Vec::new();
    while ended.len() < SOON {
        ended.push(open.join_next().await.expect("more are open").expect("no panic"));
    }
    let finished = ended.iter().flatten().filter(|it| it.is_whole() && it.said() == whole).count();
    run.must_be(finished, SOON, "those that end soon are whole");
    ended
}

/// Says what clients got, each as often as it was.
fn got(all: &[Result<Got, String>]) -> String {
    let words = |it: &Result<Got, String>| it.as_ref().map_or_else(|_| "nothing".to_owned(), outcome);
    counts(all.iter().map(words))
}

async fn pr_07(run: &mut Run) {
    const STREAMS: usize = 100;
    let whole = run.whole_text().await;
    let mut open = streams(run, STREAMS).await;
    let start = Instant::now();
    run.house.gateway.signal("TERM").await;
    let mut ended = soon(run, &mut open, &whole).await;
    let drained = start.elapsed();
    run.must(run.house.gateway.runs().await, "it waits for those that take longer", &drained);
    let again = Instant::now();
    run.house.gateway.signal("TERM").await;
    while let Some(it) = open.join_next().await {
        let it = it.expect("no panic");
        run.must(it.as_ref().is_ok_and(Got::is_error), "a terminal error, no false end", &it);
        ended.push(it);
    }
    let (code, _) = run.house.gateway.ended(Duration::from_secs(40)).await;
    run.must_be(code, Some(0), "the process ends");
    // A second of the thirty that the drain has, and what the machine was late by.
    let took = again.elapsed();
    run.must(took < Duration::from_millis(2_500) + run.house.late.get(), "a second SIGTERM ends it at once", &took);
    run.saw(Side::Client, got(&ended));
    run.timed(Side::Client, "over after a second SIGTERM in", took);
    let saw = run.primary_saw().await;
    let closed = saw.iter().filter(|it| it.client_gone).count();
    run.must_be((saw.len(), closed), (STREAMS, STREAMS - SOON), "what is told is cancelled, what is whole is not");
    run.saw(Side::Path, format!("P = {}, {closed} cancelled", saw.len()));
    let records = run.house.gateway.lines("evenkeel::decision\"");
    let results = records.iter().map(|it| it["attempts"][0][1].as_str().unwrap_or("none"));
    let results: Vec<String> = results.map(|it| format!("`{it}`")).collect();
    let told = results.iter().filter(|it| *it == "`cancelled.drained`").count();
    run.must_be((results.len(), told), (STREAMS, STREAMS - SOON), "a record for each, which says what ended it");
    run.saw(Side::Record, counts(results));
}

async fn pr_08(run: &mut Run) {
    const STREAMS: usize = 80;
    let whole = run.whole_text().await;
    let mut open = streams(run, STREAMS).await;
    let mut ended = soon(run, &mut open, &whole).await;
    run.house.gateway.signal("KILL").await;
    let broken = open.join_all().await;
    for it in &broken {
        let torn = it.as_ref().map_or(true, |it| it.torn && !it.is_whole() && it.dones() == 0);
        run.must(torn, "no false success", it);
    }
    run.must_be(broken.len(), STREAMS - SOON, "every other one breaks");
    ended.extend(broken);
    let records = run.house.gateway.lines("evenkeel::decision\"").len();
    run.must_be(records, SOON, "a record for each that was over");
    let file = run.house.folder.path().join("evenkeel.yaml");
    let again = Process::start(&["serve", "-c", file.to_str().expect("text")]).await;
    run.set_primary("").await;
    let body = bytes::Bytes::from(run.chat(&run.route).to_string());
    let data = again.address("serves at http://");
    let after = run.house.client.post(data, "/v1/chat/completions", body, &[]).await;
    run.must(after.as_ref().is_ok_and(Got::is_whole), "it serves again", &after);
    again.signal("TERM").await;
    let (code, took) = again.ended(STOP).await;
    run.must_be(code, Some(0), "and ends when it is told to");
    run.must(!again.log_text().contains("panicked"), "no task of it panics", &took);
    run.saw(Side::Client, format!("{}; after a restart {}", torn_apart(&ended), got(&[after])));
    let saw = run.primary_saw().await;
    let left = saw.iter().filter(|it| it.client_gone).count();
    run.saw(Side::Path, format!("{left} of {} cut off", saw.len() - 1));
    run.must_be(left, STREAMS - SOON, "the provider hears of it");
    let lost = STREAMS - records;
    run.saw(Side::Record, format!("{records}; {lost} are lost, not counted: the admission log is of issue 7"));
}

/// Says what clients got of whom the other side died.
fn torn_apart(all: &[Result<Got, String>]) -> String {
    let words = |it: &Result<Got, String>| match it {
        Ok(it) if !it.torn => outcome(it),
        _ => "a connection that breaks".to_owned(),
    };
    counts(all.iter().map(words))
}

async fn pr_09(run: &mut Run) {
    let whole = run.whole_text().await;
    run.break_primary().await;
    let (mut beside, mut watching) = (run.beside(), run.beside());
    let mut overdue = [false, true].map(|stream| overdue(run, stream));
    overdue[0].set_primary("{fault: silence}").await;
    let silent = run.beside_at(&overdue[0].route);
    let freezing = async {
        watching.begun().await;
        let asked = watching.until(async || (silent.primary_saw().await.len() == 2).then_some(())).await;
        watching.must(asked.is_some(), "both that will be overdue have asked", &());
        run.house.gateway.signal("STOP").await;
        sleep(STANDS_STILL).await;
        run.house.gateway.signal("CONT").await;
        Instant::now()
    };
    let [plain, stream] = &mut overdue;
    let (it, plain, stream, thawed) = tokio::join!(beside.ask(), ended(plain), ended(stream), freezing);
    run.failed.extend([beside.failed, watching.failed].concat());
    for late in overdue {
        run.failed.extend(late.failed);
    }
    over(run, [plain, stream], thawed).await;
    run.must(it.got.is_whole() || it.got.is_error(), "a whole answer or an honest end", &it.got);
    run.must(!it.got.is_whole() || it.got.said() == whole, "no word lost", &it.got);
    let breakers = (run.breaker().await, silent.breaker().await);
    run.must_be(breakers, ("closed".into(), "closed".into()), "their silence is not the upstream's fault");
    run.saw(Side::Client, format!("{}, begun before; frozen for {STANDS_STILL:?}", outcome(&it.got)));
    run.saw(Side::Path, "breaker closed");
    let results: Vec<String> = it.results("primary").iter().map(|it| format!("`{it}`")).collect();
    let excused = !results.is_empty() && results.iter().all(|it| it == "`ok`" || it.contains("local_pause"));
    run.must(excused, "the record", &results);
    run.saw(Side::Record, results.join(", "));
}

/// Makes a client of the second route, whose deadline runs out.
fn overdue(run: &Run, stream: bool) -> Run {
    let mut late = run.beside_at(&format!("{}-overdue", run.route));
    late.which.stream = stream;
    late
}

/// Asks; returns when it was over, too.
async fn ended(run: &mut Run) -> (Exchange, Instant) {
    let it = run.ask().await;
    let end = Instant::now();
    (it, end)
}

/// Claims that requests whose deadline ran out in the meantime are over as soon as the process goes on, and blame nobody.
async fn over(run: &mut Run, all: [(Exchange, Instant); 2], thawed: Instant) {
    for (it, end) in all {
        let refused = (it.got.status, it.got.error_code());
        run.must_be(refused, (504, Some("deadline_exceeded".to_owned())), "an overdue request ends by its deadline");
        let after = end.saturating_duration_since(thawed);
        run.must(after < AT_ONCE + run.house.late.get(), "as soon as the process goes on", &after);
        run.timed(Side::Client, "overdue, plain and streamed: over after the thaw in", after);
        run.must_be(it.results("primary"), vec!["cancelled.local_pause"], "the record of an overdue request");
        run.must_be(it.results("lower").len(), 0, "nobody is asked any more");
        run.saw(Side::Client, format!("overdue: {}", outcome(&it.got)));
        run.saw(Side::Record, format!("overdue: `{}`", it.results("primary").join("`, `")));
    }
}
