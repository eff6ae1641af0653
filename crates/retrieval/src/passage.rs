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
        let (piece, half) = (&text[from..most], MOST / 2);
        // Lines of code stay whole where they are not too long for it.
        let at = piece.rfind('\n').filter(|at| *at > half).or_else(|| piece.rfind(char::is_whitespace));
        let at = at.filter(|at| *at > 0).map_or(most, |at| from + at);
        pieces.push(from..at);
        from = at + text[at..].len() - text[at..].trim_start().len();
    }
    if from < passage.end {
        pieces.push(from..passage.end);
    }
    pieces
}

/// Returns a passage to be shown by itself: code that begins before it, or ends after it, is marked as such.
pub(crate) fn shown(text: &str, passage: Range<usize>) -> String {
    let is_in_code = |text: &str| text.lines().filter(|line| line.trim_start().starts_with("```")).count() % 2 == 1;
    let mut shown = text[passage.clone()].to_owned();
    if is_in_code(&text[..passage.start]) {
        shown.insert_str(0, "```\n");
    }
    if is_in_code(&shown) {
        shown.push_str("\n```");
    }
    shown
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

    #[test]
    fn a_block_of_code_that_is_cut_is_code_in_each_of_its_passages() {
        let line = "let word = another_word(and_another);\n";
        let text = format!("Before.\n\n```rust\n{}```\n\nAfter.", line.repeat(100));
        let shown: Vec<_> = passages(&text).into_iter().map(|it| shown(&text, it)).collect();
        assert!(shown.len() > 2, "{shown:?}");
        for passage in shown.iter().filter(|it| it.contains("let")) {
            assert_eq!(passage.matches("```").count() % 2, 0, "{passage}");
            let code = passage.lines().filter(|line| line.starts_with("let"));
            assert!(code.clone().all(|it| it == line.trim()) && code.count() > 0, "{passage}");
        }
        assert_eq!(super::shown("a", 0..1), "a");
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
