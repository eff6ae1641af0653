//! What must hold for the tiers of a route together: room for attempts, and tiers that do not fail together.

use std::collections::BTreeMap;

use super::{Checks, limits::asks};
use crate::{
    schema::{route::Route, tier::Tier},
    tree::Key,
};

impl Checks<'_> {
    /// Warns of attempts that are promised and never made (F-031, F-040).
    pub(super) fn attempts(&mut self, key: &Key, route: &Route) {
        let most = route.max_attempts;
        let hint = |left: u8| match left {
            0 => "write 0, or raise `max_attempts`".to_owned(),
            _ => format!("write {left} or less, or raise `max_attempts`"),
        };
        for (at, tier) in route.tiers.iter().enumerate() {
            let key = key.field("tiers").index(at).field("retries");
            if self.report.is_written(&key) && tier.retries >= most && asks(tier).is_some() {
                let message = format!("`max_attempts` of the route is {most}, the first attempt included");
                self.warning("no-effect", &key, message, hint(most - 1));
            }
        }
        let models = route.tiers.iter().filter(|tier| asks(tier).is_some()).count();
        if most == 1 && models > 1 {
            let message =
                format!("{models} tiers ask models, and one attempt is all: none is asked when another failed");
            let hint = format!(
                "write {models} or more, or leave it out; with 1 a lower model answers only what skips the upper"
            );
            self.warning("attempts", &key.field("max_attempts"), message, hint);
        }
    }

    /// Warns of tiers that fail with the one above them.
    pub(super) fn ladder(&mut self, key: &Key, route: &Route) {
        let mut above: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for (at, tier) in route.tiers.iter().enumerate() {
            let Some((upstream, model)) = asks(tier) else { continue };
            if let Some(first) = above.get(&(upstream, model)) {
                let key = key.field("tiers").index(at);
                let message = format!("tier `{first}` above asks the same model of the same upstream");
                let hint = "what fails there fails here, too: name another model, or remove the tier";
                self.warning("same-model", &key, message, hint);
            }
            above.entry((upstream, model)).or_insert(&tier.name);
        }
        self.one_quota(key, route);
    }

    /// Warns of a quota that all models draw on: one 429 speaks for every one of them (F-051).
    fn one_quota(&mut self, key: &Key, route: &Route) {
        let file = self.file;
        let quota = |tier: &Tier| {
            let (name, _) = asks(tier)?;
            Some(tier.capacity_domain.clone().or_else(|| file.upstreams.get(name)?.capacity_domain.clone()))
        };
        let quotas: Vec<_> = route.tiers.iter().filter_map(quota).collect();
        let Some(Some(first)) = quotas.first() else { return };
        if quotas.len() > 1 && quotas.iter().all(|it| it.as_ref() == Some(first)) {
            let message =
                format!("all models of the route draw on the quota `{first}`: one 429 closes every one of them");
            let hint = "add a model with a quota of its own, or remove `capacity_domain` where they do not share";
            self.warning("one-quota", &key.field("tiers"), message, hint);
        }
    }
}
