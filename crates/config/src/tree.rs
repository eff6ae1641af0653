//! Tree: a YAML document as written, with the line of everything and scalars as raw text.
//!
//! Scalars stay text until the schema says what they should be, so that `no` never becomes `false` and `012` never a
//! number behind anybody's back.
//!
//! # Invariants
//! - `TREE-1`: bounded work: at most 4 MiB of text, 64 levels, 100,000 nodes; aliases are refused, so nothing expands.

use std::fmt;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::diagnostic::{Diagnostic, Severity};

/// Levels of nesting that a configuration may have.
const MAX_DEPTH: usize = 64;
/// Nodes that a configuration may have.
const MAX_NODES: usize = 100_000;

/// A place in the text, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A node and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: NodeKind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    /// Raw text; quoted text is a string whatever it looks like. It is `verbatim` where it stands in the file character
    /// by character, so that a position in it is a column.
    Scalar {
        text: String,
        quoted: bool,
        verbatim: bool,
    },
    List(Vec<Node>),
    /// In the order of the file; a key may stand twice, which `shape` reports.
    Map(Vec<(Place, String, Node)>),
}

impl NodeKind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Scalar { text, quoted: false, .. } if matches!(text.as_str(), "" | "null" | "~") => "nothing",
            Self::Scalar { .. } => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// A step on the way to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
}

/// The way to a key, as people write it: `routes.support-chat.tiers[0].stall`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(Vec<Step>);

impl Key {
    /// Returns the way to a field of what stands here.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        let mut key = self.clone();
        key.0.push(Step::Field(name.into()));
        key
    }

    /// Returns the way to an item of the list that stands here.
    #[must_use]
    pub fn index(&self, at: usize) -> Self {
        let mut key = self.clone();
        key.0.push(Step::Index(at));
        key
    }

    /// Returns this key as the rest of the way from another; the whole of that part where it stands above.
    pub(crate) fn from(&self, other: &Self) -> Option<Self> {
        match self.0.strip_prefix(other.0.as_slice()) {
            Some(rest) => Some(Self(rest.into())),
            None => other.is_within(self).then(Self::default),
        }
    }

    /// Returns the way to a key that counts from here.
    pub(crate) fn below(&self, other: &Self) -> Self {
        Self([self.0.as_slice(), &other.0].concat())
    }

    /// Says whether this is the other key, or stands below it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if at == 0 => write!(f, "{name}")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Node {
    /// Says whether nothing is written here.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar { text, quoted: false, .. } if matches!(text.as_str(), "" | "null" | "~"))
    }

    /// Returns the place of a key, or of the nearest thing above it that is there.
    pub(crate) fn place_of(&self, key: &Key) -> Place {
        self.walk(key).1
    }

    /// Finds what stands at a key.
    pub(crate) fn find(&self, key: &Key) -> Option<&Self> {
        self.walk(key).0
    }

    /// Returns the place of a character of a scalar, as exactly as it is known.
    pub(crate) fn place_in(&self, character: usize) -> Place {
        match self.kind {
            NodeKind::Scalar { quoted, verbatim: true, .. } => {
                Place { column: self.place.column + character + usize::from(quoted), ..self.place }
            }
            _ => self.place,
        }
    }

    fn walk(&self, key: &Key) -> (Option<&Self>, Place) {
        let (mut node, mut place) = (self, self.place);
        for step in &key.0 {
            let next = match (&node.kind, step) {
                (NodeKind::Map(fields), Step::Field(name)) => {
                    fields.iter().find(|(_, field, _)| field == name).map(|(at, _, node)| (*at, node))
                }
                (NodeKind::List(items), Step::Index(at)) => items.get(*at).map(|node| (node.place, node)),
                _ => None,
            };
            match next {
                Some((at, below)) => (place, node) = (at, below),
                None => return (None, place),
            }
        }
        (Some(node), place)
    }
}

/// Why a text is not a tree.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl Unreadable {
    /// Says so, as the one thing that is wrong with a file.
    pub(crate) fn diagnostic(self, file: &str, hint: &str) -> Diagnostic {
        let Place { line, column } = self.place;
        let (code, severity, key) = ("unreadable", Severity::Error, String::new());
        Diagnostic { code, severity, file: file.into(), line, column, key, message: self.message, hint: hint.into() }
    }
}

/// Reads the one document of a text.
pub(crate) fn parse(text: &str) -> Result<Node, Unreadable> {
    let mut reader = Reader { text, events: Parser::new_from_str(text), nodes: 0 };
    let mut root = None;
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
            _ if root.is_some() => return Err(unreadable(span, "a second document stands in the file")),
            event => root = Some(reader.node(event, span, 0)?),
        }
    }
    root.ok_or_else(|| Unreadable { place: Place { line: 1, column: 1 }, message: "the file is empty".into() })
}

struct Reader<'a> {
    text: &'a str,
    events: Parser<'a, granit_parser::StrInput<'a>>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    /// Returns the next event that means something: comments are the reader's, not ours.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Unreadable> {
        loop {
            match self.events.next_event() {
                None => return Ok(None),
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(next)) => return Ok(Some(next)),
                Some(Err(error)) => {
                    let place = place(*error.marker());
                    let message = match tab(self.text, place) {
                        true => "not YAML: a tab stands where the line begins; use spaces".into(),
                        false => format!("not YAML: {}", error.info()),
                    };
                    return Err(Unreadable { place, message });
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Unreadable> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(unreadable(span, "nested deeper than 64 levels, or more than 100,000 values"));
        }
        let kind = match event {
            Event::Scalar(.., Some(_)) | Event::SequenceStart(.., Some(_)) | Event::MappingStart(.., Some(_)) => {
                return Err(unreadable(span, "tags (`!name`) are not offered: the schema says what a value is"));
            }
            Event::Scalar(text, style, ..) => {
                let quoted = style != ScalarStyle::Plain;
                let wide = span.end.index() - span.start.index();
                let one_line = span.start.line() == span.end.line();
                let verbatim = one_line && wide == text.chars().count() + 2 * usize::from(quoted);
                NodeKind::Scalar { text: text.into_owned(), quoted, verbatim }
            }
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            Event::Alias(_) => return Err(unreadable(span, "aliases (`*name`) are not offered: write the value out")),
            other => return Err(unreadable(span, &format!("unexpected {other:?}"))),
        };
        Ok(Node { place: place(span.start), kind })
    }

    fn list(&mut self, depth: usize) -> Result<NodeKind, Unreadable> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Ok(NodeKind::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<NodeKind, Unreadable> {
        let mut fields = Vec::new();
        while let Some((event, span)) = self.next()? {
            let name = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(unreadable(span, "a key must be a single word")),
            };
            let Some((event, value)) = self.next()? else { break };
            fields.push((place(span.start), name, self.node(event, value, depth + 1)?));
        }
        Ok(NodeKind::Map(fields))
    }
}

/// Says whether a line, or the one above it, is indented by a tab: what a parser says of that does not tell what to do.
fn tab(text: &str, place: Place) -> bool {
    let first = place.line.saturating_sub(2);
    let mut near = text.lines().skip(first).take(place.line - first);
    near.any(|line| line.trim_start_matches(' ').starts_with('\t'))
}

fn place(marker: granit_parser::Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn unreadable(span: Span, message: &str) -> Unreadable {
    Unreadable { place: place(span.start), message: message.into() }
}
