//! Read: where in a text the answer stands. Models reason first and answer last, so the last place counts.

use super::canonical;

/// Where the answer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The whole text is the answer.
    Whole,
    /// In the last `\boxed{…}`.
    Boxed,
    /// In the last JSON field of this name.
    Field(String),
    /// One letter of these, such as `ABCD`: alone, in brackets, before a bracket or point, or after "answer".
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

/// The value of the last field of this name, where it is a string, a number, a truth value or null.
fn field(text: &str, name: &str) -> Option<String> {
    let key = format!("\"{name}\"");
    text.rmatch_indices(&key).find_map(|(at, _)| {
        let value = text[at + key.len()..].trim_start().strip_prefix(':')?.trim_start();
        match value.strip_prefix('"') {
            Some(string) => unquoted(string),
            None => {
                let end =
                    value.find([',', '}', ']']).or_else(|| value.find(char::is_whitespace)).unwrap_or(value.len());
                Some(value[..end].trim_end())
                    .filter(|it| !it.is_empty() && !it.starts_with(['{', '[']))
                    .map(str::to_owned)
            }
        }
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
    let is_answer = |word: &str| word.to_lowercase().trim_matches(|c: char| !c.is_alphabetic()) == "answer";
    let after = words.iter().rposition(|it| is_answer(it)).and_then(|at| {
        // "The answer is (B)": small words may stand between.
        words[at + 1..].iter().take(3).find_map(|it| chosen(it).filter(|_| !is_article(it)))
    });
    let bracket = || words.iter().rev().find(|it| it.contains(['(', '*', '['])).and_then(|it| chosen(it));
    let before = || words.first().filter(|it| it.ends_with([')', '.', ':'])).and_then(|it| chosen(it));
    after.or_else(bracket).or_else(before)
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
            ("B", letters(), Some("b")),
            ("(c).", letters(), Some("c")),
            ("The answer is (B), not A.", letters(), Some("b")),
            ("Answer: D", letters(), Some("d")),
            ("B) because it is larger", letters(), Some("b")),
            ("I think a bird, so **C**", letters(), Some("c")),
            ("E", letters(), None),
            ("none of these", letters(), None),
        ] {
            assert_eq!(read(text, &how).as_deref(), answer, "{text}");
        }
    }
}
