//! Copy: what was sent of a stream, in case it may be kept once its end is verified.
//!
//! # Invariants
//! - `COPY-1`: a copy has a bound, and all copies of a route together have one; what would go beyond either is given up, and told.
//! - `COPY-2`: a copy that is gone, however, has given its room back.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;

use super::Unkept;
use crate::path::Chunk;

/// The longest stream that is copied, in bytes.
const MOST: u64 = 8 << 20;
/// What an event takes besides its bytes.
const EVENT: u64 = 64;

/// What the copies of a route may take together.
#[derive(Debug)]
pub(super) struct Room {
    taken: AtomicU64,
    most: u64,
}

/// What was sent of a stream, within a bound.
#[derive(Debug)]
pub(crate) struct Copy {
    events: Vec<Bytes>,
    room: Arc<Room>,
    taken: u64,
    most: u64,
    /// Why there is no copy of it.
    gave_up: Option<Unkept>,
}

impl Room {
    /// Room for so many bytes.
    pub(super) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { taken: AtomicU64::new(0), most })
    }

    /// Takes some of it; says whether it was there.
    fn take(&self, bytes: u64) -> bool {
        let more = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Returns what is taken of it.
    #[cfg(test)]
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Copy {
    /// Begins to copy a stream whose answer may have so many bytes.
    pub(super) fn of(room: &Arc<Room>, most: u64) -> Self {
        // A stream says in some two hundred bytes what a whole answer says in five.
        let most = most.saturating_mul(32).min(MOST);
        Self { events: Vec::new(), room: room.clone(), taken: 0, most, gave_up: None }
    }

    /// Adds an event.
    pub(crate) fn add(&mut self, chunk: &Chunk) {
        self.copy(&chunk.event.data);
    }

    fn copy(&mut self, data: &[u8]) {
        if self.gave_up.is_some() {
            return;
        }
        let bytes = data.len() as u64 + EVENT;
        let why = match () {
            () if self.taken + bytes > self.most => Unkept::TooLarge,
            () if !self.room.take(bytes) => Unkept::NoRoom,
            () => {
                self.taken += bytes;
                // Of its own: a slice would hold on to all that was read with it.
                return self.events.push(Bytes::copy_from_slice(data));
            }
        };
        self.gave_up = Some(why);
        self.give_back();
    }

    /// Gives away what was copied, or says why that is nothing (COPY-1).
    pub(crate) fn take(&mut self) -> Result<Vec<Bytes>, Unkept> {
        self.gave_up.map_or_else(|| Ok(std::mem::take(&mut self.events)), Err)
    }

    fn give_back(&mut self) {
        self.events = Vec::new();
        self.room.taken.fetch_sub(std::mem::take(&mut self.taken), Ordering::Relaxed);
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_2_copy_1_all_copies_together_take_no_more_than_their_room() {
        let room = Room::new(10 << 10);
        let mut copies: Vec<_> = (0..20).map(|_| Copy::of(&room, 1 << 20)).collect();
        for _ in 0..10 {
            copies.iter_mut().for_each(|copy| copy.copy(&[b' '; 136]));
            assert!(room.taken() <= 10 << 10);
        }
        let whole = copies.iter_mut().filter_map(|copy| copy.take().ok());
        assert!(whole.map(|events| events.len()).eq([10; 5]), "who finds no room makes some for the others");
        assert_eq!(copies.last_mut().map(Copy::take), Some(Err(Unkept::NoRoom)));
        drop(copies);
        assert_eq!(room.taken(), 0, "COPY-2");
    }

    #[test]
    fn copy_1_one_that_is_too_long_gives_its_room_back_and_stays_given_up() {
        let room = Room::new(1 << 30);
        let mut copy = Copy::of(&room, 32);
        (0..6).for_each(|_| copy.copy(&[b' '; 200]));
        assert_eq!((copy.take(), room.taken()), (Err(Unkept::TooLarge), 0));
        copy.copy(b"short");
        assert_eq!((copy.take(), room.taken()), (Err(Unkept::TooLarge), 0));
    }
}
