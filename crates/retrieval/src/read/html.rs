//! HTML as text: tags go, what they mean to a reader stays.
//!
//! Not a parser: there is no tree, and nothing is repaired. Scripts, styles, comments and the like are
//! dropped; blocks end a line; headings, list items and code are written as in Markdown; entities are decoded.
//!
//! # Invariants
//! - `HTML-1`: whatever the bytes are, there is a text, in time and memory linear in them.

use std::collections::BTreeMap;

/// What a page says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// What stands in `title`, or else in the first heading.
    pub(super) title: String,
    /// The language of the root element.
    pub(super) language: Option<String>,
    /// The contents of `meta` that is named `question`, of which there may be several.
    pub(super) questions: Vec<String>,
    /// The contents of any other `meta`, by name.
    pub(super) meta: BTreeMap<String, String>,
    pub(super) text: String,
}

/// The name of `meta` with a question that the page answers.
const QUESTION: &str = "question";
/// Elements whose content is not for readers.
const DROPPED: [&str; 6] = ["script", "style", "noscript", "template", "svg", "nav"];
/// Elements that stand on lines of their own, with an empty one around them.
const BLOCKS: [&str; 24] = [
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "footer",
    "table",
    "ul",
    "ol",
    "dl",
    "blockquote",
    "form",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "aside",
    "details",
    "summary",
];
/// Elements that begin a line.
const LINES: [&str; 5] = ["br", "tr", "dt", "dd", "option"];

/// Characters of a tag: without a bound, each of many tags that never end would look for its end through the whole page.
const LONGEST_TAG: usize = 4096;

/// Reads a page.
pub(super) fn page(html: &str) -> Page {
    let mut reading = Reading::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        reading.text(&rest[..at]);
        rest = &rest[at..];
        rest = match Tag::read(rest) {
            Some((tag, after)) => reading.tag(&tag, after),
            None if rest.starts_with("<!--") => rest.find("-->").map_or("", |end| &rest[end + 3..]),
            None if rest.starts_with("<!") || rest.starts_with("<?") => {
                rest.find('>').map_or("", |end| &rest[end + 1..])
            }
            None => {
                reading.text("<");
                &rest[1..]
            }
        };
    }
    reading.text(rest);
    reading.end()
}

/// An opening or closing tag.
struct Tag<'a> {
    name: String,
    closes: bool,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// Reads a tag at the beginning of a text, and returns what follows it.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let inner = text.strip_prefix('<')?;
        let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
        let named = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(inner.len());
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let (mut quote, mut end) = (None, None);
        for (at, c) in inner[named..].char_indices().take(LONGEST_TAG) {
            match (quote, c) {
                (None, '>') => {
                    end = Some(named + at);
                    break;
                }
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                _ => {}
            }
        }
        // A tag that never ends, or only in another quote, ends at its first bracket.
        let end = end.or_else(|| inner.char_indices().take(LONGEST_TAG).find(|it| it.1 == '>').map(|it| it.0))?;
        let attributes = inner.get(named..end).unwrap_or_default();
        Some((Self { name: inner[..named].to_ascii_lowercase(), closes, attributes }, &inner[end + 1..]))
    }

    fn attribute(&self, wanted: &str) -> Option<String> {
        let mut rest = self.attributes;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            let named = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
            let (name, after) = rest.split_at(named);
            if name.is_empty() && after.is_empty() {
                return None;
            }
            let (value, after) = match after.trim_start().strip_prefix('=') {
                None => ("", after),
                Some(value) => value_of(value.trim_start()),
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(decoded(value));
            }
            rest = after;
        }
    }
}

/// Splits a value, quoted or not, from what follows.
fn value_of(text: &str) -> (&str, &str) {
    match text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        Some(quote) => text[1..].split_once(quote).unwrap_or((&text[1..], "")),
        None => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    }
}

#[derive(Default)]
struct Reading {
    page: Page,
    /// The text of the title, or of the first heading, while it is read.
    title: Option<String>,
    /// How many blocks of code are open.
    code: usize,
}

impl Reading {
    fn text(&mut self, raw: &str) {
        if raw.is_empty() {
            return;
        }
        let text = decoded(raw);
        if let Some(title) = &mut self.title {
            title.push_str(&text);
            return;
        }
        if self.code > 0 {
            self.page.text.push_str(&text);
            return;
        }
        for piece in text.split_inclusive(char::is_whitespace) {
            let (word, spaced) = (piece.trim_end(), piece.ends_with(char::is_whitespace));
            self.page.text.push_str(word);
            if spaced && !self.page.text.ends_with(char::is_whitespace) && !self.page.text.is_empty() {
                self.page.text.push(' ');
            }
        }
    }

    /// Does what a tag says, and returns where to go on.
    fn tag<'a>(&mut self, tag: &Tag<'_>, after: &'a str) -> &'a str {
        let name = tag.name.as_str();
        match name {
            "title" if tag.closes => self.page.title = squeezed(&self.title.take().unwrap_or_default()),
            "title" => self.title = Some(String::new()),
            "html" if !tag.closes => self.page.language = tag.attribute("lang"),
            "meta" => {
                if let (Some(name), Some(content)) = (tag.attribute("name"), tag.attribute("content")) {
                    if name == QUESTION {
                        self.page.questions.push(content);
                    } else {
                        self.page.meta.insert(name, content);
                    }
                }
            }
            "pre" => {
                if tag.closes {
                    self.line();
                } else {
                    self.block();
                }
                self.page.text.push_str(if tag.closes { "```\n\n" } else { "```\n" });
                self.code = if tag.closes { self.code.saturating_sub(1) } else { self.code + 1 };
            }
            "code" if self.code == 0 => self.page.text.push('`'),
            "li" if !tag.closes => {
                self.line();
                self.page.text.push_str("- ");
            }
            "td" | "th" if tag.closes => self.page.text.push_str(" | "),
            _ if DROPPED.contains(&name) && !tag.closes => return dropped(name, after),
            _ if BLOCKS.contains(&name) => {
                self.block();
                if let (Some(level), false) =
                    (name.strip_prefix('h').and_then(|it| it.parse::<usize>().ok()), tag.closes)
                {
                    self.page.text.push_str(&"######"[..level]);
                    self.page.text.push(' ');
                }
            }
            _ if LINES.contains(&name) => self.line(),
            _ => {}
        }
        after
    }

    /// Begins a line.
    fn line(&mut self) {
        self.trim();
        if !self.page.text.is_empty() && !self.page.text.ends_with('\n') {
            self.page.text.push('\n');
        }
    }

    /// Begins a block, but not behind the mark of a list item.
    fn block(&mut self) {
        if self.page.text.ends_with("- ") {
            return;
        }
        self.line();
        if !self.page.text.is_empty() && !self.page.text.ends_with("\n\n") {
            self.page.text.push('\n');
        }
    }

    fn trim(&mut self) {
        let kept = self.page.text.trim_end_matches(' ').len();
        self.page.text.truncate(kept);
    }

    fn end(mut self) -> Page {
        if let Some(title) = self.title.take() {
            self.page.title = squeezed(&title);
        }
        let heading = || self.page.text.lines().find_map(|line| line.strip_prefix("# "));
        if self.page.title.is_empty() {
            self.page.title = heading().unwrap_or_default().to_owned();
        }
        self.page.text = self.page.text.trim().to_owned();
        self.page
    }
}

/// Goes on behind the end of an element that is not for readers; what never ends is not there.
fn dropped<'a>(name: &str, after: &'a str) -> &'a str {
    let end = format!("</{name}");
    let at = after
        .match_indices("</")
        .find(|(at, _)| after.get(*at..at + end.len()).is_some_and(|found| found.eq_ignore_ascii_case(&end)));
    let behind = at.map_or("", |(at, _)| &after[at..]);
    behind.find('>').map_or("", |at| &behind[at + 1..])
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The named entities that texts have.
const ENTITIES: [(&str, &str); 26] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("euro", "€"),
    ("pound", "£"),
    ("times", "×"),
    ("deg", "°"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("szlig", "ß"),
];

/// Decodes entities; what is none stays as it is.
fn decoded(text: &str) -> String {
    let (mut made, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((decoded, end)) => {
                made.push_str(&decoded);
                rest = &rest[end + 1..];
            }
            None => {
                made.push('&');
                rest = &rest[1..];
            }
        }
    }
    made.push_str(rest);
    made
}

fn entity(name: &str) -> Option<String> {
    let number = |digits: &str, radix| char::from_u32(u32::from_str_radix(digits, radix).ok()?).map(String::from);
    match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => number(digits, 16),
            None => number(digits, 10),
        },
        None => ENTITIES.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_go_and_what_they_mean_stays() {
        for (html, text) in [
            ("<p>One <b>two</b>\n three</p><p>four", "One two three\n\nfour"),
            ("<h2 id=x>Head</h2><ul><li><p>a</p></li><li>b</ul>", "## Head\n\n- a\n\n- b"),
            ("a<br>b<script>x < y; '</p>'</script>c<style>p{}</style>", "a\nbc"),
            (
                "<pre><code class=\"x\">let a = 1;\n  b &amp;&amp; c\n</code></pre>after",
                "```\nlet a = 1;\n  b && c\n```\n\nafter",
            ),
            (
                "use <code>--release</code> &lt;now&gt; &#65;&#x42; &unknown; & more",
                "use `--release` <now> AB &unknown; & more",
            ),
            ("<!-- <p>hidden</p> -->seen<!doctype html>", "seen"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", "a | b |\n1 | 2 |"),
            ("<a title='x > y' href=z>link</a>", "link"),
            ("cut <p", "cut <p"),
            ("never <script>ends", "never"),
        ] {
            assert_eq!(page(html).text, text, "{html}");
        }
    }

    #[test]
    fn a_page_says_what_it_is() {
        let html = "<html lang='de'><head><title> A &amp;\n B </title><meta name=\"verified_at\" content='2026-01-02'>\
                    <meta name=question content='How &amp; when?'><meta name=question content=Why?><meta charset=utf-8></head><body><h1>C</h1>text</body></html>";
        let page = page(html);
        assert_eq!(
            (page.title.as_str(), page.language.as_deref(), page.text.as_str()),
            ("A & B", Some("de"), "# C\n\ntext")
        );
        assert_eq!(page.meta.get("verified_at").map(String::as_str), Some("2026-01-02"));
        assert_eq!(page.questions, ["How & when?", "Why?"]);
        assert_eq!(super::page("<h1>C</h1>text").title, "C", "a page without a title is called as its heading");
    }

    proptest! {
        #[test]
        fn html_1_whatever_the_bytes_are_there_is_a_text(pieces in prop::collection::vec("(<|>|</|\"|'|&|;|<!--|pre|script|title|li|[a-zé #x=-]{0,5})", 0..60)) {
            let html = pieces.concat();
            prop_assert!(page(&html).text.len() <= 8 * html.len() + 8);
        }
    }
}
