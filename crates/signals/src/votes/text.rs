//! Texts in the one form that equal answers share: NFKC, case fold, without mark-up, articles and the marks of a sentence.

use unicode_normalization::UnicodeNormalization;

use super::canonical_number;

/// Words that say nothing of their own (English).
const ARTICLES: [&str; 3] = ["a", "an", "the"];

/// Returns the form that equal answers share: words with one space between them.
///
/// Where nothing would be left (an answer `A`, or `***`), only what is not a letter's form is dropped: the folded text stands.
pub fn canonical(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(fold).nfkc().collect();
    let plain = without_markup(&folded);
    let words: Vec<_> = plain.split_whitespace().map(word).filter(|it| !it.is_empty()).collect();
    let said: Vec<_> = words.iter().filter(|it| !ARTICLES.contains(&it.as_str())).cloned().collect();
    match (said.is_empty(), words.is_empty()) {
        (false, _) => said.join(" "),
        (true, false) => words.join(" "),
        (true, true) => folded.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// Returns a text as it was said, but without mark-up, and with numbers in their one form; lines stay lines.
pub(super) fn plain(text: &str) -> String {
    let bare = without_markup(&text.nfkc().collect::<String>());
    let line = |line: &str| line.split_whitespace().map(with_number).collect::<Vec<_>>().join(" ");
    bare.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A word as it is; a number in its one form, with the marks behind it.
fn with_number(word: &str) -> String {
    let number = word.trim_end_matches(is_mark);
    canonical_number(number).map_or_else(|| word.to_owned(), |it| it + &word[number.len()..])
}

/// Folds case: through the capital, so that `ß` and `SS`, `ς` and `Σ` meet.
fn fold(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

/// One word without the marks around it; a number in its one form.
fn word(text: &str) -> String {
    let bare = text.trim_end_matches(is_mark);
    // A point before a digit belongs to it.
    let bare = if canonical_number(bare).is_some() { bare } else { bare.trim_start_matches(is_mark) };
    canonical_number(bare).unwrap_or_else(|| bare.to_owned())
}

/// Says whether a character is a mark of a sentence.
fn is_mark(c: char) -> bool {
    ".,;:!?…\"'`“”‘’«»()[]".contains(c)
}

/// Drops tags of HTML, and of Markdown emphasis, code, headings, quotes, list marks and the targets of links.
fn without_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.trim_start().trim_start_matches(['#', '>']).trim_start();
        let line = ["- ", "* ", "+ "].iter().find_map(|it| line.strip_prefix(it)).unwrap_or(line);
        spans(line, &mut plain);
        plain.push('\n');
    }
    plain
}

/// Copies a line without the mark-up inside it.
fn spans(line: &str, plain: &mut String) {
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let is_tag = c == '<' && after.starts_with(|it: char| it.is_ascii_alphabetic() || it == '/');
        rest = match c {
            '<' if is_tag => match after.split_once('>') {
                Some((_, after)) => after,
                None => after,
            },
            ']' if after.starts_with('(') => after.split_once(')').map_or(after, |(_, after)| after),
            '*' | '`' | '~' | '[' | ']' => after,
            // Inside a word it is part of a name.
            '_' if !plain.ends_with(char::is_alphanumeric) || !after.starts_with(char::is_alphanumeric) => after,
            _ => {
                plain.push(c);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_answers_have_one_form() {
        for (text, form) in [
            ("The capital is **Paris**.", "capital is paris"),
            ("  the CAPITAL\n is paris ", "capital is paris"),
            ("Stra\u{df}e", "strasse"),
            ("STRASSE", "strasse"),
            ("\u{fb01}ve \u{2460}", "five 1"),
            ("It costs $1,000.00!", "it costs $1,000.00"),
            ("about 1,000.00 dollars", "about 1000 dollars"),
            ("# A heading\n> quoted `code`", "heading quoted code"),
            ("<b>yes</b>", "yes"),
            ("a < b", "< b"),
            ("[the guide](https://example.org/x)", "guide"),
            ("snake_case and _this_", "snake_case and this"),
            ("A", "a"),
            ("***", "***"),
            ("- one\n- two", "one two"),
            ("", ""),
        ] {
            assert_eq!(canonical(text), form, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn case_and_space_around_do_not_matter(text in "[a-zA-Zäéß0-9 .,*]{0,40}") {
            prop_assert_eq!(canonical(&text.to_uppercase()), canonical(&format!("  {} ", text.to_lowercase())));
        }
    }
}
