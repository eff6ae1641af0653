//! Asked: what one request is to the cache of its route.

use std::{fmt, sync::Arc};

use evenkeel_core::{CachePolicy, Lookup, Nanos, Stored, fresh_for};
use http::HeaderMap;
use jiff::Timestamp;

use super::{Cache, Came, Entry, Key, Similar, key::Scope, semantic::Apart};
use crate::{
    ask::{Ask, Question},
    clock::Clock,
    meant::Meant,
};

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
    /// Its last question and all the rest, where answers to other words are looked for.
    apart: Option<Apart>,
    /// What its question means, where somebody has asked.
    meant: Arc<Meant>,
    /// The nearest of those, where it was looked for, and what came of that.
    pub(crate) near: Option<Similar>,
    pub(crate) came: Option<Came>,
}

/// When something is looked for, and with which bits.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) clock: Clock,
    pub(crate) entropy: u64,
    /// What is left of its deadline.
    pub(crate) left: Nanos,
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
        (client, meant): (Client, &Arc<Meant>),
    ) -> Option<Self> {
        let cache = cache.filter(|_| !client.no_store && ask.is_pure() && ask.turn().is_none())?;
        let scope = Scope { route, cache: &cache.spec, headers };
        let key = Key::of(scope, &ask.question, &ask.body)?;
        let semantic = cache.semantic.as_ref().filter(|_| matches!(ask.question, Question::Chat(_)));
        let apart = semantic.and_then(|it| Key::apart(scope, it.names(), &ask.body));
        let apart = apart.map(|(scope, question)| Apart { scope, question: question.into(), unit: None });
        let (max_age, meant) = (client.max_age, meant.clone());
        Some(Self { cache: cache.clone(), key, max_age, apart, meant, near: None, came: None })
    }

    /// Leaves out what would take its question to who says what it means: it may not go there.
    pub(crate) fn stay(&mut self) {
        self.apart = None;
    }

    /// Brings what other gateways have kept of it, where nothing that is held here is fresh, and what is near it, where its route
    /// gives that before any tier; returns how long that took.
    pub(crate) async fn fetch(&mut self, policy: CachePolicy, moment: Moment) -> Nanos {
        let Moment { clock, entropy, left } = moment;
        let begun = clock.now();
        let now = Timestamp::now();
        let fresh = |entry: &Entry, key: &Key| entry.age_nanos(now) <= fresh_for(policy.ttl, key.bits());
        let holds = |it: &Self| it.find(now).is_some_and(|entry| fresh(&entry, &it.key));
        // Who wants a new answer in any case looks nothing up.
        if self.max_age != Some(0) && !holds(self) {
            self.cache.fetch(&self.key, entropy).await;
            if policy.similar.is_some_and(|it| it.fresh) && !holds(self) {
                let spent = clock.now().saturating_sub(begun);
                (self.came, self.near) = self.search(entropy, left.saturating_sub(spent)).await;
            }
        }
        clock.now().saturating_sub(begun)
    }

    /// Says whether an answer to it is held that is given before any tier is asked, to a client that takes none below `max_tier`.
    pub(crate) fn holds_fresh(&self, policy: CachePolicy, max_tier: Option<u8>) -> bool {
        let now = Timestamp::now();
        let ttl = fresh_for(policy.ttl, self.key.bits());
        let most = self.max_age.map_or(ttl, |it| it.min(ttl));
        let given = |entry: &Entry| entry.age_nanos(now) <= most && max_tier.is_none_or(|max| entry.tier <= max);
        policy.fresh && self.max_age != Some(0) && self.find(now).is_some_and(|entry| given(&entry))
    }

    /// Looks for an answer to other words, and says what came of it.
    pub(crate) async fn search(&mut self, entropy: u64, left: Nanos) -> (Option<Came>, Option<Similar>) {
        // Who did not say it a moment ago is not asked again: no request waits twice.
        if let Some(came) = self.came.filter(|it| it.is_silence()) {
            return (Some(came), None);
        }
        let Some((apart, semantic)) = self.apart.as_mut().zip(self.cache.semantic.as_ref()) else {
            return (None, None);
        };
        let (came, found) = semantic.search((&self.cache, &self.meant), apart, (entropy, left)).await;
        (Some(came), found)
    }

    /// Keeps an answer to it, which a decision has given.
    pub(crate) fn keep(&self, entry: Arc<Entry>, decision: &str) {
        match self.apart.as_ref().zip(self.cache.semantic.as_ref()) {
            Some((apart, semantic)) => semantic.keep(&self.cache, (self.key, entry), apart, decision),
            None => self.cache.put(self.key, entry),
        }
    }

    /// Finds what is held of it.
    pub(crate) fn find(&self, now: Timestamp) -> Option<Arc<Entry>> {
        self.cache.find(&self.key, now)
    }

    /// Says what the core has to know.
    pub(crate) fn lookup(&self, held: Option<&Entry>, now: Timestamp) -> Lookup {
        let stored = held.map(|entry| Stored { age: entry.age_nanos(now), tier: entry.tier });
        let apart = self.apart.as_ref().zip(self.cache.semantic.as_ref());
        let others = apart.is_some_and(|(apart, semantic)| semantic.has_others(&apart.scope, &self.key));
        let near = self.near.as_ref().map(|it| it.near(now));
        Lookup { key: Some(self.key.bits()), stored, max_age: self.max_age, others, near }
    }
}
