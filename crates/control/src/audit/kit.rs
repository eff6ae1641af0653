//! What tests of the log share: a disk that fails on cue, a key, and spools with segments in them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use evenkeel_api::evidence::canonical;
use flate2::{Compression, write::GzEncoder};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{
    disk::Disk,
    entry::Draft,
    key::Signer,
    verify::{Asked, Report, Vkey, verify},
};

/// A key of nobody: its seed is 32 bytes of 9.
const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ";

pub(super) fn signer() -> Signer {
    Signer::of_text(KEY, "a test's key", Some("example.com/audit")).expect("a key")
}

pub(super) fn key() -> Vkey {
    Vkey::read(&signer().vkey()).expect("a key")
}

/// Seconds after a morning.
pub(super) fn at(seconds: i64) -> Timestamp {
    "2026-11-23T08:00:00Z".parse::<Timestamp>().expect("a time") + SignedDuration::from_secs(seconds)
}

pub(super) fn draft(n: u64) -> Draft {
    let data = json!({"route": "fraud-score", "from": 0, "to": n});
    Draft { time: at(0), kind: "route.transition".into(), actor: "rule:breaker".into(), data, source: None }
}

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fails {
    /// It does not do it, and nothing more: the process dies there.
    AndDies,
    /// It does it, says that it has not, and then does nothing more.
    DoneAndDies,
    /// It does not do it this once.
    Once,
    /// It does it, and says this once that it has not.
    DoneOnce,
}

/// A disk in memory.
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    files: BTreeMap<String, Vec<u8>>,
    steps: usize,
    fails: Option<(usize, Fails)>,
}

impl Memory {
    /// The disk as it is, failing at a step from now on, of those that change something.
    pub(super) fn failing(&self, step: usize, how: Fails) -> Self {
        Self(Arc::new(Mutex::new(Held { files: self.files(), steps: 0, fails: Some((step, how)) })))
    }

    pub(super) fn steps(&self) -> usize {
        self.0.lock().steps
    }

    /// The disk after a new start, in order.
    pub(super) fn mended(&self) -> Self {
        Self(Arc::new(Mutex::new(Held { files: self.0.lock().files.clone(), ..Held::default() })))
    }

    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().files.clone()
    }

    /// Writes the files to a folder, where a verifier finds them.
    pub(super) fn unload(&self, folder: &Path) {
        for (name, bytes) in self.files() {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, bytes).expect("written");
        }
    }

    fn step(&self, doing: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> io::Result<()> {
        let mut held = self.0.lock();
        let at = held.steps;
        held.steps += 1;
        let fails = held
            .fails
            .filter(|(step, how)| at == *step || (at > *step && matches!(how, Fails::AndDies | Fails::DoneAndDies)));
        if fails.is_none_or(|(step, how)| at == step && matches!(how, Fails::DoneAndDies | Fails::DoneOnce)) {
            doing(&mut held.files);
        }
        fails.map_or(Ok(()), |_| Err(io::Error::from(io::ErrorKind::StorageFull)))
    }
}

impl Disk for Memory {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().files.get(name).cloned())
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.step(|files| drop(files.insert(name.into(), bytes.into())))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.step(|files| drop(files.remove(name)))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let below = |name: &String| name.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned);
        Ok(self.0.lock().files.keys().filter_map(below).filter(|it| !it.contains('/')).collect())
    }
}

/// A line of decisions.
pub(super) fn decision(n: u64) -> Value {
    json!({
        "schema": "evenkeel.decision-line/v1", "id": format!("01D{n:05}"), "time": "2026-11-23T08:00:00Z", "route": "fraud-score",
        "revision": "sha256:0", "operation": "infer", "phase": "normal", "tier": n % 2, "method": "primary", "degraded": n % 2 == 1, "end": "answered",
        "reason": "PRIMARY_HEALTHY", "status": 200, "latency_us": 7, "attempts": 1,
    })
}

pub(super) fn event(n: u64) -> Value {
    let data = json!({"route": "fraud-score", "from": 0, "to": 1});
    json!({"n": n, "time": "2026-11-23T08:00:00.000Z", "type": "route.transition", "actor": "rule:breaker", "data": data})
}

/// Writes a closed segment of lines, in members of two.
pub(super) fn segment(data_dir: &Path, (instance, stream): (&str, &str), first: u64, lines: &[Value]) {
    let mut bytes = Vec::new();
    for some in lines.chunks(2) {
        let mut member = GzEncoder::new(Vec::new(), Compression::fast());
        for line in some {
            member.write_all(&canonical(line).expect("a form")).expect("memory");
            member.write_all(b"\n").expect("memory");
        }
        bytes.extend(member.finish().expect("memory"));
    }
    let folder = data_dir.join("instances").join(instance).join(stream);
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join(format!("{first:020}.jsonl.gz")), bytes).expect("written");
}

/// Verifies the log of a folder, a year later: nothing in it has to be kept any more.
pub(super) fn verified(log: &Path) -> Report {
    verified_at(log, at(365 * 86_400))
}

/// Verifies the log of a folder whose decisions are kept from some moment on.
pub(super) fn verified_at(log: &Path, kept_from: Timestamp) -> Report {
    verify(&Asked { log, key: &key(), policy: None, since: None, kept_from }).expect("it is read")
}

/// Says which check failed; none where all hold.
pub(super) fn failed(log: &Path) -> Option<(&'static str, String)> {
    verified(log).failed().map(|it| (it.check.name(), it.text.clone()))
}
