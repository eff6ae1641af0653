//! A PostgreSQL that is stopped, killed and started again under load: no request fails, and the breaker opens and closes.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    refused::{ask, documents, says_no_secret, serve},
    with_each,
};
use crate::process::{Serving, get, until};

/// Clients that ask one after the other.
const CLIENTS: usize = 4;
/// Ends the load, also where the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// No answer may be later: the deadline of the route, which nothing here comes near to.
const DEADLINE: Duration = Duration::from_secs(20);

fn breaker(serving: &Serving) -> String {
    get(serving.data, "/v1/routes/help/state")["tiers"][0]["breaker"].as_str().expect("a word").to_owned()
}

#[test]
fn da_04_a_database_that_hangs_dies_and_comes_back_under_load_costs_no_answer() {
    with_each("postgres", |postgres| {
        documents(postgres);
        let folder = tempfile::tempdir().expect("a folder");
        let serving = serve(folder.path(), &postgres.url());
        until("readiness", || (super::refused::unready(&serving).is_none()).then_some(()));
        let (over, tiers) = (AtomicBool::new(false), Mutex::new(BTreeMap::<u64, usize>::new()));
        std::thread::scope(|scope| {
            let _over = Over(&over);
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let asked = Instant::now();
                        // Whatever is not 200 panics, and so does an answer that is none.
                        let answer = ask(&serving);
                        assert!(asked.elapsed() < DEADLINE, "{:?}", asked.elapsed());
                        let tier = answer["evenkeel"]["tier"].as_u64().expect("a tier");
                        let said = answer["choices"][0]["message"]["content"].as_str().expect("text");
                        assert_eq!((tier == 0, tier == 1), (said.contains("[return]"), said == "Later."), "{answer}");
                        *tiers.lock().expect("no panic").entry(tier).or_default() += 1;
                    }
                });
            }
            let is = |wanted: &'static str| until(wanted, || (breaker(&serving) == wanted).then_some(()));
            is("closed");
            postgres.signal("STOP");
            is("open");
            postgres.signal("CONT");
            is("closed");
            postgres.kill();
            is("open");
            postgres.spawn();
            is("closed");
            // Once more, so quickly that connections break and nothing else does.
            postgres.kill();
            postgres.spawn();
            is("closed");
        });
        let tiers = tiers.into_inner().expect("no panic");
        println!("answers by tier: {tiers:?}");
        assert!(tiers[&0] > 0 && tiers[&1] > 0, "{tiers:?}");
        let log = serving.log();
        let why: Vec<&str> = log.iter().filter_map(|line| line["why"].as_str()).collect();
        assert!(why.iter().any(|it| it.contains("no answer within 2000 ms")), "{why:?}");
        assert!(why.iter().any(|it| it.contains("no connection")), "{why:?}");
        assert!(why.len() < 200, "what goes on is not said of each request: {} lines", why.len());
        let again = |line: &&Value| line["message"].as_str().is_some_and(|it| it.contains("can be searched again"));
        assert!(log.iter().filter(again).count() >= 2);
        says_no_secret(&serving);
    });
}

#[test]
fn pg_4_clients_that_go_away_leave_no_connection_behind() {
    with_each("postgres", |postgres| {
        documents(postgres);
        let folder = tempfile::tempdir().expect("a folder");
        let serving = serve(folder.path(), &postgres.url());
        until("readiness", || (super::refused::unready(&serving).is_none()).then_some(()));
        assert_eq!(ask(&serving)["evenkeel"]["tier"], 0);
        let held = postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evenkeel'");
        assert!(held.parse::<usize>().expect("a number") <= 4, "{held}");
        postgres.signal("STOP");
        let body = r#"{"model": "help", "messages": [{"role": "user", "content": "Can I return what I bought?"}]}"#;
        for _ in 0..12 {
            let mut client = std::net::TcpStream::connect(serving.data).expect("connected");
            let head =
                format!("POST /v1/chat/completions HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n", body.len());
            std::io::Write::write_all(&mut client, [head.as_bytes(), body.as_bytes()].concat().as_slice())
                .expect("sent");
            drop(client);
        }
        postgres.signal("CONT");
        until("the documents", || Some(ask(&serving)).filter(|it| it["evenkeel"]["tier"] == 0));
        let few = || postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evenkeel'");
        until("few connections", || few().parse::<usize>().is_ok_and(|it| it <= 4).then_some(()));
    });
}
