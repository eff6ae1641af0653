//! Cache: what is kept of a route's answers in this process, and for whom (F-140 to F-147).
//!
//! It keeps and finds, and decides nothing: whether what is found answers, and as what, is the core's to say, by its age.
//!
//! # Invariants
//! - `KEPT-1`: an answer is found by exactly the request that it was given to, as the same client sent it (`key`).
//! - `KEPT-2`: what is kept takes no more memory than its route says, what an entry costs besides its bytes counted in; what is copied of
//!   streams that are open takes no more than as much again (`copy`), and what waits to be written elsewhere has a bound (`shared`).
//!   One to other words is found by whoever asked those, and looked for only where the route says so (`semantic`).
//! - `KEPT-3`: nothing is kept that is not a whole answer, verified to its end (`keep`).

mod asked;
mod copy;
mod entry;
mod keep;
mod key;
mod semantic;
mod shared;
mod similar;
mod told;
mod whole;

use std::{sync::Arc, time::Duration};

use evenkeel_config as config;
use jiff::Timestamp;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync, sync::DefaultLifecycle};

pub(crate) use self::{
    asked::{Asked, Client, Moment},
    copy::Copy,
    entry::{Entry, Said},
    keep::{Given, Made, Material, Unkept, keep},
    key::{Key, session, whose},
    semantic::{Came, Semantic},
    shared::Shared,
    similar::Similar,
    told::{Noted, Told},
    whole::events,
};
use self::{copy::Room, shared::Turn, similar::Meant};

/// What an entry costs besides its bytes.
const OVERHEAD: u64 = 256;
/// The size of an answer for which room is made beforehand.
const USUAL: u64 = 4 << 10;

type Memory = sync::Cache<Key, Kept, Bytes, DefaultHashBuilder, DefaultLifecycle<Key, Kept>>;

/// An answer that is kept, and what its question means, where that is known: both go together.
#[derive(Clone)]
struct Kept {
    entry: Arc<Entry>,
    meant: Option<Arc<Meant>>,
}

/// The answers that are kept of one route.
pub(crate) struct Cache {
    pub(crate) spec: config::Cache,
    memory: Arc<Memory>,
    /// What the copies of open streams may take.
    copies: Arc<Room>,
    /// What several gateways keep together.
    shared: Option<Arc<Shared>>,
    /// What finds answers to other words.
    pub(crate) semantic: Option<Arc<Semantic>>,
}

/// What a cache works with, besides what it is told.
#[derive(Default)]
pub(crate) struct Beside {
    pub(crate) shared: Option<Arc<Shared>>,
    pub(crate) semantic: Option<Arc<Semantic>>,
}

/// Weighs an entry by what it takes.
#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<Key, Kept> for Bytes {
    fn weight(&self, _: &Key, Kept { entry, meant }: &Kept) -> u64 {
        (entry.size() + meant.as_ref().map_or(0, |it| it.size())) as u64 + OVERHEAD
    }
}

impl Cache {
    /// Begins to keep answers; what an earlier one of the same size has kept stays.
    pub(crate) fn new(spec: config::Cache, beside: Beside, before: Option<&Self>) -> Self {
        let Beside { shared, semantic } = beside;
        let kept = before.filter(|it| it.spec.memory == spec.memory).map(|it| (it.memory.clone(), it.copies.clone()));
        let new = || (Arc::new(memory(spec.memory)), Room::new(spec.memory));
        let (memory, copies) = kept.unwrap_or_else(new);
        Self { spec, memory, copies, shared, semantic }
    }

    /// Begins to copy a stream that may be kept.
    pub(crate) fn copy(&self) -> Copy {
        Copy::of(&self.copies, self.spec.max_entry)
    }

    /// Finds an answer that may still be of use.
    pub(crate) fn find(&self, key: &Key, now: Timestamp) -> Option<Arc<Entry>> {
        let Kept { entry, .. } = self.memory.get(key)?;
        if entry.age(now) <= Duration::from_nanos(self.spec.keep) && !entry.is_ahead(now) {
            return Some(entry);
        }
        self.memory.remove(key);
        None
    }

    /// Keeps an answer, in place of an earlier one, and lets other gateways have it.
    pub(crate) fn put(&self, key: Key, entry: Arc<Entry>) {
        if let Some(shared) = &self.shared {
            shared.put(&key, &entry, self.spec.keep);
        }
        self.memory.insert(key, Kept { entry, meant: None });
    }

    /// Returns what the question means of which an answer is kept.
    fn meant(&self, key: &Key) -> Option<Arc<Meant>> {
        self.memory.peek(key)?.meant
    }

    /// Adds to an answer, while it is kept, what its question means.
    fn attach(&self, key: &Key, entry: &Arc<Entry>, meant: Arc<Meant>) {
        if self.memory.peek(key).is_some_and(|kept| Arc::ptr_eq(&kept.entry, entry)) {
            self.memory.insert(*key, Kept { entry: entry.clone(), meant: Some(meant) });
        }
    }

    /// Brings what another gateway has kept, where it is younger than what is held here.
    pub(crate) async fn fetch(&self, key: &Key, entropy: u64) {
        let Some(shared) = &self.shared else { return };
        // Held until what was found is where the others look.
        let _first = match shared.turn(key) {
            Turn::First(first) => first,
            Turn::Behind(other) => return other.over().await,
        };
        let Some(entry) = shared.get(key, (entropy, self.spec.max_entry)).await else { return };
        // Of another configuration it could not be: that has another key. But nobody is believed a tier that is not there.
        let held = self.memory.peek(key).is_some_and(|held| held.entry.made >= entry.made);
        if entry.tier < self.spec.tiers && !held {
            self.memory.insert(*key, Kept { entry: Arc::new(entry), meant: None });
        }
    }

    /// Returns the bytes that it takes.
    pub(crate) fn size(&self) -> u64 {
        self.memory.weight()
    }
}

fn memory(bytes: u64) -> Memory {
    let items = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX).clamp(16, 1 << 20);
    // One shard: then the bound is the bound. It is asked under the lock of the core in any case.
    let options = OptionsBuilder::new().shards(1).estimated_items_capacity(items).weight_capacity(bytes).build();
    let options = options.expect("both capacities are given");
    Memory::with_options(options, Bytes, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn spec() -> config::Cache {
        config::Cache {
            any_tier: false,
            keep: 10_000_000_000,
            memory: 64 << 10,
            max_entry: 8 << 10,
            vary: Vec::new(),
            contract: [0; 32],
            tiers: 16,
            semantic: None,
        }
    }

    fn entry(bytes: usize) -> Arc<Entry> {
        let said = Said::Json(vec![b' '; bytes].into());
        Arc::new(Entry { tier: 0, made: Timestamp::UNIX_EPOCH, sure: None, said })
    }

    fn key(number: u64) -> Key {
        Key::of_number(number)
    }

    #[test]
    fn kept_2_memory_is_bounded_by_bytes_and_an_entry_without_any_counts() {
        let cache = Cache::new(spec(), Beside::default(), None);
        for number in 0..1_000 {
            cache.put(key(number), entry((number % 7) as usize * 500));
            assert!(cache.size() <= 64 << 10, "after {number}");
        }
        assert!(cache.size() > 32 << 10, "the memory is used");
        cache.put(key(5_000), entry(65 << 10));
        assert!(cache.find(&key(5_000), Timestamp::UNIX_EPOCH).is_none(), "what is larger than all of it is not kept");
    }

    #[test]
    fn f_143_what_is_too_old_for_any_use_is_not_found_and_gone() {
        let cache = Cache::new(spec(), Beside::default(), None);
        cache.put(key(1), entry(100));
        let at = |seconds| Timestamp::from_second(seconds).expect("a time");
        assert!(cache.find(&key(1), at(10)).is_some());
        assert!(cache.find(&key(1), at(11)).is_none());
        assert!(cache.find(&key(1), at(1)).is_none(), "it is gone");
        assert_eq!(cache.size(), 0);
        cache.put(key(1), entry(100));
        assert!(cache.find(&key(1), at(-4)).is_some());
        assert!(cache.find(&key(1), at(-60)).is_none(), "with the clock set back nobody knows how old it is");
    }

    #[test]
    fn cf_02_what_was_kept_outlives_a_reload_that_leaves_its_size() {
        let cache = Cache::new(spec(), Beside::default(), None);
        cache.put(key(1), entry(100));
        let same = Cache::new(config::Cache { keep: 5, ..spec() }, Beside::default(), Some(&cache));
        assert!(same.find(&key(1), Timestamp::UNIX_EPOCH).is_some());
        let other = Cache::new(config::Cache { memory: 128 << 10, ..spec() }, Beside::default(), Some(&cache));
        assert!(other.find(&key(1), Timestamp::UNIX_EPOCH).is_none());
    }
}
