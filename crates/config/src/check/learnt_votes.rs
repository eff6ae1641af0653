//! What must hold for `vote.calibration` and `vote.confidence`: something was learnt, of this vote, and it can be used in it.

use super::Checks;
use crate::{
    calibration::{LearntVotes, VotesOf},
    compile::vote::{voted, votes_of},
    confidence::Confidence,
    schema::{
        path::Site,
        route::RouteProtocol,
        vote::{Rule, Vote},
    },
    tree::Key,
};

/// What to do about a file that does not fit.
const ANEW: &str = "learn it anew with `evenkeel calibrate ROUTE/TIER ROWS.csv --truth … --member … -o FILE`";

impl Checks<'_> {
    pub(super) fn learnt_votes(&mut self, key: &Key, (site, vote): (Site<'_>, &Vote)) {
        self.sureness(&key.field("confidence"), (site, vote));
        let Some(file) = &vote.calibration else { return };
        let at = key.field("calibration");
        if self.report.doubts(&at) {
            return;
        }
        if vote.rule != Rule::Weighted {
            let message = "with this rule each member counts the same, whatever it says";
            return self.error("misplaced-key", &at, message, "remove it, or write `rule: weighted`");
        }
        // Something is said of it already.
        let Some(on) = voted(site.route, vote) else { return };
        if !on.is_exact() {
            let message = "it is learnt of answers that are equal or not, and here they may be near each other";
            let hint = "remove it; or vote on labels, letters, or fields without a tolerance";
            return self.error("misplaced-key", &at, message, hint);
        }
        for (name, written) in [("weights", !vote.weights.is_empty()), ("accuracies", !vote.accuracies.is_empty())] {
            if written {
                let message = "what each answer weighs is learnt, and follows from nothing else";
                self.error("two-weights", &key.field(name), message, "write one of it and `calibration`");
            }
        }
        if self.report.is_written(&key.field("classes")) {
            let message = "how many different answers there are stands in the file of `calibration`";
            self.warning("no-effect", &key.field("classes"), message, "remove it");
        }
        match self.outside.fetch_votes(file) {
            Ok(learnt) => self.fits_vote(&at, &learnt, &votes_of(site, vote, &self.outside)),
            Err(message) => {
                let hint = "`evenkeel calibrate` writes it; a relative path starts from the configuration's folder";
                self.error("missing-file", &at, message, hint);
            }
        }
    }

    /// What was learnt of others would weigh these votes wrongly, and nobody would see it.
    fn fits_vote(&mut self, key: &Key, learnt: &LearntVotes, here: &VotesOf) {
        let of = &learnt.of;
        let asked = |it: &Option<String>| it.as_ref().map_or("nothing".to_owned(), |it| format!("`{it}`"));
        let mut wrong = |message: String| self.error("wrong-calibration", key, message, ANEW);
        if of.tier != here.tier {
            wrong(format!("it was learnt for the tier `{}`", of.tier));
        }
        if of.on != here.on {
            wrong(format!("it was learnt of votes on {}, and here they are on {}", of.on, here.on));
        }
        if of.confidence != here.confidence {
            let (then, now) = (asked(&of.confidence), asked(&here.confidence));
            wrong(format!("how sure members are was {then} when it was learnt, and is {now} in `confidence`"));
        }
        if of.members.len() != here.members.len() {
            wrong(format!("it was learnt of {} members, and here are {}", of.members.len(), here.members.len()));
        }
        for (then, now) in of.members.iter().zip(&here.members).filter(|(then, now)| then != now) {
            wrong(format!("`{}` was `{}` when it was learnt, and `{}` is `{}`", then.0, then.1, now.0, now.1));
        }
        if !learnt.is_enough() {
            wrong(format!("it was learnt from {} rows, of which too few were voted on to be a confidence", learnt.n));
        }
    }

    /// How sure a member is counts only by what was learnt of it.
    fn sureness(&mut self, key: &Key, (site, vote): (Site<'_>, &Vote)) {
        let Some(it) = &vote.confidence else { return };
        if site.route.protocol != RouteProtocol::Oip {
            let message = "the answers of a chat do not say how sure a model is";
            return self.error("misplaced-key", key, message, "remove it");
        }
        let Some(output) = site.route.output.as_ref().filter(|_| !self.report.doubts(key)) else { return };
        for it in Confidence::read(it, &output.tensors).err().into_iter().flatten() {
            self.report.error_in("bad-expression", key, it.at, (it.message, it.hint));
        }
        if vote.calibration.is_none() {
            let message = "what it is worth that a member is sure is not known";
            self.warning(
                "no-effect",
                key,
                message,
                "learn it with `evenkeel calibrate`, and name the file as `calibration`",
            );
        }
    }
}
