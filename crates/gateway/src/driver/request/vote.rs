//! A vote, as the task of its request runs it: it reads what each member answers, tells the core how the votes stand, and puts
//! the answer together that the core has decided on.
//!
//! # Invariants
//! - `PANEL-1`: the core hears how the votes stand before it hears the end of a member; after one that it ended itself it
//!   hears it again.
//! - `PANEL-2`: an answer is made of rows that members gave, each with everything that its member said of it.

use evenkeel_config::{Confidence, Kind, Voted};
use evenkeel_core::{AttemptId, Ensemble, Event, Input, PathId, ResultCode, Start};

use super::{Task, attempts::Beside};
use crate::{
    ask::{Inference, Question},
    judge::reduced,
    path::Left,
    tensor::InferAnswer,
    vote::{Ballot, Cast, Said, Worth, read},
};

/// The vote of one tier.
pub(super) struct Panel {
    ballot: Ballot,
    quorum: u8,
    /// The streams of those who have answered, to be sent if they are followed.
    held: Vec<(AttemptId, Beside)>,
}

impl Panel {
    /// Returns the member that leads.
    pub(super) fn leader(&self) -> AttemptId {
        self.ballot.tally(self.quorum).leader
    }

    /// Returns how each member voted, and what their votes are worth.
    pub(super) fn cast(self) -> (Vec<(AttemptId, Cast)>, Option<Worth>) {
        (self.ballot.cast(), self.ballot.worth())
    }
}

impl Task {
    /// Takes an attempt into the vote of its tier, where that is an ensemble; says whether it is one.
    pub(super) fn votes(&mut self, start: &Start) -> bool {
        let deployment = &self.it.applied.deployment;
        let tier = &deployment.revision.routes[self.it.route.index()].tiers[usize::from(start.tier)];
        let Some(Ensemble { members, quorum, .. }) = &tier.ensemble else { return false };
        let Kind::Ensemble(of) = &deployment.paths[tier.path.index()].kind else { return false };
        let Some(member) = members.iter().position(|path| *path == start.path) else { return false };
        let new = || Panel { ballot: Ballot::new(start.tier, members.len(), of), quorum: *quorum, held: Vec::new() };
        match &mut self.panel {
            Some(panel) if panel.ballot.tier == start.tier => {}
            // What was said in the ensemble above stays known.
            other => self.votes.extend(other.replace(new()).map(|it| it.cast().0).unwrap_or_default()),
        }
        self.panel.iter_mut().for_each(|it| it.ballot.start(member, start.attempt));
        true
    }

    /// Returns the output that is voted on, where it is one.
    pub(super) fn voted_output(&self) -> Option<&str> {
        match self.panel.as_ref()?.ballot.on() {
            Voted::Label(name) | Voted::Number(name, ..) => Some(name),
            Voted::Text | Voted::Field(_) | Voted::Fields(..) | Voted::Choice(_) => None,
        }
    }

    /// Returns how sure a member is of a row, where that counts.
    pub(super) fn voted_confidence(&self) -> Option<&Confidence> {
        self.panel.as_ref()?.ballot.confidence()
    }

    /// Counts the vote of a member that has ended, and tells the core how the votes stand then (PANEL-1).
    /// A text of which its model is not sure enough is none.
    pub(super) fn cast(&mut self, attempt: AttemptId, (result, left): (ResultCode, &Left), unsure: bool) {
        if !self.is_vote(attempt) {
            return;
        }
        let is_text = matches!(self.it.ask.question, Question::Chat(_));
        let said = if result.is_ok() && !(unsure && is_text) { self.said(left) } else { None };
        if result.is_ok() && self.it.ask.is_stream() {
            let aside = self.aside();
            if let Some(panel) = &mut self.panel {
                panel.held.push((attempt, aside));
            }
        }
        if let Some(panel) = &mut self.panel {
            panel.ballot.ended(attempt, said);
        }
        self.tell_votes(attempt);
    }

    /// Hears that the core has ended an attempt: where it was a member, there is less to wait for (PANEL-1).
    pub(super) fn left_out(&mut self, attempt: AttemptId) {
        if !self.is_vote(attempt) {
            return;
        }
        let others = self.panel.as_mut().and_then(|panel| {
            panel.ballot.ended(attempt, None);
            panel.ballot.any_out()
        });
        if let Some(other) = others {
            self.tell_votes(other);
        }
    }

    fn tell_votes(&self, attempt: AttemptId) {
        if let Some(panel) = &self.panel {
            let event = Event::Voted(panel.ballot.tally(panel.quorum));
            self.driver.feed(Input::Attempt { attempt, event });
        }
    }

    fn said(&self, left: &Left) -> Option<Said> {
        let ballot = &self.panel.as_ref()?.ballot;
        let (on, confidence) = (ballot.on(), ballot.confidence());
        match left {
            Left::Infer(answer) => read::tensors(on, answer, &[], confidence),
            Left::Judged(answer, low) => read::tensors(on, answer, low, confidence),
            Left::Answer { body, .. } => read::text(on, &read::of_chat(body)?),
            _ if self.it.ask.is_stream() => read::text(on, &self.hold.text()?),
            _ => None,
        }
    }

    /// Returns what the votes are worth of which the whole answer of this path comes; none where it has another origin, or that was
    /// not learnt.
    pub(super) fn worth(&self, path: PathId) -> Option<Worth> {
        let route = &self.it.applied.deployment.revision.routes[self.it.route.index()];
        let tier = &route.tiers[usize::from(self.panel.as_ref()?.ballot.tier)];
        self.worth_of_votes().filter(|_| tier.path == path)
    }

    /// Returns what the last votes are worth, where all rows are of them.
    pub(super) fn worth_of_votes(&self) -> Option<Worth> {
        self.panel.as_ref().filter(|_| self.batch.is_of_one())?.ballot.worth()
    }

    /// Says whether an attempt is one of those that vote.
    pub(super) fn is_vote(&self, attempt: AttemptId) -> bool {
        self.panel.as_ref().is_some_and(|panel| panel.ballot.find(attempt).is_some())
    }

    /// Takes up the stream of the member that is followed.
    pub(super) fn recall(&mut self, attempt: AttemptId) {
        let Some(panel) = &mut self.panel else { return };
        if let Some(at) = panel.held.iter().position(|it| it.0 == attempt) {
            let (_, stream) = panel.held.swap_remove(at);
            self.look_at(stream);
        }
    }

    /// Returns the tensors that were voted for, each row of the member that is followed in it (PANEL-2); none where the vote was
    /// about something else.
    pub(super) fn voted(&self) -> Option<InferAnswer> {
        let panel = self.panel.as_ref()?;
        let Question::Infer(Inference { infer, .. }) = &self.it.ask.question else { return None };
        let answer = |member: usize| {
            let mut ended = self.ended.iter().filter(|it| panel.ballot.find(it.0) == Some(member));
            ended.find_map(|it| match &it.3 {
                Left::Infer(answer) | Left::Judged(answer, _) => Some(answer),
                _ => None,
            })
        };
        let followed = panel.ballot.followed().into_iter().collect::<Option<Vec<_>>>()?;
        let mut rows: Vec<(usize, Vec<usize>)> = Vec::new();
        for (row, member) in followed.iter().enumerate() {
            match rows.iter_mut().find(|it| it.0 == *member) {
                Some((_, of)) => of.push(row),
                None => rows.push((*member, vec![row])),
            }
        }
        let whole = match &rows[..] {
            [] => self.ended.iter().find_map(|it| answer(panel.ballot.find(it.0)?)).cloned()?,
            [(only, _)] => answer(*only)?.clone(),
            several => {
                let part = |(member, rows): &(usize, Vec<usize>)| Some((rows.clone(), answer(*member)?.rows(rows)?));
                let parts = several.iter().map(part).collect::<Option<Vec<_>>>()?;
                let parts: Vec<_> = parts.iter().map(|(rows, answer)| (&rows[..], answer)).collect();
                InferAnswer::of_rows(&parts, followed.len())?
            }
        };
        Some(reduced(whole, &infer.outputs))
    }
}
