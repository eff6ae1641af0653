//! Categories: the names that have a cell of their own, and whether another one was ever seen.

use std::collections::{BTreeMap, BTreeSet};

/// Names with a cell of their own at most: the most frequent.
const NAMED: usize = 254;
/// With fewer rows nobody asks whether names drift: all are counted.
const LEAST: usize = 1_000;
/// Bytes of a name that are compared as one number.
const HEAD: usize = 8;
/// Other names of which it is remembered that they were seen, at most.
const OTHERS: usize = 65_536;

/// The cells of categories: the named ones, then one for all others, then one for those never seen.
///
/// The named ones stand in the order of a hash of their names. That order knows nothing of how many rows each has: by falling frequency the
/// first would be those that came too often by chance, and all that comes later would seem to have moved away from them.
///
/// A name that was there once has no cell of its own, and its row is counted as unseen: so many rows of the next thousand will bring
/// a name that this one has not (Good, Turing). Otherwise each column of ids would drift at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Categories {
    /// Each name with its place, ascending by bytes.
    named: Vec<(Box<str>, usize)>,
    /// The head of each, in the same order.
    heads: Vec<u64>,
    /// Digests of the other names, ascending; none where there were too many: then nothing is unseen, all is other.
    others: Option<Vec<u64>>,
}

impl Categories {
    /// Makes cells of the names of all rows, in an order that has nothing to do with the names; none where a row has none. Returns also
    /// which rows are to be counted in them.
    pub(super) fn chosen(rows: &[Option<&str>], tally: &Tally<'_>) -> (Self, Counted) {
        let frequent = frequent(tally);
        let (named, counted) = if is_by_chance(&frequent, tally.len(), rows.len()) {
            let choosing = rows.iter().enumerate().filter(|it| !Counted::Rest.has(it.0));
            let of_some = tallied(choosing.filter_map(|it| *it.1));
            (self::frequent(&of_some).into_iter().map(|it| it.0).collect::<BTreeSet<_>>(), Counted::Rest)
        } else {
            (frequent.iter().map(|it| it.0).collect(), Counted::All)
        };
        let others: Vec<u64> = tally.keys().filter(|it| !named.contains(*it)).map(|it| digest(it)).collect();
        let mut names: Vec<&str> = named.into_iter().collect();
        names.sort_by_key(|it| digest(it));
        (Self::of(&names, (others.len() <= OTHERS).then_some(others)).expect("distinct names"), counted)
    }

    /// Takes names, in the order of their cells, and the digests of the others, as they were kept; none where a name is there twice
    /// or there are too many.
    pub fn of(names: &[&str], others: Option<Vec<u64>>) -> Option<Self> {
        let mut named: Vec<(Box<str>, usize)> =
            names.iter().enumerate().map(|(at, name)| ((*name).into(), at)).collect();
        named.sort_unstable();
        let mut others = others;
        others.iter_mut().for_each(|it| it.sort_unstable());
        others.iter_mut().for_each(Vec::dedup);
        let few = named.len() <= NAMED && others.as_ref().is_none_or(|it| it.len() <= OTHERS);
        let heads = named.iter().map(|it| head(&it.0)).collect();
        (few && named.windows(2).all(|it| it[0].0 != it[1].0)).then_some(Self { named, heads, others })
    }

    /// Returns the names that have a cell of their own, in its order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<(usize, &str)> = self.named.iter().map(|(name, at)| (*at, &**name)).collect();
        names.sort_unstable();
        names.into_iter().map(|it| it.1).collect()
    }

    /// Returns the digests of the other names that were seen; none where there were too many.
    pub fn others(&self) -> Option<&[u64]> {
        self.others.as_deref()
    }

    /// Returns how many cells there are, those of others and of unseen included.
    pub fn cells(&self) -> usize {
        self.named.len() + 2
    }

    /// Returns the cell of a name.
    pub fn cell(&self, name: &str) -> usize {
        let head = head(name);
        let first = self.heads.partition_point(|it| *it < head);
        // Mostly one, and of up to eight bytes: then head and length say all.
        for at in first..self.heads.len() {
            let (named, cell) = &self.named[at];
            if self.heads[at] != head {
                break;
            }
            if named.len() == name.len() && (name.len() <= HEAD || **named == *name) {
                return *cell;
            }
        }
        let unseen = self.others.as_ref().is_some_and(|it| it.binary_search(&digest(name)).is_err());
        self.named.len() + usize::from(unseen)
    }
}

/// Returns the first eight bytes of a name as a number that is ordered as they are.
#[inline]
fn head(name: &str) -> u64 {
    match name.as_bytes().first_chunk() {
        Some(eight) => u64::from_be_bytes(*eight),
        None => name.bytes().zip((0..HEAD).rev()).fold(0, |head, (byte, at)| head | u64::from(byte) << (8 * at)),
    }
}

/// Names with how many rows each has.
pub(super) type Tally<'a> = BTreeMap<&'a str, u64>;

/// Counts names.
pub(super) fn tallied<'a>(names: impl Iterator<Item = &'a str>) -> Tally<'a> {
    let mut tally = Tally::new();
    names.for_each(|name| *tally.entry(name).or_insert(0) += 1);
    tally
}

/// Which rows are counted in cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    All,
    /// Three of four: the fourth has chosen the names.
    Rest,
}

impl Counted {
    /// Says whether a row is counted, by its place.
    pub(super) fn has(self, at: usize) -> bool {
        // Every fourth row as a hash draws it, so that nothing that repeats itself falls together with it.
        self == Self::All || (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 != 0
    }
}

/// The names that are there more than once, as many as have a cell, the most frequent first.
fn frequent<'a>(tally: &Tally<'a>) -> Vec<(&'a str, u64)> {
    let mut ranked: Vec<(&str, u64)> = tally.iter().map(|(name, rows)| (*name, *rows)).collect();
    // The map's order is that of the bytes, and the sort keeps it among equals.
    ranked.sort_by_key(|it| std::cmp::Reverse(it.1));
    ranked.truncate(NAMED);
    ranked.retain(|it| it.1 > 1);
    ranked
}

/// Says whether it is much by chance which names are the frequent ones, so that those were there more often than they will be.
///
/// Of all names that are there at least `t` times the rows of those that are there just `t` times will be missing next time, and come
/// in others' place (Good, Turing). A tenth of a standard error of that is borne; drift pays for three, and asks for a thousand rows.
fn is_by_chance(frequent: &[(&str, u64)], names: usize, rows: usize) -> bool {
    let Some((_, least)) = frequent.last() else { return false };
    let margin = least * frequent.iter().filter(|it| it.1 == *least).count() as u64;
    rows >= LEAST && frequent.len() < names && margin.saturating_mul(margin).saturating_mul(100) > rows as u64
}

/// FNV-1a, 64 bits.
fn digest(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |it, byte| (it ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> (Categories, Counted) {
        let rows: Vec<_> = names.iter().map(|it| Some(*it)).collect();
        Categories::chosen(&rows, &tallied(names.iter().copied()))
    }

    #[test]
    fn names_stand_in_the_order_of_a_hash_and_what_was_there_once_has_no_cell() {
        let names: Vec<&str> = ["b", "a", "c", "b", "c", "once"].into_iter().chain(["d"]).collect();
        let (it, counted) = chosen(&names);
        assert_eq!((it.names(), counted), (vec!["c", "b"], Counted::All));
        assert_eq!(["c", "b", "a", "d", "new"].map(|it_| it.cell(it_)), [0, 1, 2, 2, 3]);
    }

    #[test]
    fn a_million_categories_are_bounded_and_nothing_is_unseen() {
        let names: Vec<String> = (0..1_000_000).map(|at| at.to_string()).collect();
        let (it, _) = chosen(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((it.cells(), it.others()), (2, None));
        assert_eq!([it.cell("7"), it.cell("new")], [0, 0]);
    }

    #[test]
    fn where_chance_says_which_names_are_frequent_a_part_of_the_rows_chooses_and_the_others_are_counted() {
        let many: Vec<String> = (0..4_000).map(|at| (at % 500).to_string()).collect();
        let (it, counted) = chosen(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!((150..=254).contains(&it.names().len()) && counted == Counted::Rest, "{}", it.names().len());
        let rest = (0..4_000).filter(|it| Counted::Rest.has(*it)).count();
        assert!((2_990..3_010).contains(&rest), "{rest}");
        let few: Vec<String> = (0..4_000).map(|at| (at % 200).to_string()).collect();
        let (it, counted) = chosen(&few.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((it.cells(), counted), (202, Counted::All), "all have a cell: nothing was chosen");
    }

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        let names =
            ["", "\0", "\0\0", "a", "a\0", "abcdefgh", "abcdefgh\0", "abcdefghi", "abcdefghij", "abcdefgi", "ü"];
        let it = Categories::of(&names, Some(Vec::new())).expect("distinct");
        for (at, name) in names.iter().enumerate() {
            assert_eq!(it.cell(name), at, "{name:?}");
        }
        for name in ["\0\0\0", "a\0\0", "abcdefg", "abcdefghk", "abcdefghijk", "abcdefgj", "v", "b"] {
            assert_eq!(it.cell(name), names.len() + 1, "{name:?}");
        }
    }

    #[test]
    fn a_name_twice_is_refused() {
        assert_eq!(Categories::of(&["a", "b", "a"], None), None);
        let kept = Categories::of(&["b", "a"], Some(vec![9, 3, 3])).expect("sound");
        assert_eq!((kept.names(), kept.others()), (vec!["b", "a"], Some(&[3, 9][..])));
    }
}
