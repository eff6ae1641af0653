//! Read: where in a text the answer stands. Models reason first and answer last, so the last place counts.

use std::ops::Range;

use super::canonical;

/// Where the answer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The whole text is the answer.
    Whole,
    /// In the last `\boxed{…}`.
    Boxed,
    /// In the JSON field of this name: of the last object in the text that has one itself, else the last below any.
    Field(String),
    /// One letter of these, such as `ABCD`: alone, in brackets, before a bracket or point, or after "answer", but for "not".
    Choice(String),
}

/// Returns the answer of a text in the form that equal answers share; none where it stands nowhere, which is no vote.
pub fn read(text: &str, how: &Read) -> Option<String> {
    let found = match how {
        Read::Whole => text.to_owned(),
        Read::Boxed => boxed(text)?,
        Read::Field(name) => field(text, name)?,
        Read::Choice(letters) => return choice(text, letters),
    };
    Some(canonical(&found)).filter(|it| !it.is_empty())
}

/// What stands in the last box; brackets inside it are its own.
fn boxed(text: &str) -> Option<String> {
    let from = text.rfind("\\boxed{")? + "\\boxed{".len();
    let mut depth = 1;
    for (at, c) in text[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(text[from..from + at].to_owned());
        }
    }
    None
}

/// The value of a field, where it is a string, a number, a truth value or null: what an object says itself counts, and not what it
/// quotes of others below.
fn field(text: &str, name: &str) -> Option<String> {
    let key = format!("\"{name}\"");
    let places = objects(text).into_iter().rev().map(|it| own(text, it, &key)).find(|it| !it.is_empty());
    match places {
        // Who reads the object takes the last of two.
        Some(places) => value(text, *places.last()?),
        None => text.rmatch_indices(&key).find_map(|(at, _)| value(text, at + key.len())),
    }
}

/// The value behind a key that ends here.
fn value(text: &str, behind: usize) -> Option<String> {
    let value = text[behind..].trim_start().strip_prefix(':')?.trim_start();
    match value.strip_prefix('"') {
        Some(string) => unquoted(string),
        None => {
            let end = value.find([',', '}', ']']).or_else(|| value.find(char::is_whitespace)).unwrap_or(value.len());
            Some(value[..end].trim_end()).filter(|it| !it.is_empty() && !it.starts_with(['{', '['])).map(str::to_owned)
        }
    }
}

/// Where the objects of a text stand that are in no other; none from one on that does not end.
fn objects(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(start) = text[from..].find('{').map(|at| from + at) {
        let Some(end) = walk(text, start).find(|it| it.1 == 0).map(|it| it.0) else { break };
        found.push(start..end + 1);
        from = end + 1;
    }
    found
}

/// The ends of the keys of this name that an object has itself.
fn own(text: &str, object: Range<usize>, key: &str) -> Vec<usize> {
    let behind = |at: usize| text[at..].starts_with(key).then_some(at + key.len());
    let is_key = |end: &usize| text[*end..object.end].trim_start().starts_with(':');
    walk(&text[..object.end], object.start)
        .filter(|it| it.1 == 1)
        .filter_map(|it| behind(it.0))
        .filter(is_key)
        .collect()
}

/// Walks from the brace that begins an object: the places outside of its strings, and where one begins, with how many brackets are
/// open behind each.
fn walk(text: &str, start: usize) -> impl Iterator<Item = (usize, usize)> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    text[start..].char_indices().filter_map(move |(at, c)| {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            return None;
        }
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            '"' => quoted = true,
            _ => {}
        }
        Some((start + at, depth))
    })
}

/// A JSON string from after its opening mark to its closing one.
fn unquoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some(value),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                'b' | 'f' => value.push(' '),
                'u' => {
                    let code: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&code, 16).ok()?;
                    value.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

/// The letter that was chosen: alone, or the last after "answer", or the last in brackets, or the first before a bracket or point.
fn choice(text: &str, letters: &str) -> Option<String> {
    let chosen = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_uppercase();
        let mut chars = bare.chars();
        let (first, more) = (chars.next()?, chars.next());
        (more.is_none() && letters.to_uppercase().contains(first)).then(|| first.to_lowercase().to_string())
    };
    let words: Vec<_> = text.split_whitespace().collect();
    if let [only] = words[..] {
        return chosen(only);
    }
    let is_answer = |word: &str| bare(word) == "answer";
    let answer = words.iter().rposition(|it| is_answer(it));
    // "The answer is (B)": small words may stand between.
    let next = answer.map_or(&words[..0], |at| &words[at + 1..words.len().min(at + 1 + BETWEEN)]);
    let at = next.iter().position(|it| chosen(it).is_some() && !is_article(it));
    let before_it = answer.map_or(&words[..0], |at| &words[at.saturating_sub(BETWEEN)..at]);
    // "The answer is not A", "(A) is not the answer": what it is instead would be a guess.
    if next[..at.unwrap_or(next.len())].iter().any(|it| is_not(it))
        || at.is_none() && before_it.iter().any(|it| is_not(it))
    {
        return None;
    }
    let after = at.and_then(|at| chosen(next[at]));
    let bracket = || words.iter().rev().find(|it| it.contains(['(', '*', '['])).and_then(|it| chosen(it));
    let before = || words.first().filter(|it| it.ends_with([')', '.', ':'])).and_then(|it| chosen(it));
    after.or_else(bracket).or_else(before)
}

/// Words that may stand between "answer" and a letter.
const BETWEEN: usize = 3;

/// A word without the marks around it, in lower case.
fn bare(word: &str) -> String {
    word.to_lowercase().trim_matches(|c: char| !c.is_alphabetic()).replace('’', "'")
}

fn is_not(word: &str) -> bool {
    let word = bare(word);
    matches!(word.as_str(), "not" | "never" | "neither" | "nor" | "none" | "no" | "cannot") || word.ends_with("n't")
}

/// A small `a` between other words is an article and no choice.
fn is_article(word: &str) -> bool {
    word == "a"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_read_where_it_stands_last() {
        let field = || Read::Field("label".into());
        let letters = || Read::Choice("ABCD".into());
        for (text, how, answer) in [
            ("Spam", Read::Whole, Some("spam")),
            ("so \\boxed{3} no, \\boxed{\\frac{1}{2}}", Read::Boxed, Some("\\frac{1}{2}")),
            ("so \\boxed{4,000}", Read::Boxed, Some("4000")),
            ("no box", Read::Boxed, None),
            (r#"{"label": "ham"} or {"label" : "Spam \"x\""}"#, field(), Some("spam x")),
            (r#"{"label": 1.50, "p": 2}"#, field(), Some("1.5")),
            (r#"{"label": true}"#, field(), Some("true")),
            (r#"{"label": {"a": 1}}"#, field(), None),
            (r#"{"label": "\u00c4rger"}"#, field(), Some("ärger")),
            (r#"{"other": 1}"#, field(), None),
            (r#"{"label":"spam","alternatives":[{"label":"ham"}]}"#, field(), Some("spam")),
            (r#"{"alternatives":[{"label":"ham"}],"label":"spam"}"#, field(), Some("spam")),
            (r#"so: {"label":"spam","why":"{\"label\": \"ham\"} and }"} it is"#, field(), Some("spam")),
            (r#"{"label":"ham"} no, {"label":"spam","not":{"label":"ham"}}"#, field(), Some("spam")),
            (r#"{"label":"spam"} {"of":"label"}"#, field(), Some("spam")),
            (r#"{"label":"ham","label":"spam"}"#, field(), Some("spam")),
            (r#"{"result":{"label":"spam"}}"#, field(), Some("spam")),
            (r#"{"a: {"label":"spam"}"#, field(), Some("spam")),
            (r#"{"label":{"a":1},"of":[{"label":"ham"}]}"#, field(), None),
            ("B", letters(), Some("b")),
            ("(c).", letters(), Some("c")),
            ("The answer is (B), not A.", letters(), Some("b")),
            ("Answer: D", letters(), Some("d")),
            ("B) because it is larger", letters(), Some("b")),
            ("I think a bird, so **C**", letters(), Some("c")),
            ("E", letters(), None),
            ("The answer is not A; it is C", letters(), None),
            ("The answer isn’t (A).", letters(), None),
            ("The answer is neither A nor B", letters(), None),
            ("(A) is not the answer", letters(), None),
            ("It is not A. The answer is C", letters(), Some("c")),
            ("I am not sure, but the answer is C, not A", letters(), Some("c")),
            ("Not sure. My answer: B", letters(), Some("b")),
            ("none of these", letters(), None),
        ] {
            assert_eq!(read(text, &how).as_deref(), answer, "{text}");
        }
    }
}
