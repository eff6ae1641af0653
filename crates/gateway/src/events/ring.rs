//! Ring: the last records, by id.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::Record;

/// Records that are kept.
const MOST: usize = 10_000;

/// The last records.
#[derive(Debug, Default)]
pub(super) struct Ring {
    order: VecDeque<Arc<Record>>,
    by_id: HashMap<String, Arc<Record>>,
}

impl Ring {
    pub(super) fn keep(&mut self, record: Arc<Record>) {
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest.id);
        }
        self.by_id.insert(record.id.clone(), record.clone());
        self.order.push_back(record);
    }

    /// Returns the last records, the newest first; of one route where that is named.
    pub(super) fn last(&self, route: Option<&str>, most: usize) -> Vec<Arc<Record>> {
        let of = |record: &&Arc<Record>| route.is_none_or(|route| record.route() == route);
        self.order.iter().rev().filter(of).take(most).cloned().collect()
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Record>> {
        self.by_id.get(id).cloned()
    }
}
