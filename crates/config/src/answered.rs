//! Answered: what of the first tier's answers a column of a reference is.
//!
//! Of an inference it is the output of its name. Of a chat it is the text, where it is a column of texts, whatever its name, and what these
//! names say: `completion_tokens`, `finish_reason`, `refusal`. How sure the tier was is the column that was given as such.
//!
//! # Invariants
//! - `ANS-1`: there is one text, and one confidence: of several columns the first.

use evenkeel_signals::reference::{Column, ColumnKind, Role};

/// What the answers of a first tier are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Tensors; texts otherwise.
    pub tensors: bool,
    /// It says how sure it is.
    pub sure: bool,
}

/// What of an answer a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The output of its name.
    Tensor,
    /// How sure the tier was, as it said it.
    Confidence,
    /// The text.
    Text,
    /// Tokens, as the server told them.
    Tokens,
    /// Why the model ended.
    Finish,
    /// Whether the model says that it refuses: `true` or `false`.
    Refusal,
}

impl Answers {
    /// Returns what the column of this place is; none where it is nothing of an answer, or nothing that is compared.
    pub fn column(self, schema: &[Column], at: usize) -> Option<Answered> {
        let it = schema.get(at).filter(|it| !it.private)?;
        let found = self.of(it)?;
        let only = matches!(found, Answered::Text | Answered::Confidence);
        let another = only && schema[..at].iter().any(|it| !it.private && self.of(it) == Some(found));
        (!another).then_some(found)
    }

    fn of(self, it: &Column) -> Option<Answered> {
        use ColumnKind::{Category, Number, Text};
        match (it.role, it.kind, it.name.as_str()) {
            (Role::Confidence, Number, _) if self.sure => Some(Answered::Confidence),
            // A score that nobody accepts by is an output like others.
            (Role::Output | Role::Confidence, Number | Category, _) if self.tensors => Some(Answered::Tensor),
            (Role::Output, Text, _) if !self.tensors => Some(Answered::Text),
            (Role::Output, Number, "completion_tokens") => Some(Answered::Tokens),
            (Role::Output, Category, "finish_reason") => Some(Answered::Finish),
            (Role::Output, Category, "refusal") => Some(Answered::Refusal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ans_1_what_a_column_is_depends_on_its_role_its_kind_and_what_is_answered() {
        use Answered::{Confidence, Finish, Refusal, Tensor, Text, Tokens};
        use ColumnKind::{Category, Number};
        let columns = [
            ("sure", Number, Role::Confidence, [None, Some(Confidence), Some(Tensor), Some(Confidence)]),
            ("surer", Number, Role::Confidence, [None, None, Some(Tensor), None]),
            ("question", ColumnKind::Text, Role::Input, [None; 4]),
            ("right", Number, Role::Label, [None; 4]),
            ("reply", ColumnKind::Text, Role::Output, [Some(Text), Some(Text), None, None]),
            ("second", ColumnKind::Text, Role::Output, [None; 4]),
            ("score", Number, Role::Output, [None, None, Some(Tensor), Some(Tensor)]),
            ("completion_tokens", Number, Role::Output, [Some(Tokens), Some(Tokens), Some(Tensor), Some(Tensor)]),
            ("finish_reason", Category, Role::Output, [Some(Finish), Some(Finish), Some(Tensor), Some(Tensor)]),
            ("refusal", Category, Role::Output, [Some(Refusal), Some(Refusal), Some(Tensor), Some(Tensor)]),
        ];
        let schema: Vec<Column> = columns.iter().map(|(name, kind, role, _)| Column::new(name, *kind, *role)).collect();
        let forms = [(false, false), (false, true), (true, false), (true, true)];
        for (at, (name, .., expected)) in columns.iter().enumerate() {
            let found = forms.map(|(tensors, sure)| Answers { tensors, sure }.column(&schema, at));
            assert_eq!(&found, expected, "{name}");
        }
        let private = [Column { private: true, ..schema[6].clone() }];
        assert_eq!(Answers { tensors: true, sure: true }.column(&private, 0), None);
    }
}
