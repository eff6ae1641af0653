//! Watch: asks for a reload when the file may have changed.
//!
//! The folder is watched, not the file: editors replace it, and Kubernetes swaps a link above it. A slow poll stands
//! behind, for folders that report nothing.

use std::{path::Path, sync::Arc, time::Duration};

use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::reload::Reloader;

/// How often the file is looked at when nothing was reported.
const POLL: Duration = Duration::from_secs(2);
/// How long a change may go on before it is read: a file is often written in several steps.
const SETTLE: Duration = Duration::from_millis(50);

/// Polls a reloader whenever its file may have changed, until the task is dropped.
pub async fn watch(reloader: Arc<Reloader>) {
    let changed = Arc::new(Notify::new());
    let signal = changed.clone();
    let watcher = notify::recommended_watcher(move |_| signal.notify_one());
    let folder = reloader.path().parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Without a watcher the poll alone does it, two seconds later.
    let _watching = watcher.and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    loop {
        tokio::select! {
            () = changed.notified() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(POLL) => {}
        }
        let reloader = reloader.clone();
        // Reading and compiling a file takes its time, and blocks.
        if tokio::task::spawn_blocking(move || reloader.poll()).await.is_err() {
            tracing::error!(target: "evenkeel::config", "a reload panicked; the running configuration stays");
        }
    }
}
