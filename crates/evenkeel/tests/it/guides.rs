//! The guide "add a path": its patch applies to the tree as it is, builds, and its tests pass.
//!
//! The copy and what is built of it stay in a folder of their own among the test environments: the running suite's is
//! neither locked nor rebuilt, and what has not changed is not built again. What no build needs any more is thrown away
//! when there is too much of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::process::{environments, is_left_out};

/// The tests of the patch: beside its two files, and at the front of the gateway.
const TESTS: [&str; 6] = [
    "schema::path::echo::tests::an_echo_is_checked_like_any_other_kind",
    "path::echo::tests::an_echo_answers_plain_requests_and_leaves_streams_to_others",
    "echo::echo_answers_with_what_was_asked_whatever_it_was",
    "echo::echo_that_fails_leaves_the_request_to_the_next_tier",
    "echo::echo_that_is_slow_is_left_by_its_clock",
    "echo::echo_is_cancelled_when_its_client_goes",
];

/// What a build of the two crates and all builds before it may take, in bytes; one alone takes some 3 GiB.
const ROOM: u64 = 6 << 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root is there")
}

#[test]
fn the_patch_of_the_guide_adds_a_path_that_answers_requests() {
    if is_left_out("add a path", "it builds five crates again") {
        return;
    }
    let (root, folder) = (root(), environments().join("add-a-path"));
    let tree = folder.join("tree");
    fs::create_dir_all(&tree).expect("made");
    // Clones of the project share the folder, one at a time.
    let lock = fs::File::create(folder.join("lock")).expect("a file");
    lock.lock().expect("locked");
    for file in ["Cargo.toml", "Cargo.lock"] {
        mirror(&root.join(file), &tree.join(file));
    }
    for folder in ["crates", "examples"] {
        mirror(&root.join(folder), &tree.join(folder));
    }
    let patch = root.join("docs/guides/add-a-path.patch");
    let mut apply = Command::new("git");
    apply.arg("apply").arg(&patch).current_dir(&tree).env("GIT_CEILING_DIRECTORIES", &folder);
    let applied = apply.output().expect("git runs");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let target = folder.join("target");
    if size(&target) > ROOM {
        fs::remove_dir_all(&target).expect("removed");
    }
    let tested = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--offline", "-p", "evenkeel-config", "-p", "evenkeel-gateway", "echo"])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(&tree)
        .output()
        .expect("cargo runs");
    let (out, err) = (String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
    assert!(tested.status.success(), "{out}{err}");
    for test in TESTS {
        assert!(out.contains(&format!("test {test} ... ok")), "{test} did not run: {out}");
    }
}

/// Returns how many bytes the files below a folder have; 0 where there is none.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("readable"));
    entries
        .map(|entry| match entry.metadata().expect("readable") {
            it if it.is_dir() => size(&entry.path()),
            it => it.len(),
        })
        .sum()
}

/// Makes `to` what `from` is. What is the same is not touched, so that cargo sees that it is.
fn mirror(from: &Path, to: &Path) {
    if !from.is_dir() {
        let bytes = fs::read(from).expect("readable");
        if fs::read(to).ok().as_ref() != Some(&bytes) {
            fs::write(to, bytes).expect("written");
        }
        return;
    }
    fs::create_dir_all(to).expect("made");
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("readable");
        entries.map(|entry| entry.expect("readable").file_name()).collect::<Vec<_>>()
    };
    let wanted = names(from);
    for name in names(to).iter().filter(|name| !wanted.contains(name)) {
        let stale = to.join(name);
        let removed = if stale.is_dir() { fs::remove_dir_all(stale) } else { fs::remove_file(stale) };
        removed.expect("removed");
    }
    for name in wanted {
        mirror(&from.join(&name), &to.join(&name));
    }
}
