//! Edges: dependencies between crates point down only (architecture, section 3).

use std::{fs, path::Path};

use super::Report;

/// The level of each crate; a crate may depend on lower levels only. Tests may use the mock.
const LEVELS: [(&str, u8); 10] = [
    ("core", 0),
    ("signals", 1),
    ("config", 2),
    ("api", 2),
    ("onnx", 2),
    ("gateway", 3),
    ("control", 3),
    ("mock", 3),
    ("evenkeel", 4),
    ("xtask", 5),
];

pub(super) fn check(root: &Path, report: &mut Report) -> anyhow::Result<()> {
    let mut folders: Vec<_> = fs::read_dir(root.join("crates"))?.filter_map(Result::ok).map(|it| it.path()).collect();
    folders.sort();
    for folder in folders {
        let Some(name) = folder.file_name().and_then(|it| it.to_str()) else { continue };
        let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        manifest_of(name, &manifest, report);
    }
    Ok(())
}

fn manifest_of(name: &str, manifest: &str, report: &mut Report) {
    let place = format!("crates/{name}/Cargo.toml");
    let Some(level) = level(name) else {
        return report.error(&place, 1, format!("`{name}` has no level; give it one in tidy/edges.rs, with an ADR"));
    };
    let mut section = "";
    for (at, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        }
        let Some(of) = line.strip_prefix("evenkeel-").and_then(|it| it.split(['.', ' ', '=']).next()) else { continue };
        let below = self::level(of).is_some_and(|of| of < level);
        if section == "[dependencies]" && !below {
            report.error(&place, at + 1, format!("`{name}` may not depend on `{of}`: edges point down only"));
        }
        if section == "[dev-dependencies]" && !below && of != "mock" {
            report.error(&place, at + 1, format!("tests of `{name}` may use lower crates and the mock, not `{of}`"));
        }
    }
    if name == "core" {
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or("");
        let own = dependencies.split("\n[").next().unwrap_or("");
        if own.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            report.error(&place, 1, "core depends on nothing: its allow-list is empty");
        }
    }
}

fn level(name: &str) -> Option<u8> {
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(name: &str, manifest: &str) -> usize {
        let mut report = Report::default();
        manifest_of(name, manifest, &mut report);
        report.errors.len()
    }

    #[test]
    fn edges_point_down_only() {
        assert_eq!(errors("gateway", "[dependencies]\nevenkeel-core.workspace = true\n"), 0);
        assert_eq!(errors("gateway", "[dependencies]\nevenkeel-control.workspace = true\n"), 1);
        assert_eq!(errors("config", "[dependencies]\nevenkeel-api.workspace = true\n"), 1);
        assert_eq!(errors("gateway", "[dependencies]\n[dev-dependencies]\nevenkeel-mock.workspace = true\n"), 0);
        assert_eq!(errors("core", "[dependencies]\nserde.workspace = true\n"), 1);
        assert_eq!(errors("stranger", ""), 1);
    }
}
