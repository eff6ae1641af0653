//! What must hold for `paths` and `vote`: members that can answer, something that can be compared, weights for each.

use super::Checks;
use crate::{
    compile::vote::{is_number, model, voted_output},
    diagnostic::nearest,
    schema::{
        contract::OutputTensor,
        path::{Member, Site, Target},
        route::RouteProtocol,
        tier::Tier,
        vote::{Rule, Vote},
    },
    tree::Key,
};

/// The kinds of path that a member may be.
const KINDS: &[&str] = &["openai", "oip", "onnx", "rules"];

impl Checks<'_> {
    /// Checks the members of a tier, and its vote.
    pub(super) fn ensemble(&mut self, route_key: &Key, key: &Key, site: Site<'_>) {
        let Site { route, tier } = site;
        let members = tier.kinds.members();
        if members.is_empty() {
            if tier.vote.is_some() && !self.report.doubts_within(&key.field("paths")) {
                let message = "only several paths can vote, and this tier asks one";
                self.error("misplaced-key", &key.field("vote"), message, "write `paths`, or remove it");
            }
            return;
        }
        for (at, Member(member)) in members.iter().enumerate() {
            self.member(route_key, &key.field("paths").index(at), Site { route, tier: member });
        }
        if !tier.map.is_empty() {
            let message = "it is the answers of the members that are voted on";
            self.error("misplaced-key", &key.field("map"), message, "write `map` with each member that needs it");
        }
        self.vote(route_key, &key.field("vote"), (site, &tier.vote.clone().unwrap_or_default()));
    }

    fn member(&mut self, route_key: &Key, key: &Key, site: Site<'_>) {
        let Site { route, tier } = site;
        if let Some(domain) = &tier.capacity_domain {
            self.name_is_usable(&key.field("capacity_domain"), domain);
        }
        if let Some((name, kind)) = self.one_kind(key, tier, KINDS) {
            kind.check(&key.field(name), site, self);
            self.effects(key, route, kind);
            if matches!(kind.target(), Target::Upstream(_)) {
                self.clocks(key, route, tier);
                self.largest_answer(key, tier);
            }
        }
        self.breaker(&key.field("breaker"), &tier.breaker);
        self.map(route_key, &key.field("map"), site);
        self.accept(route_key, &key.field("accept"), site);
        self.voter(&key.field("accept"), tier);
        let rows = key.field("accept").field("rows");
        if self.report.is_written(&rows) {
            let message = "a member votes on the rows that it is sure of, and says nothing of the others";
            self.error("misplaced-key", &rows, message, "remove it");
        }
    }

    fn vote(&mut self, route_key: &Key, key: &Key, (site, vote): (Site<'_>, &Vote)) {
        if self.report.doubts_within(key) {
            return;
        }
        let members = site.tier.kinds.members().len();
        if vote.quorum.is_some_and(|it| usize::from(it) > members) {
            let message = format!("there are {members} members, so there are never so many votes");
            self.error("out-of-range", &key.field("quorum"), message, format!("write {members} or less"));
        }
        self.weights(key, (site.tier, vote));
        self.learnt_votes(key, (site, vote));
        match site.route.protocol {
            RouteProtocol::Oip => self.vote_on_output(route_key, key, (site, vote)),
            RouteProtocol::OpenaiChat => self.vote_on_text(key, (site.tier, vote)),
            // Something is said of it already.
            RouteProtocol::OpenaiEmbeddings => {}
        }
    }

    fn weights(&mut self, key: &Key, (tier, vote): (&Tier, &Vote)) {
        let members = tier.kinds.members().len();
        let given = [("weights", &vote.weights), ("accuracies", &vote.accuracies)];
        for (name, numbers) in given.into_iter().filter(|(_, numbers)| !numbers.is_empty()) {
            let key = key.field(name);
            if numbers.len() != members {
                let message = format!("there are {} of them, and {members} members", numbers.len());
                self.error("wrong-length", &key, message, "write one for each of `paths`, in their order");
            }
            let fits = |it: &f64| if name == "weights" { (0.0..=1e6).contains(it) } else { (0.0..=1.0).contains(it) };
            if !numbers.iter().all(fits) {
                let range = if name == "weights" { "from 0 to 1,000,000" } else { "from 0 to 1" };
                self.error("out-of-range", &key, "one of them is no such number", format!("write numbers {range}"));
            }
            if vote.rule != Rule::Weighted {
                let message = "with this rule each member counts the same";
                self.warning("no-effect", &key, message, "remove it, or write `rule: weighted`");
            }
        }
        if !vote.weights.is_empty() && !vote.accuracies.is_empty() {
            let message = "a weight is given, or follows from an accuracy";
            self.error("two-weights", &key.field("weights"), message, "write one of `weights` and `accuracies`");
        }
    }

    /// Warns of a vote in which nobody is trusted more than others, where others are there: of samples of one model none is better.
    fn majority(&mut self, key: &Key, (tier, vote): (&Tier, &Vote)) {
        let mut models = tier.kinds.members().iter().map(|it| model(&it.0, &self.outside));
        let first = models.next();
        if first.as_ref().is_some_and(|it| !it.is_empty()) && models.all(|it| Some(it) == first) {
            return;
        }
        let message = match vote.rule {
            Rule::Majority => "a plain majority can lose to the best of its members by 20 points",
            Rule::Weighted if vote.weights.is_empty() && vote.accuracies.is_empty() && vote.calibration.is_none() => {
                "no member is trusted more than another, so this is a plain majority, which can lose to the best of its members"
            }
            Rule::Weighted | Rule::Median => return,
        };
        let hint = "measure on labelled rows how often each member is right, and write `accuracies`";
        self.warning("majority", &key.field("rule"), message, hint);
    }

    fn vote_on_output(&mut self, route_key: &Key, key: &Key, (Site { route, tier }, vote): (Site<'_>, &Vote)) {
        for name in ["json_field", "json_fields", "choice"] {
            if self.report.is_written(&key.field(name)) {
                let message = "the answers of an `oip` route are tensors";
                self.error("misplaced-key", &key.field(name), message, "remove it, and name the `output`");
            }
        }
        let Some(output) = &route.output else {
            if !self.report.doubts_within(&route_key.field("output")) {
                let message = "answers are compared by the outputs of the route, and it does not say which they are";
                self.error("missing-output", key, message, "declare `output` on the route");
            }
            return;
        };
        if self.report.doubts_within(&route_key.field("output")) {
            return;
        }
        let names = || output.tensors.keys().map(String::as_str);
        let Some((name, tensor)) = voted_output(route, vote) else {
            let (message, hint) = match &vote.output {
                Some(wrong) => {
                    let near = nearest(wrong, names()).map(|near| format!("did you mean `{near}`?"));
                    let all = || format!("write one of {}", names().collect::<Vec<_>>().join(", "));
                    (format!("the contract has no output `{wrong}`"), near.unwrap_or_else(all))
                }
                None => ("the route has several outputs, and members may agree in one alone".into(), "name one".into()),
            };
            return self.error("unknown-output", &key.field("output"), message, hint);
        };
        self.comparable(key, (tier, vote), (name, tensor));
        for (name, tensor) in output.tensors.iter().filter(|(_, it)| it.shape.first() != Some(&-1)) {
            let message = format!(
                "the output `{name}` has no rows to be taken from different members: its shape is {:?}",
                tensor.shape
            );
            self.error("no-rows", key, message, "make its first dimension -1");
        }
    }

    fn comparable(&mut self, key: &Key, (tier, vote): (&Tier, &Vote), (name, tensor): (&str, &OutputTensor)) {
        let datatype = tensor.datatype.name();
        if tensor.shape.iter().skip(1).any(|it| *it != 1) {
            let message = format!("the output `{name}` has several values a row, and a vote is on one");
            let hint = "name an output with one value a row: its shape is [-1]";
            return self.error("no-rows", &key.field("output"), message, hint);
        }
        let number = is_number(vote, tensor);
        match vote.rule {
            Rule::Median if !tensor.datatype.is_number() => {
                let message = format!("the output `{name}` is {datatype}, which has no order");
                self.error("wrong-rule", &key.field("rule"), message, "write `rule: weighted`");
            }
            Rule::Majority if number => {
                let message = format!("the output `{name}` is {datatype}: such numbers are hardly ever equal");
                self.error("wrong-rule", &key.field("rule"), message, "write `rule: median`, or `rule: weighted`");
            }
            _ if !number => self.majority(key, (tier, vote)),
            _ => {}
        }
        self.tolerances(key, vote);
        for name in ["abs_tol", "rel_tol"] {
            let key = key.field(name);
            if !number && self.report.is_written(&key) {
                let message = "labels are equal or not";
                self.warning("no-effect", &key, message, "remove it");
            }
        }
    }

    fn tolerances(&mut self, key: &Key, vote: &Vote) {
        for (name, tolerance) in [("abs_tol", vote.abs_tol), ("rel_tol", vote.rel_tol)] {
            if !(0.0..f64::INFINITY).contains(&tolerance) {
                self.error("out-of-range", &key.field(name), "it is no distance", "write 0 or more");
            }
        }
    }

    fn fields(&mut self, key: &Key, vote: &Vote) {
        if vote.json_fields.is_empty() {
            return;
        }
        for (name, written) in [("json_field", vote.json_field.is_some()), ("choice", vote.choice.is_some())] {
            if written {
                let message = "the answer is several fields together";
                self.error("misplaced-key", &key.field(name), message, "write one of it and `json_fields`");
            }
        }
        let key = key.field("json_fields");
        for (at, field) in vote.json_fields.iter().enumerate() {
            let key = key.index(at);
            self.not_empty(&key, field, "nothing can be voted on", "name the field, or leave it out");
            if vote.json_fields[..at].contains(field) {
                self.error("duplicate-name", &key, format!("`{field}` stands above"), "write each once");
            }
        }
    }

    fn vote_on_text(&mut self, key: &Key, (tier, vote): (&Tier, &Vote)) {
        for name in ["output", "abs_tol", "rel_tol"] {
            let bears = name != "output" && !vote.json_fields.is_empty();
            if self.report.is_written(&key.field(name)) && !bears {
                let message = "the answers of a chat are texts";
                let hint = "remove it; numbers are compared where `json_fields` names fields";
                self.error("misplaced-key", &key.field(name), message, hint);
            }
        }
        self.fields(key, vote);
        self.tolerances(key, vote);
        if let (Some(field), Some(_)) = (&vote.json_field, &vote.choice) {
            let message = format!("the answer is the field `{field}`, or a letter");
            self.error("misplaced-key", &key.field("choice"), message, "write one of the two");
        }
        for (name, text) in [("json_field", &vote.json_field), ("choice", &vote.choice)] {
            if let Some(text) = text {
                self.not_empty(&key.field(name), text, "nothing can be voted on", "name it, or leave it out");
            }
        }
        match vote.rule {
            Rule::Median => {
                let message = "the answers of a chat are texts, which have no median";
                self.error("wrong-rule", &key.field("rule"), message, "write `rule: weighted`");
            }
            Rule::Weighted | Rule::Majority => self.majority(key, (tier, vote)),
        }
    }
}
