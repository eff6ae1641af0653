//! Asking: of those who look for the same at once one asks the store, and the others wait for what it finds (F-146).
//!
//! # Invariants
//! - `ASKING-1`: of one key one look-up is under way, however many want it.
//! - `ASKING-2`: who waits does so no longer than who asks, and whether that has found something, or was given up, does not hold it.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};

use super::PATIENCE;
use crate::cache::Key;

/// The look-ups that are under way.
#[derive(Debug, Default)]
pub(super) struct Asking(Mutex<BTreeMap<Key, watch::Receiver<()>>>);

/// What somebody is who wants a key.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// It asks, and holds this until what it has found is where the others look.
    First(First<'a>),
    /// Somebody asks already.
    Behind(Behind),
}

/// Who asks.
#[derive(Debug)]
pub(crate) struct First<'a> {
    asking: &'a Asking,
    key: Key,
    _under_way: watch::Sender<()>,
}

/// Who waits for another one.
#[derive(Debug)]
pub(crate) struct Behind(watch::Receiver<()>);

impl Asking {
    /// Takes a turn at a key (ASKING-1).
    pub(super) fn turn(&self, key: &Key) -> Turn<'_> {
        let mut under_way = self.0.lock();
        if let Some(first) = under_way.get(key) {
            return Turn::Behind(Behind(first.clone()));
        }
        let (open, others) = watch::channel(());
        under_way.insert(*key, others);
        Turn::First(First { asking: self, key: *key, _under_way: open })
    }
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        // The channel closes after this: who waits then finds nobody before it.
        self.asking.0.lock().remove(&self.key);
    }
}

impl Behind {
    /// Waits until the look-up of another one is over (ASKING-2).
    pub(crate) async fn over(mut self) {
        // An error says that it is over, silence that it takes too long: both are all there is to know.
        drop(timeout(PATIENCE, self.0.changed()).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn asking_1_asking_2_f_146_one_asks_and_nobody_waits_for_long() {
        let asking = Asking::default();
        let (key, other) = (Key::of_number(1), Key::of_number(2));
        let Turn::First(first) = asking.turn(&key) else { panic!("nobody asks") };
        assert!(matches!(asking.turn(&other), Turn::First(_)), "another key is another's");
        let (Turn::Behind(one), Turn::Behind(two)) = (asking.turn(&key), asking.turn(&key)) else { panic!("one asks") };
        let begun = tokio::time::Instant::now();
        one.over().await;
        assert_eq!(begun.elapsed().as_millis() / 5, PATIENCE.as_millis() / 5, "it has waited for its patience");
        drop(first);
        two.over().await;
        assert!(begun.elapsed() < PATIENCE * 2, "it was over");
        assert!(matches!(asking.turn(&key), Turn::First(_)));
    }
}
