//! Passage: the parts of a document of which one is answered with.
//!
//! A passage is some paragraphs that stand together, from a heading on where there is one; a block of code stays whole.

use std::ops::Range;

/// Bytes after which a passage ends with its paragraph.
const ENOUGH: usize = 700;
/// Bytes that a passage has at most; a paragraph that is longer is cut between words.
const MOST: usize = 1600;

/// Splits a text into passages, which together are all of it but for empty lines.
pub(crate) fn passages(text: &str) -> Vec<Range<usize>> {
    let mut passages: Vec<Range<usize>> = Vec::new();
    for block in blocks(text) {
        let is_heading = text[block.clone()].starts_with('#');
        match passages.last_mut() {
            // A heading belongs to what follows it.
            Some(last) if !is_heading && last.len() < ENOUGH && block.end - last.start <= MOST => last.end = block.end,
            _ => passages.push(block),
        }
    }
    passages.into_iter().flat_map(|passage| cut(text, passage)).collect()
}

/// Splits a text at empty lines that are not within code.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let (mut blocks, mut from, mut at, mut in_code) = (Vec::new(), None, 0, false);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.is_empty() && !in_code {
            blocks.extend(from.take().map(|from: usize| from..at));
        } else {
            from.get_or_insert(at);
        }
        in_code ^= trimmed.starts_with("```");
        at += line.len();
    }
    blocks.extend(from.map(|from| from..at));
    blocks.into_iter().map(|block| block.start..block.start + text[block].trim_end().len()).collect()
}

/// Cuts what is too long, between words where there are some.
fn cut(text: &str, passage: Range<usize>) -> Vec<Range<usize>> {
    let (mut pieces, mut from) = (Vec::new(), passage.start);
    while passage.end - from > MOST {
        let most = text.floor_char_boundary(from + MOST);
        let at = text[from..most].rfind(char::is_whitespace).filter(|at| *at > 0).map_or(most, |at| from + at);
        pieces.push(from..at);
        from = at + text[at..].len() - text[at..].trim_start().len();
    }
    if from < passage.end {
        pieces.push(from..passage.end);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        passages(text).into_iter().map(|it| &text[it]).collect()
    }

    #[test]
    fn paragraphs_stand_together_until_they_are_enough_or_a_heading_comes() {
        assert_eq!(texts("one\n\ntwo\n\n## Head\n\nthree\n"), ["one\n\ntwo", "## Head\n\nthree"]);
        let long = "word ".repeat(150);
        let (first, second) = (format!("{}\n\nmore", long.trim()), "and");
        let expected = [long.trim(), "more\n\nand"];
        assert_eq!(texts(&format!("{first}\n\n{second}")), expected);
        assert_eq!(texts("```\na\n\nb\n```\n\nc"), ["```\na\n\nb\n```\n\nc"], "code stays whole");
        assert_eq!(texts(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn passages_are_bounded_and_lose_no_word(words in prop::collection::vec("([a-zé]{1,12}|#|```|\n|\n\n|x{400})", 0..200)) {
            let text = words.join(" ");
            let passages = passages(&text);
            prop_assert!(passages.iter().all(|it| it.len() <= MOST && !it.is_empty()));
            prop_assert!(passages.windows(2).all(|two| two[0].end <= two[1].start));
            let kept: String = passages.iter().map(|it| &text[it.clone()]).collect();
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(bare(&kept), bare(&text));
        }
    }
}
