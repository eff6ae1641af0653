//! What must hold for `limit` and `hedge`: one word about one model, room below for what falls (F-155), another replica.

use std::collections::BTreeMap;

use super::Checks;
use crate::{
    schema::{
        path::Target,
        route::{Route, RouteProtocol},
        scalar::Limit,
        tier::{Hedge, Tier},
    },
    tree::Key,
};

impl Checks<'_> {
    /// Checks the limits of all tiers.
    pub(super) fn limits(&mut self) {
        let file = self.file;
        // By address and model, as the core counts: two upstreams may name one server.
        let mut said: BTreeMap<(&str, &str), (String, Limit)> = BTreeMap::new();
        for (name, route) in &file.routes {
            let route_key = Key::default().field("routes").field(name);
            for (tier_key, tier) in every_path(&route_key, route) {
                let Some(asked) = asks(tier) else { continue };
                self.hedge(&tier_key, route, (tier, asked.0));
                let key = tier_key.field("limit");
                let Some(upstream) = file.upstreams.get(asked.0) else { continue };
                let places = || upstream.addresses().map(|url| (url.trim_end_matches('/'), asked.1));
                let mut others = places().filter_map(|place| said.get_key_value(&place));
                // What is written first is believed: the work is counted together, so it has one limit.
                if let Some(((url, model), (first, _))) = others.find(|(_, (_, limit))| *limit != tier.limit) {
                    let message = format!("{first} says another limit of `{model}` at `{url}`");
                    let hint = "all tiers that name a model of an address share its room: write the same for each";
                    self.error("two-limits", &key, message, hint);
                }
                let who = if tier.name.is_empty() {
                    "a member of an ensemble".into()
                } else {
                    format!("tier `{}`", tier.name)
                };
                let of_it = || (format!("{who} of route `{name}`"), tier.limit);
                for place in places() {
                    said.entry(place).or_insert_with(of_it);
                }
            }
            self.headroom(&route_key, route);
        }
    }

    /// A hedge that has nowhere to go (F-092).
    fn hedge(&mut self, key: &Key, route: &Route, (tier, upstream): (&Tier, &str)) {
        let Some(upstream) = self.file.upstreams.get(upstream).filter(|_| tier.hedge == Hedge::Auto) else { return };
        let shared = tier.capacity_domain.is_some() || upstream.capacity_domain.is_some();
        let (message, hint) = match () {
            () if upstream.addresses().count() < 2 => {
                ("its upstream has one replica, so there is no other to ask", "add replicas, or remove it")
            }
            () if shared && route.protocol == RouteProtocol::OpenaiChat => {
                ("all replicas draw on one quota, where a second chat would only wait behind the first", "remove it")
            }
            () => return,
        };
        self.warning("no-effect", &key.field("hedge"), format!("`hedge` changes nothing: {message}"), hint);
    }

    /// A tier that cannot take the load of the one above it.
    fn headroom(&mut self, route_key: &Key, route: &Route) {
        for (at, pair) in route.tiers.windows(2).enumerate() {
            let [Some(above), Some(below)] = [&pair[0], &pair[1]].map(|tier| self.room(tier)) else { continue };
            if below >= above {
                continue;
            }
            let key = route_key.field("tiers").index(at + 1).field("limit");
            let (upper, lower) = (&pair[0].name, &pair[1].name);
            let message = format!("`{lower}` has room for {below}, and `{upper}` above it for {above}");
            let hint = "raise the limit or add replicas: when the tier above is lost, the rest goes further down";
            match route.require_headroom {
                true => self.error("headroom", &key, message, hint),
                false => self.warning("headroom", &key, message, hint),
            }
        }
    }

    /// Returns what a tier has room for at all its replicas; none where that is not said.
    fn room(&self, tier: &Tier) -> Option<u64> {
        let (Limit::Fixed(limit), Some((upstream, _))) = (tier.limit, asks(tier)) else { return None };
        let replicas = self.file.upstreams.get(upstream)?.addresses().count() as u64;
        Some(limit.saturating_mul(replicas))
    }
}

/// Walks the tiers of a route, and the members of those that have several, with where they stand.
pub(crate) fn every_path<'r>(route_key: &Key, route: &'r Route) -> Vec<(Key, &'r Tier)> {
    let tiers = route.tiers.iter().enumerate().map(|(at, tier)| (route_key.field("tiers").index(at), tier));
    let with_members = tiers.flat_map(|(key, tier)| {
        let members = tier.kinds.members().iter().enumerate();
        let members: Vec<_> = members.map(|(at, it)| (key.field("paths").index(at), &it.0)).collect();
        std::iter::once((key, tier)).chain(members)
    });
    with_members.collect()
}

/// Returns the upstream and the model that a tier asks.
pub(super) fn asks(tier: &Tier) -> Option<(&str, &str)> {
    let (_, kind) = tier.kinds.given().pop()?;
    match kind.target() {
        Target::Upstream(name) => Some((name, kind.model()?)),
        _ => None,
    }
}
