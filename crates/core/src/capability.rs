//! Capability: what a request wants of whoever answers it, and what a path can (F-036).
//!
//! Names become bits once, when a revision is compiled and when a request comes in; a decision compares bits and nothing
//! else. What is lacking stands in the fact that was compared, and [`lacks`] gives the bits their names back.
//!
//! # Invariants
//! - `CAP-1`: a path that declares nothing takes every language and every datatype, and is nowhere that a request may go
//!   which says where it may: silence about a place is not a promise.
//! - `CAP-2`: what is computed in this process takes a request nowhere, and so is allowed everywhere.
//!
//! # Source
//! A language covers another as a *language range* does in RFC 4647, section 3.3.1: `pt` covers `pt-BR`, and not the reverse.

use alloc::{string::String, vec::Vec};

use crate::{
    fact::Signal,
    revision::{Features, Revision},
};

/// The bit of what no path of a revision names.
const UNNAMED: u64 = 1 << 63;

/// Names of one kind that a revision may have: one bit each, and one for what has no name in it.
pub const MOST_NAMES: usize = 63;

/// The datatypes of the Open Inference Protocol, by their bits.
pub const DATATYPES: [&str; 14] = [
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BF16",
    "BYTES",
];

/// The features, by their bits.
const FEATURES: [&str; 10] =
    ["tools", "tool_required", "json", "schema", "logprobs", "n", "image", "audio", "file", "prefill"];

/// Returns the bit of a datatype.
pub fn datatype(name: &str) -> u64 {
    DATATYPES.iter().position(|it| *it == name).map_or(UNNAMED, |at| 1 << at)
}

/// The names that paths of a revision declare, in lower case, sorted, at most [`MOST_NAMES`] of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Languages.
    pub languages: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
}

impl Names {
    /// Returns the bit of the closest language that covers this one.
    pub fn language(&self, tag: &str) -> u64 {
        let covers = |it: &(usize, &String)| covers(it.1, tag);
        let closest = self.languages.iter().enumerate().filter(covers).max_by_key(|(_, name)| name.len());
        closest.map_or(UNNAMED, |(at, _)| 1 << at)
    }

    /// Returns the bits of all languages that this one covers.
    pub fn spoken(&self, tag: &str) -> u64 {
        let all = self.languages.iter().enumerate();
        all.filter(|(_, name)| covers(tag, name)).fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// Returns the bit of a region; none where no path is there.
    pub fn region(&self, name: &str) -> u64 {
        self.regions.iter().position(|it| it == name).map_or(0, |at| 1 << at)
    }
}

/// Says whether a language range covers a language.
fn covers(range: &str, tag: &str) -> bool {
    tag.strip_prefix(range).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// What a request wants, besides its features. By default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The languages that it is in, all of which must be understood.
    pub languages: u64,
    /// The datatypes of its tensors.
    pub datatypes: u64,
    /// The regions that it may go to; none where it may go anywhere.
    pub regions: Option<u64>,
}

/// What a path can, besides its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Can {
    /// The languages that it understands.
    pub languages: u64,
    /// The datatypes that it takes.
    pub datatypes: u64,
    /// Every region that a request may come to by it.
    pub regions: u64,
}

impl Can {
    /// Takes everything, and takes it nowhere.
    pub const ANYTHING: Self = Self { languages: u64::MAX, datatypes: u64::MAX, regions: 0 };

    /// Says whether it can do what is wanted.
    pub fn serves(self, wants: Wants) -> bool {
        let mut serves = true;
        self.ask(wants, &mut |_, lacking, most| serves &= lacking <= most);
        serves
    }

    /// Compares what a request wants. Of what a path declares nothing, nothing is compared but its place.
    pub(crate) fn ask(self, wants: Wants, add: &mut impl FnMut(Signal, u64, u64)) {
        if wants.languages > 0 && self.languages < u64::MAX {
            add(Signal::LanguagesMissing, wants.languages & !self.languages, 0);
        }
        if wants.datatypes > 0 && self.datatypes < u64::MAX {
            add(Signal::DatatypesMissing, wants.datatypes & !self.datatypes, 0);
        }
        if let Some(allowed) = wants.regions {
            add(Signal::RegionsBarred, self.regions & !allowed, 0);
        }
    }
}

impl Default for Can {
    fn default() -> Self {
        Self { regions: UNNAMED, ..Self::ANYTHING }
    }
}

/// Returns the names of what a comparison found to be lacking, or, for a region, of where a path would take the request;
/// none for a signal that is no set of names.
pub fn lacks(revision: &Revision, signal: Signal, value: u64) -> Option<Vec<&str>> {
    let names: Vec<&str> = match signal {
        Signal::FeaturesMissing => FEATURES.to_vec(),
        Signal::DatatypesMissing => DATATYPES.to_vec(),
        Signal::LanguagesMissing => revision.names.languages.iter().map(String::as_str).collect(),
        Signal::RegionsBarred => revision.names.regions.iter().map(String::as_str).collect(),
        _ => return None,
    };
    let bits = (0..u64::BITS).filter(|bit| value >> bit & 1 == 1);
    Some(bits.map(|bit| names.get(bit as usize).copied().unwrap_or("undeclared")).collect())
}

impl Features {
    /// Goes on with an answer that was begun for it. No client asks for it.
    pub(crate) const PREFILL: Self = Self(1 << 9);
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn names(languages: &[&str]) -> Names {
        Names { languages: languages.iter().map(|it| (*it).into()).collect(), regions: vec!["ch".into(), "eu".into()] }
    }

    #[test]
    fn f_036_a_language_is_covered_by_its_own_range_and_by_no_narrower_one() {
        let names = names(&["de", "en", "pt", "pt-br"]);
        let missing = |declared: &[&str], tag: &str| {
            let has = declared.iter().fold(0, |bits, it| bits | names.spoken(it));
            names.language(tag) & !has > 0
        };
        for (declared, tag, expected) in [
            (&["en"][..], "en", false),
            (&["en"], "en-gb", false),
            (&["en"], "de", true),
            (&["pt"], "pt-br", false),
            (&["pt-br"], "pt", true),
            (&["pt-br"], "pt-pt", true),
            (&["pt-br"], "pt-br", false),
            (&["pt-br", "de"], "de-at", false),
            (&["en"], "eng", true),
            (&["en"], "fr", true),
        ] {
            assert_eq!(missing(declared, tag), expected, "{declared:?} for {tag}");
        }
    }

    #[test]
    fn f_036_each_capability_is_compared_with_what_was_asked_of_it() {
        let can = Can { languages: 0b01, datatypes: datatype("FP32"), regions: 0b10 };
        let none = Wants::default();
        for (can, wants, expected) in [
            (can, none, vec![]),
            (can, Wants { languages: 0b01, ..none }, vec![(Signal::LanguagesMissing, 0)]),
            (can, Wants { languages: 0b11, ..none }, vec![(Signal::LanguagesMissing, 0b10)]),
            (can, Wants { languages: UNNAMED, ..none }, vec![(Signal::LanguagesMissing, UNNAMED)]),
            (can, Wants { datatypes: datatype("FP32"), ..none }, vec![(Signal::DatatypesMissing, 0)]),
            (can, Wants { datatypes: datatype("BYTES"), ..none }, vec![(Signal::DatatypesMissing, 1 << 13)]),
            (can, Wants { regions: Some(0b10), ..none }, vec![(Signal::RegionsBarred, 0)]),
            (can, Wants { regions: Some(0b01), ..none }, vec![(Signal::RegionsBarred, 0b10)]),
            (can, Wants { regions: Some(0), ..none }, vec![(Signal::RegionsBarred, 0b10)]),
            (Can::default(), Wants { languages: 1, datatypes: 1, regions: None }, vec![]),
            (Can::default(), Wants { regions: Some(0b11), ..none }, vec![(Signal::RegionsBarred, UNNAMED)]),
            (Can::ANYTHING, Wants { regions: Some(0), ..none }, vec![(Signal::RegionsBarred, 0)]),
        ] {
            let mut found = Vec::new();
            can.ask(wants, &mut |signal, value, _| found.push((signal, value)));
            assert_eq!(found, expected, "CAP-1, CAP-2: {can:?} for {wants:?}");
        }
    }

    #[test]
    fn f_036_what_is_lacking_has_a_name() {
        let revision = Revision { names: names(&["de", "en"]), ..Revision::default() };
        let named = |signal, value| lacks(&revision, signal, value).unwrap_or_default();
        assert_eq!(named(Signal::FeaturesMissing, 0b1001), ["tools", "schema"]);
        assert_eq!(named(Signal::DatatypesMissing, datatype("FP16") | datatype("odd")), ["FP16", "undeclared"]);
        assert_eq!(named(Signal::LanguagesMissing, 0b10 | UNNAMED), ["en", "undeclared"]);
        assert_eq!(named(Signal::RegionsBarred, 0b01), ["ch"]);
        assert_eq!(lacks(&revision, Signal::Context, 3), None);
    }
}
