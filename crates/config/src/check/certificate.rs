//! What must hold for `certificate`: it is of this route, and what the route does was tested, threshold and all. Of other models
//! it is void, which is said, and keeps nobody from starting.

use super::Checks;
use crate::{
    calibration::{Certified, CertifiedTier},
    compile::digest::hex,
    compile::vote::model,
    outside::Outside,
    schema::{
        certificate::{Certificate, Mode},
        post::OnError,
        route::Route,
        rows::Rows,
        tier::Tier,
    },
    tree::Key,
};

impl Checks<'_> {
    pub(super) fn certificate(&mut self, route_key: &Key, (name, route): (&str, &Route)) {
        let Some(file) = route.certificate.as_ref().map(Certificate::file) else { return };
        let key = route_key.field("certificate");
        if self.report.doubts_within(&key) {
            return;
        }
        let certified = match self.outside.fetch_certificate(file) {
            Ok(certified) => certified,
            Err(message) => {
                let hint = "`evenkeel tune` writes it; a relative path starts from the configuration's folder";
                return self.error("missing-file", &key, message, hint);
            }
        };
        if certified.route != name {
            let message = format!("it was issued for the route `{}`", certified.route);
            return self.error("wrong-certificate", &key, message, "tune this route, or remove it");
        }
        self.as_tested(route_key, &certified, route);
        if let Some(why) = void(&certified, route, &self.outside) {
            let hint = "nothing is promised any more: tune the route again, or remove it";
            self.warning("certificate-void", &key, why, hint);
        }
        self.never_tested(&key, route);
    }

    /// Refuses what was not tested: another threshold, one for each tier, answers and rows that are given out below it.
    fn as_tested(&mut self, route_key: &Key, certified: &Certified, route: &Route) {
        let promised = certified.tiers.split_last().map_or(&[][..], |it| it.1);
        let tested = || [certified.at_least].into_iter().chain(certified.ladder.iter().copied());
        let mut common = None;
        for (at, of) in promised.iter().enumerate() {
            let Some(tier) = route.tiers.get(at).filter(|it| it.name == of.name) else { continue };
            let key = route_key.field("tiers").index(at).field("accept");
            let least = tier.accept.as_ref().map(|it| it.at_least);
            // As it was printed.
            if !tested().any(|it| least.is_some_and(|least| (it - least).abs() < 1e-6)) {
                let all: Vec<String> = tested().map(|it| it.to_string()).collect();
                let message = format!("the promise is of these thresholds: {}", all.join(", "));
                self.error("wrong-certificate", &key.field("at_least"), message, "write one, or tune the route again");
            } else if *common.get_or_insert(least) != least {
                let message = "the promise is of one threshold for all models but the last";
                self.error("wrong-certificate", &key.field("at_least"), message, "write that of the tiers above");
            }
            let Some(accept) = &tier.accept else { continue };
            let hint = "nothing is promised of such answers: leave it out, or remove `certificate`";
            if accept.on_error == OnError::Pass {
                let message = "an answer of which nobody knows how sure it is would be given out";
                self.error("wrong-certificate", &key.field("on_error"), message, hint);
            }
            if !matches!(accept.rows, Rows::Any | Rows::Split) {
                let message = "rows below the threshold would be given out";
                self.error("wrong-certificate", &key.field("rows"), message, hint);
            }
        }
    }

    /// Says where nothing will ever show whether the promise is kept, though something is to follow.
    fn never_tested(&mut self, key: &Key, route: &Route) {
        if route.certificate.as_ref().map(Certificate::mode) != Some(Mode::Enforce) {
            return;
        }
        let (key, without) = (key.field("mode"), "so nothing shows in service whether the promise is kept");
        if route.shadow.share.0 == 0 {
            let hint = "write `shadow: {share: 0.1, max_cost: 0.1}` on the route, or `mode: observe`";
            return self.warning("no-effect", &key, format!("no request is copied to the last model, {without}"), hint);
        }
        if route.quality.output.is_none() && route.quality.label.is_none() {
            let hint = "say in `quality` what a label is compared with, or write `mode: observe`";
            self.warning("no-effect", &key, format!("no answer is compared with a label, {without}"), hint);
        }
    }
}

/// Says why a certificate promises nothing of a route; none where it does.
pub(crate) fn void(certified: &Certified, route: &Route, outside: &Outside) -> Option<String> {
    let here = |tier: &Tier| CertifiedTier {
        name: tier.name.clone(),
        model: model(tier, outside),
        calibration: tier.accept.as_ref().and_then(|it| outside.checksum(it.calibration.as_ref()?)),
    };
    let last = certified.tiers.len().saturating_sub(1);
    let other = certified.tiers.iter().enumerate().find_map(|(at, of)| {
        let now = route.tiers.get(at).map(here).unwrap_or_default();
        match () {
            () if now.name != of.name => {
                Some(format!("tier {at} was `{}` when it was issued, and is `{}`", of.name, now.name))
            }
            () if now.model != of.model => {
                Some(format!("`{}` was `{}` when it was issued, and is `{}`", of.name, of.model, now.model))
            }
            () if at < last && now.calibration != of.calibration => {
                Some(format!("what the confidence of `{}` is worth was learnt anew since it was issued", of.name))
            }
            () => None,
        }
    });
    other.or_else(|| another_reference(certified.reference.as_ref()?, route, outside))
}

/// Says how the reference of a route is no longer that of its certificate, whose rows were like it; none where it is.
fn another_reference(then: &str, route: &Route, outside: &Outside) -> Option<String> {
    let Some(file) = route.input.as_ref().and_then(|it| it.reference.as_ref()) else {
        return Some("the route had a reference when it was issued, and has none".into());
    };
    let now = outside.known_reference(file).map(|it| hex(&it.digest()));
    (now.as_deref() != Some(then)).then(|| "the route has another reference since it was issued".into())
}
