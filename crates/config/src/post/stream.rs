//! Stream: a text that comes in pieces, and what each piece becomes.

use std::sync::Arc;

use super::{
    Changes, Does, Part,
    length::Cutting,
    markup::Stripping,
    pattern::{Finding, Pattern},
};

/// A text on its way through all parts, each of which may hold back its end.
#[derive(Debug)]
pub struct Stream {
    stages: Vec<Stage>,
}

/// A part, and how far the text has come in it.
#[derive(Debug)]
struct Stage {
    step: usize,
    name: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Control,
    Markup(Stripping),
    Pattern(Arc<Pattern>, Finding),
    Length(Cutting),
}

impl Stream {
    /// Begins. What needs the whole text has no place in it: `check` wants such a route to commit to whole answers.
    pub(super) fn new<'p>(parts: impl Iterator<Item = (usize, &'p Part)>, sent: usize) -> Self {
        let state = |part: &Part| match &part.does {
            Does::Control => Some(State::Control),
            Does::Markup => Some(State::Markup(Stripping::default())),
            Does::Pattern(pattern) => Some(State::Pattern(pattern.clone(), Finding::default())),
            Does::Length(length) => Some(State::Length(Cutting::new(length.clone(), sent))),
            Does::Allow(_) | Does::Json(_) => None,
        };
        let stage = |(step, part): (usize, &Part)| Some(Stage { step, name: part.name.clone(), state: state(part)? });
        Self { stages: parts.filter_map(stage).collect() }
    }

    /// Takes a piece; returns what can be sent now.
    pub fn push(&mut self, piece: &str, changes: &mut Changes) -> String {
        self.stages.iter_mut().fold(piece.to_owned(), |piece, stage| stage.push(&piece, changes))
    }

    /// Returns what was held back, once the text is over.
    pub fn end(&mut self, changes: &mut Changes) -> String {
        self.stages.iter_mut().fold(String::new(), |piece, stage| stage.push(&piece, changes) + &stage.end(changes))
    }
}

impl Stage {
    fn push(&mut self, piece: &str, changes: &mut Changes) -> String {
        if piece.is_empty() {
            return String::new();
        }
        let (out, times) = match &mut self.state {
            State::Control => visible(piece),
            State::Markup(stripping) => stripping.push(piece),
            State::Pattern(pattern, finding) => finding.push(pattern, piece),
            State::Length(cutting) => {
                let (out, cut) = cutting.push(piece);
                (out, u64::from(cut))
            }
        };
        changes.add(self.step, &self.name, times);
        out
    }

    fn end(&mut self, changes: &mut Changes) -> String {
        let (out, times) = match &mut self.state {
            State::Control => (String::new(), 0),
            State::Markup(stripping) => stripping.end(),
            State::Pattern(pattern, finding) => finding.end(pattern),
            State::Length(cutting) => (cutting.end(), 0),
        };
        changes.add(self.step, &self.name, times);
        out
    }
}

/// Leaves out what nobody sees; says how many characters that are.
fn visible(text: &str) -> (String, u64) {
    let mut out = String::with_capacity(text.len());
    out.extend(text.chars().filter(|c| !is_hidden(*c)));
    let hidden = text.chars().filter(|c| is_hidden(*c)).count();
    (out, hidden as u64)
}

/// Says whether a character is one that nobody sees: a control character but for line ends and tabs, or one that only turns
/// or hides text. Joiners (U+200C, U+200D) and marks of direction (U+200E, U+200F) are a part of words and of signs.
fn is_hidden(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(c, '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || turns || hides
}
