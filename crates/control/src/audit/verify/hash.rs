//! Hashes of the tree, and what a proof of inclusion comes to.

use sha2::{Digest, Sha256};

/// A hash.
pub(crate) type Hash = [u8; 32];

/// Returns the hash of a leaf.
pub(crate) fn leaf(bytes: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

pub(crate) fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree that grows leaf by leaf, of which the root alone is asked: equal neighbours are joined as they come.
#[derive(Clone, Debug, Default)]
pub(super) struct Growing {
    joined: Vec<Hash>,
    size: u64,
}

impl Growing {
    pub(super) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            hash = node(&self.joined.pop().expect("as many halves as ones"), &hash);
        }
        self.joined.push(hash);
        self.size += 1;
    }

    /// Returns the root: what is left is joined from the right.
    pub(super) fn root(&self) -> Hash {
        let joined = self.joined.iter().rev().copied().reduce(|right, left| node(&left, &right));
        joined.unwrap_or_else(|| Sha256::digest([]).into())
    }
}

/// Returns the root over leaves.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Growing::default();
    leaves.iter().for_each(|it| tree.push(*it));
    tree.root()
}

/// Returns the root that a leaf and its proof come to; none where the proof has another length than such a tree asks.
///
/// # Source
/// RFC 9162, section 2.1.3.2.
pub(super) fn walk(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let (mut at, mut last) = (index, size.checked_sub(1).filter(|last| index <= *last)?);
    let mut hash = leaf;
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proof of a leaf as RFC 6962, section 2.1.1, defines it.
    fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
        let (mut below, beside) = match index.checked_sub(left.len()) {
            None => (path(index, left), root(right)),
            Some(index) => (path(index, right), root(left)),
        };
        below.push(beside);
        below
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved_and_no_other_one_is() {
        for size in 1..40_u64 {
            let leaves: Vec<Hash> = (0..size).map(|it| leaf(&it.to_be_bytes())).collect();
            let root = root(&leaves);
            for index in 0..size {
                let path = path(index as usize, &leaves);
                assert_eq!(walk(leaves[index as usize], index, size, &path), Some(root), "{index} of {size}");
                for other in (0..size).filter(|it| *it != index) {
                    assert_ne!(walk(leaves[index as usize], other, size, &path), Some(root), "{index} as {other}");
                }
                if let Some((_, shorter)) = path.split_last() {
                    assert_eq!(walk(leaves[index as usize], index, size, shorter), None);
                }
            }
            assert_eq!(walk(leaves[0], size, size, &[]), None);
        }
    }
}
