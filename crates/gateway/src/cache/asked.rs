//! Asked: what one request is to the cache of its route.

use std::{fmt, sync::Arc};

use evenkeel_core::{CachePolicy, Lookup, Nanos, Stored, fresh_for};
use http::HeaderMap;
use jiff::Timestamp;

use super::{Cache, Entry, Key, key::Scope};
use crate::{ask::Ask, clock::Clock};

/// What a client says of earlier answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    /// The greatest age that it takes; 0 for none at all.
    pub(crate) max_age: Option<Nanos>,
    /// Nothing may be kept of it, and nothing looked up.
    pub(crate) no_store: bool,
}

impl Client {
    /// Notes that it takes nothing older; of several such words the strictest counts.
    pub(crate) fn no_older(&mut self, than: Nanos) {
        self.max_age = Some(self.max_age.map_or(than, |before| before.min(than)));
    }
}

/// A request of which something may be kept.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) cache: Arc<Cache>,
    pub(crate) key: Key,
    pub(crate) max_age: Option<Nanos>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

impl Asked {
    /// Looks at a request; none where nothing may be kept of it: its route keeps nothing, its client wants that, it is not pure
    /// (F-034), or belongs to a sequence.
    pub(crate) fn new(
        cache: Option<&Arc<Cache>>,
        route: &str,
        (ask, headers): (&Ask, &HeaderMap),
        client: Client,
    ) -> Option<Self> {
        let cache = cache.filter(|_| !client.no_store && ask.is_pure() && ask.turn().is_none())?;
        let key = Key::of(Scope { route, cache: &cache.spec, headers }, &ask.question, &ask.body)?;
        Some(Self { cache: cache.clone(), key, max_age: client.max_age })
    }

    /// Brings what other gateways have kept of it, where nothing that is held here is fresh; returns how long that took.
    pub(crate) async fn fetch(&self, policy: CachePolicy, (clock, entropy): (Clock, u64)) -> Nanos {
        let begun = clock.now();
        let now = Timestamp::now();
        let fresh = |entry: &Entry| entry.age(now).as_nanos() <= u128::from(fresh_for(policy.ttl, self.key.bits()));
        // Who wants a new answer in any case looks nothing up.
        if self.max_age != Some(0) && !self.find(now).is_some_and(|entry| fresh(&entry)) {
            self.cache.fetch(&self.key, entropy).await;
        }
        clock.now().saturating_sub(begun)
    }

    /// Finds what is held of it.
    pub(crate) fn find(&self, now: Timestamp) -> Option<Arc<Entry>> {
        self.cache.find(&self.key, now)
    }

    /// Says what the core has to know.
    pub(crate) fn lookup(&self, held: Option<&Entry>, now: Timestamp) -> Lookup {
        let stored = held.map(|entry| Stored {
            age: Nanos::try_from(entry.age(now).as_nanos()).unwrap_or(Nanos::MAX),
            tier: entry.tier,
        });
        Lookup { key: Some(self.key.bits()), stored, max_age: self.max_age, ..Lookup::default() }
    }
}
