//! Sequence: which path and replica keep the state of a sequence of requests, and for how long (F-034, OIP-36).
//!
//! A model with a state answers a request by what came before it, so only the replica that took the beginning can go on.
//! It is not the `pin` of a route that flaps, and it moves nobody else's requests.
//!
//! # Invariants
//! - `SEQ-1`: a keeper is named by the answer to a start, and by nothing else; whoever ended, lost or began the sequence
//!   anew in the meantime is not undone by a request that was slower.
//! - `SEQ-2`: an entry goes with the end of its sequence, with the loss of its state, and 60 s after its last request has
//!   ended; there are never more than 65,536.
//!
//! # When it misleads
//! A server that forgets a sequence sooner than in 60 s is not seen to have done so until it is asked to go on.
//!
//! # Cost
//! A search in a map per request of a sequence, and one look at the oldest per input. No timer: what is past its time is
//! told from what is not whenever something comes.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
};

use crate::{
    clock::{Nanos, SECOND},
    id::{PathId, ReplicaId, RequestId, RouteId},
    input::Admit,
    output::Refusal,
    revision::{Revision, Where},
};

/// Sequences that are kept at once: what anybody may open must not fill the memory. Nobody's state is given up for
/// another's, so a start beyond them is refused.
const MOST: usize = 65_536;

/// How long a sequence is kept of which nothing is heard.
const IDLE: Nanos = 60 * SECOND;

/// The sequence that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Which: a digest of the route, of whose request it is, and of its id.
    pub key: u128,
    /// It begins here, or begins anew.
    pub start: bool,
    /// It ends here.
    pub end: bool,
}

/// What keeps the state of a sequence, by names that outlive a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keeper {
    path: String,
    /// None for work in this process.
    address: Option<String>,
}

impl Keeper {
    /// Names a replica of a path.
    pub(crate) fn new(revision: &Revision, path: PathId, replica: ReplicaId) -> Self {
        let address = addresses(revision, path).get(replica.index()).cloned();
        Self { path: revision.paths[path.index()].name.clone(), address }
    }

    /// Finds it among the tiers of a route.
    fn find(&self, revision: &Revision, route: RouteId) -> Option<Kept> {
        let tiers = &revision.routes[route.index()].tiers;
        let tier = tiers.iter().position(|tier| revision.paths[tier.path.index()].name == self.path)?;
        let addresses = addresses(revision, tiers[tier].path);
        let replica = match &self.address {
            Some(address) => addresses.iter().position(|it| it == address)?,
            None if addresses.is_empty() => 0,
            None => return None,
        };
        Some(Kept { tier: tier as u8, replica: ReplicaId(replica as u16) })
    }
}

fn addresses(revision: &Revision, path: PathId) -> &[String] {
    match revision.paths[path.index()].place {
        Where::Remote(upstream) => &revision.upstreams[upstream.index()].replicas,
        Where::Local | Where::Certain | Where::Stored | Where::Ensemble => &[],
    }
}

/// Where the state of a sequence is, in the revision of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) tier: u8,
    pub(crate) replica: ReplicaId,
}

/// An open request as a member of its sequence.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    of: Sequence,
    /// The request that began it.
    begun: RequestId,
    /// Where its state is; none for a start, which has none yet, and where nothing keeps it.
    pub(crate) kept: Option<Kept>,
    /// What its end leaves behind.
    pub(crate) left: Left,
}

/// What the end of a request leaves of the state of its sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing that could be gone on with.
    #[default]
    Lost,
    /// What was there before: nothing was done, or the client was told that its request is at fault.
    Same,
    /// It was answered, there.
    Answered(Keeper),
}

impl Member {
    /// Says whether the request begins its sequence.
    pub(crate) fn starts(&self) -> bool {
        self.of.start
    }
}

#[derive(Debug)]
struct Entry {
    begun: RequestId,
    /// None while its start is being answered.
    keeper: Option<Keeper>,
    /// Its requests that are open.
    open: u32,
    /// When it is forgotten, while none is open.
    until: Nanos,
}

/// Every sequence that may be gone on with.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    entries: BTreeMap<u128, Entry>,
    /// Those of which no request is open, by when they are forgotten.
    idle: BTreeSet<(Nanos, u128)>,
}

impl Sequences {
    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets those of which nothing was heard for too long.
    pub(crate) fn expire(&mut self, now: Nanos) {
        while let Some(&(until, key)) = self.idle.first().filter(|(until, _)| *until <= now) {
            self.idle.remove(&(until, key));
            self.entries.remove(&key);
        }
    }

    /// Takes a request into its sequence.
    ///
    /// # Errors
    /// The start is still being answered, so that nobody can know yet where to go on, or there are too many.
    pub(crate) fn join(&mut self, admit: &Admit, revision: &Revision) -> Result<Option<Member>, Refusal> {
        let Some(of) = admit.sequence else { return Ok(None) };
        let full = self.entries.len() >= MOST;
        let entry = self.entries.get_mut(&of.key);
        if entry.as_ref().is_some_and(|entry| entry.keeper.is_none()) {
            return Err(Refusal::SequenceBusy);
        }
        let member = |begun, kept| Some(Member { of, begun, kept, left: Left::default() });
        let Some(entry) = entry else {
            if of.start && full {
                return Err(Refusal::Overloaded);
            }
            if of.start {
                self.entries.insert(of.key, Entry { begun: admit.request, keeper: None, open: 1, until: 0 });
            }
            return Ok(member(admit.request, None));
        };
        self.idle.remove(&(entry.until, of.key));
        if of.start {
            *entry = Entry { begun: admit.request, keeper: None, open: 1, until: 0 };
            return Ok(member(admit.request, None));
        }
        entry.open += 1;
        Ok(member(entry.begun, entry.keeper.as_ref().and_then(|keeper| keeper.find(revision, admit.route))))
    }

    /// Hears how a request of a sequence has ended.
    pub(crate) fn settle(&mut self, now: Nanos, member: Member) {
        let Member { of, begun, left, .. } = member;
        // Who was overtaken by an end, a loss or another start says nothing any more (SEQ-1).
        let Some(entry) = self.entries.get_mut(&of.key).filter(|entry| entry.begun == begun) else { return };
        entry.open -= 1;
        match left {
            Left::Lost => return self.forget(of.key),
            Left::Answered(_) if of.end => return self.forget(of.key),
            Left::Answered(keeper) if of.start => entry.keeper = Some(keeper),
            Left::Answered(_) | Left::Same => {}
        }
        if entry.open == 0 {
            entry.until = now.saturating_add(IDLE);
            self.idle.insert((entry.until, of.key));
        }
    }

    fn forget(&mut self, key: u128) {
        if let Some(entry) = self.entries.remove(&key) {
            self.idle.remove(&(entry.until, key));
        }
    }
}
