//! Ballots: the votes of ensembles, as a shell counts them: one row, every vote alike, each server for its own words.

use std::collections::BTreeMap;

use evenkeel_core::{AttemptId, Permille, RequestId, Revision, Start, Tally};
use evenkeel_signals::votes::{self, Bounds, EQUAL, Rivals};

/// The votes that are being taken, by request.
#[derive(Debug, Default)]
pub(super) struct Ballots(BTreeMap<RequestId, Ballot>);

#[derive(Debug)]
struct Ballot {
    tier: u8,
    out: Vec<AttemptId>,
    heard: u8,
    /// Who has voted, for what; the place of a member is that of its start.
    votes: Vec<(AttemptId, u32)>,
}

impl Ballots {
    /// Takes in who is asked, where it is a member of an ensemble.
    pub(super) fn start(&mut self, revision: &Revision, start: &Start) {
        let route = revision.paths[start.path.index()].route;
        if revision.routes[route.index()].tiers[usize::from(start.tier)].ensemble.is_none() {
            return;
        }
        let new = || Ballot { tier: start.tier, out: Vec::new(), heard: 0, votes: Vec::new() };
        let ballot = self.0.entry(start.request).or_insert_with(new);
        if ballot.tier != start.tier {
            *ballot = new();
        }
        ballot.out.push(start.attempt);
    }

    /// Says whether an attempt is a member that has not ended.
    pub(super) fn is_out(&self, request: RequestId, attempt: AttemptId) -> bool {
        self.0.get(&request).is_some_and(|it| it.out.contains(&attempt))
    }

    /// Returns a member that has not ended.
    pub(super) fn any_out(&self, request: RequestId) -> Option<AttemptId> {
        self.0.get(&request)?.out.first().copied()
    }

    /// Notes that a member has ended, and for what it votes; returns how the votes stand.
    pub(super) fn ended(&mut self, request: RequestId, attempt: AttemptId, says: Option<u32>) -> Option<Tally> {
        let ballot = self.0.get_mut(&request)?;
        let at = ballot.out.iter().position(|it| *it == attempt)?;
        ballot.out.remove(at);
        ballot.heard += 1;
        ballot.votes.extend(says.map(|says| (attempt, says)));
        ballot.votes.sort_unstable();
        Some(ballot.tally())
    }

    /// Forgets the vote of a request that is over.
    pub(super) fn close(&mut self, request: RequestId) {
        self.0.remove(&request);
    }
}

impl Ballot {
    fn tally(&self) -> Tally {
        let ballot = |(voter, (_, says)): (usize, &(AttemptId, u32))| votes::Ballot {
            voter,
            weight: EQUAL,
            class: says.to_string(),
        };
        let counted = votes::Tally::of(&self.votes.iter().enumerate().map(ballot).collect::<Vec<_>>());
        let out = vec![Bounds::exactly(EQUAL); self.out.len()];
        let leader = counted.leader().map_or(AttemptId(u64::MAX), |it| self.votes[it.best].0);
        Tally {
            heard: self.heard,
            votes: self.votes.len() as u8,
            open: u64::from(!counted.decided(&out, Rivals::Apart)),
            agreement: Permille::new((counted.agreement().unwrap_or(0) / 10) as u16),
            leader,
        }
    }
}
