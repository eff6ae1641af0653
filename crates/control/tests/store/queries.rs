//! What is asked of the store: one table of questions for both engines.

use evenkeel_api::{Told, evidence::DecisionLine};
use evenkeel_control::store::{Class, Place, Store, Times, Wanted};

use crate::kit::{Kit, decision, id, now, those, time, with_each};

/// A query, and what holds of those that it finds.
type Question = (&'static str, fn(&Told) -> bool);

const QUESTIONS: [Question; 14] = [
    ("", |_| true),
    ("route=score", |it| it.line().route == "score"),
    ("tier=1", |it| it.line().tier == Some(1)),
    ("tier=0&route=chat", |it| it.line().tier == Some(0) && it.line().route == "chat"),
    ("reason=UPSTREAM_5XX", |it| it.line().reason == "UPSTREAM_5XX"),
    ("reason=COST_CAP", |_| false),
    ("degraded=true", |it| it.line().degraded),
    ("degraded=false&tier=1", |_| false),
    ("degraded=false", |it| !it.line().degraded),
    ("status=503", |it| it.line().status == 503),
    ("status=200&route=score", |it| it.line().status == 200 && it.line().route == "score"),
    ("from=2026-11-23T08:00:10.250Z", |it| it.time() >= time(20)),
    ("to=2026-11-23T08:00:10.250Z", |it| it.time() < time(20)),
    ("from=2026-11-23T08:00:05Z&to=2026-11-23T08:00:30Z&degraded=true&route=chat", |it| {
        let line = it.line();
        it.time() > time(9) && it.time() < time(60) && line.degraded && line.route == "chat"
    }),
];

fn wanted(query: &str) -> Wanted {
    let pairs = query.split('&').filter_map(|it| it.split_once('='));
    Wanted::read(pairs).unwrap_or_else(|why| panic!("{query}: {why}"))
}

#[test]
fn every_question_is_answered_alike_by_both_engines_and_by_memory() {
    with_each("queries", async |kit: &mut Kit| {
        kit.decisions("i1", 1, 101, 30);
        assert_eq!(kit.read(&mut kit.ingester()).await, Ok(100));
        for (query, holds) in QUESTIONS {
            let wanted = Wanted { last: Some(1_000), ..wanted(query) };
            let found = kit.store.list(&wanted).await.expect(query);
            let ids: Vec<_> = found.iter().map(|it| it.id().to_owned()).collect();
            assert_eq!(ids, those("i1", 1..101, holds), "{query}");
            assert_eq!(
                ids,
                those("i1", 1..101, |it| wanted.takes(it)),
                "{query}: as the ones in memory are told apart"
            );
        }
        pages(kit).await;
        records(kit).await;
    });
}

/// Page by page there is each once, and a page begins behind the last.
async fn pages(kit: &Kit) {
    let mut all = kit.ids().await;
    all.reverse();
    assert_eq!(all, those("i1", 1..101, |_| true));
    let first = kit.store.list(&wanted("degraded=true&last=3")).await.expect("asked");
    let next = evenkeel_control::store::Before::of(&first[2]);
    let query = format!("degraded=true&last=2&before={next}");
    let second: Vec<_> =
        kit.store.list(&wanted(&query)).await.expect("asked").iter().map(|it| it.id().to_owned()).collect();
    assert_eq!(second, those("i1", 1..101, |it| it.line().degraded)[3..5]);
}

/// A record is the one that was written, and a line is told as one.
async fn records(kit: &Kit) {
    for n in [7, 8, 1] {
        let found = kit.store.find(&id("i1", n)).await.expect("asked").expect("it is there");
        assert_eq!(found, serde_json::from_value(decision("i1", n)).expect("a decision"), "{n}");
        assert_eq!(matches!(found, Told::Line(_)), n == 1);
    }
    assert_eq!(kit.store.find("01NOBODY").await.expect("asked"), None);
}

#[test]
fn roll_1_roll_ups_are_what_counting_the_rows_gives() {
    with_each("rollups", async |kit: &mut Kit| {
        kit.decisions("i1", 1, 301, 80);
        kit.decisions("i2", 1, 101, 27);
        kit.read(&mut kit.ingester()).await.expect("read");
        let wanted = Wanted { last: Some(1_000), ..Wanted::default() };
        let rows = kit.store.list(&wanted).await.expect("asked");
        assert_eq!(rows.len(), 400);
        for (span, seconds) in [("1s", 1_i64), ("1m", 60), ("1h", 3_600)] {
            for route in ["", "score"] {
                let query = [
                    ("span", span),
                    ("from", "2026-11-23T00:00:00Z"),
                    ("to", "2026-11-24T00:00:00Z"),
                    ("route", route),
                ];
                let times = Times::read(query.into_iter().filter(|it| !it.1.is_empty()), now()).expect("a query");
                let history = kit.store.history(&times).await.expect("asked");
                let of = |it: &&Told| route.is_empty() || it.line().route == route;
                let (mut counted, mut latencies) = (0, 0);
                for it in &history.spans {
                    let start = it.start.as_millisecond();
                    let within = |told: &&Told| {
                        let (line, time) = (told.line(), told.time().as_millisecond());
                        let key = line.route == it.route && line.tier == it.tier && line.reason == it.reason;
                        key && (start..start + seconds * 1_000).contains(&time)
                    };
                    let these: Vec<_> = rows.iter().filter(of).filter(within).map(Told::line).collect();
                    let count =
                        |holds: &dyn Fn(&DecisionLine) -> bool| these.iter().filter(|it| holds(it)).count() as u64;
                    assert_eq!(it.requests, these.len() as u64, "{it:?}");
                    assert_eq!(it.degraded, count(&|it| it.degraded));
                    assert_eq!(it.refused, count(&|it| it.status == 503));
                    assert_eq!(it.errors, count(&|it| it.reason == "TIMEOUT"));
                    assert_eq!(it.latency_us, these.iter().map(|it| it.latency_us).sum::<u64>());
                    let ends = [
                        1,
                        2,
                        5,
                        10,
                        20,
                        50,
                        100,
                        200,
                        500,
                        1_000,
                        2_000,
                        5_000,
                        10_000,
                        20_000,
                        60_000,
                        u64::MAX / 1_000,
                    ];
                    let mut from = None;
                    for (end, told) in ends.into_iter().zip(&it.latency) {
                        let at_most = |us: u64| us <= end * 1_000 && from.is_none_or(|from| us > from);
                        assert_eq!(*told, count(&|it| at_most(it.latency_us)), "{end} ms of {it:?}");
                        from = Some(end * 1_000);
                    }
                    counted += it.requests;
                    latencies += it.latency.iter().sum::<u64>();
                }
                assert_eq!(counted, rows.iter().filter(of).count() as u64, "{span} of {route}");
                assert_eq!(latencies, counted);
            }
        }
    });
}

#[test]
fn a_key_that_is_misspelt_is_named() {
    for (query, why) in [
        (("rout", "chat"), "there is no `rout`"),
        (("tier", "primary"), "`tier` is the number of a tier"),
        (("reason", "upstream_5xx"), "`reason` is a code"),
        (("from", "yesterday"), "`from` is a moment"),
        (("degraded", "yes"), "`degraded` is `true` or `false`"),
        (("status", "ok"), "`status` is a status"),
        (("last", "-1"), "`last` is a number"),
        (("before", "01KB"), "`before` is the `next`"),
        (("before", "1-a'b"), "`before` is the `next`"),
    ] {
        let told = Wanted::read([query]).expect_err(why);
        assert!(told.starts_with(why), "{told}");
    }
    assert_eq!(Wanted::read([("tier", "1"), ("tier", "2")]), Err("`tier` comes twice".into()));
    let span = Times::read([("span", "5s")], now()).expect_err("no such span");
    assert_eq!(span, "`span` is 1s, 1m or 1h");
}

#[tokio::test]
async fn a_store_that_nothing_was_written_to_says_so_and_is_not_made_by_asking() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("none.db");
    let store = Store::new(&Place::file_to_read(file.clone()), now());
    let fault = store.list(&Wanted::default()).await.expect_err("it is not there");
    assert_eq!((fault.class, file.exists()), (Class::Absent, false), "{fault}");
    assert_eq!(store.state().last_error, None, "asking is not writing");
}
