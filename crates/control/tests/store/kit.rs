//! A folder with segments as the data plane writes them, and a store of either engine.

use std::{io::Write as _, path::PathBuf};

use evenkeel_api::Told;
use evenkeel_control::store::{FILE, Fault, Ingester, Pass, Place, Store, Wanted};
use flate2::{Compression, write::GzEncoder};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::{
    process::skip,
    server::{self, Postgres},
};

/// Where time begins in these tests: the first decision ends then, each further one half a second later.
pub(crate) const BEGIN: &str = "2026-11-23T08:00:00.250Z";

/// A folder, and where its decisions are stored.
pub(crate) struct Kit {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) place: Place,
    pub(crate) server: Option<Postgres>,
    pub(crate) store: Store,
}

/// Runs a test with SQLite, and with PostgreSQL where this machine has one.
pub(crate) fn with_each(test: &str, run: impl AsyncFn(&mut Kit)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("{test}: SQLite");
    runtime.block_on(run(&mut Kit::sqlite()));
    if let Some(mut kit) = Kit::postgres(test) {
        println!("{test}: PostgreSQL");
        runtime.block_on(run(&mut kit));
    }
}

impl Kit {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::file(folder.path().join(FILE));
        Self { store: Store::new(&place, now()), folder, place, server: None }
    }

    /// With a server of its own; none where there is none, or where it would take too long.
    pub(crate) fn postgres(test: &str) -> Option<Self> {
        if std::env::var_os("EVENKEEL_FAST").is_some() {
            skip(test, "it runs PostgreSQL");
            return None;
        }
        let mut why = Vec::new();
        for programs in server::programs() {
            match programs {
                Ok(programs) => {
                    let server = Postgres::start(programs);
                    let place = Place::server(&server.url()).expect("an address");
                    let (folder, store) = (tempfile::tempdir().expect("a folder"), Store::new(&place, now()));
                    return Some(Self { folder, place, server: Some(server), store });
                }
                Err(reason) => why.push(reason),
            }
        }
        skip(test, &why.join("; "));
        None
    }

    /// A reader of the folder, as a process has one.
    pub(crate) fn ingester(&self) -> Ingester {
        Ingester::new(self.store.clone(), self.folder.path().into(), SignedDuration::from_hours(183 * 24))
    }

    /// Reads all there is.
    pub(crate) async fn read(&self, ingester: &mut Ingester) -> Result<u64, Fault> {
        let mut lines = 0;
        loop {
            match ingester.pass(now()).await? {
                Pass::Read(more) => lines += more,
                Pass::Current => return Ok(lines),
                // A reader that was dropped lets go of its lock once the last of its work has ended.
                Pass::Standby | Pass::Waiting => tokio::task::yield_now().await,
            }
        }
    }

    pub(crate) fn stream(&self, instance: &str, stream: &str) -> PathBuf {
        self.folder.path().join("instances").join(instance).join(stream)
    }

    /// Writes a closed segment of several members.
    pub(crate) fn segment(&self, instance: &str, stream: &str, first: u64, members: &[&[Value]]) -> PathBuf {
        let folder = self.stream(instance, stream);
        std::fs::create_dir_all(&folder).expect("made");
        let mut bytes = Vec::new();
        for lines in members {
            let mut encoder = GzEncoder::new(&mut bytes, Compression::fast());
            lines.iter().for_each(|it| writeln!(encoder, "{it}").expect("written"));
            encoder.finish().expect("ended");
        }
        let name = folder.join(format!("{first:020}.jsonl.gz"));
        std::fs::write(name.with_extension("open"), bytes).expect("written");
        std::fs::rename(name.with_extension("open"), &name).expect("closed");
        name
    }

    /// Writes segments of so many decisions each, from `first` on, until `end` is reached.
    pub(crate) fn decisions(&self, instance: &str, first: u64, end: u64, each: u64) {
        for from in (first..end).step_by(each as usize) {
            let lines: Vec<Value> = (from..end.min(from + each)).map(|n| decision(instance, n)).collect();
            let (one, two) = lines.split_at(lines.len() / 2);
            self.segment(instance, "decisions", from, &[one, two]);
        }
    }

    /// Changes something behind the back of the store.
    pub(crate) async fn sql(&self, sql: &'static str) {
        match &self.server {
            Some(server) => drop(server.sql(sql)),
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.place.path().expect("a file"));
                let mut writer = sqlx::SqliteConnection::connect_with(&options).await.expect("opened");
                sqlx::query(sql).execute(&mut writer).await.expect("written");
            }
        }
    }

    /// Returns the ids of all decisions that are stored, the oldest first, page by page.
    pub(crate) async fn ids(&self) -> Vec<String> {
        let (mut ids, mut before) = (Vec::new(), None);
        loop {
            let wanted = Wanted { last: Some(700), before, ..Wanted::default() };
            let page = self.store.list(&wanted).await.expect("it can be asked");
            let Some(last) = page.last() else { break };
            before = Some(evenkeel_control::store::Before::of(last));
            ids.extend(page.iter().map(|it| it.id().to_owned()));
        }
        ids.reverse();
        ids
    }
}

pub(crate) fn now() -> Timestamp {
    time(1_000_000)
}

/// When the decision of a number has ended.
pub(crate) fn time(n: u64) -> Timestamp {
    let begin: Timestamp = BEGIN.parse().expect("a time");
    begin + SignedDuration::from_millis(n as i64 * 500)
}

/// The id of a decision: ids sort as their times do.
pub(crate) fn id(instance: &str, n: u64) -> String {
    format!("01KB{n:020}{}", instance.to_uppercase())
}

/// A decision of one of five kinds, by its number: most are ordinary and have a line alone, and so has a stream that broke, whose record
/// was too long.
pub(crate) fn decision(instance: &str, n: u64) -> Value {
    let route = if n.is_multiple_of(3) { "score" } else { "chat" };
    let (tier, end, status, reason) = match n % 10 {
        7 => (Some(1), "answered", 200, "UPSTREAM_5XX"),
        8 => (None, "refused", 503, "ALL_TIERS_EXHAUSTED"),
        6 | 9 => (Some(1), "broken", 200, "TIMEOUT"),
        _ => (Some(0), "answered", 200, "PRIMARY_HEALTHY"),
    };
    let method = tier.map(|tier| if tier == 0 { "primary" } else { "distilled" });
    let (degraded, latency) = (tier == Some(1), n * 37_119 % 90_000_000);
    let common = json!({
        "id": id(instance, n), "time": time(n), "route": route, "revision": "sha256:0123456789ab", "operation": "chat",
        "phase": "normal", "reason": reason,
    });
    let more = match n % 10 {
        7..=9 => json!({
            "schema": "evenkeel.decision/v1", "trace": null, "protocol": "openai-chat", "core_version": "0.1.0", "episode": null,
            "deadline_ms": 300, "inputs": [], "candidates": [], "attempts": [], "explanation": "as it was",
            "outcome": {"tier": tier, "method": method, "path": method, "degraded": degraded, "end": end, "rescue": "none",
                "status": status, "latency_us": latency},
        }),
        _ => json!({
            "schema": "evenkeel.decision-line/v1", "tier": tier, "method": method, "degraded": degraded, "end": end, "status": status,
            "latency_us": latency, "attempts": 1,
        }),
    };
    let mut all = common.as_object().expect("an object").clone();
    all.extend(more.as_object().expect("an object").clone());
    Value::Object(all)
}

/// The numbers within `from..to` for which something holds of their decision, as ids, the newest first.
pub(crate) fn those(instance: &str, numbers: std::ops::Range<u64>, holds: impl Fn(&Told) -> bool) -> Vec<String> {
    let told = numbers.rev().map(|n| serde_json::from_value::<Told>(decision(instance, n)).expect("a decision"));
    told.filter(|it| holds(it)).map(|it| it.id().to_owned()).collect()
}
