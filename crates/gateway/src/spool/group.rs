//! Group: lines of a stream that are rendered and not on disk yet; what is written at once.

use evenkeel_api::evidence::{Event, Jcs};

/// The longest line (G-111); of a record that is longer, a line of it is kept.
const LONGEST: usize = 60 << 10;
/// With so many bytes it is written, whatever else waits. Readers take many times as much at once, and no more.
const LARGEST: usize = 8 << 20;

/// Lines that are not on disk yet.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
}

impl Group {
    /// Adds the line that is written; says whether it had a form, and was not too long.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), serde_json::Error>) -> bool {
        let start = self.text.len();
        let fits = write(&mut self.text).is_ok() && self.text.len() - start <= LONGEST;
        if fits {
            self.text.push(b'\n');
            self.lines += 1;
        } else {
            self.text.truncate(start);
        }
        fits
    }

    /// Says whether it is to be written before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.text.len() >= LARGEST
    }

    /// Gives events other numbers: their place is another one than when they were rendered.
    pub(super) fn number(&mut self, jcs: &mut Jcs, first: u64) {
        let text = std::mem::take(self).text;
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let mut event: Event = serde_json::from_slice(line).expect("it was rendered here");
            event.n = first + self.lines;
            let _ = self.add(|to| jcs.append(&event, to));
        }
    }

    /// Forgets what is on disk now.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.lines = 0;
    }
}
