//! Folders that change under a watcher, as editors and Kubernetes change them.

use std::{fs, os::unix::fs::symlink};

use evenkeel_config::{Deployment, Unfit, load_file};
use notify::event::{CreateKind, ModifyKind, RemoveKind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::plane::DataPlane;

/// A data plane that reports what becomes of it.
struct Plane(UnboundedSender<Option<String>>);

impl DataPlane for Plane {
    fn apply(&self, deployment: Arc<Deployment>) -> Result<(), Vec<Unfit>> {
        let _ = self.0.send(Some(deployment.name()));
        Ok(())
    }

    fn expiring(&self, _: &Deployment) -> Vec<Unfit> {
        Vec::new()
    }

    fn note_rejected(&self, _: &evenkeel_api::Rejected) {
        let _ = self.0.send(None);
    }

    fn revision(&self) -> String {
        "sha256:first".into()
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

fn watched(path: &Path) -> UnboundedReceiver<Option<String>> {
    let (sender, reports) = unbounded_channel();
    #[expect(clippy::disallowed_methods, reason = "it ends with the runtime of the test")]
    tokio::spawn(watch(Arc::new(Reloader::new(load_file(path).sources, Arc::new(Plane(sender))))));
    reports
}

async fn next(reports: &mut UnboundedReceiver<Option<String>>) -> Option<String> {
    let next = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
    next.expect("the change is seen").expect("the watcher lives")
}

#[test]
fn looking_at_a_file_is_not_a_change_of_it() {
    let any = notify::event::ModifyKind::Any;
    let table = [
        (EventKind::Access(AccessKind::Open(AccessMode::Any)), false),
        (EventKind::Access(AccessKind::Read), false),
        (EventKind::Access(AccessKind::Close(AccessMode::Read)), false),
        (EventKind::Access(AccessKind::Close(AccessMode::Write)), true),
        (EventKind::Create(CreateKind::File), true),
        (EventKind::Modify(any), true),
        (EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::To)), true),
        (EventKind::Remove(RemoveKind::Any), true),
        (EventKind::Any, true),
        (EventKind::Other, true),
    ];
    for (kind, expected) in table {
        assert_eq!(may_change(&Ok(Event::new(kind))), expected, "WATCH-1 {kind:?}");
    }
    assert!(may_change(&Err(notify::Error::generic("it lost track"))));
}

#[test]
fn the_watchers_own_reading_is_reported_as_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("e.yaml");
    fs::write(&path, file("one")).expect("written");
    let (sender, events) = std::sync::mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event| drop(sender.send(event))).expect("a watcher");
    watcher.watch(folder.path(), RecursiveMode::NonRecursive).expect("a folder that can be watched");
    fs::read(&path).expect("read");
    // The write after it says where the reading ended.
    fs::write(folder.path().join("end"), "").expect("written");
    let read: Vec<_> = events.iter().take_while(|event| !ends(event)).filter(may_change).collect();
    assert!(read.is_empty(), "WATCH-1 {read:?}");
}

fn ends(event: &notify::Result<Event>) -> bool {
    event.as_ref().is_ok_and(|event| event.paths.iter().any(|path| path.ends_with("end")))
}

#[tokio::test]
async fn a_half_written_file_is_refused_and_the_whole_one_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("e.yaml");
    fs::write(&path, file("one")).expect("written");
    let mut reports = watched(&path);
    let whole = file("two");
    fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    assert_eq!(next(&mut reports).await, None);
    fs::write(&path, &whole).expect("written");
    // A file is cut before it is written: it may be seen empty as well, and refused once more.
    while next(&mut reports).await.is_none() {}
}

#[tokio::test]
async fn a_file_that_an_editor_replaces_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("e.yaml");
    fs::write(&path, file("one")).expect("written");
    let mut reports = watched(&path);
    for content in ["two", "three"] {
        fs::write(folder.path().join("e.yaml.new"), file(content)).expect("written");
        fs::rename(folder.path().join("e.yaml.new"), &path).expect("replaced");
        assert!(next(&mut reports).await.is_some(), "{content}");
    }
}

#[tokio::test]
async fn a_volume_that_kubernetes_swaps_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let version = |name: &str, content: &str| {
        fs::create_dir(at(name)).expect("made");
        fs::write(at(name).join("e.yaml"), file(content)).expect("written");
    };
    version("..1", "one");
    symlink("..1", at("..data")).expect("linked");
    symlink("..data/e.yaml", at("e.yaml")).expect("linked");
    let mut reports = watched(&at("e.yaml"));
    version("..2", "two");
    symlink("..2", at("..data_tmp")).expect("linked");
    fs::rename(at("..data_tmp"), at("..data")).expect("swapped");
    assert!(next(&mut reports).await.is_some());
}
