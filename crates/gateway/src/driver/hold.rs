//! Hold: what a stream has said before its commit point (F-120).
//!
//! # Invariants
//! - `HOLD-1`: at most 256 KiB are held, with what each event costs besides. At that size a stream that has spoken is
//!   committed (`hold_limit`, F-023); one that has only given signs of life has failed. A route that commits to whole
//!   answers holds as much of one that speaks as its path may answer (F-121).

use evenkeel_core::CommitPoint;

use crate::path::{Chunk, Meaning};

/// Bytes that are held at most.
const MOST: usize = 256 << 10;
/// What an event costs besides its bytes.
const OVERHEAD: usize = size_of::<Chunk>();

/// No more can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// There is reasoning in it.
    Spoken,
    /// There is nothing in it.
    Silent,
    /// It is a whole answer, and larger than one may be.
    TooLarge,
}

/// Events that wait for the commit.
#[derive(Debug)]
pub(crate) struct Hold {
    chunks: Vec<Chunk>,
    size: usize,
    most: usize,
    spoken: bool,
    /// Characters of content.
    characters: usize,
    /// Characters at which there is enough.
    wanted: usize,
    whole: bool,
}

impl Hold {
    /// Starts to hold what one attempt says; a whole answer may have `most_whole` bytes.
    pub(crate) fn new(commit: CommitPoint, most_whole: usize) -> Self {
        let (whole, wanted) = match commit {
            // The first content says so itself.
            CommitPoint::FirstContent => (false, usize::MAX),
            CommitPoint::Chars(characters) => (false, characters as usize),
            CommitPoint::Full => (true, usize::MAX),
        };
        let most = if whole { most_whole } else { MOST };
        Self { chunks: Vec::new(), size: 0, most, spoken: false, characters: 0, wanted, whole }
    }

    /// Keeps an event; says whether no more may be kept.
    pub(crate) fn keep(&mut self, chunk: Chunk, meaning: Meaning) -> Option<Full> {
        self.size += chunk.event.data.len() + OVERHEAD;
        self.spoken |= meaning != Meaning::Nothing;
        self.characters += if meaning == Meaning::Content { chunk.characters() } else { 0 };
        self.chunks.push(chunk);
        match self.spoken {
            false => (self.size >= MOST).then_some(Full::Silent),
            true if self.whole => (self.size > self.most).then_some(Full::TooLarge),
            true => (self.size >= self.most).then_some(Full::Spoken),
        }
    }

    /// Says whether there is content in it.
    pub(crate) fn has_content(&self) -> bool {
        self.characters > 0
    }

    /// Says whether there is as much content in it as the route wants to see first (F-121).
    pub(crate) fn is_enough(&self) -> bool {
        self.characters >= self.wanted
    }

    /// Returns the text in it; none where it says something else as well, such as a call of a tool.
    pub(crate) fn text(&self) -> Option<String> {
        let spoken = || self.chunks.iter().filter(|it| it.says.other || it.says.text.is_some());
        spoken().map(|it| it.text()).collect::<Option<Vec<_>>>().map(|it| it.concat())
    }

    /// Keeps other events in place of those that it holds.
    pub(crate) fn replace(&mut self, chunks: Vec<Chunk>) {
        self.size = chunks.iter().map(|chunk| chunk.event.data.len() + OVERHEAD).sum();
        self.chunks = chunks;
    }

    /// Gives everything up, in order.
    pub(crate) fn take(&mut self) -> Vec<Chunk> {
        self.size = 0;
        std::mem::take(&mut self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        protocol::openai::{event::StreamJudge, peek::peek_chat},
        sse::Scanner,
    };

    /// An event that says so many letters.
    fn chunk(size: usize) -> Chunk {
        let mut scanner = Scanner::default();
        let text = "é".repeat(size);
        scanner.push(format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n").as_bytes());
        let event = scanner.event().expect("small").expect("whole");
        let request = peek_chat(br#"{"model":"m","messages":[{}]}"#).expect("well-formed");
        let judged = StreamJudge::new(&request).event(&event.data);
        let counts = judged.counts();
        Chunk { event, envelope: judged.envelope, says: judged.says, counts }
    }

    #[test]
    fn f_023_a_hold_is_bounded_and_gives_back_in_order() {
        let mut hold = Hold::new(CommitPoint::Chars(1 << 20), 0);
        let mut keep = |size| hold.keep(chunk(size), if size == 5 { Meaning::Reasoning } else { Meaning::Nothing });
        assert_eq!([keep(5), keep(50 << 10), keep(50 << 10)], [None; 3]);
        assert_eq!(keep(50 << 10), Some(Full::Spoken), "HOLD-1");
        assert_eq!(hold.take()[0].text().as_deref(), Some("ééééé"));
        assert!(hold.take().is_empty());
    }

    #[test]
    fn f_121_enough_is_counted_in_characters_and_a_whole_answer_by_its_own_bound() {
        let mut hold = Hold::new(CommitPoint::Chars(7), 0);
        assert_eq!((hold.keep(chunk(6), Meaning::Content), hold.is_enough()), (None, false), "12 bytes, 6 characters");
        assert_eq!((hold.keep(chunk(1), Meaning::Content), hold.is_enough()), (None, true));
        let mut whole = Hold::new(CommitPoint::Full, 1 << 20);
        let full = (0..100).find_map(|_| whole.keep(chunk(10 << 10), Meaning::Content));
        assert_eq!((full, whole.is_enough(), whole.take().len()), (Some(Full::TooLarge), false, 51));
    }

    #[test]
    fn up_17_signs_of_life_fill_a_hold_and_are_no_answer() {
        for commit in [CommitPoint::FirstContent, CommitPoint::Full] {
            let mut hold = Hold::new(commit, usize::MAX);
            let full = (0..10_000).find_map(|_| hold.keep(chunk(0), Meaning::Nothing));
            assert_eq!(full, Some(Full::Silent));
        }
    }
}
