//! Answers that two gateways keep together, in a real Redis that is killed, stopped, started again and filled with garbage (F-146,
//! DA-05, DA-06). Valkey speaks the same; Debian 12 has no package of it.

mod encrypted;

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::error::Elapsed,
};

use crate::client::{Got, Kit};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
shared: "redis://127.0.0.1:PORT"
upstreams: {big: {protocol: openai, url: "BIG/v1"}, small: {protocol: openai, url: "SMALL/v1"}}
routes:
  chat:
    protocol: openai-chat
    deadline: 20s
    cache: {}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: default, fixed: {content: "Later."}}
"#;

/// A Redis of our own.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    folder: TempDir,
    /// What it is started with besides.
    more: Vec<String>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that was stopped does not hear of its end.
        self.signal("-CONT");
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Redis {
    /// Starts one; none where this machine has none, which is printed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_in(tempfile::tempdir().expect("a folder"), Vec::new())
    }

    /// Starts one with a folder and options of its own.
    fn start_in(folder: TempDir, more: Vec<String>) -> Option<Self> {
        let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if found.is_err() {
            skip("shared: there is no `redis-server` on this machine (Debian: apt-get install redis-server)");
            return None;
        }
        let port = free();
        let child = Self::spawn(port, folder.path(), &more);
        Some(Self { child, port, folder, more })
    }

    fn spawn(port: u16, folder: &Path, more: &[String]) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(folder).args(more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it was found")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ran");
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.port, self.folder.path(), &self.more);
    }

    fn signal(&self, signal: &str) {
        drop(Command::new("kill").args([signal, &self.child.id().to_string()]).stderr(Stdio::null()).status());
    }

    /// Says something to it, in its own words; none where it does not answer.
    async fn say(&self, words: &[&[u8]]) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let mut line = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            line.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            line.extend_from_slice(word);
            line.extend_from_slice(b"\r\n");
        }
        stream.write_all(&line).await.ok()?;
        let mut answer = vec![0; 64 << 10];
        let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut answer)).await.ok()?.ok()?;
        Some(String::from_utf8_lossy(&answer[..read]).into_owned())
    }

    pub(crate) async fn is_up(&self) {
        let look = async {
            while self.say(&[b"PING"]).await.is_none_or(|it| !it.starts_with("+PONG")) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), look).await.expect("it comes up");
    }

    async fn keys(&self) -> Vec<String> {
        let told = self.say(&[b"KEYS", b"evenkeel:cache:*"]).await.unwrap_or_default();
        told.split("\r\n").filter(|it| it.starts_with("evenkeel:")).map(str::to_owned).collect()
    }
}

fn free() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port()
}

fn skip(why: &str) {
    println!("SKIP {why}");
    if let Some(list) = std::env::var_os("EVENKEEL_SKIPS") {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
        drop(file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("SKIP {why}\n").as_bytes())));
    }
}

async fn kit(redis: &Redis) -> Kit {
    redis.is_up().await;
    let kit = Kit::of(&CONFIG.replace("PORT", &redis.port.to_string()), Path::new("."), BTreeMap::new()).await;
    connected(&kit).await;
    kit
}

/// Waits until a look-up finds a connection.
async fn connected(kit: &Kit) {
    let ask = async {
        let mut seed = 1_000_000;
        loop {
            let before = count(kit, "miss");
            ask(kit, seed).await;
            if count(kit, "miss") > before {
                return;
            }
            seed += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ask).await.expect("it connects");
}

async fn ask(kit: &Kit, seed: u64) -> Got {
    let body = json!({"model": "chat", "seed": seed, "messages": [{"role": "user", "content": "hello"}]});
    kit.post("/v1/chat/completions", body.to_string(), &[]).await
}

fn count(kit: &Kit, result: &str) -> u64 {
    let name = format!("evenkeel_shared_cache_total{{result=\"{result}\"}} ");
    kit.gateway.metrics().lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

/// Provokes something, again and again with another question, until the store has come to that: one that is slow for a moment, as a busy
/// machine makes it, may be left alone for a while first.
async fn until_came(kit: &Kit, came: &str, provoke: impl AsyncFn(u64)) {
    let before = count(kit, came);
    let again = async {
        let mut seed = 1;
        while count(kit, came) == before {
            provoke(seed).await;
            seed += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), again).await.unwrap_or_else(|_| panic!("no {came}"));
}

/// Waits until a count that others move is larger.
async fn until_grown(count: impl Fn() -> u64) -> Result<(), Elapsed> {
    let before = count();
    let grown = async {
        while count() == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), grown).await
}

/// Has a question answered, and the answer written.
async fn write(kit: &Kit, redis: &Redis, seed: u64) -> Option<String> {
    let known = redis.keys().await;
    ask(kit, seed).await;
    let look = async {
        loop {
            let new = redis.keys().await.into_iter().find(|key| !known.contains(key));
            if new.is_some() {
                break new;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), look).await.ok().flatten()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_146_what_one_gateway_has_kept_another_one_gives() {
    let Some(redis) = Redis::start() else { return };
    let (one, other) = (kit(&redis).await, kit(&redis).await);
    until_came(&other, "hit", async |seed| {
        if write(&one, &redis, seed).await.is_none() {
            return;
        }
        let hits = count(&other, "hit");
        let again = ask(&other, seed).await;
        if count(&other, "hit") > hits {
            let told = ["evenkeel-method", "evenkeel-reason", "evenkeel-tier"].map(|name| again.header(name));
            assert_eq!(told, ["cache", "CACHE_FRESH_HIT", "0"], "{again:?}");
            assert_eq!(again.said(), ask(&one, seed).await.said());
            let (hits, misses) = (count(&other, "hit"), count(&other, "miss"));
            assert_eq!(ask(&other, seed).await.header("evenkeel-method"), "cache");
            assert_eq!((count(&other, "hit"), count(&other, "miss")), (hits, misses), "it is kept here now, and fresh");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn da_06_f_146_garbage_is_a_miss_and_is_deleted() {
    let Some(redis) = Redis::start() else { return };
    let (one, other) = (kit(&redis).await, kit(&redis).await);
    let mut from = 0;
    for garbage in [&b"garbage"[..], b"evkcch01", &[0xFF; 5_000], b"{}", b""] {
        from += 1_000;
        until_came(&other, "garbage", async |seed| {
            let Some(key) = write(&one, &redis, from + seed).await else { return };
            match garbage {
                // Another kind of value under a key of ours.
                b"" => {
                    redis.say(&[b"DEL", key.as_bytes()]).await;
                    redis.say(&[b"LPUSH", key.as_bytes(), b"x"]).await;
                }
                garbage => drop(redis.say(&[b"SET", key.as_bytes(), garbage]).await),
            }
            let got = ask(&other, from + seed).await;
            assert_eq!((got.status, got.header("evenkeel-method")), (200, "primary"), "{got:?}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn da_05_f_146_without_it_the_route_goes_on_and_nobody_waits() {
    let Some(mut redis) = Redis::start() else { return };
    let kit = kit(&redis).await;
    redis.signal("-STOP");
    for seed in 0..40 {
        let got = ask(&kit, seed).await;
        assert_eq!((got.status, got.header("evenkeel-method")), (200, "primary"), "{got:?}");
    }
    let slow = count(&kit, "slow");
    assert!(slow <= 10, "its breaker opens: {slow} waited");
    assert!(count(&kit, "breaker_open") + count(&kit, "not_connected") >= 25, "the others did not wait");
    for seed in 0..40 {
        assert_eq!(ask(&kit, seed).await.header("evenkeel-method"), "cache", "what was kept here goes on");
    }
    redis.signal("-CONT");
    redis.kill();
    for seed in 100..110 {
        assert_eq!(ask(&kit, seed).await.header("evenkeel-method"), "primary");
    }
    redis.restart();
    redis.is_up().await;
    connected(&kit).await;
}

/// Asks on and on until told to stop; returns how many answers there were, and those that were none.
async fn client(kit: Arc<Kit>, number: u64, stop: Arc<AtomicBool>) -> (usize, Vec<Got>) {
    let (mut asked, mut failed, mut next) = (0, Vec::new(), 0);
    while !stop.load(Ordering::SeqCst) {
        // Each question twice, and some again after a while.
        for seed in [next, next, next % 7] {
            let got = ask(&kit, number * 10_000 + seed).await;
            asked += 1;
            if got.status != 200 || got.header("evenkeel-degraded") != "false" || !got.is_whole() {
                failed.push(got);
            }
        }
        next += 1;
    }
    (asked, failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn da_05_da_06_f_146_killed_stopped_restarted_and_filled_with_garbage_under_load_nothing_fails() {
    let Some(mut redis) = Redis::start() else { return };
    let (kit, stop) = (Arc::new(kit(&redis).await), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (1..=8).map(|number| tokio::spawn(client(kit.clone(), number, stop.clone()))).collect();
    // What is done is noticed before the next is done.
    let noticed = async |what: &[&str]| {
        let all = || what.iter().map(|it| count(&kit, it)).sum::<u64>();
        until_grown(all).await.unwrap_or_else(|_| panic!("none of {what:?}"));
    };
    let without = ["slow", "failed", "breaker_open", "not_connected"];
    noticed(&["written"]).await;
    for key in redis.keys().await {
        redis.say(&[b"SET", key.as_bytes(), b"garbage"]).await;
    }
    noticed(&["written"]).await;
    redis.signal("-STOP");
    noticed(&without).await;
    redis.signal("-CONT");
    noticed(&["written"]).await;
    redis.kill();
    noticed(&without).await;
    redis.restart();
    redis.is_up().await;
    noticed(&["written"]).await;
    redis.say(&[b"FLUSHALL"]).await;
    // Full of what may not be evicted: each write is refused.
    redis.say(&[b"CONFIG", b"SET", b"maxmemory", b"1"]).await;
    noticed(&["write_failed"]).await;
    stop.store(true, Ordering::SeqCst);
    let (mut asked, mut failed) = (0, Vec::new());
    for client in clients {
        let (of, none) = client.await.expect("no panic");
        asked += of;
        failed.extend(none);
    }
    assert!(failed.is_empty(), "{} of {asked}: {:?}", failed.len(), failed.first());
    assert!(asked > 50, "{asked}");
}
