//! Front: what stands about a document at the head of a Markdown or plain file, between two lines of `---`.
//!
//! Lines of `key: value` are read, values with or without quotes, and lists of `- value` below a key without one. That is all of YAML
//! that a few scalars and a list need; other keys, and what belongs to them, are somebody else's and passed over.

use std::collections::BTreeMap;

/// What stands at the head of a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Values, by key; that of a list is empty.
    pub(super) said: BTreeMap<String, String>,
    /// The values of a list, by key.
    pub(super) lists: BTreeMap<String, Vec<String>>,
}

/// Splits a text into what stands at its head and the rest; nothing where it has no head.
pub(super) fn split(text: &str) -> (Head, &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(inner) = text.strip_prefix("---").and_then(|it| it.strip_prefix('\n').or_else(|| it.strip_prefix("\r\n")))
    else {
        return (Head::default(), text);
    };
    let (mut found, mut list, mut at) = (Head::default(), None::<String>, 0);
    for line in inner.split_inclusive('\n') {
        at += line.len();
        let line = line.trim_end();
        if line == "---" || line == "..." {
            return (found, &inner[at..]);
        }
        if let (Some(key), Some(value)) = (&list, item(line)) {
            found.lists.entry(key.clone()).or_default().push(scalar(value));
        } else if let Some((key, value)) = line.split_once(':')
            && !key.starts_with([' ', '\t', '#', '-'])
        {
            let (key, value) = (key.trim().to_owned(), scalar(value));
            list = value.is_empty().then(|| key.clone());
            found.said.insert(key, value);
        }
    }
    // The head never ends: it was a line across the page.
    (Head::default(), text)
}

/// Returns what an item of a list says.
fn item(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("- ")
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
        assert_eq!(head.said, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
        assert_eq!(body, "# Body\n---\n");
    }

    #[test]
    fn a_line_across_the_page_is_no_head() {
        for text in ["---\ntext: and more", "text\n---\na: b\n---\n", "", "----\na: b\n---\n"] {
            assert_eq!(split(text), (Head::default(), text));
        }
    }

    #[test]
    fn a_list_is_what_stands_below_its_key() {
        let (head, _) =
            split("---\nquestions:\n  - \"How: a?\"\n# and\n- b\n  - it's c # d\ntitle: T\n- no item\n---\n");
        assert_eq!(head.lists, [("questions".to_owned(), ["How: a?", "b", "it's c"].map(str::to_owned).into())].into());
    }
}
