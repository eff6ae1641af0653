//! Length: the longest text, cut between two words.

/// How far from the cut a place between two words is looked for, in characters.
const WORD: usize = 32;

/// The longest text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) most: usize,
    pub(crate) mark: String,
}

/// How far a text has come that must not be longer.
#[derive(Clone, Debug)]
pub(super) struct Cutting {
    length: Length,
    /// Characters that were let through.
    sent: usize,
    /// What may have to be cut.
    held: String,
    cut: bool,
}

impl Cutting {
    /// Begins with a text of which so many characters were sent before.
    pub(super) fn new(length: Length, sent: usize) -> Self {
        Self { length, sent, held: String::new(), cut: false }
    }

    /// Takes a piece; returns what is sure to stay, and whether the text was cut with it.
    pub(super) fn push(&mut self, piece: &str) -> (String, bool) {
        if self.cut {
            return (String::new(), false);
        }
        self.held.push_str(piece);
        let (most, mark) = (self.length.most, self.length.mark.chars().count());
        let free = most.saturating_sub(mark + WORD).saturating_sub(self.sent);
        let at = place(&self.held, free);
        self.sent += self.held[..at].chars().count();
        let sure: String = self.held.drain(..at).collect();
        // One character more than it may have shows that it is too long.
        if self.held.chars().nth(most.saturating_sub(self.sent)).is_none() {
            return (sure, false);
        }
        self.cut = true;
        let kept = &self.held[..place(&self.held, most.saturating_sub(mark).saturating_sub(self.sent))];
        let begins = self.held[kept.len()..].starts_with(char::is_whitespace);
        let between = kept.rfind(char::is_whitespace).filter(|_| !begins);
        let kept = between.map_or(kept, |at| &kept[..at]).trim_end();
        (sure + kept + &self.length.mark, true)
    }

    /// Returns what is left of a text that was not cut.
    pub(super) fn end(&mut self) -> String {
        if self.cut { String::new() } else { std::mem::take(&mut self.held) }
    }
}

/// Returns the position behind so many characters, or the end.
fn place(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |it| it.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(most: usize, mark: &str, text: &str) -> String {
        let mut cutting = Cutting::new(Length { most, mark: mark.into() }, 0);
        let (sure, _) = cutting.push(text);
        sure + &cutting.end()
    }

    #[test]
    fn a_text_is_cut_between_two_words_and_has_its_mark_within_the_length() {
        assert_eq!(cut(20, "…", "one two three four"), "one two three four");
        assert_eq!(cut(12, "…", "one two three four"), "one two…");
        assert_eq!(cut(8, "…", "one two three"), "one two…", "the cut falls between two words");
        assert_eq!(cut(4, "", "äöüß€"), "äöüß", "characters are counted, not bytes");
        assert_eq!(cut(5, " […]", "abcdef"), "a […]");
        let long = "x".repeat(100);
        assert_eq!(cut(50, "…", &long), "x".repeat(49) + "…", "a word of that length has no place to cut");
        assert_eq!(cut(18, "…", "one two three four"), "one two three four", "as long as it may be");
        assert_eq!(cut(17, "…", "one two three four"), "one two three…");
    }

    #[test]
    fn what_goes_on_is_counted_from_what_was_sent() {
        let mut cutting = Cutting::new(Length { most: 10, mark: "…".into() }, 7);
        assert_eq!(cutting.push("abcdef"), ("ab…".into(), true));
        assert_eq!(cutting.push("more"), (String::new(), false));
    }
}
