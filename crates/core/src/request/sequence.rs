//! A request of a sequence: it goes where the state is, and nowhere else (F-034, OIP-36).
//!
//! A start walks down the tiers like any request, since no state exists yet. What comes after it may be answered by one
//! replica of one path. Where that cannot, the sequence is lost, and its client is told to begin again; where it is merely
//! full, or there is too little time, nothing was done, and the client may come back with the same request.

use crate::{
    class::{Class, ResultCode},
    decision::End,
    fact::{Fact, Signal},
    id::{PathId, ReplicaId},
    output::{Refusal, Source},
    reason::Reason,
    request::Request,
    sequence::{Keeper, Left, Member},
};

impl Request {
    /// Returns its place in a sequence that has begun before it.
    fn later(&self) -> Option<&Member> {
        self.member.as_ref().filter(|member| !member.starts())
    }

    /// Says whether a path may be asked again that has probably not been asked at all: to begin a sequence a second time is to
    /// begin it, but to go on with it twice is another sequence.
    pub(super) fn may_resend(&self, path: PathId) -> bool {
        self.admit.pure && self.later().is_none() && !self.generation.path(path).effects
    }

    /// Says whether the state of its sequence is elsewhere than at a tier; none where it may be answered by any.
    pub(crate) fn lacks_state(&self, tier: u8) -> Option<bool> {
        self.later().map(|member| member.kept.is_none_or(|kept| kept.tier != tier))
    }

    /// Says whether a replica may be asked: of the tiers that may be, the one that has the state of its sequence.
    pub(crate) fn may_ask(&self, replica: usize) -> bool {
        self.later().and_then(|member| member.kept).is_none_or(|kept| kept.replica == ReplicaId(replica as u16))
    }

    /// Says whether nobody knows any more what the state of its sequence is after such an end.
    pub(super) fn loses(&self, result: ResultCode) -> bool {
        let known = match result.class() {
            Class::Ok | Class::Capacity | Class::Capability | Class::Policy => true,
            Class::Caller => result != ResultCode::CallerSuspected,
            Class::Credential | Class::Target | Class::Quality | Class::Cancelled => false,
        };
        self.later().is_some() && !known
    }

    /// Says whether its sequence cannot be gone on with: nothing has its state, or what has it failed, or may not be asked
    /// for how it stands.
    pub(super) fn has_lost(&self) -> bool {
        let Some(member) = self.later() else { return false };
        let Some(kept) = member.kept else { return true };
        let asking = |fact: &&Fact| fact.tier == kept.tier && fact.breached() && !fact.again;
        // Where its own gate is shut, no other replica was looked at: it is not gone, it said "not now".
        let gated = self.facts.iter().filter(asking).any(|fact| fact.signal == Signal::GateFor);
        let gone = |fact: &Fact| match fact.signal.reason() {
            Reason::NoEndpoints => !gated,
            reason => matches!(
                reason,
                Reason::BreakerOpen | Reason::BreakerRamp | Reason::HealthcheckFailed | Reason::CredentialRejected
            ),
        };
        self.attempts.iter().any(|attempt| self.loses(attempt.result)) || self.facts.iter().filter(asking).any(gone)
    }

    /// Notes what its end leaves of its sequence.
    pub(super) fn leave_sequence(&mut self, end: End, source: Option<Source>) {
        let left = match (end, source) {
            (End::Answered, Some(source)) => self.keeper(source).map_or(Left::Lost, Left::Answered),
            _ if self.later().is_none() => Left::Lost,
            (End::Refused(Refusal::SequenceLost), _) => Left::Lost,
            _ if self.attempts.iter().any(|attempt| self.loses(attempt.result)) => Left::Lost,
            _ => Left::Same,
        };
        if let Some(member) = &mut self.member {
            member.left = left;
        }
    }

    /// Returns what has the state of its sequence now.
    fn keeper(&self, source: Source) -> Option<Keeper> {
        let (path, replica) = match source {
            Source::Certain(path) => (path, ReplicaId(0)),
            Source::Attempt(id) => {
                let attempt = self.attempts.iter().find(|attempt| attempt.attempt == id)?;
                (attempt.path, attempt.replica)
            }
            Source::Error(_) | Source::Broken(..) | Source::Stored(_) => return None,
        };
        self.member.as_ref().map(|_| Keeper::new(&self.generation.revision, path, replica))
    }
}
