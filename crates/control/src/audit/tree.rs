//! Tree: the Merkle tree of the log while it grows, as the tiles of C2SP `tlog-tiles` hold it.
//!
//! It keeps the open tile of each level alone; what is full is handed out once, to be written.
//!
//! # Source
//! RFC 6962, section 2.1; C2SP `tlog-tiles`, *Merkle Tree*.

use sha2::{Digest, Sha256};

/// A hash of the tree.
pub(super) type Hash = [u8; 32];

/// Hashes of a tile. The format's number.
pub(super) const WIDTH: u64 = 256;

/// Returns the hash of an entry.
pub(super) fn leaf(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Returns the root over hashes of equal subtrees; the last one may be of a smaller subtree.
pub(super) fn root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(1 << (more.len() - 1).ilog2());
            Sha256::new().chain_update([1]).chain_update(root(left)).chain_update(root(right)).finalize().into()
        }
    }
}

/// A tile of hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) level: u32,
    pub(super) n: u64,
    pub(super) hashes: Vec<Hash>,
}

/// A tree that grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    size: u64,
    /// The hashes of the open tile of each level, fewer than 256.
    open: Vec<Vec<Hash>>,
    /// Tiles that were filled since they were taken last.
    full: Vec<Tile>,
}

impl Tree {
    /// Takes up a tree of `size` leaves where its tiles leave it: `open` holds the open tile of each level.
    pub(super) fn of(size: u64, open: Vec<Vec<Hash>>) -> Self {
        Self { size, open, full: Vec::new() }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Returns the hashes of the open tile of a level.
    pub(super) fn open(&self, level: usize) -> &[Hash] {
        self.open.get(level).map_or(&[], Vec::as_slice)
    }

    /// Adds a leaf.
    pub(super) fn push(&mut self, leaf: Hash) {
        self.size += 1;
        let (mut hash, mut spanned) = (leaf, 1);
        for level in 0.. {
            if self.open.len() == level {
                self.open.push(Vec::new());
            }
            self.open[level].push(hash);
            spanned *= WIDTH;
            if (self.open[level].len() as u64) < WIDTH {
                return;
            }
            let hashes = std::mem::take(&mut self.open[level]);
            hash = root(&hashes);
            self.full.push(Tile { level: level as u32, n: self.size / spanned - 1, hashes });
        }
    }

    /// Returns the root.
    pub(super) fn root(&self) -> Hash {
        let mut below: Option<Hash> = None;
        for hashes in &self.open {
            let mut hashes = hashes.clone();
            hashes.extend(below);
            below = (!hashes.is_empty()).then(|| root(&hashes));
        }
        below.unwrap_or_else(|| root(&[]))
    }

    /// Returns the tiles that are to be written for the tree as it is: those that were filled, and the open ones.
    pub(super) fn tiles(&self) -> impl Iterator<Item = Tile> {
        let open = self.open.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty());
        let open = open.map(|(level, hashes)| {
            let n = (self.size >> (8 * level)) / WIDTH;
            Tile { level: level as u32, n, hashes: hashes.clone() }
        });
        self.full.iter().cloned().chain(open)
    }

    /// Forgets the tiles that were filled: they are written.
    pub(super) fn written(&mut self) {
        self.full.clear();
    }
}

/// Returns the name of a tile: of hashes by its level, of entries without one; of a part by its width.
pub(super) fn name(level: Option<u32>, n: u64, width: u64) -> String {
    let level = level.map_or("entries".into(), |level| level.to_string());
    let mut index = format!("{:03}", n % 1000);
    let mut above = n / 1000;
    while above > 0 {
        index = format!("x{:03}/{index}", above % 1000);
        above /= 1000;
    }
    let part = if width == WIDTH { String::new() } else { format!(".p/{width}") };
    format!("tile/{level}/{index}{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_that_grows_has_the_root_of_all_its_leaves() {
        let leaves: Vec<Hash> = (0..1_000_u32).map(|it| leaf(&it.to_be_bytes())).collect();
        let mut tree = Tree::default();
        for (at, hash) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), root(&leaves[..at]), "{at}");
            tree.push(*hash);
        }
        let widths: Vec<_> = tree.tiles().map(|it| (it.level, it.n, it.hashes.len())).collect();
        assert_eq!(widths, [(0, 0, 256), (0, 1, 256), (0, 2, 256), (0, 3, 232), (1, 0, 3)]);
    }

    #[test]
    fn a_tree_of_70_000_has_the_tiles_of_the_specification() {
        let mut tree = Tree::default();
        (0..70_000).for_each(|_| tree.push([7; 32]));
        let of = |level, full: bool| {
            let tiles = tree.tiles().filter(move |it| it.level == level && (it.hashes.len() == 256) == full);
            tiles.map(|it| it.hashes.len()).collect::<Vec<_>>()
        };
        assert_eq!((of(0, true).len(), of(0, false)), (273, vec![112]));
        assert_eq!((of(1, true).len(), of(1, false), of(2, false)), (1, vec![17], vec![1]));
    }

    #[test]
    fn names_are_those_of_the_specification() {
        assert_eq!(name(Some(1), 1_234_067, 256), "tile/1/x001/x234/067");
        assert_eq!(name(None, 0, 17), "tile/entries/000.p/17");
        assert_eq!(name(Some(0), 273, 112), "tile/0/273.p/112");
    }
}
