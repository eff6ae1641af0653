//! Watch: asks for a reload when the file may have changed.
//!
//! The folder is watched, not the file: editors replace it, and Kubernetes swaps a link above it. A slow poll stands
//! behind, for folders that report nothing, and for files that the configuration names in other folders.
//!
//! # Invariants
//! - `WATCH-1`: looking at the file is not a change of it; else each look would ask for the next one.

use std::{path::Path, sync::Arc, time::Duration};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

use crate::reload::Reloader;

/// How often the file is looked at when nothing was reported.
const POLL: Duration = Duration::from_secs(2);
/// How long a change may go on before it is read: a file is often written in several steps.
const SETTLE: Duration = Duration::from_millis(50);

/// Polls a reloader whenever its file may have changed, until the future is dropped. The folder is watched from the call
/// on, not from the first poll of the future.
pub fn watch(reloader: Arc<Reloader>) -> impl Future<Output = ()> + Send {
    let changed = Arc::new(Notify::new());
    let watcher = listen(reloader.path(), changed.clone());
    async move {
        // Without a watcher the poll alone does it, two seconds later.
        let _watching = watcher;
        loop {
            tokio::select! {
                () = changed.notified() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(POLL) => {}
            }
            let reloader = reloader.clone();
            // Reading and compiling a file takes its time, and blocks. It contains its panics (LOAD-3), so what it
            // cannot do is its own affair.
            let _ = tokio::task::spawn_blocking(move || reloader.poll()).await;
        }
    }
}

fn listen(file: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut watcher = notify::recommended_watcher(move |event| {
        if may_change(&event) {
            changed.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Says whether the folder may hold something else after this event than before. A watcher that has lost track does
/// not know, and is believed.
fn may_change(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(Event { kind: EventKind::Access(access), .. }) => *access == AccessKind::Close(AccessMode::Write),
        Ok(_) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests;
