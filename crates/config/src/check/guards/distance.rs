//! What must hold for the guard `distance`, and for `input.text.embeddings`, which says who knows what a text means.

use evenkeel_signals::reference::Reference;

use super::{Checks, stands};
use crate::{
    schema::{
        contract::Encoder,
        guards::{Distance, Switch},
        route::Route,
        upstream::UpstreamProtocol,
    },
    tree::Key,
};

/// What to do where a reference does not say what its texts mean.
const ANEW: &str = "make it anew: `evenkeel profile DATA -o REF --embeddings URL --model MODEL`";

impl Checks<'_> {
    /// Holds the encoder and the guard against the reference that they use.
    pub(super) fn distance(&mut self, (input, key): (&Key, &Key), route: &Route, reference: &Reference) {
        let (of, key) = (input.field("text").field("embeddings"), key.field("distance"));
        let encoder = route.input.as_ref().and_then(|it| it.text.as_ref()?.embeddings.as_ref());
        let guard = route.guards.distance.as_ref().map(Switch::on);
        let Some(encoder) = encoder else {
            if guard.flatten().is_some() && !self.report.doubts_within(&input.field("text")) {
                let message = "nobody is named who says what a text means";
                let hint = "write `embeddings: {upstream: …, model: …}` in `input.text`, or remove it";
                self.error("missing-key", &key, message, hint);
            }
            return;
        };
        self.encoder(&of, encoder, reference);
        if guard == Some(None) {
            self.warning("no-effect", &of, "`distance` is off, so nobody asks what a text means", "remove one of both");
            return;
        }
        if route.residency.is_some() {
            let message = "requests of this route may go to some regions only, and where the encoder is is not known, so it is never asked";
            self.warning("no-effect", &of, message, "remove it, or `residency` of the route");
        }
        let asked = guard.flatten();
        let rate = asked.map_or(Distance::default().false_alarm_rate, |it| it.false_alarm_rate);
        if let Some(distance) = reference.distance() {
            let written = key.field("false_alarm_rate");
            let at = if self.report.is_written(&written) { &written } else { &of };
            let hint = "make the reference of more rows, raise the rate of `distance`, or write `distance: off`";
            let standing = stands(Some((distance.standing(rate), distance.rate_at_most(rate))));
            // What nobody has asked for is no mistake where it cannot be had.
            self.thin(at, standing.map_err(|it| (it.0 && asked.is_some(), it.1)), hint);
        }
    }

    fn encoder(&mut self, key: &Key, it: &Encoder, reference: &Reference) {
        self.upstream(&key.field("upstream"), &it.upstream, &[UpstreamProtocol::Openai]);
        let model = key.field("model");
        self.not_empty(&model, &it.model, "the model has no name", "write the name the upstream knows");
        match reference.meaning().and_then(|it| it.meaning.as_ref()) {
            None => {
                let message = "the reference does not say what its texts mean";
                self.error("wrong-reference", key, message, ANEW);
            }
            Some(known) if known.model != it.model => {
                let (known, here) = (&known.model, &it.model);
                let message = format!(
                    "the reference was made with the model `{known}`, and vectors of `{here}` cannot be compared with its"
                );
                self.error("wrong-reference", &model, message, ANEW);
            }
            Some(_) if reference.distance().is_none() => {
                let message = "of no text of the reference it is known what it means";
                self.error("wrong-reference", key, message, ANEW);
            }
            Some(_) => {}
        }
    }
}
