//! `evenkeel audit`: acceptance 4 of issue 7. A gateway writes its log; others verify it from its files, with its key alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::process::{Serving, evenkeel, http, until};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", data_dir: data}
audit: {origin: example.com/audit, git: {repository: theirs.git}}
decisions: off
routes:
  r:
    protocol: openai-chat
    tiers: [{name: d, fixed: {content: one}}]
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// When decisions were made: some days ago, whenever that is.
static MORNING: LazyLock<String> = LazyLock::new(|| (Timestamp::now() - SignedDuration::from_hours(96)).to_string());

fn decision(n: u64) -> Value {
    json!({
        "attempts": 1, "degraded": false, "end": "answered", "id": format!("01D{n:05}"), "latency_us": 7, "method": "primary", "operation": "chat",
        "phase": "normal", "reason": "PRIMARY_HEALTHY", "revision": "sha256:0", "route": "r", "schema": "evenkeel.decision-line/v1",
        "status": 200, "tier": 0, "time": *MORNING,
    })
}

/// Writes a closed segment of decisions from one number to another, packed by `gzip`.
fn segment(data: &Path, first: u64, last: u64) {
    let folder = data.join("instances/i1/decisions");
    fs::create_dir_all(&folder).expect("made");
    let lines: String = (first..=last).map(|n| format!("{}\n", decision(n))).collect();
    let plain = folder.join(format!("{first:020}.jsonl"));
    fs::write(&plain, lines).expect("written");
    assert!(Command::new("gzip").arg("-n").arg(&plain).status().expect("gzip runs").success());
}

/// A deployment whose gateway has run, and has entered what was in its spool.
struct Ran {
    folder: tempfile::TempDir,
    key: String,
}

impl Ran {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("e.yaml"), CONFIG).expect("written");
        let theirs = folder.path().join("theirs.git");
        assert!(Command::new("git").args(["init", "-q", "--bare"]).arg(theirs).status().expect("git runs").success());
        segment(&folder.path().join("data"), 1, 5);
        segment(&folder.path().join("data"), 6, 300);
        let mut ran = Self { folder, key: String::new() };
        ran.run(|_| {});
        ran.key = text(&ran.audit(&["key"]).stdout).trim().to_owned();
        ran
    }

    /// Runs the gateway until it has done something, and stops it.
    fn run(&self, doing: impl FnOnce(&Serving)) {
        let serving = Serving::start(&self.folder.path().join("e.yaml"));
        doing(&serving);
        serving.signal("TERM");
        assert_eq!(serving.ended(), Some(0));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        self.path("data/audit").display().to_string()
    }

    /// Runs a verb on the log.
    fn audit(&self, arguments: &[&str]) -> Output {
        evenkeel(&[&["audit"], arguments, &["--log", &self.log()]].concat())
    }

    fn verify(&self, more: &[&str]) -> (Option<i32>, String) {
        let said = self.audit(&[&["verify", "--key", &self.key], more].concat());
        (said.status.code(), text(&said.stdout) + &text(&said.stderr))
    }
}

#[test]
fn g_094_g_095_a_gateway_writes_a_log_that_two_verifiers_find_whole_and_tampering_has_its_exit_code() {
    let ran = Ran::new();
    let (code, said) = ran.verify(&[]);
    assert!(code == Some(0) && said.ends_with("\nverified\n"), "{said}");
    assert!(said.contains("decisions   ok  2 of 2 segments, 300 decisions, roots and counts match"), "{said}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/audit/verify.py");
    let other = || Command::new("python3").arg(&script).args([&ran.log(), &ran.key]).output().expect("python3 runs");
    let said = other();
    // Besides those of its segments there is one of its configuration, also where nothing is kept of requests.
    assert_eq!(text(&said.stdout), "3 entries, 2 segments\n", "{}", text(&said.stderr));

    let bundle = ran.path("data/audit/tile/entries/000.p/3");
    let whole = fs::read(&bundle).expect("read");
    // Lengths stand before the entries, as bytes: this is no text.
    let mut changed = whole.clone();
    let at = changed.windows(9).position(|it| it == b"\"count\":5").expect("the entry of the first segment");
    changed[at + 8] = b'6';
    fs::write(&bundle, changed).expect("written");
    let (code, said) = ran.verify(&[]);
    assert!(code == Some(1) && said.contains("\nnot verified: chain: entry 1 "), "{said}");
    assert!(!other().status.success());
    assert_eq!(ran.verify(&["--detailed-exit-code"]).0, Some(13));
    fs::write(&bundle, whole).expect("written");

    let damaged = |name: &str, json: &str, code: i32| {
        let file = ran.path(name);
        let whole = fs::read(&file).expect("read");
        let mut other = whole.clone();
        let last = other.len() - 9;
        other[last] ^= 1;
        fs::write(&file, other).expect("written");
        let (found, said) = ran.verify(&["--json", "--detailed-exit-code"]);
        let told: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!((found, &told["ok"], &told["failed"]), (Some(code), &json!(false), &json!(json)), "{said}");
        fs::write(&file, whole).expect("written");
    };
    damaged("data/audit/checkpoint", "signature", 11);
    damaged("data/audit/tile/0/000.p/3", "tree", 12);
    damaged("data/instances/i1/decisions/00000000000000000006.jsonl.gz", "decisions", 15);
    fs::write(ran.path("policy"), "quorum none\nquorum none\n").expect("written");
    let (code, said) = ran.verify(&["--policy", ran.path("policy").to_str().expect("text")]);
    assert!(code == Some(2) && said.contains("line 2: there is a line `quorum` above"), "{said}");
    let (code, said) =
        (evenkeel(&["audit", "verify", "--key", &ran.key, "--log", "/nowhere"]), "there is no such folder");
    assert!(code.status.code() == Some(2) && text(&code.stderr).contains(said), "{}", text(&code.stderr));
    let key = ran.key.replacen("example", "exemple", 1);
    let said = evenkeel(&["audit", "verify", "--key", &key, "--log", &ran.log()]);
    assert!(said.status.code() == Some(2) && text(&said.stderr).contains("changed"), "{}", text(&said.stderr));
    assert_eq!(ran.verify(&[]).0, Some(0), "all is as it was");

    // The first segment is of some days ago, of which decisions are kept, or not any more.
    fs::remove_file(ran.path("data/instances/i1/decisions/00000000000000000001.jsonl.gz")).expect("removed");
    let (code, said) = ran.verify(&["--keep", "366d"]);
    assert!(code == Some(1) && said.contains("is younger than decisions are kept"), "{said}");
    let (code, said) = ran.verify(&["--keep", "1s"]);
    assert!(code == Some(0) && said.contains("1 no longer kept"), "{said}");
    let (code, said) = ran.verify(&["--keep", "long"]);
    assert!(code == Some(2) && said.contains("--keep"), "{said}");
    fs::remove_file(ran.path("data/instances/i1/decisions/00000000000000000006.jsonl.gz")).expect("removed");
    let (code, said) = ran.verify(&["--keep", "1s"]);
    assert!(code == Some(1) && said.contains("the last segment of an instance is always kept"), "{said}");
}

#[test]
fn a_log_that_is_switched_off_reads_no_spool_any_more() {
    let ran = Ran::new();
    let read = ran.path("data/instances/i1/read/audit");
    assert!(read.is_file());
    let off = CONFIG.replace("{origin: example.com/audit, git: {repository: theirs.git}}", "{level: off}");
    fs::write(ran.path("e.yaml"), off + "store: off\n").expect("written");
    ran.run(|_| {});
    assert!(!read.exists(), "segments would be kept for it, and at last nothing else");
}

#[test]
fn a_decision_is_proved_elsewhere_and_an_older_checkpoint_holds_the_log_to_what_it_was() {
    let ran = Ran::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let at = |name: &str| elsewhere.path().join(name).display().to_string();
    let proof = ran.audit(&["prove", "01D00007", "--record", &at("decision.json")]);
    assert_eq!(proof.status.code(), Some(0), "{}", text(&proof.stderr));
    fs::write(at("d.proof"), &proof.stdout).expect("written");
    let kept =
        Command::new("git").arg("-C").arg(ran.path("theirs.git")).args(["show", "checkpoints:checkpoint"]).output();
    fs::write(at("monday"), kept.expect("git runs").stdout).expect("written");
    assert_eq!(ran.audit(&["prove", "01D99999"]).status.code(), Some(1));

    segment(&ran.path("data"), 301, 301);
    ran.run(|serving| {
        // It is entered within a second or two, and a checkpoint covers it in ten: the log is served as it is.
        let size = || http(serving.admin, "GET", "/audit/checkpoint", "").1.lines().nth(1).map(str::to_owned);
        until("the checkpoint", || (size().as_deref() == Some("5")).then_some(()));
        let (status, _) = http(serving.admin, "GET", "/audit/key", "");
        assert_eq!(status, 404);
    });
    let (code, said) = ran.verify(&["--since", &at("monday")]);
    assert!(code == Some(0) && said.contains("consistency ok "), "{said}");
    assert!(said.contains("monday (3) → now"), "{said}");
    // Another history under the same key: the checkpoint that was kept finds it.
    for name in ["checkpoint", "sources", "tile"] {
        let path = ran.path("data/audit").join(name);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
    }
    fs::remove_file(ran.path("data/instances/i1/decisions/00000000000000000001.jsonl.gz")).expect("removed");
    ran.run(|_| {});
    assert_eq!(ran.verify(&[]).0, Some(0), "it is whole in itself");
    let (code, said) = ran.verify(&["--since", &at("monday"), "--detailed-exit-code"]);
    assert!(code == Some(12) && said.contains("not verified: consistency: "), "{said}");

    // The log is gone; what was proved stays proved.
    let key = ran.key.clone();
    drop(ran);
    let check = |record: &str| {
        let said = evenkeel(&["audit", "check", &at("d.proof"), &at(record), "--key", &key]);
        (said.status.code(), text(&said.stdout) + &text(&said.stderr))
    };
    let (code, said) = check("decision.json");
    assert!(code == Some(0) && said.contains("inclusion   ok  decision 2 of 295 in entry 1 of 3"), "{said}");
    let mut record: Value = serde_json::from_slice(&fs::read(at("decision.json")).expect("read")).expect("JSON");
    assert_eq!(record, decision(7));
    record["tier"] = json!(1);
    fs::write(at("other.json"), record.to_string()).expect("written");
    let (code, said) = check("other.json");
    assert!(
        code == Some(1) && said.contains("not verified: inclusion: the record is not decision 2 of i1/decisions/"),
        "{said}"
    );
    // A record that says two things is none: who reads it sees one of them, and it is the other that is proved.
    let forged = format!("{{\"tier\":3,{}", &decision(7).to_string()[1..]);
    fs::write(at("other.json"), forged).expect("written");
    let (code, said) = check("other.json");
    assert!(code == Some(2) && said.contains("the key \"tier\" is there twice"), "{said}");
    fs::write(at("d.proof"), "c2sp.org/tlog-proof@v1\n").expect("written");
    assert_eq!(check("decision.json").0, Some(1));
}

#[test]
fn g_093_an_export_has_proofs_and_is_an_entry_itself() {
    let ran = Ran::new();
    let exported = ran.audit(&["export", "--type", "decision.batch"]);
    assert_eq!(exported.status.code(), Some(0), "{}", text(&exported.stderr));
    let told = text(&exported.stdout);
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[0]["index"], &lines[1]["entry"]["data"]["count"]), (3, &json!(0), &json!(295)));
    assert!(lines[2]["checkpoint"].is_string());
    ran.run(|_| {});
    let read = ran.audit(&["export", "--type", "access.read"]);
    let read: Value = serde_json::from_str(text(&read.stdout).lines().next().expect("an entry")).expect("JSON");
    assert_eq!(
        (&read["entry"]["data"]["what"], &read["entry"]["data"]["entries"]),
        (&json!("audit.export"), &json!(2))
    );
    assert_eq!(ran.verify(&[]).0, Some(0));
    // A copy of the log alone is exported, too.
    let copy = tempfile::tempdir().expect("a folder");
    assert!(
        Command::new("cp")
            .args(["-r", &ran.log(), copy.path().to_str().expect("text")])
            .status()
            .expect("cp")
            .success()
    );
    let log = copy.path().join("audit").display().to_string();
    let exported = evenkeel(&["audit", "export", "--log", &log]);
    assert!(
        exported.status.success() && text(&exported.stderr).contains("taken for a copy"),
        "{}",
        text(&exported.stderr)
    );
}
