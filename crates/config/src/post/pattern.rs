//! Pattern: where a text says what it should not, and what stands there in its place.
//!
//! The one place that knows the library of regular expressions. It is asked two things: where a match is, and whether what
//! stands at the end of an unfinished text may still become one. The second is why the library is used by its parts.
//!
//! # Invariants
//! - `PAT-1`: searching is linear in the text: no pattern makes it slow (the library has no backtracking).
//! - `PAT-2`: a pattern and what is built of it are bounded in size.

use std::{fmt, ops::Range};

use regex_automata::{
    Anchored, Input,
    hybrid::dfa::{Cache, DFA},
    meta,
    util::{pool::Pool, syntax},
};
use regex_syntax::hir::Hir;

use super::personal::Check;

/// The longest pattern, in bytes.
const MOST: usize = 1 << 10;
/// Bytes that a pattern may become.
const SIZE: usize = 1 << 20;
/// Bytes that the memory of one search of the end of a text may have.
const CACHE: usize = 256 << 10;
/// The longest match that is waited for at the end of a text, in bytes.
const LONGEST: usize = 4 << 10;

/// Caches, of which each search at a time has one.
type Caches = Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync>>;

/// A pattern, and what stands in place of what it finds.
pub(crate) struct Pattern {
    source: String,
    regex: meta::Regex,
    /// Says whether an end may still become a match; none where that cannot be said cheaply.
    ahead: Option<(DFA, Caches)>,
    /// Bytes of its longest match; none where there is no such bound.
    longest: Option<usize>,
    check: Check,
    with: String,
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// The position of the character where it begins to be wrong.
    pub(crate) at: usize,
    /// Why.
    pub(crate) message: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is no regular expression, too large, or finds nothing at all, which is everywhere.
    pub(crate) fn new(source: &str, check: Check, with: String) -> Result<Self, Unusable> {
        let unusable = |message: String| Unusable { at: 0, message };
        if source.len() > MOST {
            return Err(unusable(format!("the pattern has {} bytes, more than {MOST}", source.len())));
        }
        let hir = parse(source)?;
        if hir.properties().minimum_len() == Some(0) {
            return Err(unusable("the pattern finds the empty text, which is everywhere".into()));
        }
        let config = meta::Regex::config().nfa_size_limit(Some(SIZE)).hybrid_cache_capacity(CACHE);
        let regex = meta::Builder::new().configure(config).build_from_hir(&hir);
        let regex = regex.map_err(|_| unusable("the pattern becomes too large".into()))?;
        let longest = hir.properties().maximum_len().filter(|longest| *longest <= LONGEST);
        Ok(Self { source: source.into(), regex, ahead: ahead(source), longest, check, with })
    }

    /// Reads a pattern of a user, whose name stands in for what it finds.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn own(name: &str, source: &str) -> Result<Self, Unusable> {
        Self::new(source, Check::None, format!("[{name}]"))
    }

    /// Says whether no match is longer than what may be held back of a stream.
    pub(crate) fn is_bounded(&self) -> bool {
        self.longest.is_some()
    }

    /// Returns where it is found first from a position on, with its check digits right.
    fn find(&self, text: &str, mut from: usize, before: usize) -> Option<Range<usize>> {
        while from < before {
            let found = self.regex.search(&Input::new(text).span(from..text.len()))?;
            if found.start() >= before {
                return None;
            }
            match self.check.accepts(&text[found.range()]) {
                Some(length) => return Some(found.start()..found.start() + length),
                None => from = found.start() + text[found.start()..].chars().next().map_or(1, char::len_utf8),
            }
        }
        None
    }

    /// Returns the position from which on the end of a text may still become a match, or the beginning of one that is longer.
    fn undecided(&self, text: &str, from: usize) -> usize {
        let Some(longest) = self.longest else { return from };
        // A match of this length that ends here has shown itself with one byte more.
        let first = from.max(text.len().saturating_sub(longest + 1));
        let mut starts = (first..text.len()).filter(|at| text.is_char_boundary(*at));
        let Some((dfa, caches)) = &self.ahead else { return starts.next().unwrap_or(text.len()) };
        let mut cache = caches.get();
        starts.find(|at| may_become(dfa, &mut cache, text, *at)).unwrap_or(text.len())
    }
}

/// Says whether what stands from here to the end may become a match.
fn may_become(dfa: &DFA, cache: &mut Cache, text: &str, at: usize) -> bool {
    let input = Input::new(text).span(at..text.len()).anchored(Anchored::Yes);
    let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return true };
    for byte in &text.as_bytes()[at..] {
        match dfa.next_state(cache, state, *byte) {
            Ok(next) if next.is_dead() => return false,
            Ok(next) if !next.is_quit() => state = next,
            // It cannot say, so it may.
            _ => return true,
        }
    }
    true
}

/// Builds what looks ahead.
fn ahead(source: &str) -> Option<(DFA, Caches)> {
    let config = DFA::config().unicode_word_boundary(true).cache_capacity(CACHE).skip_cache_capacity_check(true);
    let dfa = DFA::builder().configure(config).build(source).ok()?;
    let made = dfa.clone();
    let make: Box<dyn Fn() -> Cache + Send + Sync> = Box::new(move || made.create_cache());
    Some((dfa, Pool::new(make)))
}

/// Reads a regular expression.
fn parse(source: &str) -> Result<Hir, Unusable> {
    syntax::parse(source).map_err(|error| {
        let (at, message) = match &error {
            regex_syntax::Error::Parse(it) => (it.span().start.offset, it.kind().to_string()),
            regex_syntax::Error::Translate(it) => (it.span().start.offset, it.kind().to_string()),
            other => (0, other.to_string()),
        };
        let at = source.char_indices().take_while(|(place, _)| *place < at).count();
        Unusable { at, message: format!("no regular expression: {message}") }
    })
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).field(&self.with).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.check, &self.with) == (&other.source, other.check, &other.with)
    }
}

/// How far a text has come in which a pattern is looked for.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// What is not decided yet, behind the last character that is.
    held: String,
    /// Where that begins.
    from: usize,
}

impl Finding {
    /// Takes a piece; returns what is decided of the text, and how often the pattern was found in that.
    pub(super) fn push(&mut self, pattern: &Pattern, piece: &str) -> (String, u64) {
        self.held.push_str(piece);
        let before = pattern.undecided(&self.held, self.from);
        self.decide(pattern, before)
    }

    /// Returns the rest of the text.
    pub(super) fn end(&mut self, pattern: &Pattern) -> (String, u64) {
        self.decide(pattern, self.held.len())
    }

    /// Decides all matches that begin before a position, and all text before them.
    fn decide(&mut self, pattern: &Pattern, before: usize) -> (String, u64) {
        let (mut out, mut at, mut times) = (String::new(), self.from, 0);
        while let Some(found) = pattern.find(&self.held, at, before) {
            out.push_str(&self.held[at..found.start]);
            out.push_str(&pattern.with);
            (at, times) = (found.end, times + 1);
        }
        let end = before.max(at);
        out.push_str(&self.held[at..end]);
        // What stands before says whether a word begins here.
        let context = self.held[..end].chars().next_back().map_or(0, char::len_utf8);
        self.held.drain(..end - context);
        self.from = context;
        (out, times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(source: &str) -> Pattern {
        Pattern::new(source, Check::None, "#".into()).expect("it is one")
    }

    #[test]
    fn only_an_end_that_may_become_a_match_is_held_back() {
        let check = |source: &str, pieces: &[&str], expected: &[&str]| {
            let (pattern, mut finding) = (pattern(source), Finding::default());
            let mut told: Vec<_> = pieces.iter().map(|piece| finding.push(&pattern, piece).0).collect();
            told.push(finding.end(&pattern).0);
            assert_eq!(told, expected, "{source}");
        };
        check("ab{2,4}c", &["xa", "b", "b", "c", "d"], &["x", "", "", "", "", "#d"]);
        check("ab{2,4}c", &["xab", "d a"], &["x", "abd ", "a"]);
        check(r"\bcat\b", &["the cat", "s and cat", "."], &["the ", "cats and ", "", "#."]);
        check(r"\bcat\b", &["bob", "cat "], &["bob", "cat ", ""]);
        check(r"é{3}", &["xéé", "é"], &["x", "", "#"]);
        check(r"a\d+", &["xa1 ", "y"], &["", "", "x# y"]);
    }

    #[test]
    fn pat_2_what_is_no_pattern_or_finds_nothing_is_refused_with_its_place() {
        let refused = |source: &str| Pattern::new(source, Check::None, String::new()).expect_err("it is none");
        assert_eq!(refused("äö(b"), Unusable { at: 2, message: "no regular expression: unclosed group".into() });
        assert_eq!(refused("a*").message, "the pattern finds the empty text, which is everywhere");
        assert!(refused(&"a".repeat(2000)).message.contains("2000 bytes"));
        assert!(refused(r"(\w{1,100}){1,1000}").message.contains("too large"));
        assert!(!pattern("a+b").is_bounded() && pattern("a{1,9}b").is_bounded());
    }
}
