//! Post: what is done to every answer of a route, so that whoever reads it sees one shape, whichever tier gave it.
//!
//! Numbers and texts come in and go out; tensors, answers of a chat and streams are the gateway's. A step says how often it
//! changed something, and never what.
//!
//! # Invariants
//! - `POST-1`: a text that comes in pieces becomes what it becomes as a whole, however it is cut.
//! - `POST-2`: what is held back of a stream is bounded by the longest match of its patterns, by 4 KiB of a tag, and, where it may have to be cut, by 32 characters and
//!   the mark.
//! - `POST-3`: a text is read a bounded number of times, in time that is linear in its length and the size of the patterns.
//!
//! # When it misleads
//! A check digit makes a number likely, not certain: one number of 16 digits in ten has the right one by chance. What a model
//! writes otherwise than people do (a card in words, an address with "at") is not found.

mod json;
mod label;
mod length;
mod markup;
mod number;
mod pattern;
mod personal;
mod stream;

use std::{collections::BTreeMap, sync::Arc};

pub(crate) use self::{
    json::Schema,
    label::{Labels, folded},
    length::Length,
    pattern::Pattern,
    personal::pattern_of,
};
pub use self::{
    number::{Clamp, Round},
    stream::Stream,
};

/// The steps that every answer of a route goes through, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Post {
    steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its key in the configuration.
    pub name: &'static str,
    /// The output of an `oip` route that it is about; none on a chat route, where it is about the text.
    pub output: Option<String>,
    /// What it does.
    pub work: Work,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Keeps numbers within bounds.
    Clamp(Clamp),
    /// Rounds numbers.
    Round(Round),
    /// Changes texts, by parts that each have a name.
    Text(Vec<Part>),
}

/// A part of a step that changes texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is counted as: the name of a pattern, `control`, `markup`; the step's own where it has one part only.
    pub name: String,
    pub(crate) does: Does,
    /// A text with which it cannot do its work goes on as it came (F-010).
    pub(crate) passes: bool,
}

/// What a text is counted as that went on as it came, because a step could not do its work with it.
pub const PASSED: &str = "passed";

/// What a part does to a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Does {
    /// Removes characters that nobody sees.
    Control,
    /// Removes tags and comments of HTML.
    Markup,
    /// Writes something else where a pattern is found.
    Pattern(Arc<Pattern>),
    /// Cuts what is longer.
    Length(Length),
    /// Lets nothing pass but labels.
    Allow(Labels),
    /// Holds it against a schema.
    Json(Arc<Schema>),
}

/// Which text of an answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The answer itself.
    Answer,
    /// What stands beside it: reasoning, or a refusal. It is stripped and redacted, and is neither a label nor JSON.
    Aside,
}

/// Why an answer is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The position of the step that said no.
    pub step: usize,
    /// It is not the JSON that the schema wants; else a label that is not allowed.
    pub schema: bool,
}

/// How often each part of each step changed something, or let something pass ([`PASSED`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(BTreeMap<(usize, String), u64>);

impl Changes {
    /// Counts changes of a part of a step.
    pub fn add(&mut self, step: usize, part: &str, times: u64) {
        if times > 0 {
            *self.0.entry((step, part.to_owned())).or_default() += times;
        }
    }

    /// Adds those of another answer.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(step, part, times)| self.add(step, part, times));
    }

    /// Says whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the position of a step, the name of its part, and how often that changed something, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str, u64)> {
        self.0.iter().map(|((step, part), times)| (*step, part.as_str(), *times))
    }
}

impl Post {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// Returns the steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Says whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Says whether a text must be whole before anything of it can be sent: a label, JSON, and patterns that are never too
    /// long.
    pub fn needs_whole(&self) -> bool {
        self.parts(Said::Answer).any(|(_, part)| part.does.needs_whole())
    }

    /// Does all that is done to the text of a chat.
    ///
    /// # Errors
    /// The step that does not let it pass.
    pub fn text(&self, text: &str, said: Said, changes: &mut Changes) -> Result<String, Failed> {
        self.parts(said).try_fold(text.to_owned(), |text, (step, part)| part.text(&text, step, changes))
    }

    /// Does what one step does to a text.
    ///
    /// # Errors
    /// It does not let it pass.
    pub fn one(&self, step: usize, text: &str, changes: &mut Changes) -> Result<String, Failed> {
        let Work::Text(parts) = &self.steps[step].work else { return Ok(text.to_owned()) };
        parts.iter().try_fold(text.to_owned(), |text, part| part.text(&text, step, changes))
    }

    /// Says whether something is done to what stands beside an answer.
    pub fn is_for_asides(&self) -> bool {
        self.parts(Said::Aside).next().is_some()
    }

    /// Begins to do so to a text that comes in pieces, of which so many characters were sent before.
    pub fn stream(&self, said: Said, sent: usize) -> Stream {
        Stream::new(self.parts(said), sent)
    }

    /// Returns the parts of all steps that change texts.
    fn parts(&self, said: Said) -> impl Iterator<Item = (usize, &Part)> {
        let steps = self.steps.iter().enumerate().filter_map(|(at, step)| match &step.work {
            Work::Text(parts) => Some((at, parts)),
            Work::Clamp(_) | Work::Round(_) => None,
        });
        let parts = steps.flat_map(|(at, parts)| parts.iter().map(move |part| (at, part)));
        parts.filter(move |(_, part)| said == Said::Answer || part.does.is_for_all())
    }
}

impl Part {
    fn text(&self, text: &str, step: usize, changes: &mut Changes) -> Result<String, Failed> {
        match self.done(text, step, changes) {
            Err(_) if self.passes => {
                changes.add(step, PASSED, 1);
                Ok(text.to_owned())
            }
            done => done,
        }
    }

    fn done(&self, text: &str, step: usize, changes: &mut Changes) -> Result<String, Failed> {
        match &self.does {
            Does::Allow(labels) => {
                let label = labels.of(text).ok_or(Failed { step, schema: false })?;
                changes.add(step, &self.name, u64::from(label != text));
                Ok(label.to_owned())
            }
            Does::Json(schema) => {
                let written = schema.of(text).ok_or(Failed { step, schema: true })?;
                written.repairs.iter().for_each(|(repair, times)| changes.add(step, repair, *times));
                Ok(written.text)
            }
            Does::Control | Does::Markup | Does::Pattern(_) | Does::Length(_) => {
                let mut stream = Stream::new([(step, self)].into_iter(), 0);
                Ok(stream.push(text, changes) + &stream.end(changes))
            }
        }
    }
}

impl Does {
    fn needs_whole(&self) -> bool {
        match self {
            Self::Control | Self::Markup | Self::Length(_) => false,
            Self::Pattern(pattern) => !pattern.is_bounded(),
            Self::Allow(_) | Self::Json(_) => true,
        }
    }

    /// Says whether it is done to what stands beside an answer, too.
    fn is_for_all(&self) -> bool {
        matches!(self, Self::Control | Self::Markup | Self::Pattern(_))
    }
}

#[cfg(test)]
mod tests;
