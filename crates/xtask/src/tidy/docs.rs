//! Docs: links between our own pages lead somewhere.

use std::path::Path;

use super::{Report, Source};

pub(super) fn check(root: &Path, text: &[Source], report: &mut Report) {
    for source in text.iter().filter(|it| it.path.ends_with(".md") && !it.path.starts_with("docs/design/")) {
        links(root, source, report);
    }
}

fn links(root: &Path, source: &Source, report: &mut Report) {
    let folder = root.join(&source.path).parent().map(Path::to_path_buf).unwrap_or_default();
    for (at, line) in source.text.lines().enumerate() {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                report.error(&source.path, at + 1, format!("the link to `{target}` leads nowhere"));
            }
        }
    }
}
