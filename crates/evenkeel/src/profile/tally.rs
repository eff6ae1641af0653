//! Tally: what stands in a column, counted in one pass and in bounded memory.

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
};

use super::{cell::Cell, read::Place, time};

/// Different values that are told apart at most; as many as a category remembers.
pub(crate) const DISTINCT: usize = 65_536;

/// What a value can look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Number,
    Bool,
    Name,
    Time,
    Vector,
    Odd,
}

/// Looks, in the order in which they are told.
pub(crate) const LOOKS: [Look; 6] = [Look::Number, Look::Bool, Look::Name, Look::Time, Look::Vector, Look::Odd];

/// A value with where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The file, by its place among the sources.
    pub(crate) file: usize,
    pub(crate) place: Place,
    pub(crate) shown: String,
}

/// What stands in a column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) name: String,
    pub(crate) missing: u64,
    counts: [u64; 6],
    first: [Option<Seen>; 6],
    /// NaN and the infinities.
    pub(crate) not_finite: u64,
    /// Whether a number begins with a 0 that counts nothing, as codes do.
    pub(crate) padded: bool,
    /// Whether a number has a comma for a point.
    pub(crate) comma: Option<Seen>,
    /// Texts that are numbers in other clothes, `6%` and `1,234.5`, and the first of them.
    dressed: u64,
    first_dressed: Option<Seen>,
    bytes: u64,
    spaces: u64,
    pub(crate) longest: u64,
    /// The width of the vectors, and the first of another one.
    pub(crate) width: Option<usize>,
    pub(crate) uneven: Option<Seen>,
    distinct: HashSet<u64, BuildHasherDefault<DefaultHasher>>,
    more: bool,
    /// The first text, and whether all others are it.
    only: Option<(String, bool)>,
}

impl Tally {
    /// A column with so many rows before its first.
    pub(crate) fn new(name: &str, missing: u64) -> Self {
        Self { name: name.into(), missing, ..Self::default() }
    }

    pub(crate) fn add(&mut self, cell: &Cell, file: usize, place: Place) {
        let seen = || Seen { file, place, shown: cell.shown() };
        let look = match cell {
            Cell::Missing => {
                self.missing += 1;
                return;
            }
            Cell::Number(it) => self.number(*it),
            Cell::Bool(_) => Look::Bool,
            Cell::Time(_) => Look::Time,
            Cell::Odd(_) => Look::Odd,
            Cell::Numbers(all) => {
                if *self.width.get_or_insert(all.len()) != all.len() && self.uneven.is_none() {
                    self.uneven = Some(seen());
                }
                Look::Vector
            }
            Cell::Raw(text) => match cell.number() {
                Some(number) => {
                    let digits = text.trim().trim_start_matches(['-', '+']).as_bytes();
                    self.padded |= digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit();
                    self.number(number)
                }
                None => self.text(text, &seen),
            },
            Cell::Text(text) => self.text(text, &seen),
        };
        self.counts[look as usize] += 1;
        self.first[look as usize].get_or_insert_with(seen);
        self.count_distinct(cell);
    }

    fn number(&mut self, number: f64) -> Look {
        self.not_finite += u64::from(!number.is_finite());
        Look::Number
    }

    fn text(&mut self, text: &str, seen: &dyn Fn() -> Seen) -> Look {
        if time::of_text(text).is_some() {
            return Look::Time;
        }
        self.bytes += text.len() as u64;
        self.longest = self.longest.max(text.len() as u64);
        self.spaces += text.trim().bytes().filter(u8::is_ascii_whitespace).count() as u64;
        match &mut self.only {
            None => self.only = Some((text.chars().take(40).collect(), true)),
            Some((only, same)) => *same &= only == text,
        }
        let comma =
            |it: &str| it.split_once(',').is_some_and(|it| [it.0, it.1].iter().all(|it| it.parse::<u64>().is_ok()));
        if self.comma.is_none() && comma(text.trim().trim_start_matches('-')) {
            self.comma = Some(seen());
        }
        if is_dressed(text.trim()) {
            self.dressed += 1;
            self.first_dressed.get_or_insert_with(seen);
        }
        Look::Name
    }

    /// Returns the first of the names where each of them is a number that is written another way.
    pub(crate) fn only_dressed(&self) -> Option<&Seen> {
        self.first_dressed.as_ref().filter(|_| self.dressed == self.of(Look::Name))
    }

    fn count_distinct(&mut self, cell: &Cell) {
        if self.more {
            return;
        }
        let mut hash = DefaultHasher::new();
        match cell {
            Cell::Number(it) => it.to_bits().hash(&mut hash),
            Cell::Raw(it) | Cell::Text(it) => it.hash(&mut hash),
            Cell::Bool(it) => it.hash(&mut hash),
            Cell::Time(it) => it.hash(&mut hash),
            _ => return,
        }
        self.distinct.insert(hash.finish());
        if self.distinct.len() > DISTINCT {
            (self.more, self.distinct) = (true, HashSet::default());
        }
    }

    /// Returns the rows that look like this.
    pub(crate) fn of(&self, look: Look) -> u64 {
        self.counts[look as usize]
    }

    /// Returns the first value that looks like this.
    pub(crate) fn first(&self, look: Look) -> Option<&Seen> {
        self.first[look as usize].as_ref()
    }

    /// Returns the rows with a value.
    pub(crate) fn values(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns how many different values there are; none where they are more than were told apart.
    pub(crate) fn distinct(&self) -> Option<u64> {
        (!self.more).then_some(self.distinct.len() as u64)
    }

    /// Returns the one text that all texts are; none where they differ.
    pub(crate) fn only_text(&self) -> Option<&str> {
        self.only.as_ref().filter(|it| it.1).map(|it| it.0.as_str())
    }

    /// Says whether names are sentences: long ones, or of several words and hardly ever the same.
    pub(crate) fn is_prose(&self) -> bool {
        let names = self.of(Look::Name).max(1);
        let often = self.distinct().is_some_and(|it| it * 2 < names);
        (self.bytes / names >= 64 || self.spaces / names >= 3) && !often || self.longest > 1_024
    }
}

/// Says whether a text is a number with a sign of currency or percent, with marks between its digits, or in quotes. One that begins with a
/// 0 that counts nothing is a code.
fn is_dressed(text: &str) -> bool {
    let bare =
        text.trim_start_matches(['-', '+', '$', '€', '£', '¥']).trim_end_matches(['%', '‰', '$', '€', '£', '¥']).trim();
    let digits = bare.as_bytes();
    let padded = digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit();
    let whole = bare.split('.').next().unwrap_or_default();
    let groups: Vec<&str> = whole.split([',', '_', '\'']).collect();
    let grouped = groups.iter().skip(1).all(|it| it.len() == 3) && groups.iter().all(|it| !it.is_empty());
    let plain = bare.replace([',', '_', '\''], "");
    let number = plain.parse::<f64>().is_ok_and(f64::is_finite) && digits.first().is_some_and(u8::is_ascii_digit);
    number && grouped && !padded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(name: &str, values: impl IntoIterator<Item = Cell>) -> Tally {
        let mut tally = Tally::new(name, 0);
        values.into_iter().zip(1..).for_each(|(it, row)| tally.add(&it, 0, Place::Row(row)));
        tally
    }

    #[test]
    fn looks_are_counted_and_the_first_of_each_is_remembered() {
        let raw = |it: &str| Cell::Raw(it.into());
        let it = tally("x", [raw("1"), raw("NaN"), Cell::Missing, raw("x y"), Cell::Bool(true), raw("2024-01-02")]);
        assert_eq!(LOOKS.map(|look| it.of(look)), [2, 1, 1, 1, 0, 0]);
        assert_eq!((it.missing, it.not_finite, it.distinct(), it.only_text()), (1, 1, Some(5), Some("x y")));
        let first = it.first(Look::Name).expect("one");
        assert_eq!((first.place, first.shown.as_str()), (Place::Row(4), "`x y`"));
    }

    #[test]
    fn prose_and_codes_are_known_by_their_values() {
        let names = tally("user", (0..200).map(|it| Cell::Text(format!("u{it}"))));
        let prose = tally("q", (0..9).map(|it| Cell::Text(format!("how do I get to number {it}?"))));
        assert!(prose.is_prose() && !names.is_prose());
        assert!(tally("zip", [Cell::Raw("01234".into())]).padded && !tally("x", [Cell::Raw("0.5".into())]).padded);
        assert!(tally("x", [Cell::Raw("3,5".into())]).comma.is_some());
        for it in ["6%", "$6.50", "6.50 €", "1,234.5", "1_000", "-1'000'000", "12", "-0.5%"] {
            assert!(is_dressed(it), "{it}");
        }
        for it in ["007", "1,2,3", "a%", "%", "", "1-2", "v1.2", "10.0.0.1", "12a", "inf"] {
            assert!(!is_dressed(it), "{it}");
        }
        let texts = |all: &[&str]| tally("x", all.iter().map(|it| Cell::Text((*it).into())));
        assert!(texts(&["12", "13"]).only_dressed().is_some(), "numbers in quotes");
        assert!(texts(&["12", "07"]).only_dressed().is_none() && texts(&["12", "x"]).only_dressed().is_none());
    }

    #[test]
    fn more_values_than_are_told_apart_are_bounded() {
        let it = tally("x", (0..70_000).map(|it| Cell::Text(it.to_string())));
        assert!(it.distinct().is_none() && it.distinct.is_empty());
    }
}
