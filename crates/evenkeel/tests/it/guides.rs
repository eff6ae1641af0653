//! The guide "add a path": its patch applies to the tree as it is, builds, and its tests pass.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::process::skip;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root is there")
}

#[test]
fn the_patch_of_the_guide_adds_a_path() {
    if std::env::var_os("EVENKEEL_FAST").is_some() {
        return skip("add a path", "it builds five crates again");
    }
    let (root, folder) = (root(), tempfile::tempdir().expect("a folder"));
    for file in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(root.join(file), folder.path().join(file)).expect("copied");
    }
    copy(&root.join("crates"), &folder.path().join("crates"));
    copy(&root.join("examples"), &folder.path().join("examples"));
    let patch = root.join("docs/guides/add-a-path.patch");
    let applied = Command::new("git").arg("apply").arg(&patch).current_dir(folder.path()).output().expect("git runs");
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let tested = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--offline", "-p", "evenkeel-config", "-p", "evenkeel-gateway", "echo"])
        .env("CARGO_TARGET_DIR", target())
        .current_dir(folder.path())
        .output()
        .expect("cargo runs");
    let (out, err) = (String::from_utf8_lossy(&tested.stdout), String::from_utf8_lossy(&tested.stderr));
    assert!(tested.status.success(), "{out}{err}");
    assert_eq!(out.matches("test result: ok. 1 passed").count(), 2, "{out}");
}

/// The folder that this test was built into, so that the dependencies need not be built again.
fn target() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_evenkeel"));
    binary.ancestors().nth(2).expect("target/debug/evenkeel").to_path_buf()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let to = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(fs::copy(&path, &to).expect("copied")),
        }
    }
}
