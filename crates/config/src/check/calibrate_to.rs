//! What must hold for `calibrate_to`: a map that was learnt for this tier, over outputs that are scores.

use evenkeel_signals::score_map::Match;

use super::Checks;
use crate::{
    calibration::ScoreMaps,
    schema::{
        calibrate_to::{CalibrateTo, Keeps},
        contract::{Datatype, OutputTensor},
        path::Site,
        route::RouteProtocol,
    },
    tree::Key,
};

/// What to do about a map that does not fit.
const ANEW: &str = "make it anew with `evenkeel calibrate`";

impl Checks<'_> {
    pub(super) fn calibrate_to(&mut self, route_key: &Key, key: &Key, site: Site<'_>) {
        let Site { route, tier } = site;
        let Some(it) = &tier.calibrate_to else { return };
        if route.protocol != RouteProtocol::Oip {
            let message = format!("the answers of an `{}` route are no scores", route.protocol.name());
            return self.error("misplaced-key", key, message, "remove it");
        }
        if let Some((name, _)) = tier.kinds.given().iter().find(|it| !matches!(it.0, "oip" | "onnx" | "rules")) {
            let message = format!("`{name}` computes no scores");
            let hint = "remove it, or write it on a tier with `oip`, `onnx` or `rules`";
            return self.error("misplaced-key", key, message, hint);
        }
        self.whose_scale(&key.field("path"), it, site);
        if route.output.is_none() {
            if !self.report.doubts_within(&route_key.field("output")) {
                let message = "scores are outputs of the route, and it does not say which it has";
                self.error("missing-output", key, message, "declare `output` on the route");
            }
            return;
        }
        match &it.file {
            Some(file) => self.map_file(key, (it, file), site),
            None => self.learns(key, site),
        }
    }

    /// A map that is learnt while serving needs somebody to learn from.
    fn learns(&mut self, key: &Key, site: Site<'_>) {
        if site.tier.kinds.given().iter().any(|it| it.0 == "rules") {
            let message =
                "what rules answer is proven when the file is read, and a map that is learnt later could change it";
            return self.error("missing-key", &key.field("file"), message, "learn it with `evenkeel calibrate`");
        }
        if site.route.shadow.share.0 == 0 {
            let message = "nothing teaches the map: no request is copied to this tier";
            self.warning("no-effect", key, message, "raise `shadow.share` of the route, or name a `file`");
        }
    }

    fn whose_scale(&mut self, key: &Key, it: &CalibrateTo, site: Site<'_>) {
        let first = site.route.tiers.first().map(|tier| tier.name.as_str()).unwrap_or_default();
        if self.report.doubts(key) {
            return;
        }
        if site.tier.name == first {
            self.error(
                "misplaced-key",
                key,
                "the scale of the first tier is the one that counts",
                "remove `calibrate_to`",
            );
        } else if it.path != first {
            let message = format!("`{}` is not the first tier, whose scale clients know", it.path);
            self.error("unknown-tier", key, message, format!("write `{first}`"));
        }
    }

    fn map_file(&mut self, key: &Key, (it, name): (&CalibrateTo, &str), site: Site<'_>) {
        let file = key.field("file");
        if self.report.doubts(&file) {
            return;
        }
        let maps = match self.outside.fetch_calibration(name) {
            Ok(maps) => maps,
            Err(message) => {
                let hint = "`evenkeel calibrate` writes it; a relative path starts from the configuration's folder";
                return self.error("missing-file", &file, message, hint);
            }
        };
        self.fits_tier(key, it, (&maps, site));
        for (name, mapped) in &maps.outputs {
            let tensor = site.route.output.as_ref().and_then(|it| it.tensors.get(name));
            if let Some(message) = misfit(name, mapped.maps.len(), tensor) {
                self.error("wrong-map", &file, message, ANEW);
            }
        }
    }

    /// A map of another tier would be as wrong as none, and nobody would see it.
    fn fits_tier(&mut self, key: &Key, it: &CalibrateTo, (maps, site): (&ScoreMaps, Site<'_>)) {
        let keeps = if maps.keeps == Match::Rate { Keeps::Rate } else { Keeps::Mean };
        if keeps != it.keeps {
            let message = format!("the map keeps the {}, and here the {} is wanted", keeps.name(), it.keeps.name());
            self.error("wrong-map", &key.field("match"), message, ANEW);
        }
        let file = key.field("file");
        if (maps.tier.as_str(), maps.to.as_str()) != (&site.tier.name, &it.path) {
            let message = format!("the map was learnt for `{}`, to the scale of `{}`", maps.tier, maps.to);
            self.error("wrong-map", &file, message, ANEW);
        } else if maps.outputs.iter().all(|it| it.1.maps.iter().all(|it| it.knots().is_empty())) {
            let message = "too few pairs taught it: scores stay as they are";
            self.warning("no-effect", &file, message, "200 pairs teach a line, 1,000 a shape of its own");
        }
    }
}

/// Says why an output cannot be mapped.
fn misfit(name: &str, maps: usize, tensor: Option<&OutputTensor>) -> Option<String> {
    let Some(tensor) = tensor else { return Some(format!("it maps `{name}`, which is no output of the route")) };
    if !matches!(tensor.datatype, Datatype::Fp32 | Datatype::Fp64) {
        return Some(format!("it maps `{name}`, which is {} and no score", tensor.datatype.name()));
    }
    let classes = tensor.shape.last().filter(|_| tensor.shape.len() > 1).copied();
    let fits = maps == 1 || classes.and_then(|it| usize::try_from(it).ok()) == Some(maps);
    (!fits).then(|| format!("it has {maps} maps of `{name}`, whose shape is {:?}", tensor.shape))
}
