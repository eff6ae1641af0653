//! Markup: a text without what begins a tag of HTML, however it is nested, cut or spoilt.
//!
//! Dropped is what stands from a `<` that a letter, `/`, `!` or `?` follows to the `>` outside of the quotes of a value; of a comment, to
//! its end. What stands between two tags stays, and so does an address or a link in angle brackets, without these.
//!
//! # Invariants
//! - `MARKUP-1`: in what comes out no `<` stands before a letter, `/`, `!` or `?`, also where what was dropped stood between them.
//! - `MARKUP-2`: what is held back is 4 KiB of a tag, and 256 of `<`.
//!
//! # When it misleads
//! "a <b" is the beginning of a tag for every browser, so the `<` goes: also the text behind it up to a `>`, where one comes within 4 KiB
//! and no other tag begins before it. What is not closed by then stays, without any `<` in it; a comment, or a value in quotes, is
//! dropped to its end, as browsers do.
//!
//! # Source
//! The tokenizer of HTML (WHATWG, 13.2.5), whose tags are a part of what is dropped here.

/// The longest beginning of a tag that is held back, in bytes.
const LONGEST: usize = 4 << 10;
/// As many `<` in a row are kept; more say nothing.
const ROW: usize = 256;

/// How far a text has come.
#[derive(Debug, Default)]
pub(super) struct Stripping {
    /// `<` that were read in a row, and are not decided yet.
    row: usize,
    /// What was read of a tag.
    tag: Option<Tag>,
}

/// The beginning of a tag.
#[derive(Debug)]
struct Tag {
    /// What was read of it, or the end of that where it is long.
    held: String,
    kind: Kind,
    /// The quotation mark that its value began with.
    quote: Option<char>,
    /// A value may begin.
    value: bool,
    /// Something of it was dropped.
    long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `<b`, `</b`.
    Element,
    /// `<!DOCTYPE`, `<?xml`, `</ `: it ends with the next `>`.
    Declaration,
    /// `<!--`.
    Comment,
}

impl Stripping {
    /// Takes a piece; returns what is decided of the text, and how many tags were dropped.
    pub(super) fn push(&mut self, piece: &str) -> (String, u64) {
        let (mut out, mut times) = (String::with_capacity(piece.len()), 0);
        for c in piece.chars() {
            times += u64::from(match self.tag.take() {
                Some(tag) => self.inside(tag, c, &mut out),
                None => self.outside(c, &mut out),
            });
        }
        (out, times)
    }

    /// Returns the rest of the text.
    pub(super) fn end(&mut self) -> (String, u64) {
        let mut out = String::new();
        let tag = self.tag.take();
        let times = u64::from(tag.is_some());
        tag.into_iter().for_each(|it| self.give_back(&it, &mut out));
        out.extend(std::iter::repeat_n('<', std::mem::take(&mut self.row)));
        (out, times)
    }

    /// Reads a character of the text; says whether something was dropped.
    fn outside(&mut self, c: char, out: &mut String) -> bool {
        if c == '<' {
            self.row += 1;
            let more = self.row > ROW;
            self.row = self.row.min(ROW);
            return more;
        }
        if self.row > 0 && begins(c) {
            self.row -= 1;
            self.tag = Some(Tag::new(c));
            return false;
        }
        out.extend(std::iter::repeat_n('<', std::mem::take(&mut self.row)));
        out.push(c);
        false
    }

    /// Reads a character of a tag; says whether something was dropped.
    fn inside(&mut self, mut tag: Tag, c: char, out: &mut String) -> bool {
        // Outside of quotes a tag that begins in another shows that the other is none.
        if tag.quote.is_none()
            && tag.kind != Kind::Comment
            && tag.held.len() > 1
            && tag.held.ends_with('<')
            && begins(c)
        {
            self.give_back(&tag, out);
            self.tag = Some(Tag::new(c));
            return true;
        }
        if tag.ends_with(c) {
            if let Some(link) = tag.link() {
                // It begins as a tag does.
                self.row = 0;
                out.push_str(link);
            }
            return true;
        }
        if tag.held.len() > LONGEST {
            if tag.quote.is_none() && tag.kind != Kind::Comment {
                self.give_back(&tag, out);
                return true;
            }
            tag.shorten();
        }
        self.tag = Some(tag);
        false
    }

    /// Lets what is no tag go on, without anything that might begin one.
    fn give_back(&mut self, tag: &Tag, out: &mut String) {
        self.row = 0;
        if !tag.long {
            out.extend(tag.held.chars().filter(|c| *c != '<'));
        }
    }
}

impl Tag {
    fn new(c: char) -> Self {
        let kind = if c == '!' || c == '?' { Kind::Declaration } else { Kind::Element };
        Self { held: format!("<{c}"), kind, quote: None, value: false, long: false }
    }

    /// Takes a character; says whether the tag ends with it.
    fn ends_with(&mut self, c: char) -> bool {
        if self.held == "</" && !c.is_ascii_alphabetic() {
            self.kind = Kind::Declaration;
        }
        self.held.push(c);
        if self.held == "<!--" {
            self.kind = Kind::Comment;
        }
        match (self.kind, self.quote) {
            (Kind::Comment, _) => self.held.ends_with("-->") || self.held.ends_with("--!>"),
            (Kind::Declaration, _) => c == '>',
            (Kind::Element, Some(quote)) => {
                self.quote = Some(quote).filter(|it| *it != c);
                false
            }
            (Kind::Element, None) => {
                self.quote = Some(c).filter(|it| self.value && matches!(it, '"' | '\''));
                self.value = c == '=' || self.value && c.is_ascii_whitespace();
                c == '>'
            }
        }
    }

    /// Returns the address, or the link, that stands in angle brackets.
    fn link(&self) -> Option<&str> {
        let inside = self.held.strip_prefix('<')?.strip_suffix('>')?;
        let is_one = inside.contains("://") || inside.contains('@') && !inside.contains('/');
        let is_plain = !inside.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '='));
        (self.kind == Kind::Element && !self.long && is_one && is_plain).then_some(inside)
    }

    /// Forgets all but what may be the beginning of the end.
    fn shorten(&mut self) {
        let end = self.held.char_indices().rev().nth(2).map_or(0, |it| it.0);
        self.held.drain(..end);
        self.long = true;
    }
}

/// Says whether a tag begins where this follows a `<`.
fn begins(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stripped(text: &str) -> (String, u64) {
        let mut stripping = Stripping::default();
        let (sure, times) = stripping.push(text);
        let (rest, more) = stripping.end();
        (sure + &rest, times + more)
    }

    #[test]
    fn tags_and_comments_go_and_what_stands_between_them_stays() {
        for (text, expected, times) in [
            ("<b>yes</b>, <br/>or <i class=\"x\">no</i>", "yes, or no", 5),
            ("a < b, 1<2, <3, x <= y, <- and <", "a < b, 1<2, <3, x <= y, <- and <", 0),
            ("<!DOCTYPE html><?xml version='1'?><html>x", "x", 3),
            ("a<!-- <b>no</b> -->b<!-->c<!-- --!>d", "abcd", 3),
            ("<img alt=\"<\" onerror=alert(1)>x", "x", 1),
            ("<a href=\"x>y\" onclick=1>x</a>", "x", 2),
            ("<a href = 'x>y'>x", "x", 1),
            ("<p don't>x", "x", 1),
            ("<a href=x\"y>z\" onclick=1>w", "z\" onclick=1>w", 1),
            ("</ >x</a b='>'>y", "xy", 2),
            ("write to <a@b.example> or <https://b.example/x?y>", "write to a@b.example or https://b.example/x?y", 2),
            ("if a <b then c", "if a b then c", 1),
            ("a <b and c <d>x", "a b and c x", 2),
            ("é<é>", "é<é>", 0),
            ("", "", 0),
        ] {
            assert_eq!(stripped(text), (expected.into(), times), "{text}");
        }
    }

    #[test]
    fn markup_1_what_is_dropped_leaves_no_tag_behind() {
        for text in [
            "<scr<b>ipt>alert(1)</scr</b>ipt>",
            "<<b>img src=x onerror=alert(1)>",
            "<<<b>b>img src=x onerror=alert(1)>",
            "<<!-- -->script>",
            "<<a@b>script>",
            "<img/src=x/onerror=alert(1)//@>",
            "<a://b<script>",
            "<img alt=\"<script>",
        ] {
            let (out, times) = stripped(text);
            assert!(!has_tag(&out) && !out.contains('<') && times > 0, "{text}: {out}");
        }
        let long = "x".repeat(100_000);
        for (text, expected) in [
            (format!("<img alt=\"{long}\" onerror=alert(1)>y"), "y".to_owned()),
            (format!("<!-- {long} <b> -->y"), "y".to_owned()),
            (format!("<a {long}<b>y"), format!("a {long}y")),
            (format!("{}b", "<".repeat(1_000)), "b".to_owned()),
        ] {
            assert_eq!(stripped(&text).0, expected);
        }
    }

    #[test]
    fn markup_2_what_is_held_back_is_bounded() {
        for piece in ["<b ", "<!-- ", "<a b=\"<c", "<", "<b@", "</"] {
            let mut stripping = Stripping::default();
            for _ in 0..2_000 {
                stripping.push(piece);
                let held = stripping.tag.as_ref().map_or(0, |it| it.held.len());
                assert!(held <= LONGEST + 4 && stripping.row <= ROW, "{piece}: {held}");
            }
        }
    }

    /// Pieces of which tags are made.
    const PIECES: [&str; 20] = [
        "<", "<", ">", "/", "!", "?", "--", "-->", "<!--", "\"", "'", "=", " ", "b", "script", "@", "://", "é", "<b>",
        "</b>",
    ];

    fn has_tag(text: &str) -> bool {
        text.split('<').skip(1).any(|it| it.starts_with(begins))
    }

    proptest! {
        #[test]
        fn markup_1_no_tag_begins_in_what_comes_out_and_post_1_however_it_is_cut(
            parts in prop::collection::vec(0..PIECES.len(), 0..40),
            cuts in prop::collection::vec(1_usize..6, 1..40),
        ) {
            let text: String = parts.iter().map(|at| PIECES[*at]).collect();
            let (expected, times) = stripped(&text);
            prop_assert!(!has_tag(&expected), "{:?} {:?}", text, expected);
            prop_assert_eq!(stripped(&expected).0, expected.clone(), "it is done");
            let (mut stripping, mut out, mut counted) = (Stripping::default(), String::new(), 0);
            let mut letters = text.chars();
            for cut in cuts.iter().cycle() {
                let piece: String = letters.by_ref().take(*cut).collect();
                if piece.is_empty() {
                    break;
                }
                let (more, times) = stripping.push(&piece);
                out += &more;
                counted += times;
            }
            let (more, last) = stripping.end();
            prop_assert_eq!((out + &more, counted + last), (expected, times));
        }
    }
}
