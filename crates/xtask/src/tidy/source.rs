//! The files that are looked at, and Rust with its comments and strings blanked out.

use std::{fs, path::Path};

/// Folders that hold nothing of ours, or what was not written by hand.
const SKIPPED: [&str; 5] = ["target", ".git", "node_modules", "proptest-regressions", "evenkeel-data"];

/// One file.
pub(crate) struct Source {
    /// Relative to the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Returns the text before its tests, as code alone: comments and the insides of strings are spaces.
    pub(crate) fn code(&self) -> String {
        let code = blank(&self.text);
        match code.find("#[cfg(test)]\nmod tests") {
            Some(end) => code[..end].to_owned(),
            None => code,
        }
    }

    /// Says whether it is a test, an example or a bench, not shipped code.
    pub(crate) fn is_test(&self) -> bool {
        ["/tests/", "/benches/", "/examples/", "/fixtures/"].iter().any(|folder| self.path.contains(folder))
            || self.path.ends_with("/tests.rs")
    }
}

/// Reads every file with one of these endings.
pub(crate) fn sources(root: &Path, endings: &[&str]) -> anyhow::Result<Vec<Source>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
                continue;
            }
            let ending = path.extension().and_then(|it| it.to_str()).unwrap_or("");
            if !endings.contains(&ending) || name == "LICENSE" {
                continue;
            }
            // What is not text is nobody's prose.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            found.push(Source { path, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Replaces comments and the insides of strings and characters by spaces; lines and columns stay.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => at + line(&bytes[at..]),
            b'/' if bytes.get(at + 1) == Some(&b'*') => at + block(&bytes[at..]),
            b'"' => at + string(&bytes[at..]),
            b'r' if is_raw(bytes, at) => at + raw(&bytes[at..]),
            b'\'' if character(&bytes[at..]) > 1 => at + character(&bytes[at..]),
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end.min(bytes.len())] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

fn block(bytes: &[u8]) -> usize {
    bytes.windows(2).position(|pair| pair == b"*/").map_or(bytes.len(), |at| at + 2)
}

fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    at + 1
}

fn is_raw(bytes: &[u8], at: usize) -> bool {
    let word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') && bytes[at - 1] != b'b';
    !word && bytes[at + 1..].iter().find(|byte| **byte != b'#') == Some(&b'"')
}

fn raw(bytes: &[u8]) -> usize {
    let hashes = bytes[1..].iter().take_while(|byte| **byte == b'#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 2;
    let found = bytes[start..].windows(end.len()).position(|window| window == end.as_bytes());
    found.map_or(bytes.len(), |at| start + at + end.len())
}

/// A character literal; a lifetime has no quote behind its first letter.
fn character(bytes: &[u8]) -> usize {
    match bytes {
        [_, b'\\', rest @ ..] => rest.iter().skip(1).position(|byte| *byte == b'\'').map_or(1, |at| at + 4),
        [_, _, b'\'', ..] => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::blank;

    #[test]
    fn comments_and_strings_are_blank_and_code_stays_in_place() {
        let text = "let a = \"f64 \\\" {\"; // f64\nlet b: &'a str = r#\"std::\"#; let c = '{'; /* f32 */ x";
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert!(!code.contains("f64") && !code.contains("std::") && !code.contains('{') && !code.contains("f32"));
        assert!(code.contains("&'a str") && code.ends_with('x'));
    }
}
