//! Members: an ensemble as a tier, whose members are looked at one by one.
//!
//! # Invariants
//! - `PLAN-4`: an ensemble is admitted only where as many of its members are as must vote; each is looked at as if its path
//!   were that of the tier.

use alloc::vec::Vec;

use super::Plan;
use crate::{
    fact::Fact,
    id::PathId,
    revision::{Tier, Where},
};

impl<'a> Plan<'a> {
    fn tier(&self, tier: u8) -> &'a Tier {
        &self.request.route().tiers[usize::from(tier)]
    }

    /// Returns what a tier calls: the path of the member that is looked at, else its own.
    pub(crate) fn path_id(&self, tier: u8) -> PathId {
        let it = self.tier(tier);
        match (self.member.filter(|(of, _)| *of == tier), &it.ensemble) {
            (Some((_, member)), Some(ensemble)) => ensemble.members[usize::from(member)],
            _ => it.path,
        }
    }

    /// Looks at a member of an ensemble, where it is one that is meant.
    pub(crate) fn at(&self, tier: u8, member: Option<u8>) -> Self {
        Self { member: member.map(|member| (tier, member)), ..*self }
    }

    /// Says whether it is a member of the tier that is looked at.
    pub(super) fn is_of_member(&self, tier: u8) -> bool {
        self.member.is_some_and(|(of, _)| of == tier)
    }

    /// Returns the members of a tier, each as it would be looked at; none where the tier is no ensemble, or is looked at through
    /// one of them.
    fn members(&self, tier: u8) -> Option<impl Iterator<Item = (u8, Self)>> {
        let ensemble = self.tier(tier).ensemble.as_ref().filter(|_| !self.is_of_member(tier))?;
        let members = 0..ensemble.members.len() as u8;
        Some(members.map(move |member| (member, self.at(tier, Some(member)))))
    }

    /// Returns what speaks against single members of a tier.
    pub(super) fn against_members(&self, tier: u8) -> Vec<Fact> {
        let against = |(member, it): (u8, Self)| it.against_member(tier, member);
        self.members(tier).into_iter().flatten().flat_map(against).collect()
    }

    /// Returns what speaks against a member of a tier.
    pub(crate) fn against_member(&self, tier: u8, member: u8) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.at(tier, Some(member)).ask_standing(tier, &mut |signal, value, threshold| {
            let fact = Fact::new(tier, signal, value, threshold).of(Some(member));
            facts.extend(Some(fact).filter(Fact::breached));
        });
        facts
    }

    /// Returns how many members of a tier may be asked, and how many must be.
    pub(super) fn quorum(&self, tier: u8) -> Option<(u64, u64)> {
        let eligible = self.members(tier)?.filter(|(_, it)| it.stands(tier)).count();
        Some((eligible as u64, self.tier(tier).ensemble.as_ref()?.quorum.into()))
    }

    /// Returns the smallest number that as many members keep to as must vote.
    pub(super) fn quorum_of(&self, tier: u8, of: impl Fn(Self) -> u64) -> Option<u64> {
        let mut numbers: Vec<u64> = self.members(tier)?.map(|(_, it)| of(it)).collect();
        numbers.sort_unstable();
        numbers.get(usize::from(self.tier(tier).ensemble.as_ref()?.quorum).saturating_sub(1)).copied()
    }

    /// Says whether a tier asks somebody elsewhere, be it for one of several votes.
    pub(super) fn is_remote(&self, tier: u8) -> bool {
        let remote = |path: PathId| matches!(self.generation().path(path).place, Where::Remote(_));
        match self.tier(tier).ensemble.as_ref().filter(|_| !self.is_of_member(tier)) {
            Some(ensemble) => ensemble.members.iter().any(|member| remote(*member)),
            None => remote(self.path_id(tier)),
        }
    }
}
