//! Label: an allow-list of labels.

use std::{collections::BTreeMap, sync::Arc};

/// Labels, by how they are recognised.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Labels {
    known: Arc<BTreeMap<String, String>>,
    otherwise: Option<String>,
}

impl Labels {
    pub(crate) fn new(labels: &[String], otherwise: Option<String>) -> Self {
        let known = labels.iter().map(|label| (folded(label), label.clone())).collect();
        Self { known: Arc::new(known), otherwise }
    }

    /// Returns the label that a text is; none where it is none, and nothing stands in.
    pub(crate) fn of(&self, text: &str) -> Option<&str> {
        self.known.get(&folded(text)).or(self.otherwise.as_ref()).map(String::as_str)
    }
}

/// What models write around a label.
const AROUND: &str = "\"'`“”„«».!*";

/// Returns what a label is recognised by: case, and what stands around it, are no difference.
pub(crate) fn folded(text: &str) -> String {
    text.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(c)).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_known_in_any_case_and_anything_else_is_none() {
        let labels =
            |otherwise: Option<&str>| Labels::new(&["Approve".into(), "NO. 1".into()], otherwise.map(Into::into));
        let check = |text: &str, expected: Option<&str>| assert_eq!(labels(None).of(text), expected, "{text}");
        check("Approve", Some("Approve"));
        check(" \"approve\".\n", Some("Approve"));
        check("**APPROVE**", Some("Approve"));
        check("no. 1", Some("NO. 1"));
        check("approved", None);
        check("approve it", None);
        check("", None);
        assert_eq!(labels(Some("review")).of("perhaps"), Some("review"));
    }
}
