//! Read: the JSON that stands in what a model wrote, with the slips that models make.
//!
//! Accepted besides JSON: words and fences around it, comments, commas behind the last item, keys without quotes, single quotes,
//! line ends in texts, and `True`, `False` and `None`. Refused: an end that is missing, whatever stands whole before it or inside.

use serde_json::{Map, Value};

/// The deepest nesting.
const DEEPEST: usize = 64;
/// Places at which it may begin, and does not, that are tried.
const STARTS: usize = 64;

/// What was found, and what was mended for that.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) value: Value,
    pub(super) repairs: Vec<(&'static str, u64)>,
}

/// Finds all objects and lists that are whole and in no other, in order: none where one has no end.
///
/// One with nothing in it is none, where anything but a fence stands around it: words about `{}` are no answer.
pub(super) fn find(text: &str) -> Vec<Found> {
    let (mut found, mut from, mut failed) = (Vec::new(), 0, 0);
    while let Some(start) = text[from..].find(['{', '[']).map(|at| from + at) {
        let mut reader = Reader { rest: &text[start..], slips: 0, twice: 0 };
        match reader.value(0) {
            Some(value) => {
                let end = text.len() - reader.rest.len();
                let around = (text[..start].trim(), text[end..].trim());
                if !is_empty(&value) || is_fence(around.0) && is_fence(around.1) {
                    found.push(reader.found(value, around));
                }
                from = end;
            }
            // It was cut off, or is more than would be looked at.
            None if reader.rest.is_empty() || failed == STARTS => return Vec::new(),
            None => (from, failed) = (start + 1, failed + 1),
        }
    }
    found
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// Says whether nothing stands there but what models put around code.
fn is_fence(text: &str) -> bool {
    let word = text.trim_matches('`').trim();
    word.is_empty() || word.eq_ignore_ascii_case("json")
}

struct Reader<'a> {
    rest: &'a str,
    slips: u64,
    /// Keys that stand twice in one object; the last counts, as for everybody who reads JSON.
    twice: u64,
}

impl<'a> Reader<'a> {
    fn found(&self, value: Value, around: (&str, &str)) -> Found {
        let around = !around.0.is_empty() || !around.1.is_empty();
        let repairs = [("around", u64::from(around)), ("syntax", self.slips), ("twice", self.twice)];
        Found { value, repairs: repairs.into_iter().filter(|it| it.1 > 0).collect() }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.space()?;
        match self.rest.chars().next()? {
            // Not cut off: too deep.
            _ if depth > DEEPEST => None,
            '{' => self.object(depth),
            '[' => self.list(depth),
            quote @ ('"' | '\'') => self.string(quote).map(Value::String),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.rest = &self.rest[1..];
        let mut map = Map::new();
        loop {
            self.space()?;
            let key = match self.rest.chars().next()? {
                '}' => {
                    self.rest = &self.rest[1..];
                    return Some(Value::Object(map));
                }
                quote @ ('"' | '\'') => self.string(quote)?,
                _ => self.bare_key()?,
            };
            self.space()?;
            self.rest = self.rest.strip_prefix(':')?;
            let value = self.value(depth + 1)?;
            self.twice += u64::from(map.insert(key, value).is_some());
            self.comma('}')?;
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        self.rest = &self.rest[1..];
        let mut items = Vec::new();
        loop {
            self.space()?;
            if let Some(rest) = self.rest.strip_prefix(']') {
                self.rest = rest;
                return Some(Value::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.comma(']')?;
        }
    }

    /// Reads the comma between two items, or sees the end.
    fn comma(&mut self, end: char) -> Option<()> {
        self.space()?;
        if self.rest.starts_with(end) {
            return Some(());
        }
        self.rest = self.rest.strip_prefix(',')?;
        self.space()?;
        self.slips += u64::from(self.rest.starts_with(end));
        Some(())
    }

    fn bare_key(&mut self) -> Option<String> {
        let name = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '$';
        let end = self.rest.find(|c: char| !name(c)).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at(end);
        (self.rest, self.slips) = (rest, self.slips + 1);
        Some(key.to_owned()).filter(|key| !key.is_empty())
    }

    fn string(&mut self, quote: char) -> Option<String> {
        self.slips += u64::from(quote == '\'');
        let (mut json, mut escaped) = (String::from('"'), false);
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                '\'' if escaped => {
                    // JSON knows no such escape.
                    json.pop();
                    json.push(c);
                    escaped = false;
                    continue;
                }
                _ if escaped => json.push(c),
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    json.push('"');
                    return serde_json::from_str(&json).ok();
                }
                '"' => json.push_str("\\\""),
                '\n' | '\r' | '\t' => {
                    self.slips += 1;
                    json.push_str(match c {
                        '\n' => "\\n",
                        '\r' => "\\r",
                        _ => "\\t",
                    });
                }
                c => json.push(c),
            }
            escaped = c == '\\' && !escaped;
        }
        self.rest = "";
        None
    }

    /// Reads a number, or what stands for true, false and nothing.
    fn word(&mut self) -> Option<Value> {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let end = self.rest.find(|c: char| !part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        let python = match word {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            _ => None,
        };
        self.slips += u64::from(python.is_some());
        python.or_else(|| serde_json::from_str(word).ok())
    }

    /// Passes over blanks and comments.
    fn space(&mut self) -> Option<()> {
        loop {
            self.rest = self.rest.trim_start();
            let comment = match self.rest {
                it if it.starts_with("//") => it.find('\n').unwrap_or(it.len()),
                it if it.starts_with("/*") => it.find("*/").map_or(it.len(), |at| at + 2),
                _ => return Some(()),
            };
            (self.rest, self.slips) = (&self.rest[comment..], self.slips + 1);
        }
    }
}
