//! Wording: what two questions must have in common to be the same question in other words, where embeddings do not see it (F-147).
//!
//! Embeddings put "how do I open port 80" beside "how do I open port 81", and "can I" beside "can I not". So the words that carry
//! such a difference are compared as they stand: numbers, names and identifiers, what stands in quotation marks, and words that
//! turn a question round. And embeddings hardly see who does what to whom: "can a tenant evict a landlord" lies beside "can a landlord
//! evict a tenant", so what both say must be said in the same order.
//!
//! # Invariants
//! - `WORD-1`: a word of one that tells stands in the other, as often, and all that tell stand in the same order.
//! - `WORD-2`: it is the same rule from either side.
//! - `WORD-3`: words that stand in both, as often, stand in the same order ([`order`]).
//!
//! # When it misleads
//! A name that is written small in both is not seen ("in paris", "in london"), nor one at the head of a sentence, nor a word for "not" of
//! a language that is not listed. A word that begins with a capital for another reason, as each noun does in German, must be the same, and
//! who only turns two halves of a sentence round ("how do I log in when I forgot it") is taken to ask something else: that costs an
//! earlier answer, and no more. Of languages that are written without spaces the order of words is not seen.
//!
//! # Source
//! Own design.

mod order;

use std::{collections::BTreeSet, sync::LazyLock};

use self::order::{Place, same_order};

/// Words that turn a question round, in lower case: "not" in seven languages, numbers in words, and of pairs of opposites that take
/// each other's place in a question the one that is said less often: where it stands in one, it must stand in the other.
const TURNS: [&str; 3] = [
    "\
    not no never none nothing nobody neither nor without except unless nicht kein keine keinen keinem keiner nie \
    niemals ohne außer ne pas jamais sans sauf aucun aucune nunca sin ningún ninguna non mai senza nessun nessuna não \
    sem nenhum niet geen nooit zonder",
    "\
    zero two three four five six seven eight nine ten eleven twelve twenty thirty fifty hundred thousand million half \
    twice first second third last zwei drei vier fünf sechs sieben acht neun zehn deux trois dos tres",
    "\
    from off out down before under above below less fewer least minimum min lowest smallest smaller shortest shorter \
    decrease reduce lower disable disabled deny forbid forbidden add create close stop uninstall export upload decrypt \
    unlock hide exclude sell receive lose false always only old oldest newest today tomorrow yesterday vor aus weniger \
    mindestens immer nur heute morgen gestern avant moins antes menos",
];

/// The same, one by one.
static TURNING: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| TURNS.iter().flat_map(|all| all.split_whitespace()).collect());

/// Pairs of quotation marks. What an apostrophe opens, and one closes, counts where it stands between words.
const QUOTES: [(char, char); 9] =
    [('"', '"'), ('`', '`'), ('“', '”'), ('„', '“'), ('«', '»'), ('»', '«'), ('‘', '’'), ('「', '」'), ('\'', '\'')];

/// A word, as it is compared, and whether it tells by how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    tells: bool,
    /// It is one that turns a question round.
    turns: bool,
    /// It says whose something is: "France's".
    owns: bool,
}

/// The words of a text, to be compared with those of others.
#[derive(Clone, Debug)]
pub struct Wording {
    words: Vec<Word>,
    places: Vec<Place>,
}

impl Wording {
    /// Reads a text.
    pub fn of(text: &str) -> Self {
        let words = words(text);
        let places = order::places(&words);
        Self { words, places }
    }

    /// Says whether two texts differ in a word that tells (WORD-1), or in the order of what both say (WORD-3).
    pub fn differs(&self, other: &Self) -> bool {
        let tell: BTreeSet<&str> =
            self.words.iter().chain(&other.words).filter(|word| word.tells).map(|word| word.text.as_str()).collect();
        let telling = |of: &Self| -> Vec<String> {
            of.words.iter().filter(|word| tell.contains(word.text.as_str())).map(|word| word.text.clone()).collect()
        };
        telling(self) != telling(other) || !same_order(&self.places, &other.places)
    }
}

/// Says whether two questions differ: see [`Wording::differs`].
pub fn differs(one: &str, other: &str) -> bool {
    Wording::of(one).differs(&Wording::of(other))
}

/// Takes a text apart; what stands in quotation marks is one word.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let (mut rest, mut begins) = (text, true);
    while let Some(first) = rest.chars().next() {
        if let Some((quoted, after)) = quoted(rest, text.len() - rest.len(), text) {
            words.push(Word::plain(squeezed(quoted), true));
            (rest, begins) = (after, false);
        } else if first.is_alphanumeric() || is_mark(first) {
            let end =
                rest.find(|it: char| !(it.is_alphanumeric() || is_mark(it) || is_apostrophe(it))).unwrap_or(rest.len());
            let (token, after) = rest.split_at(end);
            push(&mut words, token, begins);
            begins = token.ends_with(['.', '?', '!', ':']);
            rest = after;
        } else {
            begins |= matches!(first, '?' | '!' | '\n' | '。' | '？' | '！');
            rest = &rest[first.len_utf8()..];
        }
    }
    words
}

/// Says whether a character stands inside numbers, identifiers, paths and versions.
fn is_mark(it: char) -> bool {
    "_-.,/\\:@#$%&+*=~^|<>°€£§".contains(it)
}

fn is_apostrophe(it: char) -> bool {
    matches!(it, '\'' | '’')
}

/// Returns what is quoted where a text begins with a quotation mark, and what comes after it.
fn quoted<'a>(rest: &'a str, at: usize, text: &str) -> Option<(&'a str, &'a str)> {
    let first = rest.chars().next()?;
    let inside = &rest[first.len_utf8()..];
    let closes = QUOTES.iter().filter(|(open, _)| *open == first).filter_map(|(open, close)| {
        // Of an apostrophe both ends stand at the edge of a word; of the others any.
        let edge = |end: usize| !inside[end + close.len_utf8()..].starts_with(char::is_alphanumeric);
        let begins = !text[..at].ends_with(char::is_alphanumeric);
        match is_apostrophe(*open) || *open == '‘' {
            true if begins => inside.match_indices(*close).map(|it| it.0).find(|end| edge(*end)),
            true => None,
            false => inside.find(*close),
        }
        .map(|end| (end, close.len_utf8()))
    });
    let (end, width) = closes.min()?;
    (!inside[..end].trim().is_empty()).then(|| (&inside[..end], &inside[end + width..]))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Adds a word, and its "not" where that is written with it.
fn push(words: &mut Vec<Word>, token: &str, begins: bool) {
    let token = token.trim_matches(|it: char| ".,:;".contains(it));
    let of_many = token.ends_with("s'") || token.ends_with("s’");
    let token = token.trim_matches(|it: char| ".,:;".contains(it) || is_apostrophe(it));
    let token = token.trim_end_matches(['-', '*', '_']);
    if token.is_empty() {
        return;
    }
    let folded = token.to_lowercase().replace('’', "'");
    if let Some(stem) = folded.strip_suffix("n't") {
        // "won't", "can't": the word itself is as good as another, its "not" is not.
        let stem = match stem {
            "wo" => "will",
            "ca" => "can",
            stem => stem,
        };
        words.extend([Word::plain(stem.into(), false), Word::not()]);
        return;
    }
    if folded == "cannot" {
        words.extend([Word::plain("can".into(), false), Word::not()]);
        return;
    }
    // What belongs to somebody is named after them.
    let (text, owns) = match folded.strip_suffix("'s") {
        Some(owner) => (owner.to_owned(), true),
        None => (folded, of_many),
    };
    let turns = TURNING.contains(text.as_str());
    words.push(Word { tells: turns || is_telling(token, begins), turns, owns, text });
}

impl Word {
    fn plain(text: String, tells: bool) -> Self {
        Self { text, tells, turns: false, owns: false }
    }

    fn not() -> Self {
        Self { turns: true, ..Self::plain("not".into(), true) }
    }
}

/// Says whether a word tells by how it is written: with a digit or a mark in it, with a capital inside, or with one at its head where no
/// sentence begins.
fn is_telling(token: &str, begins: bool) -> bool {
    let mut characters = token.chars();
    let capital = characters.next().is_some_and(char::is_uppercase);
    let inside = token.chars().skip(1).any(char::is_uppercase);
    // A hyphen between letters is a matter of taste, one at the head is an option.
    let marked = token.starts_with('-') || token.chars().any(|it| it.is_numeric() || is_mark(it) && it != '-');
    marked || inside || capital && !begins && token.chars().count() > 1
}

#[cfg(test)]
mod tests;
