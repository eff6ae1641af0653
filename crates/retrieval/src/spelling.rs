//! Spelling: what a word that no document has may have been meant to be: one letter away from another, or two words in one.

/// Letters that a word must have to be taken for another: of shorter ones too many are near.
const LEAST: usize = 6;
/// Letters of each half of a word that is two.
const HALF: usize = 3;

/// Returns all that is one slip away from a word: a letter left out, put in, taken for another, or swapped with the next; the first
/// letter stays. Nothing for what is short, or has other than the letters a to z.
pub(crate) fn slips(word: &str) -> Vec<String> {
    if word.len() < LEAST || !is_plain(word) {
        return Vec::new();
    }
    let mut slips = Vec::new();
    for at in 1..=word.len() {
        let (head, tail) = word.split_at(at);
        slips.extend(('a'..='z').map(|letter| format!("{head}{letter}{tail}")));
        if tail.is_empty() {
            continue;
        }
        slips.push(format!("{head}{}", &tail[1..]));
        slips.extend(('a'..='z').map(|letter| format!("{head}{letter}{}", &tail[1..])));
        if tail.len() > 1 {
            slips.push(format!("{head}{}{}{}", &tail[1..2], &tail[..1], &tail[2..]));
        }
    }
    slips.retain(|slip| slip != word);
    slips
}

/// Returns the ways to read a word as two.
pub(crate) fn halves(word: &str) -> Vec<(&str, &str)> {
    if word.len() < LEAST || !is_plain(word) {
        return Vec::new();
    }
    (HALF..=word.len() - HALF).map(|at| word.split_at(at)).collect()
}

fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_each_kind_is_found_and_the_first_letter_stays() {
        for written in ["dependancy", "dependecy", "dependenccy", "depednency"] {
            assert!(slips(written).iter().any(|it| it == "dependency"), "{written}");
        }
        assert!(!slips("ependency").iter().any(|it| it == "dependency"));
        assert!(slips("train").is_empty() && slips("größere").is_empty() && slips("v1.2.34").is_empty());
    }

    #[test]
    fn a_word_of_two_is_read_as_both() {
        assert!(halves("makefile").contains(&("make", "file")));
        assert!(halves("shops").is_empty());
    }
}
