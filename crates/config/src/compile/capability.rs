//! Capabilities: their names, and the bits that stand for them (F-036).

use std::collections::BTreeSet;

use evenkeel_core::{Can, Names, Wants, datatype};

use crate::schema::{
    file::File,
    path::{PathKind, Target, leaves},
    route::Route,
    tier::Tier,
};

/// Returns the names that tiers of a file declare.
pub(crate) fn names(file: &File) -> Names {
    let tiers = || file.routes.values().flat_map(|route| &route.tiers).flat_map(Tier::asked);
    let sorted = |all: BTreeSet<String>| all.into_iter().collect();
    Names {
        languages: sorted(tiers().flat_map(|it| it.languages.iter().flatten()).map(|it| lower(it)).collect()),
        regions: sorted(tiers().flat_map(|it| it.residency.iter().flatten()).map(|it| lower(it)).collect()),
    }
}

/// Returns what a tier can. What is computed in this process takes nothing anywhere, and a fixed answer fits everything.
pub(crate) fn can(names: &Names, (tier, route): (&Tier, &Route), kind: &dyn PathKind) -> Can {
    let target = kind.target();
    // Of an ensemble each member is looked at for itself.
    if matches!(target, Target::Certain | Target::Members) {
        return Can::ANYTHING;
    }
    let bits = |all: &Vec<String>, bit: &dyn Fn(&str) -> u64| all.iter().fold(0, |bits, it| bits | bit(&lower(it)));
    let languages = tier.languages.as_ref().map(|all| bits(all, &|it| names.spoken(it)));
    let datatypes = tier.datatypes.as_ref().map(|all| all.iter().fold(0, |bits, it| bits | datatype(it.name())));
    let regions = match leaves(kind, route) {
        true => tier.residency.as_ref().map(|all| bits(all, &|it| names.region(it))),
        false => Some(0),
    };
    let unsaid = Can::default();
    Can {
        languages: languages.unwrap_or(unsaid.languages),
        datatypes: datatypes.unwrap_or(unsaid.datatypes),
        regions: regions.unwrap_or(unsaid.regions),
    }
}

/// Returns what requests of a route want that say nothing.
pub(crate) fn wants(names: &Names, route: &Route) -> Wants {
    let regions = route.residency.as_ref().map(|all| all.iter().fold(0, |bits, it| bits | names.region(&lower(it))));
    Wants { languages: route.language.as_ref().map_or(0, |it| names.language(&lower(it))), datatypes: 0, regions }
}

/// Writes in one way what can be written in several.
pub(crate) fn write_out(tier: &mut Tier) {
    tier.languages.iter_mut().chain(&mut tier.residency).for_each(sort);
    if let Some(datatypes) = &mut tier.datatypes {
        datatypes.sort_unstable_by_key(|it| it.name());
        datatypes.dedup();
    }
}

/// Writes names in lower case and in order, each once.
pub(crate) fn sort(names: &mut Vec<String>) {
    names.iter_mut().for_each(|it| it.make_ascii_lowercase());
    names.sort_unstable();
    names.dedup();
}

fn lower(name: &str) -> String {
    name.to_ascii_lowercase()
}
