//! The admin plane over its socket.

use evenkeel_api::{Decision, Decisions, History, Told};
use evenkeel_config::{Deployment, Unfit, load_file};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::audit::Settings;
use crate::store::{FILE, Ingester, Place};

/// A data plane that always runs the same revision.
struct Plane;

impl DataPlane for Plane {
    fn apply(&self, _: Arc<Deployment>) -> Result<(), Vec<Unfit>> {
        Ok(())
    }

    fn expiring(&self, _: &Deployment) -> Vec<Unfit> {
        Vec::new()
    }

    fn note_rejected(&self, _: &evenkeel_api::Rejected) {}

    fn revision(&self) -> String {
        "sha256:0123456789ab".into()
    }

    fn standing(&self) -> evenkeel_api::Standing {
        evenkeel_api::Standing::default()
    }

    fn decision(&self, id: &str) -> Option<Decision> {
        (id == "01ABC").then(record)
    }

    fn decisions(&self, route: Option<&str>, most: usize) -> Vec<Decision> {
        let of = |record: &Decision| route.is_none_or(|route| record.route == route);
        let ids = ["01ABC", "01AB9", "01AB8"].into_iter().take(most);
        ids.map(|id| Decision { id: id.into(), ..record() }).filter(of).collect()
    }

    fn quality(&self, route: Option<&str>) -> evenkeel_api::Quality {
        let of = |name: &str| {
            let now = jiff::Timestamp::UNIX_EPOCH;
            evenkeel_api::RouteQuality { route: name.into(), as_of: now, held: 0, forgotten: 0, tiers: Vec::new() }
        };
        let routes =
            ["chat", "score"].into_iter().filter(|it| route.is_none_or(|route| route == *it)).map(of).collect();
        evenkeel_api::Quality { as_of: jiff::Timestamp::UNIX_EPOCH, routes }
    }

    fn metrics(&self) -> String {
        "evenkeel_build_info 1\n# EOF\n".into()
    }
}

/// A record of a request.
fn record() -> Decision {
    serde_json::from_value(json!({
        "schema": "evenkeel.decision/v1", "id": "01ABC", "time": "2026-11-23T08:51:07.412Z", "trace": null, "route": "chat",
        "protocol": "openai-chat", "operation": "chat", "revision": "sha256:0123456789ab", "core_version": "0.1.0", "phase": "normal",
        "episode": null, "deadline_ms": 300, "inputs": [], "candidates": [], "attempts": [],
        "outcome": {"tier": 0, "method": "primary", "path": "primary", "degraded": false, "end": "answered", "status": 200, "latency_us": 1},
        "reason": "PRIMARY_HEALTHY", "explanation": "Answered by tier 0 (primary, primary): nothing against tier 0.",
    }))
    .expect("a record")
}

struct Kit {
    folder: tempfile::TempDir,
    reloader: Arc<Reloader>,
    admin: Admin,
}

impl Kit {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    async fn start_with(store: Option<Store>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plane: Arc<dyn DataPlane> = Arc::new(Plane);
        let reloader = Arc::new(Reloader::new(load_file(&folder.path().join("e.yaml")).sources, plane.clone()));
        let settings = Settings { data_dir: folder.path().into(), origin: None, key: None, git: None };
        let log = Some(Arc::new(Audit::start(settings, || jiff::Timestamp::UNIX_EPOCH)));
        let admin = Admin::start("127.0.0.1:0", plane, reloader.clone(), log, store).await.expect("a free port");
        Self { folder, reloader, admin }
    }

    /// Returns status, head and body.
    async fn get(&self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.admin.address()).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        (status, head.to_owned(), body.to_owned())
    }

    async fn ready(&self) -> (u16, Value) {
        let (status, _, body) = self.get("/readyz").await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }
}

#[tokio::test]
async fn readiness_names_the_revision_and_what_was_refused_since() {
    let kit = Kit::start().await;
    let calm = json!({"ready": true, "revision": "sha256:0123456789ab", "rejected": null});
    assert_eq!(kit.ready().await, (200, calm));
    std::fs::write(kit.folder.path().join("e.yaml"), "version: 2\n").expect("written");
    kit.reloader.poll();
    let (status, ready) = kit.ready().await;
    assert_eq!((status, &ready["ready"], &ready["revision"]), (200, &json!(true), &json!("sha256:0123456789ab")));
    let mut keys: Vec<&str> = ready["rejected"].as_object().expect("a refusal").keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["at", "diagnostics", "digest", "messages"]);
    assert!(ready["rejected"]["diagnostics"].as_u64() >= Some(1), "{ready}");
    let said = ready["rejected"]["messages"].to_string();
    assert!(said.contains("error[out-of-range] version: `2` is not possible here"), "{said}");
}

#[tokio::test]
async fn f_153_how_routes_stand_can_be_asked() {
    let kit = Kit::start().await;
    let (status, _, body) = kit.get("/api/v1/standing").await;
    let standing: evenkeel_api::Standing = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, standing), (200, evenkeel_api::Standing::default()));
}

#[tokio::test]
async fn f_175_a_drain_makes_readiness_fail_and_nothing_else() {
    let kit = Kit::start().await;
    kit.admin.drain();
    let (status, ready) = kit.ready().await;
    assert_eq!((status, &ready["ready"]), (503, &json!(false)));
    assert_eq!(kit.get("/healthz").await.0, 200);
    assert_eq!(kit.get("/metrics").await.0, 200);
}

/// What is told where a log is kept that nothing is in.
const METRICS: &str = "evenkeel_build_info 1
# HELP evenkeel_audit_up Whether the audit log can be written, by this process or another.
# TYPE evenkeel_audit_up gauge
evenkeel_audit_up 1
# HELP evenkeel_audit_tree_size Entries of the audit log that a checkpoint covers.
# TYPE evenkeel_audit_tree_size gauge
evenkeel_audit_tree_size 0
# HELP evenkeel_audit_checkpoint_age_seconds How long entries have waited for a checkpoint.
# TYPE evenkeel_audit_checkpoint_age_seconds gauge
evenkeel_audit_checkpoint_age_seconds 0
# EOF
";

#[test]
fn an_audit_log_that_waits_or_is_down_is_told_by_metrics() {
    let told = |standing: crate::audit::State| {
        let mut text = "# EOF\n".to_owned();
        audit::measure(&mut text, &standing, jiff::Timestamp::from_second(30).expect("a time"));
        text.lines().filter(|it| !it.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let since = jiff::Timestamp::from_second(10).expect("a time");
    let waits = told(crate::audit::State::Writing { entries: 9, covered: 8, since });
    assert_eq!(
        waits,
        ["evenkeel_audit_up 1", "evenkeel_audit_tree_size 8", "evenkeel_audit_checkpoint_age_seconds 20"]
    );
    assert_eq!(told(crate::audit::State::Standby), ["evenkeel_audit_up 1"]);
    assert_eq!(told(crate::audit::State::Down("full".into())), ["evenkeel_audit_up 0"]);
    assert_eq!(told(crate::audit::State::Opening), ["evenkeel_audit_up 0"]);
}

#[test]
fn what_the_store_has_not_is_told_by_metrics() {
    let mut text = "# EOF\n".to_owned();
    let state = evenkeel_api::StoreState {
        state: "away".into(),
        behind_n: 9,
        unknown_n: 3,
        damaged_n: 1,
        lacking_n: 7,
        unread: [("i2".into(), "io".into())].into(),
        ..evenkeel_api::StoreState::default()
    };
    stored::measure(&mut text, &state);
    let told: Vec<_> = text.lines().filter(|it| !it.starts_with("# HELP")).collect();
    let expected = [
        ("gauge", "evenkeel_store_up", "", 0),
        ("gauge", "evenkeel_store_behind_lines", "", 9),
        ("gauge", "evenkeel_store_unread_instances", "", 1),
        ("counter", "evenkeel_store_unknown_lines", "_total", 3),
        ("counter", "evenkeel_store_damaged_segments", "_total", 1),
        ("counter", "evenkeel_store_lacking_lines", "_total", 7),
    ];
    let lines = |(kind, name, total, value)| [format!("# TYPE {name} {kind}"), format!("{name}{total} {value}")];
    assert_eq!(told, [expected.into_iter().flat_map(lines).collect::<Vec<_>>(), vec!["# EOF".into()]].concat());
}

#[tokio::test]
async fn metrics_come_as_the_data_plane_writes_them() {
    let kit = Kit::start().await;
    let (status, head, body) = kit.get("/metrics").await;
    assert_eq!((status, body.as_str()), (200, METRICS));
    assert!(head.contains("content-type: application/openmetrics-text"), "{head}");
    assert_eq!(kit.get("/v1/status").await.0, 404, "the data plane is elsewhere");
}

#[tokio::test]
async fn decisions_are_told_one_by_one_and_the_last_of_a_route() {
    let kit = Kit::start().await;
    let (status, _, body) = kit.get("/api/v1/decisions/01ABC").await;
    assert_eq!((status, serde_json::from_str::<Decision>(&body).ok()), (200, Some(record())));
    assert_eq!(kit.get("/api/v1/decisions/01ABD").await.0, 404);
    let count = async |query: &str| {
        let (status, _, body) = kit.get(&format!("/api/v1/decisions{query}")).await;
        let told: Value = serde_json::from_str(&body).unwrap_or_default();
        (status, told["decisions"].as_array().map(Vec::len))
    };
    assert_eq!(count("").await, (200, Some(3)));
    assert_eq!(count("?last=2&route=chat").await, (200, Some(2)));
    assert_eq!(count("?route=other").await, (200, Some(0)));
    assert_eq!(count("?last=many").await, (400, None));
    let (status, _, body) = kit.get("/api/v1/decisions?rout=chat").await;
    assert_eq!((status, body.starts_with("there is no `rout`; there are route, ")), (400, true), "{body}");
    assert_eq!(kit.get("/api/v1/history").await.0, 404, "nothing is stored");
}

/// A store with three decisions: the one that is in memory, a whole one of long ago, and a line of another.
async fn stored(folder: &std::path::Path) -> (Store, Ingester) {
    use std::io::Write as _;
    let line = |id: &str, tier: u8| {
        json!({"schema": "evenkeel.decision-line/v1", "id": id, "time": "2026-11-22T08:00:00Z", "route": "chat", "tier": tier,
            "revision": "sha256:0123456789ab", "operation": "chat", "phase": "normal", "method": "primary", "degraded": tier > 0, "end": "answered",
            "reason": "PRIMARY_HEALTHY", "status": 200, "latency_us": 7_000, "attempts": 1})
    };
    let mut old = serde_json::to_value(record()).expect("JSON");
    (old["id"], old["time"]) = (json!("01AAA"), json!("2026-11-21T08:00:00Z"));
    let segments = folder.join("instances/i1/decisions");
    std::fs::create_dir_all(&segments).expect("made");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for it in [old, line("01AAB", 0), serde_json::to_value(record()).expect("JSON")] {
        writeln!(encoder, "{it}").expect("written");
    }
    std::fs::write(segments.join(format!("{:020}.jsonl.gz", 1)), encoder.finish().expect("ended")).expect("written");
    let now = jiff::Timestamp::UNIX_EPOCH;
    let store = Store::new(&Place::file(folder.join(FILE)), now);
    let mut ingester = Ingester::new(store.clone(), folder.into(), jiff::SignedDuration::MAX);
    ingester.pass(now).await.expect("read");
    (store, ingester)
}

#[tokio::test]
async fn decisions_come_from_memory_and_from_the_store_each_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, ingester) = stored(folder.path()).await;
    let kit = Kit::start_with(Some(store)).await;
    let ids = async |query: &str| {
        let (status, _, body) = kit.get(&format!("/api/v1/decisions{query}")).await;
        let told: Decisions = serde_json::from_str(&body).unwrap_or_else(|why| panic!("{status} {body}: {why}"));
        (told.decisions.iter().map(|it| it.id().to_owned()).collect::<Vec<_>>(), told.next, told.incomplete)
    };
    assert_eq!(ids("").await, (["01ABC", "01AB9", "01AB8", "01AAB", "01AAA"].map(String::from).to_vec(), None, None));
    let (first, next, _) = ids("?last=4").await;
    assert_eq!(first, ["01ABC", "01AB9", "01AB8", "01AAB"]);
    assert_eq!(ids(&format!("?last=4&before={}", next.expect("there is more"))).await.0, ["01AAA"]);
    assert_eq!(ids("?to=2026-11-22T00:00:00Z").await.0, ["01AAA"]);
    assert_eq!(ids("?from=2026-11-23T00:00:00Z&tier=0").await.0.len(), 3);
    let (status, _, body) = kit.get("/api/v1/decisions/01AAB").await;
    assert_eq!((status, matches!(serde_json::from_str(&body), Ok(Told::Line(_)))), (200, true), "{body}");
    assert_eq!(kit.get("/api/v1/decisions/01AAA").await.0, 200);
    assert_eq!(kit.get("/api/v1/decisions/01AAC").await.0, 404);
    let (status, _, body) = kit.get("/api/v1/history?span=1h&from=2026-11-20T00:00:00Z&to=2026-11-24T00:00:00Z").await;
    let history: History = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, history.spans.len(), history.spans[0].requests), (200, 3, 1));
    assert_eq!(kit.get("/api/v1/history?sapn=1h").await.0, 400);

    let (_, _, body) = kit.get("/api/v1/standing").await;
    let standing: evenkeel_api::Standing = serde_json::from_str(&body).expect("JSON");
    let state = standing.store.expect("it is told");
    assert_eq!((state.engine.as_str(), state.state.as_str(), state.last_error), ("sqlite", "current", None));

    // What waits on disk is told.
    std::fs::write(folder.path().join(format!("instances/i1/decisions/{:020}.jsonl.gz", 4)), "").expect("written");
    drop(ingester);
    let file = Place::file_to_read(folder.path().join(FILE));
    let (store, now) = (Store::new(&file, jiff::Timestamp::UNIX_EPOCH), jiff::Timestamp::UNIX_EPOCH);
    let mut behind = Ingester::new(store.clone(), folder.path().into(), jiff::SignedDuration::MAX);
    behind.pass(now).await.expect_err("it cannot be written");
    let kit = Kit::start_with(Some(store)).await;
    let (_, _, body) = kit.get("/api/v1/decisions").await;
    let told: Decisions = serde_json::from_str(&body).expect("JSON");
    assert_eq!(told.incomplete.as_deref(), Some("4 records or more are not in the decision store yet"));
}

#[tokio::test]
async fn sto_7_what_an_instance_wrote_and_cannot_be_read_is_told_to_be_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, mut ingester) = stored(folder.path()).await;
    std::fs::create_dir_all(folder.path().join("instances/i2/id")).expect("made, where a file should be");
    ingester.pass(jiff::Timestamp::UNIX_EPOCH).await.expect("the other one is read");
    let kit = Kit::start_with(Some(store)).await;
    let (_, _, body) = kit.get("/api/v1/decisions").await;
    let told: Decisions = serde_json::from_str(&body).expect("JSON");
    assert_eq!(told.incomplete.as_deref(), Some("what instance i2 wrote cannot be read (io)"));
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_leaves_what_is_in_memory_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::file_to_read(folder.path().join("none.db"));
    let kit = Kit::start_with(Some(Store::new(&place, jiff::Timestamp::UNIX_EPOCH))).await;
    let (status, _, body) = kit.get("/api/v1/decisions").await;
    let told: Decisions = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, told.decisions.len()), (200, 3));
    assert_eq!(told.incomplete.as_deref(), Some("the decision store cannot be asked (absent)"));
    assert_eq!(kit.get("/api/v1/decisions/01ABC").await.0, 200);
    let (status, _, body) = kit.get("/api/v1/decisions/01ABD").await;
    assert_eq!((status, body.contains("cannot be asked (absent)")), (503, true), "{body}");
    assert_eq!(kit.get("/api/v1/history").await.0, 503);
}

#[tokio::test]
async fn quality_is_told_of_all_routes_or_of_one() {
    let kit = Kit::start().await;
    let routes = async |query: &str| {
        let (status, _, body) = kit.get(&format!("/api/v1/quality{query}")).await;
        let told: Value = serde_json::from_str(&body).unwrap_or_default();
        (status, told["routes"].as_array().map(Vec::len))
    };
    assert_eq!(routes("").await, (200, Some(2)));
    assert_eq!(routes("?route=score").await, (200, Some(1)));
    assert_eq!(routes("?route=nobody").await, (404, None));
}

#[tokio::test]
async fn the_audit_log_is_served_as_its_files_are_and_nothing_beside_them() {
    let kit = Kit::start().await;
    let log = kit.folder.path().join("audit");
    for (name, text) in [
        ("checkpoint", "example.com/audit\n"),
        ("tile/0/000.p/9", "hashes"),
        ("tile/entries/x001/000", "entries"),
        ("key", "hush"),
        ("tile/0/000.tmp", "half"),
    ] {
        let path = log.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let (status, head, body) = kit.get("/audit/checkpoint").await;
    assert!(status == 200 && body.starts_with("example.com/audit\n"), "{body}");
    assert!(head.contains("content-type: text/plain; charset=utf-8") && head.contains("no-cache"), "{head}");
    for (name, text) in [("tile/0/000.p/9", "hashes"), ("tile/entries/x001/000", "entries")] {
        let (status, head, body) = kit.get(&format!("/audit/{name}")).await;
        assert_eq!((status, body.as_str()), (200, text));
        assert!(head.contains("application/octet-stream") && head.contains("immutable"), "{head}");
    }
    for name in ["key", "lock", "tile/0/000.tmp", "tile/0/000", "tile/../key", "tile%2F..%2Fkey", "", "../e.yaml"] {
        let (status, _, body) = kit.get(&format!("/audit/{name}")).await;
        assert_eq!((status, body.as_str()), (404, ""), "{name}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_names_it() {
    let kit = Kit::start().await;
    let taken = kit.admin.address().to_string();
    let plane: Arc<dyn DataPlane> = Arc::new(Plane);
    let error = Admin::start(&taken, plane, kit.reloader.clone(), None, None).await.err().expect("it is taken");
    assert_eq!(error.to_string(), format!("listen on {taken}"));
    assert!(std::error::Error::source(&error).is_some(), "what the system says is the cause");
}
