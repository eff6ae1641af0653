//! Report: what was looked at, and what was found; the first that failed is the answer.

use std::fmt;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The checkpoint is signed by the key.
    Signature,
    /// Entries have their numbers, and each names the one before.
    Chain,
    /// Entries and tiles give the root of the checkpoint.
    Tree,
    /// A proof comes to the root of the checkpoint.
    Inclusion,
    /// The log goes on from an older checkpoint.
    Consistency,
    /// Witnesses have seen the checkpoint, as the policy asks.
    Witnesses,
    /// Segments of decisions are what their entries say.
    Decisions,
}

impl Check {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Chain => "chain",
            Self::Tree => "tree",
            Self::Inclusion => "inclusion",
            Self::Consistency => "consistency",
            Self::Witnesses => "witnesses",
            Self::Decisions => "decisions",
        }
    }

    /// Returns the exit code that says where it failed, with `--detailed-exit-code`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Signature => 11,
            Self::Tree | Self::Inclusion | Self::Consistency => 12,
            Self::Chain => 13,
            Self::Witnesses => 14,
            Self::Decisions => 15,
        }
    }
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub check: Check,
    /// Whether it holds; none where it was not asked, or an earlier one failed that it rests on.
    pub holds: Option<bool>,
    /// What was found.
    pub text: String,
}

/// What was found, in the order in which it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Each check once.
    pub found: Vec<Found>,
}

impl Report {
    /// Returns the first check that does not hold.
    pub fn failed(&self) -> Option<&Found> {
        self.found.iter().find(|it| it.holds == Some(false))
    }

    pub(super) fn add(&mut self, check: Check, found: Result<String, String>) {
        let (holds, text) = match found {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        self.found.push(Found { check, holds: Some(holds), text });
    }

    pub(super) fn skip(&mut self, check: Check, why: &str) {
        self.found.push(Found { check, holds: None, text: why.into() });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Found { check, holds, text } in &self.found {
            let word = match holds {
                Some(true) => "ok",
                Some(false) => "NO",
                None => "–",
            };
            writeln!(f, "{:<11} {word:<3} {text}", check.name())?;
        }
        Ok(())
    }
}
