//! Read: the documents of a folder, and why each of the others is none.
//!
//! Files that end in `.md`, `.markdown`, `.html`, `.htm`, `.txt` are a document each, with `id`, `title`, `verified_at`,
//! `expires_at`, `source`, `language` and a list of `questions` at their head (Markdown, text) or in `meta` elements (HTML, each question
//! one named `question`); `.jsonl` files have one a line, with the same keys and `body`. A file `defaults.json` says what holds for the
//! documents of its folder, and of those below, that do not say it themselves: any of `verified_at`, `expires_at`, `source`, `language`.
//! Where it cannot be read nobody knows how long they hold: none of them is a document.
//!
//! # Invariants
//! - `RET-4`: every file is read, or named with the reason why not.
//! - Files come in the order of their paths, so that of two documents with the same id it is always the second that is left out.

mod all;
mod front;
mod html;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    document::{Document, MOST_QUESTION, MOST_QUESTIONS, moment},
    language::Language,
};

/// The largest file of one document.
const MAX_FILE: u64 = 4 << 20;
/// The largest line of a `.jsonl` file.
const MAX_LINE: usize = 4 << 20;
/// How deep folders may stand in each other.
const MAX_DEPTH: usize = 32;
const DEFAULTS: &str = "defaults.json";
const QUESTIONS: &str = "questions";

/// A folder to read.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// What documents are written in that do not say it.
    pub language: Language,
}

/// A file, or a line of one, that is no document, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where: a path within the folder, with `:` and the line in a file of lines.
    pub place: String,
    /// The reason.
    pub why: Why,
}

/// Why something was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Its name ends in something else.
    #[error("it is no kind of file that is read")]
    Kind,
    /// Nobody says when it was verified.
    #[error("it says no `verified_at`, nor does a `{DEFAULTS}`")]
    Unverified,
    /// It says nothing.
    #[error("it has no text")]
    Empty,
    /// Another document has its id.
    #[error("its id `{id}` is that of {other}")]
    Twice {
        /// The id.
        id: String,
        /// Where the other document is.
        other: String,
    },
    /// It says something that is nearly a key: what was meant would not hold.
    #[error("its `{0}` means nothing: it is `verified_at` or `expires_at`")]
    Key(String),
    /// It says a moment that is none.
    #[error("its `{key}` is `{value}`, which is neither a day (2026-01-31) nor a time with its zone")]
    Moment {
        /// Of what.
        key: &'static str,
        /// What it says.
        value: String,
    },
    /// It says questions that are no list, or too many of them.
    #[error("its `{QUESTIONS}` are a list of lines, {MOST_QUESTIONS} at most of {MOST_QUESTION} bytes each: {0}")]
    Questions(String),
    /// It is too large.
    #[error("it has more than {} MiB", MAX_FILE >> 20)]
    Large,
    /// It is not text, from this byte on.
    #[error("it is not UTF-8 from byte {0}")]
    Encoding(usize),
    /// The system does not let us read it.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Its line, or its `defaults.json`, is not what it should be.
    #[error("it is not what a document is: {0}")]
    Malformed(String),
    /// What would say how long it holds cannot be read.
    #[error("`{0}` is wrong, so that nobody knows how long it holds")]
    Below(String),
}

impl Why {
    /// Says whether somebody has to mend it; a draft and a picture are as they are.
    pub fn is_wrong(&self) -> bool {
        !matches!(self, Self::Kind | Self::Unverified | Self::Empty)
    }
}

/// What a document says of itself, all of it optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct About {
    id: Option<String>,
    title: Option<String>,
    questions: Vec<String>,
    body: Option<String>,
    verified_at: Option<String>,
    expires_at: Option<String>,
    source: Option<String>,
    language: Option<String>,
    /// What else it says.
    #[serde(flatten)]
    more: BTreeMap<String, serde_json::Value>,
}

impl About {
    fn of(mut said: BTreeMap<String, String>) -> Self {
        let mut take = |key: &str| said.remove(key).filter(|it| !it.is_empty());
        let about = Self {
            id: take("id"),
            title: take("title"),
            questions: Vec::new(),
            body: None,
            verified_at: take("verified_at"),
            expires_at: take("expires_at"),
            source: take("source"),
            language: take("language"),
            more: BTreeMap::new(),
        };
        let more = said.into_iter().map(|(key, value)| (key, value.into()));
        Self { more: more.collect(), ..about }
    }

    /// Returns a key that would say how long it holds if it were written as it should be.
    fn slip(&self) -> Option<&str> {
        let is_slip = |key: &&String| {
            let key = key.to_ascii_lowercase();
            key.starts_with("verif") || key.starts_with("expir")
        };
        self.more.keys().find(is_slip).map(String::as_str)
    }

    /// Fills in what is not said.
    fn or(self, other: &Self) -> Self {
        let or = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        Self {
            verified_at: or(self.verified_at, &other.verified_at),
            expires_at: or(self.expires_at, &other.expires_at),
            source: or(self.source, &other.source),
            language: or(self.language, &other.language),
            ..self
        }
    }

    /// Makes the document; `place` says what it is called where nothing does.
    fn document(self, place: &str) -> Result<Document, Why> {
        if let Some(key) = self.slip() {
            return Err(Why::Key(key.to_owned()));
        }
        let body = self.body.unwrap_or_default().trim().to_owned();
        if body.is_empty() {
            return Err(Why::Empty);
        }
        let at = |key, text: Option<String>| match text {
            Some(text) => moment(&text).map(Some).ok_or(Why::Moment { key, value: text }),
            None => Ok(None),
        };
        let verified_at = at("verified_at", self.verified_at)?.ok_or(Why::Unverified)?;
        let questions = questions(&self.questions)?;
        Ok(Document {
            id: self.id.unwrap_or_else(|| place.to_owned()),
            title: one_line(&self.title.or_else(|| heading(&body)).unwrap_or_else(|| place.to_owned())),
            questions,
            verified_at,
            expires_at: at("expires_at", self.expires_at)?,
            source: self.source.unwrap_or_else(|| place.to_owned()),
            language: Language::of(&self.language.unwrap_or_default()),
            body,
        })
    }
}

/// Returns the first heading of a text, or its first line.
fn heading(body: &str) -> Option<String> {
    let mut lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.clone().next()?;
    let heading = lines.find_map(|line| line.strip_prefix("# ")).unwrap_or(first);
    Some(heading.trim_start_matches('#').trim().chars().take(200).collect())
}

/// Makes lines of questions; those that say nothing are left out.
fn questions(said: &[String]) -> Result<Vec<String>, Why> {
    let lines: Vec<_> = said.iter().map(|it| one_line(it)).filter(|it| !it.is_empty()).collect();
    if lines.len() > MOST_QUESTIONS {
        return Err(Why::Questions(format!("it has {}", lines.len())));
    }
    match lines.iter().find(|it| it.len() > MOST_QUESTION) {
        Some(long) => Err(Why::Questions(format!("one has {}", long.len()))),
        None => Ok(lines),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file of the folder.
#[derive(Debug)]
pub(crate) struct Found {
    path: PathBuf,
    /// Within the folder, with slashes.
    place: String,
    /// What holds where it says nothing, or why that is not known.
    about: Result<About, Why>,
}

impl Folder {
    /// Lists the files, in the order of their paths.
    pub(crate) fn list(&self) -> (Vec<Found>, Vec<Left>) {
        let (mut found, mut left) = (Vec::new(), Vec::new());
        let about = About { language: Some(self.language.code().to_owned()), ..About::default() };
        walk(&self.path, "", &Ok(about), &mut (&mut found, &mut left));
        (found, left)
    }
}

fn walk(path: &Path, place: &str, about: &Result<About, Why>, into: &mut (&mut Vec<Found>, &mut Vec<Left>)) {
    let unreadable = |place: &str, error: &dyn std::fmt::Display| Left {
        place: if place.is_empty() { ".".into() } else { place.into() },
        why: Why::Unreadable(error.to_string()),
    };
    if place.matches('/').count() > MAX_DEPTH {
        return into.1.push(unreadable(place, &"folders stand too deep in each other"));
    }
    let entries = match fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return into.1.push(unreadable(place, &error)),
    };
    let mut names: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut about = about.clone();
    if names.iter().any(|name| name == DEFAULTS) {
        match defaults(&path.join(DEFAULTS)) {
            Ok(own) => about = about.map(|about| own.or(&about)),
            Err(why) => {
                let place = format!("{place}{DEFAULTS}");
                about = Err(Why::Below(place.clone()));
                into.1.push(Left { place, why });
            }
        }
    }
    for name in names.into_iter().filter(|name| name != DEFAULTS && !name.starts_with('.')) {
        let (path, place) = (path.join(&name), format!("{place}{name}"));
        let is_link = fs::symlink_metadata(&path).is_ok_and(|it| it.is_symlink());
        match fs::metadata(&path) {
            // It may lead back to where we are, or out of the folder.
            Ok(it) if it.is_dir() && is_link => into.1.push(unreadable(&place, &"a link to a folder is not followed")),
            Ok(it) if it.is_dir() => walk(&path, &format!("{place}/"), &about, into),
            Ok(_) => into.0.push(Found { path, place, about: about.clone() }),
            Err(error) => into.1.push(unreadable(&place, &error)),
        }
    }
}

fn defaults(path: &Path) -> Result<About, Why> {
    let about: About = serde_json::from_str(&text(path)?).map_err(|error| Why::Malformed(error.to_string()))?;
    match about.slip() {
        Some(key) => Err(Why::Key(key.to_owned())),
        None => Ok(about),
    }
}

fn text(path: &Path) -> Result<String, Why> {
    let unreadable = |error: std::io::Error| Why::Unreadable(error.to_string());
    let file = fs::File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Why::Unreadable("it is not a file".into()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Why::Large);
    }
    String::from_utf8(bytes).map_err(|error| Why::Encoding(error.utf8_error().valid_up_to()))
}

impl Found {
    /// Reads its documents, each with its place.
    pub(crate) fn read(&self, mut each: impl FnMut(&str, Result<Document, Why>)) {
        let (stem, ending) = self.place.rsplit_once('.').unwrap_or((&self.place, ""));
        let about = match ending.to_ascii_lowercase().as_str() {
            "md" | "markdown" | "txt" => text(&self.path).and_then(|text| {
                let (mut head, body) = front::split(&text);
                let questions = head.lists.remove(QUESTIONS).unwrap_or_default();
                match head.said.remove(QUESTIONS).filter(|it| !it.is_empty()) {
                    Some(line) => Err(Why::Questions(format!("`{line}` is none, write each below it after `- `"))),
                    None => Ok(About { questions, body: Some(body.to_owned()), ..About::of(head.said) }),
                }
            }),
            "html" | "htm" => text(&self.path).map(|text| {
                let page = html::page(&text);
                let said = About::of(page.meta);
                let titled = Some(page.title).filter(|it| !it.is_empty());
                About {
                    questions: page.questions,
                    body: Some(page.text),
                    title: said.title.or(titled),
                    language: said.language.or(page.language),
                    ..About { title: None, language: None, ..said }
                }
            }),
            "jsonl" | "ndjson" => return self.lines(each),
            _ => Err(Why::Kind),
        };
        each(&self.place, about.and_then(|about| about.or(self.about.as_ref().map_err(Why::clone)?).document(stem)));
    }

    fn lines(&self, mut each: impl FnMut(&str, Result<Document, Why>)) {
        let whole = |error: std::io::Error| Err(Why::Unreadable(error.to_string()));
        let about = match &self.about {
            Ok(about) => about,
            Err(why) => return each(&self.place, Err(why.clone())),
        };
        let mut file = match fs::File::open(&self.path) {
            Ok(file) => std::io::BufReader::new(file),
            Err(error) => return each(&self.place, whole(error)),
        };
        for at in 1.. {
            let (mut line, place) = (Vec::new(), format!("{}:{at}", self.place));
            match file.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(read) if read > MAX_LINE && !line.ends_with(b"\n") => {
                    each(&place, Err(Why::Large));
                    // What is behind it is read as ever.
                    match file.skip_until(b'\n') {
                        Ok(_) => continue,
                        Err(error) => return each(&place, whole(error)),
                    }
                }
                Ok(_) => {}
                Err(error) => return each(&place, whole(error)),
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let read = serde_json::from_slice::<About>(&line).map_err(|error| Why::Malformed(error.to_string()));
            each(&place, read.and_then(|read| read.or(about).document(&place)));
        }
    }
}

#[cfg(test)]
mod tests;
