//! Play: all rows that are asked for at once, each in a house of its own, and what became of them.

use std::{
    io::Write as _,
    process::ExitCode,
    rc::Rc,
    sync::{LazyLock, mpsc},
    time::{Duration, Instant},
};

use tokio::{
    sync::Semaphore,
    task::{JoinSet, LocalSet, spawn_local},
};

use crate::{
    catalogue,
    house::{House, Which},
    order::{self, Order},
    row::{Row, Variant},
    run::{Run, Seen, Side},
    scorecard,
};

/// Houses that are being started at once, or have all their runs ask for the first time: what everybody does at once
/// takes longer than any clock of a row allows for.
static STARTING: Semaphore = Semaphore::const_new(1);
/// How long the first requests of one of the sixteen have the machine to themselves.
const BURST: Duration = Duration::from_millis(2_500);
/// Houses at once, beside those of the sixteen, which are all there from the start: each is three processes.
static HOUSES: Semaphore = Semaphore::const_new(6);

/// Runs of each variant and form of a row: of the sixteen, and of the others.
const STARRED_RUNS: usize = 20;
const LONG_STARRED_RUNS: usize = 100;
const RUNS: usize = 3;

/// What became of a row.
pub(crate) struct Played {
    pub(crate) row: &'static Row,
    pub(crate) runs: usize,
    pub(crate) failed: Vec<String>,
    /// What each run saw.
    pub(crate) seen: Vec<(Which, Seen)>,
    pub(crate) took: Duration,
}

/// Plays what is asked for, and says how it went.
pub(crate) fn all(order: &Order) -> ExitCode {
    let mut good = true;
    for (name, check) in order::CHECKS.iter().filter(|(name, _)| order.asks(name)) {
        good &= report(name, &check());
    }
    order.unknown().iter().for_each(|name| println!("the fault bench has nothing that is named `{name}`"));
    let rows = order.rows();
    if rows.is_empty() {
        return code(good);
    }
    if std::env::var_os("EVENKEEL_FAST").is_some() {
        skip("faults", "it takes a minute and a half");
        return code(good);
    }
    hurry();
    let wanted = rows.len();
    let played = play(rows);
    let failed: Vec<&Played> = played.iter().filter(|it| !it.failed.is_empty()).collect();
    println!("\n{wanted} rows, {} green", played.len() - failed.len());
    good &= failed.is_empty() && played.len() == wanted;
    if std::env::var_os("EVENKEEL_SCORECARD").is_some() {
        scorecard::write(&played);
    }
    code(good)
}

/// Puts this process, and those that it will start, before others on a busy machine, where it may: clocks are judged here.
fn hurry() {
    let own = std::process::id().to_string();
    // Whoever may not do this plays all the same.
    let _ = std::process::Command::new("renice").args(["-n", "-10", "-p", &own]).output();
}

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays rows, each on a thread of its own: what one has to read delays no clock of another.
fn play(rows: Vec<&'static Row>) -> Vec<Played> {
    // The longest of the sixteen come first, so that the others are played meanwhile.
    let (first, then): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_long);
    let (tell, told) = mpsc::channel();
    for row in first.into_iter().chain(then) {
        let tell = tell.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            // Whoever waits for it has nothing more to do when it is gone.
            let _ = tell.send(LocalSet::new().block_on(&runtime, one(row)));
        });
    }
    drop(tell);
    let mut played = Vec::new();
    for done in told {
        let what = format!("{} ({} runs, {:.1} s)", done.row.name(), done.runs, done.took.as_secs_f64());
        report(&what, &done.failed);
        played.push(done);
    }
    played
}

async fn one(row: &'static Row) -> Played {
    let _place = match is_starred(row) {
        true => None,
        false => Some(HOUSES.acquire().await.expect("never closed")),
    };
    let runs = Which::all(row, runs_of(row));
    let turn = STARTING.acquire().await.expect("never closed");
    let house = Rc::new(House::start(row, &runs).await);
    spawn_local(async move {
        tokio::time::sleep(if is_starred(row) { BURST } else { Duration::ZERO }).await;
        drop(turn);
    });
    let watched = house.clone();
    let watching = spawn_local(async move { watched.watch().await });
    let start = Instant::now();
    let (mut failed, mut seen, mut playing) = (Vec::new(), Vec::new(), JoinSet::new());
    for which in runs.iter().copied() {
        let mut run = Run::new(row, which, house.clone());
        playing.spawn_local(async move {
            let name = run.route.clone();
            let played = spawn_local(async move {
                (row.act)(&mut run).await;
                run
            });
            (which, name, played.await)
        });
    }
    while let Some(done) = playing.join_next().await {
        let (which, name, run) = done.expect("the panics of a run are caught inside");
        let form = if which.stream { "streamed" } else { "plain" };
        let label = format!("{name} {} {form}", which.variant.name);
        match run {
            Ok(run) => {
                failed.extend(run.failed.into_iter().map(|claim| format!("{label}: {claim}")));
                seen.push((which, run.seen));
            }
            Err(panic) => failed.push(format!("{label}: {panic}")),
        }
    }
    let took = start.elapsed();
    failed.extend(row.sometimes.into_iter().flat_map(|what| count(row, what, &mut seen)));
    watching.abort();
    failed.extend(house.judge(row.setting.ends).await);
    keep_log(row, &house, &failed);
    Played { row, runs: runs.len(), failed, seen, took }
}

/// Counts the streamed runs that saw something, and notes that in place of it. Returns the variants of which none did.
fn count(row: &Row, what: &str, seen: &mut [(Which, Seen)]) -> Vec<String> {
    let has = |seen: &Seen| seen.words.iter().any(|(_, words)| words == what);
    let of = |variant: &Variant| seen.iter().any(|(which, seen)| std::ptr::eq(which.variant, variant) && has(seen));
    let missed = row.variants.iter().filter(|it| !of(it)).map(|it| format!("{}: no run saw {what}", it.name)).collect();
    let some = seen.iter().filter(|(_, seen)| has(seen)).count();
    let streamed = seen.iter_mut().filter(|(which, _)| which.stream).map(|(_, seen)| seen).collect::<Vec<_>>();
    let words = format!("{what} in {some} of {}", streamed.len());
    for seen in streamed {
        seen.words.retain(|(_, words)| words != what);
        seen.words.push((Side::Record, words.clone()));
    }
    missed
}

/// Says whether a row is one of the sixteen.
fn is_starred(row: &Row) -> bool {
    static STARRED: LazyLock<Vec<String>> =
        LazyLock::new(|| catalogue::read().into_iter().filter(|it| it.starred).map(|it| it.id).collect());
    STARRED.iter().any(|it| it == row.id)
}

/// Returns how often each variant and form is played.
fn runs_of(row: &Row) -> usize {
    if row.is_single {
        return 1;
    }
    let told = std::env::var("EVENKEEL_RUNS").ok().map(|it| it.parse().expect("EVENKEEL_RUNS is a number"));
    told.unwrap_or(match (is_starred(row), std::env::var_os("EVENKEEL_LONG")) {
        (true, Some(_)) => LONG_STARRED_RUNS,
        (true, None) => STARRED_RUNS,
        (false, _) => RUNS,
    })
}

/// Keeps the log of a gateway whose row failed, and says where.
fn keep_log(row: &Row, house: &House, failed: &[String]) {
    if !failed.is_empty() {
        let at = std::env::temp_dir().join(format!("evenkeel-fault-{}.log", row.name()));
        if std::fs::write(&at, house.gateway.log_text()).is_ok() {
            println!("     the gateway's log: {}", at.display());
        }
    }
}

/// Prints how a test went; the first claims that did not hold stand for all.
fn report(name: &str, failed: &[String]) -> bool {
    println!("test {name} ... {}", if failed.is_empty() { "ok" } else { "FAILED" });
    failed.iter().take(6).for_each(|claim| println!("     {claim}"));
    if failed.len() > 6 {
        println!("     … and {} more", failed.len() - 6);
    }
    let _ = std::io::stdout().flush();
    failed.is_empty()
}

/// Notes that the rows were left out, for the list at the end of `./test`.
fn skip(test: &str, reason: &str) {
    let line = format!("SKIP {test}: {reason}\n");
    print!("{line}");
    if let Ok(file) = std::env::var("EVENKEEL_SKIPS") {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list can be written");
    }
}
