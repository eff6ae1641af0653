//! Front: what stands about a document at the head of a Markdown or plain file, between two lines of `---`.
//!
//! Lines of `key: value` are read, values with or without quotes. That is all of YAML that a few scalars need; other keys, and
//! what belongs to them, are somebody else's and passed over.

use std::collections::BTreeMap;

/// Splits a text into what stands at its head and the rest; nothing where it has no head.
pub(super) fn split(text: &str) -> (BTreeMap<String, String>, &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(inner) = text.strip_prefix("---").and_then(|it| it.strip_prefix('\n').or_else(|| it.strip_prefix("\r\n")))
    else {
        return (BTreeMap::new(), text);
    };
    let (mut found, mut at) = (BTreeMap::new(), 0);
    for line in inner.split_inclusive('\n') {
        at += line.len();
        let line = line.trim_end();
        if line == "---" || line == "..." {
            return (found, &inner[at..]);
        }
        if let Some((key, value)) = line.split_once(':')
            && !key.starts_with([' ', '\t', '#', '-'])
        {
            found.insert(key.trim().to_owned(), scalar(value));
        }
    }
    // The head never ends: it was a line across the page.
    (BTreeMap::new(), text)
}

/// Reads a value: quoted, with the two escapes that titles have, or as it is up to a comment.
fn scalar(value: &str) -> String {
    let value = value.trim();
    let quoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    match (quoted('"'), quoted('\'')) {
        (Some(inner), _) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        (None, Some(inner)) => inner.replace("''", "'"),
        (None, None) => value.split(" #").next().unwrap_or_default().trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_document_is_read_and_the_rest_is_left() {
        let text = "---\r\ntitle: \"A \\\"b\\\"\"\nverified_at: 2026-01-02 # by Ann\ntags:\n  - x: y\n- z\nid: 'it''s'\n---\n# Body\n---\n";
        let (head, body) = split(text);
        let expected = [("title", "A \"b\""), ("verified_at", "2026-01-02"), ("tags", ""), ("id", "it's")];
        assert_eq!(head, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(body, "# Body\n---\n");
    }

    #[test]
    fn a_line_across_the_page_is_no_head() {
        for text in ["---\ntext: and more", "text\n---\na: b\n---\n", "", "----\na: b\n---\n"] {
            assert_eq!(split(text), (BTreeMap::new(), text));
        }
    }
}
