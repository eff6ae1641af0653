//! Ballots: what a shell counts of the votes of an ensemble, one vote a member and one row, by who is asked.

use std::collections::BTreeMap;

use evenkeel_core::*;

/// The votes that are being taken, by request.
#[derive(Default)]
pub(crate) struct Ballots(BTreeMap<RequestId, Ballot>);

#[derive(Default)]
struct Ballot {
    out: Vec<AttemptId>,
    heard: u8,
    /// Who has voted, for what.
    votes: Vec<(AttemptId, u64)>,
}

impl Ballots {
    /// Takes in who is asked, where it is a member.
    pub(crate) fn start(&mut self, revision: &Revision, start: &Start) {
        let routes = revision.routes.iter().flat_map(|route| &route.tiers);
        if routes.filter_map(|tier| tier.ensemble.as_ref()).any(|it| it.members.contains(&start.path)) {
            let ballot = self.0.entry(start.request).or_default();
            if ballot.out.is_empty() {
                *ballot = Ballot::default();
            }
            ballot.out.push(start.attempt);
        } else {
            self.0.remove(&start.request);
        }
    }

    /// Returns what is told before an input: how the votes stand once a member has ended.
    pub(crate) fn before(&mut self, input: &Input) -> Option<Input> {
        let Input::Attempt { attempt, event: Event::Ended { result, .. } } = input else { return None };
        let ballot = self.0.values_mut().find(|it| it.out.contains(attempt))?;
        ballot.out.retain(|it| it != attempt);
        ballot.heard += 1;
        if result.is_ok() {
            ballot.votes.push((*attempt, attempt.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 62));
        }
        Some(Input::Attempt { attempt: *attempt, event: Event::Voted(ballot.tally()) })
    }

    /// Returns what is told after a member was cancelled, where another still runs, and whose it is.
    pub(crate) fn cancel(&mut self, attempt: AttemptId) -> Option<(AttemptId, Input)> {
        let ballot = self.0.values_mut().find(|it| it.out.contains(&attempt))?;
        ballot.out.retain(|it| *it != attempt);
        ballot.heard += 1;
        let attempt = *ballot.out.first()?;
        Some((attempt, Input::Attempt { attempt, event: Event::Voted(ballot.tally()) }))
    }
}

impl Ballot {
    fn tally(&self) -> Tally {
        let count = |class: u64| self.votes.iter().filter(|it| it.1 == class).count();
        let mut counts: Vec<_> = (0..4).map(|class| (count(class), class)).collect();
        counts.sort_unstable();
        let [.., second, first] = counts[..] else { unreachable!("there are four") };
        let leader = self.votes.iter().find(|it| it.1 == first.1).map_or(AttemptId(0), |it| it.0);
        let share = if self.votes.is_empty() { 0 } else { 1_000 * first.0 / self.votes.len() };
        Tally {
            heard: self.heard,
            votes: self.votes.len() as u8,
            open: u64::from(second.0 + self.out.len() >= first.0),
            agreement: Permille::new(share as u16),
            leader,
        }
    }
}
