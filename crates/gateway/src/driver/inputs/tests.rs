//! What a driver writes down replays, and no end of it is silent.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use evenkeel_config::load_text;
use evenkeel_core::{
    Admit, Core, DriftMode, DriftPolicy, Entry, Event, Features, Flaw, Operation, Permille, Record, ResultCode,
    Revision, RouteId, RouteSignal, Segment,
};

use super::*;
use crate::driver::{Driver, Mail};

const CONFIG: &str = "version: 1\nupstreams: {u: {protocol: openai, url: \"http://127.0.0.1:9/v1\"}}\nroutes:\n  chat:\n    protocol: \
                      openai-chat\n    tiers:\n      - {name: big, openai: {upstream: u, model: m}}\n      - {name: small, openai: \
                      {upstream: u, model: n}}\n      - {name: default, fixed: {content: later}}\n";

fn revision() -> Arc<Revision> {
    load_text("inputs", CONFIG, Path::new(".")).deployment.expect("it compiles").revision.clone()
}

fn admit(request: evenkeel_core::RequestId, route: u16) -> Admit {
    Admit {
        request,
        route: RouteId(route),
        operation: Operation::Chat,
        deadline: None,
        entropy: request.0.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        cost: 1_000,
        weight: 1,
        needs: Features::NONE,
        wants: Default::default(),
        tokens: 10,
        max_tier: None,
        min_confidence: None,
        pure: true,
        private: false,
        bodies: Permille::new(0),
        spent: 0,
        imputed: Permille::new(0),
        rows: Default::default(),
        sequence: None,
        cache: Default::default(),
        verdict: Default::default(),
    }
}

/// Lets a request in, and every attempt of it end as drawn, until its record is there.
async fn ask(driver: &Driver, revision: &Arc<Revision>, n: u64) {
    let name = u128::from(n) << 64 | 1;
    let (request, mail) = driver.admit(revision, Some(name), |request| admit(request, 0)).expect("in force");
    loop {
        match mail.take().await {
            Mail::Output(Output::Start(start)) => {
                let ill = (n / 100) % 3 == 1 && start.tier == 0;
                let result = if ill { ResultCode::Status5xx } else { ResultCode::Ok };
                let ended = Event::Ended { result, status: Some(if ill { 500 } else { 200 }), after: None };
                driver.feed(Input::Attempt { attempt: start.attempt, event: ended });
            }
            Mail::Output(Output::Decision(_)) => return driver.close(request),
            Mail::Lost => panic!("the core was lost"),
            Mail::Output(_) | Mail::Shared(_) => {}
        }
    }
}

/// The records of a log, and how reading it ended.
fn read(folder: &Path) -> (Vec<Record>, Option<Flaw>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).expect("there").map(|it| it.expect("one").path()).collect();
    paths.sort();
    let (mut records, mut flaw) = (Vec::new(), None);
    for path in paths {
        let bytes = fs::read(path).expect("it can be read");
        let mut each = || {
            let mut segment = Segment::open(&bytes)?;
            while let Some(mut block) = segment.block()? {
                while let Some(record) = block.record()? {
                    records.push(record);
                }
            }
            Ok(())
        };
        flaw = flaw.or(each().err());
    }
    (records, flaw)
}

/// Feeds a core what was written down; returns how many decisions follow, all as they did then, and how many cores were lost.
fn replayed(records: Vec<Record>) -> (u64, u64) {
    let (mut core, mut decisions, mut begun) = (None::<Core>, 0, 0);
    for Record { number, at, entry, followed } in records {
        match entry {
            Entry::Begin(origin) => {
                begun += 1;
                core = Some(Core::begin(at, origin));
            }
            Entry::Input { input, name } => {
                assert_eq!(name.is_some(), matches!(input, Input::Admit(_)), "record {number}");
                let core = core.as_mut().expect("begun");
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| core.handle(at, input)));
            }
            Entry::End(_) => {}
        }
        let mut now = Followed::default();
        while let Some(output) = core.as_mut().and_then(Core::poll) {
            decisions += u64::from(matches!(output, Output::Decision(_)));
            now.by(&output);
        }
        assert_eq!(now, followed, "record {number}");
    }
    (decisions, begun - 1)
}

fn start(log: Log) -> (Arc<Driver>, Arc<Revision>) {
    let revision = revision();
    (Driver::start(Clock::start(), revision.clone(), Box::new(|_| ()), Some(log)), revision)
}

fn begun(folder: &Path, disk: u64) -> Log {
    let bounds = Bounds { disk, segment: 64 << 10, waiting: WAITING };
    let folder = folder.to_owned();
    Log::bounded(Clock::start(), move || Ok(folder), bounds)
}

/// Has the thread write what waits, and waits until it has.
async fn written(driver: &Driver) {
    let log = driver.log.as_ref().expect("one is kept");
    let before = log.standing().records;
    log.thread.iter().for_each(Thread::unpark);
    while log.standing().records == before && log.standing().ended.is_none() {
        tokio::task::yield_now().await;
    }
}

async fn ended(driver: &Driver) -> Standing {
    let log = driver.log.as_ref().expect("one is kept");
    log.end(Ending::Stopped).await;
    log.standing()
}

#[tokio::test]
async fn drv_4_rule_12_what_a_driver_decides_under_faults_replays_from_its_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let (driver, revision) = start(begun(folder.path(), 1 << 30));
    for n in 0..2_000 {
        ask(&driver, &revision, n).await;
        if n % 200 == 0 {
            written(&driver).await;
        }
        if n == 900 {
            driver.swap(Arc::new((*revision).clone()), &[], || ());
            driver.swap(revision.clone(), &[], || ());
        }
    }
    let standing = ended(&driver).await;
    let (records, flaw) = read(folder.path());
    assert_eq!((standing.records, standing.ended, flaw), (records.len() as u64, Some("stopped"), None));
    assert!(fs::read_dir(folder.path()).expect("there").count() > 1, "INP-1: one segment follows another");
    let numbers: Vec<u64> = records.iter().map(|it| it.number).collect();
    assert_eq!(numbers, (1..=records.len() as u64).collect::<Vec<_>>());
    assert!(matches!(records.last().map(|it| &it.entry), Some(Entry::End(Ending::Stopped))));
    assert_eq!(replayed(records), (2_000, 0));
}

#[tokio::test]
async fn drv_4_what_follows_from_a_route_that_is_forgotten_is_told_from_what_follows_from_the_next_revision() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut proposing = (*revision()).clone();
    let (mode, ramp) = (DriftMode::Recommend, vec![Permille::ALL]);
    proposing.routes[0].drift = Some(DriftPolicy { start_at: 1, mode, ramp, every: 1 });
    let proposing = Arc::new(proposing);
    let log = begun(folder.path(), 1 << 30);
    let driver = Driver::start(Clock::start(), proposing.clone(), Box::new(|_| ()), Some(log));
    driver.says(&proposing, (RouteId(0), RouteSignal::Drift), (2, 5_000));
    driver.swap(Arc::new((*proposing).clone()), &[RouteId(0)], || ());
    ended(&driver).await;
    let (records, flaw) = read(folder.path());
    let outputs = |wanted: fn(&Input) -> bool| {
        let of = records.iter().filter(|it| matches!(&it.entry, Entry::Input { input, .. } if wanted(input)));
        of.map(|it| it.followed.outputs).collect::<Vec<_>>()
    };
    let signals = outputs(|it| matches!(it, Input::Signal { .. }));
    assert_eq!(signals, [1, 1], "it is proposed, and no longer");
    assert_eq!((outputs(|it| matches!(it, Input::Revision(_))), flaw), (vec![0], None));
    replayed(records);
}

#[tokio::test]
async fn drv_3_a_core_that_was_lost_and_its_successor_are_in_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let (driver, revision) = start(begun(folder.path(), 1 << 30));
    ask(&driver, &revision, 0).await;
    // A route that does not exist is a broken invariant.
    let (lost, mail) = driver.admit(&revision, Some(7), |request| admit(request, 7)).expect("in force");
    assert!(matches!(mail.take().await, Mail::Lost));
    driver.close(lost);
    ask(&driver, &revision, 1).await;
    ended(&driver).await;
    let (records, flaw) = read(folder.path());
    assert_eq!((replayed(records), flaw), ((2, 1), None));
}

#[tokio::test]
async fn inp_3_a_full_log_ends_and_says_so_and_earlier_processes_make_room_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = || {
        fs::read_dir(folder.path()).expect("there").map(|it| it.expect("one").metadata().expect("a file").len()).sum()
    };
    let mut last: u64 = 0;
    for process in 0..3 {
        let (driver, revision) = start(begun(folder.path(), 40 << 10));
        for n in 0..60 {
            ask(&driver, &revision, n).await;
        }
        assert_eq!(ended(&driver).await.ended, Some("stopped"), "process {process}");
        let now: u64 = size();
        assert!(now <= 40 << 10, "{now} bytes");
        last = last.max(now);
    }
    let (driver, revision) = start(begun(folder.path(), 40 << 10));
    let log = driver.log.as_ref().expect("one is kept");
    let mut n = 0;
    while log.standing().ended.is_none() {
        for _ in 0..40 {
            ask(&driver, &revision, n).await;
            n += 1;
        }
        written(&driver).await;
    }
    assert_eq!(ended(&driver).await.ended, Some("full"));
    assert!(size() <= 40 << 10, "{last} bytes before");
    let (records, flaw) = read(folder.path());
    let begins = records.iter().filter(|it| matches!(it.entry, Entry::Begin(_))).count();
    assert_eq!((begins, flaw), (1, None), "the logs of the others are gone, whole");
    assert!(matches!(records.last().map(|it| &it.entry), Some(Entry::End(Ending::Full))));
    ask(&driver, &revision, n).await;
    replayed(records);
}

#[tokio::test]
async fn inp_1_numbers_go_on_in_the_next_process_and_each_has_a_segment_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let (driver, revision) = start(begun(folder.path(), 1 << 30));
        ask(&driver, &revision, 0).await;
        ended(&driver).await;
    }
    let (records, flaw) = read(folder.path());
    let numbers: Vec<u64> = records.iter().map(|it| it.number).collect();
    assert_eq!((numbers, flaw), ((1..=records.len() as u64).collect(), None));
    assert_eq!(replayed(records).0, 2);
}

#[test]
fn inp_1_inp_2_what_waits_too_long_for_the_disk_ends_the_log_and_memory_is_bounded() {
    let shelf = Arc::new(Shelf::new(Bounds { disk: 0, segment: 0, waiting: 10_000 }));
    let mut pen = Pen { shelf: shelf.clone(), draft: Draft::default(), at: 0, followed: Followed::default() };
    pen.begin(0, &Origin::new(revision()));
    for at in 0..100_000 {
        pen.input(at, &Input::Timeout, None);
    }
    pen.close();
    let mut open = shelf.open.lock();
    assert_eq!(open.ended, Some("behind"));
    assert!(open.page.size() <= 10_100, "{} bytes", open.page.size());
    let mut bytes = Vec::new();
    let head = evenkeel_core::Header { core: "0".into(), semantics: 0, first: 1, began: 1, at: 0, wall_ms: 0 };
    head.write(&mut bytes);
    open.page.seal(1, &mut bytes);
    let mut block = Segment::open(&bytes).expect("whole").block().expect("whole").expect("one");
    let entries = std::iter::from_fn(|| block.record().expect("whole"));
    assert!(matches!(entries.last().expect("some").entry, Entry::End(Ending::Behind)));
}

#[tokio::test]
async fn f_160_a_folder_that_cannot_be_made_keeps_nothing_from_being_decided() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, b"").expect("written");
    let (driver, revision) = start(begun(&file.join("inputs"), 1 << 30));
    ask(&driver, &revision, 0).await;
    assert_eq!(ended(&driver).await, Standing { records: 0, bytes: 0, ended: Some("failed") });
}

#[tokio::test]
async fn inp_3_a_bound_is_moved_while_it_is_written_and_what_is_turned_off_says_so_and_does_not_begin_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (driver, revision) = start(begun(folder.path(), 1 << 30));
    let log = driver.log.as_ref().expect("one is kept");
    ask(&driver, &revision, 0).await;
    written(&driver).await;
    assert!(log.keep(Some(log.standing().bytes + 100)));
    while log.standing().ended.is_none() {
        ask(&driver, &revision, 1).await;
        written(&driver).await;
    }
    assert_eq!(log.standing().ended, Some("full"), "by the new bound");

    let (driver, revision) = start(begun(folder.path(), 1 << 30));
    let log = driver.log.as_ref().expect("one is kept");
    ask(&driver, &revision, 1).await;
    assert!(!log.keep(None));
    assert!(!log.keep(Some(1 << 30)), "in the middle nothing can begin");
    ask(&driver, &revision, 2).await;
    assert_eq!(ended(&driver).await.ended, Some("off"));
    let (records, flaw) = read(folder.path());
    assert!(matches!(records.last().map(|it| &it.entry), Some(Entry::End(Ending::Off))), "{flaw:?}");
    replayed(records);
}

#[tokio::test]
async fn inp_2_whoever_keeps_the_thread_waiting_for_a_place_keeps_no_request_waiting() {
    let folder = tempfile::tempdir().expect("a folder");
    let (place, told) = std::sync::mpsc::channel();
    let bounds = Bounds { disk: 1 << 30, segment: SEGMENT, waiting: WAITING };
    let (driver, revision) = start(Log::bounded(Clock::start(), move || told.recv().map_err(io::Error::other), bounds));
    for n in 0..50 {
        ask(&driver, &revision, n).await;
    }
    assert_eq!(driver.log.as_ref().expect("one is kept").standing(), Standing { records: 0, bytes: 0, ended: None });
    place.send(folder.path().to_owned()).expect("it waits");
    assert_eq!(ended(&driver).await.ended, Some("stopped"));
    assert_eq!(replayed(read(folder.path()).0), (50, 0), "from the first one");
}

/// Where the process writes that is to be killed.
const KILLED: &str = "EVENKEEL_TEST_INPUTS_OF_THE_KILLED";

#[test]
fn log_2_a_process_that_is_killed_leaves_a_log_that_reads_to_its_tail() {
    if let Ok(folder) = std::env::var(KILLED) {
        let log = Log::begin(Clock::start(), move || Ok(folder.into()), 1 << 30);
        let (mut pen, mut told) = (log.pen(), false);
        pen.begin(0, &Origin::new(revision()));
        for at in 0.. {
            pen.input(at, &Input::Timeout, None);
            if at % 10_000 == 0 && !told && log.standing().records > 10_000 {
                told = true;
                println!("\nwritten");
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let name = "driver::inputs::tests::log_2_a_process_that_is_killed_leaves_a_log_that_reads_to_its_tail";
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", name, "--nocapture"])
        .env(KILLED, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "written"), "it wrote");
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
    let (records, flaw) = read(folder.path());
    assert!(records.len() > 10_000 && matches!(flaw, None | Some(Flaw::Torn { .. })), "{} {flaw:?}", records.len());
    let size: u64 =
        fs::read_dir(folder.path()).expect("there").map(|it| it.expect("one").metadata().expect("a file").len()).sum();
    // As if the last write had been cut in the middle, which the kernel seldom does.
    let last = fs::read_dir(folder.path()).expect("there").map(|it| it.expect("one").path()).max().expect("one");
    let length = fs::metadata(&last).expect("a file").len();
    fs::OpenOptions::new().write(true).open(&last).expect("opened").set_len(length - 5).expect("cut");
    assert!(matches!(read(folder.path()).1, Some(Flaw::Torn { .. })), "{size} bytes");
}
