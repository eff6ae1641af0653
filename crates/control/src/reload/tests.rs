//! Files that change under a running data plane.

use std::sync::atomic::{AtomicUsize, Ordering};

use evenkeel_config::{Deployment, Part, Unfit, load_file};
use evenkeel_core::PathId;

use super::*;

/// A data plane that remembers what it was given.
#[derive(Default)]
struct Plane {
    applied: Mutex<Vec<String>>,
    rejected: AtomicUsize,
    /// Whether no path can be made ready.
    unfit: Mutex<bool>,
    /// Whether making one ready runs into a bug.
    broken: Mutex<bool>,
}

impl DataPlane for Plane {
    fn apply(&self, deployment: Arc<Deployment>) -> Result<(), Vec<Unfit>> {
        if *self.unfit.lock() {
            return Err(vec![Unfit { part: Part::Path(PathId(0)), message: "the model is damaged".into() }]);
        }
        assert!(!*self.broken.lock(), "a bug in an operator");
        self.applied.lock().push(deployment.name());
        Ok(())
    }

    fn expiring(&self, _: &Deployment) -> Vec<Unfit> {
        Vec::new()
    }

    fn note_rejected(&self, _: &evenkeel_api::Rejected) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    fn revision(&self) -> String {
        self.applied.lock().last().cloned().unwrap_or_else(|| "sha256:first".into())
    }

    fn standing(&self) -> evenkeel_api::Standing {
        evenkeel_api::Standing::default()
    }

    fn decision(&self, _: &str) -> Option<evenkeel_api::Decision> {
        None
    }

    fn decisions(&self, _: Option<&str>, _: usize) -> Vec<evenkeel_api::Decision> {
        Vec::new()
    }

    fn quality(&self, _: Option<&str>) -> evenkeel_api::Quality {
        evenkeel_api::Quality { as_of: jiff::Timestamp::UNIX_EPOCH, routes: Vec::new() }
    }

    fn metrics(&self) -> String {
        String::new()
    }
}

fn file(content: &str) -> String {
    format!(
        "version: 1\nroutes:\n  r:\n    protocol: openai-chat\n    tiers: [{{name: d, fixed: {{content: \"{content}\"}}}}]\n"
    )
}

struct Kit {
    folder: tempfile::TempDir,
    plane: Arc<Plane>,
    reloader: Reloader,
}

impl Kit {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("e.yaml"), file("one")).expect("written");
        let plane = Arc::new(Plane::default());
        let reloader = Reloader::new(load_file(&folder.path().join("e.yaml")).sources, plane.clone());
        Self { folder, plane, reloader }
    }

    fn write(&self, text: &str) {
        self.write_to("e.yaml", text);
    }

    fn write_to(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("written");
    }
}

#[test]
fn cf_01_g_014_an_invalid_file_changes_nothing_and_is_reported() {
    let kit = Kit::new();
    assert_eq!(kit.reloader.poll(), Verdict::Unchanged);
    let whole = file("two");
    kit.write(&whole[..whole.len() / 2]);
    assert_eq!(kit.reloader.poll(), Verdict::Rejected, "half written");
    assert_eq!(kit.reloader.poll(), Verdict::Unchanged, "LOAD-2");
    let ready = kit.reloader.ready();
    assert!(ready.ready && kit.plane.applied.lock().is_empty(), "LOAD-1");
    let rejected = ready.rejected.expect("it is reported");
    assert!(rejected.diagnostics >= 1 && rejected.digest.starts_with("sha256:"));
    let place = kit.folder.path().join("e.yaml").display().to_string();
    assert!(rejected.messages[0].starts_with(&format!("{place}:")), "{rejected:?}");
    assert!(rejected.messages[0].contains("\n    hint: "), "{rejected:?}");
    assert_eq!(kit.plane.rejected.load(Ordering::Relaxed), 1);

    kit.write(&whole);
    assert_eq!(kit.reloader.poll(), Verdict::Applied);
    let ready = kit.reloader.ready();
    assert_eq!((ready.rejected, ready.revision), (None, kit.plane.applied.lock().last().cloned()));
}

#[test]
fn tn_13_a_path_that_cannot_be_made_ready_is_a_mistake_like_any_other() {
    let kit = Kit::new();
    *kit.plane.unfit.lock() = true;
    kit.write(&file("two"));
    assert_eq!(kit.reloader.poll(), Verdict::Rejected);
    assert_eq!(kit.reloader.ready().rejected.map(|it| it.diagnostics), Some(1));
    assert_eq!(kit.plane.rejected.load(Ordering::Relaxed), 1);
    *kit.plane.unfit.lock() = false;
    assert_eq!(kit.reloader.reload(), Verdict::Applied, "the same bytes, once the model is whole");
}

#[test]
fn load_3_a_reload_that_panics_is_a_refusal_like_any_other() {
    let kit = Kit::new();
    *kit.plane.broken.lock() = true;
    kit.write(&file("two"));
    assert_eq!([kit.reloader.poll(), kit.reloader.poll()], [Verdict::Rejected, Verdict::Unchanged]);
    assert_eq!(kit.reloader.ready().rejected.map(|it| it.diagnostics), Some(1));
    assert_eq!(kit.reloader.reload(), Verdict::Rejected, "by order, too");
    assert_eq!(kit.plane.rejected.load(Ordering::Relaxed), 2);
    *kit.plane.broken.lock() = false;
    assert_eq!(kit.reloader.reload(), Verdict::Applied);
    assert_eq!(kit.reloader.ready().rejected, None);
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let kit = Kit::new();
    std::fs::remove_file(kit.reloader.path()).expect("removed");
    assert_eq!(kit.reloader.poll(), Verdict::Rejected);
    assert!(kit.plane.applied.lock().is_empty());
}

#[test]
fn a_swapped_link_is_seen() {
    let kit = Kit::new();
    let (old, new, link) = (kit.folder.path().join("a"), kit.folder.path().join("b"), kit.folder.path().join("l"));
    std::fs::write(&old, file("old")).expect("written");
    std::fs::write(&new, file("new")).expect("written");
    std::os::unix::fs::symlink(&old, &link).expect("linked");
    let reloader = Reloader::new(load_file(&link).sources, kit.plane.clone());
    std::fs::remove_file(&link).expect("removed");
    std::os::unix::fs::symlink(&new, &link).expect("linked");
    assert_eq!(reloader.poll(), Verdict::Applied);
}

#[test]
fn load_2_a_save_between_reading_and_watching_is_not_lost() {
    let kit = Kit::new();
    let read = load_file(kit.reloader.path()).sources;
    kit.write(&file("saved while the gateway starts"));
    let reloader = Reloader::new(read, kit.plane.clone());
    assert_eq!(reloader.poll(), Verdict::Applied);
    assert_eq!(reloader.poll(), Verdict::Unchanged);
}

#[test]
fn load_2_a_saved_file_that_the_configuration_names_counts_like_the_configuration() {
    let kit = Kit::new();
    let rules = |score: &str| format!("inputs: {{a: float}}\nrules: []\notherwise: {{score: {score}}}\n");
    kit.write_to("r.rules", &rules("0.1"));
    kit.write_to("m.onnx", "one");
    kit.write(
        "version: 1\nroutes:\n  r:\n    protocol: oip\n    input: {features: {a: {type: float}}}\n    tiers:\n      - \
         {name: m, onnx: {file: m.onnx}}\n      - {name: r, rules: {file: r.rules}}\n",
    );
    assert_eq!([kit.reloader.poll(), kit.reloader.poll()], [Verdict::Applied, Verdict::Unchanged]);
    let check = |name: &str, text: &str, verdict| {
        kit.write_to(name, text);
        assert_eq!([kit.reloader.poll(), kit.reloader.poll()], [verdict, Verdict::Unchanged], "{name}: {text}");
    };
    check("r.rules", &rules("0.25"), Verdict::Applied);
    check("m.onnx", "another", Verdict::Applied);
    check("r.rules", "half", Verdict::Rejected);
    check("r.rules", &rules("0.25"), Verdict::Applied);
    // Written again, with another time, it is the same file.
    check("r.rules", &rules("0.25"), Verdict::Unchanged);
    std::fs::remove_file(kit.folder.path().join("m.onnx")).expect("removed");
    assert_eq!([kit.reloader.poll(), kit.reloader.poll()], [Verdict::Rejected, Verdict::Unchanged]);
    check("m.onnx", "is back", Verdict::Applied);
}

#[test]
fn a_file_that_is_too_large_is_read_no_further_than_that_takes() {
    let kit = Kit::new();
    let large = " ".repeat(5 << 20);
    kit.write(&large);
    assert_eq!(kit.reloader.poll(), Verdict::Rejected);
    kit.write(&(large + "more"));
    assert_eq!(kit.reloader.poll(), Verdict::Unchanged);
}

#[test]
fn an_order_to_reload_reads_the_same_bytes_again() {
    let kit = Kit::new();
    assert_eq!(kit.reloader.reload(), Verdict::Applied);
}

#[test]
fn what_is_said_of_a_refusal_is_bounded_and_holds_no_secret() {
    let kit = Kit::new();
    let tiers: String =
        (0..16).map(|at| format!("{{name: t{at}, fixed: {{content: \"\"}}, {}: 1}}, ", "k".repeat(900))).collect();
    let upstream = "u: {protocol: openai, url: \"http://me:hush@x\"}";
    kit.write(&format!(
        "version: 1\nupstreams: {{{upstream}}}\nroutes: {{r: {{protocol: openai-chat, tiers: [{tiers}]}}}}\n"
    ));
    assert_eq!(kit.reloader.poll(), Verdict::Rejected);
    let rejected = kit.reloader.ready().rejected.expect("it is reported");
    assert!(rejected.diagnostics > 30, "{}", rejected.diagnostics);
    assert_eq!(rejected.messages.len(), 10);
    assert!(rejected.messages.iter().all(|it| it.chars().count() <= 501), "{:?}", rejected.messages);
    let all = rejected.messages.join("\n");
    assert!(all.contains("a credential in it would show") && !all.contains("hush"), "{all}");

    *kit.plane.broken.lock() = true;
    kit.write(&file("two"));
    assert_eq!(kit.reloader.poll(), Verdict::Rejected);
    let rejected = kit.reloader.ready().rejected.expect("it is reported");
    assert_eq!(rejected.messages, ["the reload panicked, which is a bug of Evenkeel; the log says more"]);
}

/// An audit log that can be down, and that can be thought to be up where it is not.
#[derive(Default)]
struct Log {
    down: AtomicBool,
    full: AtomicBool,
    proposed: Mutex<Vec<Value>>,
}

impl Intentions for Log {
    fn down(&self) -> Option<String> {
        self.down.load(Relaxed).then(|| "No space left on device".to_owned())
    }

    fn propose(&self, data: Value) -> Result<(), String> {
        self.proposed.lock().push(data);
        if self.full.load(Relaxed) { Err("Read-only file system".into()) } else { Ok(()) }
    }
}

#[test]
fn load_4_g_090_what_cannot_be_entered_in_the_audit_log_is_not_applied() {
    let (kit, log) = (Kit::new(), Arc::new(Log::default()));
    let (plane, path) = (kit.plane.clone(), kit.folder.path().join("e.yaml"));
    let reloader = Reloader::new(load_file(&path).sources, plane.clone()).audited(log.clone());
    log.full.store(true, Relaxed);
    kit.write(&file("two"));
    assert_eq!(reloader.poll(), Verdict::Rejected);
    let said = reloader.ready().rejected.expect("it is reported").messages.concat();
    assert!(said.contains("(G-090)") && said.contains("Read-only file system"), "{said}");
    assert!(plane.applied.lock().is_empty());
    assert_eq!(reloader.poll(), Verdict::Rejected, "it is tried again");
    log.full.store(false, Relaxed);
    assert_eq!(reloader.poll(), Verdict::Applied, "nobody has to save it again");
    let proposed = log.proposed.lock().last().cloned().expect("it was entered");
    assert_eq!(
        (&proposed["revision"], &proposed["replaces"]),
        (&json!(plane.applied.lock()[0]), &json!("sha256:first"))
    );
    assert_eq!((reloader.poll(), log.proposed.lock().len()), (Verdict::Unchanged, 3));
    // What has mistakes is not proposed: it is refused in any case.
    kit.write("half");
    assert_eq!((reloader.poll(), log.proposed.lock().len()), (Verdict::Rejected, 3));
}

#[test]
fn g_090_while_the_audit_log_is_down_nothing_is_applied_and_then_it_is() {
    let (kit, log) = (Kit::new(), Arc::new(Log::default()));
    let (plane, path) = (kit.plane.clone(), kit.folder.path().join("e.yaml"));
    log.down.store(true, Relaxed);
    let reloader = Reloader::new(load_file(&path).sources, plane.clone()).audited(log.clone());
    assert_eq!(reloader.poll(), Verdict::Unchanged);
    kit.write(&file("two"));
    assert_eq!((reloader.poll(), reloader.reload()), (Verdict::Rejected, Verdict::Rejected));
    let said = reloader.ready().rejected.expect("it is reported").messages.concat();
    assert!(said.contains("the audit log is down") && said.contains("No space left on device"), "{said}");
    assert_eq!(reloader.poll(), Verdict::Unchanged, "it waits, and is not refused anew with every look");
    assert!(plane.applied.lock().is_empty() && log.proposed.lock().is_empty());
    log.down.store(false, Relaxed);
    assert_eq!(reloader.poll(), Verdict::Applied, "nobody has to save it again");
    assert_eq!((reloader.poll(), plane.applied.lock().len()), (Verdict::Unchanged, 1));
    assert_eq!(reloader.ready().rejected, None);
}
