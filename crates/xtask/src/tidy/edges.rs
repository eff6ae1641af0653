//! Edges: dependencies between crates point down only (architecture, section 3).
//!
//! Manifests are not read here: a dependency can be written in many ways, and cargo knows them all.

use std::{path::Path, process::Command};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Report;

/// The level of each crate; a crate may depend on lower levels only. Tests may use the mock.
const LEVELS: [(&str, u8); 13] = [
    ("core", 0),
    ("signals", 1),
    ("retrieval", 1),
    ("config", 2),
    ("api", 2),
    ("onnx", 2),
    ("postgres", 2),
    ("gateway", 3),
    ("control", 3),
    ("sim", 3),
    ("mock", 3),
    ("evenkeel", 4),
    ("xtask", 5),
];

pub(super) fn check(root: &Path, report: &mut Report) -> anyhow::Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root);
    let said = cargo.output().context("cannot run cargo")?;
    ensure!(said.status.success(), "cargo cannot read the manifests: {}", String::from_utf8_lossy(&said.stderr));
    let metadata: Value = serde_json::from_slice(&said.stdout).context("cargo metadata is no JSON")?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        edges_of(package, report);
    }
    Ok(())
}

/// Checks a package as `cargo metadata` describes it.
fn edges_of(package: &Value, report: &mut Report) {
    let Some(name) = package["name"].as_str().map(short) else { return };
    let place = format!("crates/{name}/Cargo.toml");
    let Some(level) = level(name) else {
        return report.error(&place, 1, format!("`{name}` has no level; give it one in tidy/edges.rs, with an ADR"));
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        // Its own name, whatever it is called here; of every target; none but `dev` is for tests alone.
        let full = dependency["name"].as_str().unwrap_or_default();
        let (of, test) = (short(full), dependency["kind"] == "dev");
        let below = self::level(of).is_some_and(|of| of < level);
        // A crate of ours has a path; another may have such a name by chance.
        let ours = dependency["path"].is_string();
        if name == "core" && !test {
            report.error(&place, 1, format!("core depends on nothing, not on `{full}`: its allow-list is empty"));
        } else if ours && !test && !below {
            report.error(&place, 1, format!("`{name}` may not depend on `{of}`: edges point down only"));
        } else if ours && test && !below && of != "mock" {
            report.error(&place, 1, format!("tests of `{name}` may use lower crates and the mock, not `{of}`"));
        }
    }
}

/// Returns the name of a crate's folder.
fn short(package: &str) -> &str {
    package.strip_prefix("evenkeel-").unwrap_or(package)
}

fn level(name: &str) -> Option<u8> {
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Lets cargo read a workspace of these crates, whose manifests go on like this; returns what is found.
    fn errors(name: &str, manifest: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut members = vec!["evenkeel-core", "evenkeel-api", "evenkeel-control", "evenkeel-mock"];
        members.retain(|it| short(it) != name);
        let full = format!("evenkeel-{name}");
        let all: Vec<_> = members.into_iter().map(|it| (it, "")).chain([(full.as_str(), manifest)]).collect();
        let mut root = "[workspace]\nmembers = [\"crates/*\"]\n[workspace.dependencies]\nserde = \"1\"\n".to_owned();
        root += "renamed = {package = \"evenkeel-control\", path = \"crates/control\"}\n";
        for (full, manifest) in all {
            root += &format!("{full} = {{path = \"crates/{}\"}}\n", short(full));
            let folder = folder.path().join("crates").join(short(full));
            fs::create_dir_all(folder.join("src")).expect("made");
            fs::write(folder.join("src/lib.rs"), "").expect("written");
            let package = format!("[package]\nname = \"{full}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{manifest}");
            fs::write(folder.join("Cargo.toml"), package).expect("written");
        }
        fs::write(folder.path().join("Cargo.toml"), root).expect("written");
        let mut report = Report::default();
        check(folder.path(), &mut report).expect("cargo reads it");
        report.errors
    }

    #[test]
    fn edges_point_down_only() {
        for (name, manifest, message) in [
            ("gateway", "[dependencies]\nevenkeel-core.workspace = true\n", None),
            (
                "gateway",
                "[dependencies]\nevenkeel-control.workspace = true\n",
                Some("`gateway` may not depend on `control`"),
            ),
            ("config", "[dependencies]\nevenkeel-api.workspace = true\n", Some("`config` may not depend on `api`")),
            ("gateway", "[dev-dependencies]\nevenkeel-mock.workspace = true\n", None),
            (
                "gateway",
                "[dev-dependencies]\nevenkeel-control.workspace = true\n",
                Some("tests of `gateway` may use lower"),
            ),
            ("core", "[dependencies]\nserde.workspace = true\n", Some("core depends on nothing, not on `serde`")),
            ("core", "[dev-dependencies]\nserde.workspace = true\n", None),
            ("stranger", "", Some("`stranger` has no level")),
        ] {
            let found = errors(name, manifest);
            let message = message.map(|it| format!("crates/{name}/Cargo.toml:1: {it}"));
            assert_eq!(found.len(), usize::from(message.is_some()), "{manifest}: {found:?}");
            assert!(message.is_none_or(|it| found[0].starts_with(&it)), "{manifest}: {found:?}");
        }
    }

    #[test]
    fn an_edge_is_found_however_it_is_written() {
        for manifest in [
            "[dependencies.evenkeel-control]\nworkspace = true\n",
            "[build-dependencies]\nevenkeel-control.workspace = true\n",
            "[target.'cfg(unix)'.dependencies]\nevenkeel-control = {workspace = true}\n",
            "[target.x86_64-pc-windows-msvc.build-dependencies.evenkeel-control]\nworkspace = true\n",
            "[ dependencies ] # ours\n  \"evenkeel-control\" = { workspace = true }\n",
            "[dependencies]\nplane = {package = \"evenkeel-control\", path = \"../control\"}\n",
            "[dependencies]\nrenamed.workspace = true\n",
        ] {
            assert_eq!(errors("gateway", manifest).len(), 1, "{manifest}");
        }
        for section in ["[dependencies.serde]", "[build-dependencies.serde]", "[target.'cfg(unix)'.dependencies.serde]"]
        {
            assert_eq!(errors("core", &format!("{section}\nworkspace = true\n")).len(), 1, "{section}");
        }
    }
}
