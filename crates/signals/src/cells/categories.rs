//! Categories: the names that have a cell of their own, and whether another one was ever seen.

use std::collections::BTreeMap;

/// Names with a cell of their own at most: the most frequent.
const NAMED: usize = 254;
/// Other names of which it is remembered that they were seen, at most.
const OTHERS: usize = 65_536;

/// The cells of categories: the named ones by falling frequency, then one for all others, then one for those never seen.
///
/// A name that was there once has no cell of its own, and its row is counted as unseen: so many rows of the next thousand will bring
/// a name that this one has not (Good, Turing). Otherwise each column of ids would drift at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Categories {
    /// Each name with its place, ascending by bytes.
    named: Vec<(Box<str>, usize)>,
    /// Digests of the other names, ascending; none where there were too many: then nothing is unseen, all is other.
    others: Option<Vec<u64>>,
}

impl Categories {
    /// Makes cells of names and how often each is there; returns also the rows of each cell.
    pub(super) fn counted(counts: &BTreeMap<&str, u64>) -> (Self, Vec<u64>) {
        let mut ranked: Vec<(&str, u64)> = counts.iter().map(|(name, n)| (*name, *n)).collect();
        // The map's order is that of the bytes, and the sort keeps it among equals.
        ranked.sort_by_key(|it| std::cmp::Reverse(it.1));
        let named = ranked.iter().take(NAMED).take_while(|it| it.1 > 1).count();
        let (own, rest) = ranked.split_at(named);
        let names: Vec<&str> = own.iter().map(|it| it.0).collect();
        let others: Vec<u64> = rest.iter().map(|it| digest(it.0)).collect();
        let once: u64 = rest.iter().filter(|it| it.1 == 1).map(|it| it.1).sum();
        let all: u64 = rest.iter().map(|it| it.1).sum();
        let it = Self::of(&names, (others.len() <= OTHERS).then_some(others)).expect("distinct names");
        let last = if it.others.is_some() { [all - once, once] } else { [all, 0] };
        (it, own.iter().map(|it| it.1).chain(last).collect())
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
        (few && named.windows(2).all(|it| it[0].0 != it[1].0)).then_some(Self { named, others })
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
        match (self.named.binary_search_by(|it| (*it.0).cmp(name)), &self.others) {
            (Ok(at), _) => self.named[at].1,
            (Err(_), Some(others)) if others.binary_search(&digest(name)).is_err() => self.named.len() + 1,
            (Err(_), _) => self.named.len(),
        }
    }
}

/// FNV-1a, 64 bits.
fn digest(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |it, byte| (it ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(names: &[&str]) -> (Categories, Vec<u64>) {
        let mut counts = BTreeMap::new();
        names.iter().for_each(|name| *counts.entry(*name).or_insert(0) += 1);
        Categories::counted(&counts)
    }

    #[test]
    fn the_frequent_come_first_and_what_was_there_once_says_how_much_is_unseen() {
        let (it, counts) = counted(&["b", "a", "c", "b", "c", "once"]);
        assert_eq!((it.names(), counts), (vec!["b", "c"], vec![2, 2, 0, 2]), "a and once: two rows of unseen");
        assert_eq!(["b", "c", "a", "new"].map(|it_| it.cell(it_)), [0, 1, 2, 3]);
    }

    #[test]
    fn a_million_categories_are_bounded_and_nothing_is_unseen() {
        let names: Vec<String> = (0..70_000).map(|at| at.to_string()).collect();
        let (it, counts) = counted(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((it.cells(), counts, it.others()), (2, vec![70_000, 0], None));
        assert_eq!([it.cell("7"), it.cell("new")], [0, 0]);
        let many: Vec<String> = (0..1_000).map(|at| (at % 500).to_string()).collect();
        let (it, counts) = counted(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((it.cells(), counts[254], counts[255]), (256, 2 * 246, 0));
    }

    #[test]
    fn a_name_twice_is_refused() {
        assert_eq!(Categories::of(&["a", "b", "a"], None), None);
        let kept = Categories::of(&["b", "a"], Some(vec![9, 3, 3])).expect("sound");
        assert_eq!((kept.names(), kept.others()), (vec!["b", "a"], Some(&[3, 9][..])));
    }
}
