//! What must hold for `accept`: a number over what the answers of a tier hold, a threshold that some pass and others do not, and, where
//! it was learnt what the confidence is worth, that this was learnt of this tier.

use super::Checks;
use crate::{
    calibration::{ConfidenceOf, LearntConfidence},
    compile::confidence_of,
    confidence::Confidence,
    expr::{Problem, Range},
    schema::{
        accept::{Accept, Otherwise},
        commit::Commit,
        path::Site,
        route::{Route, RouteProtocol},
        rows::Rows,
        tier::{Feature, Tier},
    },
    tree::Key,
};

/// What to do about a file that does not fit.
const ANEW: &str =
    "learn it anew with `evenkeel calibrate ROUTE/TIER ROWS.csv --truth … --answer … --confidence … -o FILE`";

impl Checks<'_> {
    pub(super) fn accept(&mut self, route_key: &Key, key: &Key, site: Site<'_>) {
        let Site { route, tier } = site;
        let Some(it) = &tier.accept else { return };
        let of: &[&str] = match route.protocol {
            RouteProtocol::Oip => &["oip", "onnx"],
            RouteProtocol::OpenaiChat => &["openai"],
            RouteProtocol::OpenaiEmbeddings => {
                let message = "nobody can say how sure a model is of an embedding";
                return self.error("misplaced-key", key, message, "remove it");
            }
        };
        if let Some((name, _)) = tier.kinds.given().iter().find(|(name, _)| !of.contains(name)) {
            let message = format!("`{name}` is no model: it is as sure of each answer as of any");
            let hint = format!("remove it, or write it on a tier with `{}`", of.join("` or `"));
            return self.error("misplaced-key", key, message, hint);
        }
        match route.protocol {
            RouteProtocol::Oip => self.rows(route_key, &key.field("rows"), (route, it.rows)),
            _ => self.of_text(key, site, it),
        }
        if it.otherwise == Otherwise::Best && it.rows == Rows::Split {
            let message = "rows of which the model is sure are kept already, and the others go on by themselves";
            self.error("misplaced-key", &key.field("otherwise"), message, "remove it, or write another `rows`");
        }
        if let Some(confidence) = self.number(route_key, key, (route, it)) {
            self.at_least(key, (route, it), &confidence);
        }
        self.label(key, (route, it));
        self.worth(key, site, it);
    }

    /// What is asked of a text.
    fn of_text(&mut self, key: &Key, Site { route, tier }: Site<'_>, it: &Accept) {
        if it.rows != Rows::Any {
            let message = "a chat answer has no rows: it is accepted as a whole, or not at all";
            self.error("misplaced-key", &key.field("rows"), message, "remove it");
        }
        if tier.features.as_ref().is_some_and(|it| !it.contains(&Feature::Logprobs)) {
            let message =
                "how sure the model is follows from its log-probabilities, and `features` says that it gives none";
            self.error("needs-logprobs", key, message, "add `logprobs` to `features`, or remove `accept`");
        }
        let voter = key.to_string().contains(".paths[");
        if route.commit != Commit::Full && !voter {
            let message =
                "how sure the model was is known at the end, and a stream of this route is sent before it is whole";
            self.error("needs-whole", key, message, "write `commit: full` on the route");
        }
    }

    /// Reads the confidence; none where something is wrong with it, which is said.
    fn number(&mut self, route_key: &Key, key: &Key, (route, it): (&Route, &Accept)) -> Option<Confidence> {
        let at = key.field("confidence");
        let read = match (route.protocol, &route.output) {
            _ if self.report.doubts(&at) => return None,
            (RouteProtocol::Oip, None) => {
                if !self.report.doubts_within(&route_key.field("output")) {
                    let message =
                        "a confidence is taken of the outputs of the route, and it does not say which they are";
                    self.error("missing-output", key, message, "declare `output` on the route");
                }
                return None;
            }
            (RouteProtocol::Oip, Some(output)) => Confidence::read(&it.confidence, &output.tensors),
            _ => Confidence::over_logprobs(&it.confidence),
        };
        read.map_err(|problems| {
            let mut say = |Problem { at: place, message, hint }| {
                self.report.error_in("bad-expression", &at, place, (message, hint));
            };
            problems.into_iter().for_each(&mut say);
        })
        .ok()
    }

    fn at_least(&mut self, key: &Key, (route, it): (&Route, &Accept), confidence: &Confidence) {
        let least = key.field("at_least");
        if self.report.doubts(&least) {
            return;
        }
        if !it.at_least.is_finite() {
            return self.error("out-of-range", &least, "it is no number that can be reached", "write a finite number");
        }
        // With a calibration it is held against what that says.
        if it.calibration.is_none() {
            let none = Default::default();
            let outputs = route.output.as_ref().map_or(&none, |it| &it.tensors);
            let range = confidence.range(outputs);
            self.threshold(&least, (&it.confidence, confidence.compared(it.at_least)), range);
        }
    }

    /// A threshold that nothing, or everything, passes that the route's contract accepts.
    fn threshold(&mut self, key: &Key, (confidence, at_least): (&str, f64), Range { least, most }: Range) {
        let by = if confidence.contains("logprobs") {
            "since no probability is above 1"
        } else {
            "by the bounds of the outputs"
        };
        if at_least > most {
            let message = format!("no answer is ever accepted: `{confidence}` is at most {most}, {by}");
            let hint = match by {
                "by the bounds of the outputs" => format!("write at most {most}, or other bounds under `output`"),
                _ => format!("write at most {most}"),
            };
            self.error("out-of-range", key, message, hint);
        } else if at_least <= least {
            let message = format!("every answer is accepted: `{confidence}` is at least {least}, {by}");
            self.warning("no-effect", key, message, format!("write more than {least}, or remove `accept`"));
        }
    }

    /// The output whose value is the label of a row.
    fn label(&mut self, key: &Key, (route, it): (&Route, &Accept)) {
        let at = key.field("label");
        let Some(name) = it.label.as_ref().filter(|_| !self.report.doubts(&at)) else { return };
        if it.calibration.is_none() {
            let message = "it counts by what was learnt of it, and there is no `calibration`";
            self.warning("no-effect", &at, message, "learn one with `evenkeel calibrate`, or remove it");
        }
        let (message, hint) = match route.output.as_ref().map(|it| it.tensors.get(name)) {
            _ if route.protocol != RouteProtocol::Oip => {
                ("the answers of a chat have no labels".to_owned(), "remove it".to_owned())
            }
            None => return,
            Some(None) => (format!("the route has no output `{name}`"), "name one that `output` declares".to_owned()),
            Some(Some(it)) if it.datatype.is_float() => {
                (format!("the output `{name}` is a number with a fraction, and no label"), "remove it".to_owned())
            }
            Some(Some(it)) if it.shape.first() != Some(&-1) || it.shape.iter().skip(1).any(|it| *it != 1) => {
                let message = format!("the output `{name}` has not one value a row: its shape is {:?}", it.shape);
                (message, "name an output of the shape [-1]".to_owned())
            }
            Some(Some(_)) => return,
        };
        self.error("wrong-label", &at, message, hint);
    }

    /// What was learnt of another tier would promise what nobody knows.
    fn worth(&mut self, key: &Key, Site { tier, .. }: Site<'_>, it: &Accept) {
        let Some(file) = &it.calibration else { return };
        let at = key.field("calibration");
        if self.report.doubts(&at) {
            return;
        }
        match self.outside.fetch_confidence(file) {
            Ok(learnt) => {
                let here = confidence_of(tier, &self.outside).unwrap_or_default();
                self.fits_confidence(&at, &learnt, &here);
                self.reachable(&key.field("at_least"), &learnt, it);
            }
            Err(message) => {
                let hint = "`evenkeel calibrate` writes it; a relative path starts from the configuration's folder";
                self.error("missing-file", &at, message, hint);
            }
        }
    }

    fn fits_confidence(&mut self, key: &Key, learnt: &LearntConfidence, here: &ConfidenceOf) {
        let of = &learnt.of;
        let label = |it: &Option<String>| it.as_ref().map_or("no label".to_owned(), |it| format!("the label `{it}`"));
        let mut wrong = |message: String| self.error("wrong-calibration", key, message, ANEW);
        if of.tier != here.tier {
            wrong(format!("it was learnt for the tier `{}`", of.tier));
        }
        if of.model != here.model {
            wrong(format!("the tier was `{}` when it was learnt, and is `{}`", of.model, here.model));
        }
        if of.confidence != here.confidence {
            let (then, now) = (&of.confidence, &here.confidence);
            wrong(format!("how sure the model is was `{then}` when it was learnt, and is `{now}` in `confidence`"));
        }
        if of.label != here.label {
            wrong(format!("it was learnt with {}, and here is {}", label(&of.label), label(&here.label)));
        }
        if !learnt.is_enough() {
            wrong(format!("it was learnt from {} rows, which are too few to be a confidence: 50 are enough", learnt.n));
        }
    }

    /// A probability that none of its answers has.
    fn reachable(&mut self, key: &Key, learnt: &LearntConfidence, it: &Accept) {
        if self.report.doubts(key) {
            return;
        }
        let (least, most) = learnt.range();
        let [least, most] = [least, most].map(|it| f64::from(it) / 1e3);
        if it.at_least > most {
            let message = format!(
                "no answer is ever accepted: the likeliest is right with a probability of {most}, by `calibration`"
            );
            self.error("out-of-range", key, message, format!("write at most {most}"));
        } else if it.at_least <= least {
            let message = format!(
                "every answer is accepted: the least likely is right with a probability of {least}, by `calibration`"
            );
            self.warning("no-effect", key, message, format!("write more than {least}"));
        }
    }

    /// What a member of an ensemble is not asked: its answer is one of several.
    pub(super) fn voter(&mut self, key: &Key, member: &Tier) {
        let Some(it) = &member.accept else { return };
        let hint = "remove it";
        for (name, written) in [("calibration", it.calibration.is_some()), ("label", it.label.is_some())] {
            if written {
                let message = "what a vote is worth is learnt of the ensemble as a whole, as `vote.calibration`";
                self.error("misplaced-key", &key.field(name), message, hint);
            }
        }
        if it.otherwise == Otherwise::Best {
            let message = "a member that is not sure does not vote, and its answer is given by nobody";
            self.error("misplaced-key", &key.field("otherwise"), message, hint);
        }
    }
}
