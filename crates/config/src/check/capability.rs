//! What must hold for languages, datatypes and regions: that they can be, and that some tier is left (F-036).

use super::{Checks, limits::every_path};
use crate::{
    compile::capability,
    schema::{
        capability::{is_language, is_region},
        path::Target,
        route::Route,
        tier::Tier,
    },
    tree::Key,
};
use evenkeel_core::{MOST_NAMES, Wants, datatype};

const LANGUAGE: &str = "a language is a tag as in `de` or `pt-BR`";
const REGION: &str = "a region is a name of your own, of letters, digits, `-` and `_`, as `eu`";

impl Checks<'_> {
    /// Names that cannot be, and more of them than there are bits.
    pub(super) fn capability_names(&mut self) {
        let file = self.file;
        for (name, route) in &file.routes {
            let key = Key::default().field("routes").field(name);
            self.words(&key.field("language"), route.language.as_slice(), (is_language, LANGUAGE));
            self.list(&key.field("residency"), route.residency.as_ref(), (is_region, REGION));
            for (key, tier) in every_path(&key, route) {
                self.list(&key.field("languages"), tier.languages.as_ref(), (is_language, LANGUAGE));
                self.list(&key.field("residency"), tier.residency.as_ref(), (is_region, REGION));
                if tier.datatypes.as_ref().is_some_and(Vec::is_empty) {
                    self.error("empty", &key.field("datatypes"), "the list is empty", "name one, or leave it out");
                }
            }
        }
        let names = capability::names(file);
        for (what, all) in [("languages", &names.languages), ("regions", &names.regions)] {
            if all.len() > MOST_NAMES {
                let message = format!("the tiers of this file name {} {what}, and {MOST_NAMES} is the most", all.len());
                let hint = "name fewer: a language covers its regions, as `pt` covers `pt-BR`";
                self.error("too-many", &Key::default().field("routes"), message, hint);
            }
        }
    }

    fn list(&mut self, key: &Key, words: Option<&Vec<String>>, rule: (fn(&str) -> bool, &str)) {
        if words.is_some_and(Vec::is_empty) && !self.report.doubts(key) {
            self.error("empty", key, "the list is empty", "name one, or leave it out");
        }
        for (at, word) in words.into_iter().flatten().enumerate() {
            self.words(&key.index(at), std::slice::from_ref(word), rule);
        }
    }

    fn words(&mut self, key: &Key, words: &[String], (is_right, hint): (fn(&str) -> bool, &str)) {
        for word in words.iter().filter(|it| !is_right(it)) {
            self.error("bad-name", key, format!("`{word}` cannot be a name"), hint);
        }
    }

    /// Warns of what a route says of all its requests, and none of its tiers, or none but a fixed answer, can do.
    pub(super) fn capabilities(&mut self, key: &Key, route: &Route) {
        let names = capability::names(self.file);
        let wants = capability::wants(&names, route);
        let language = Wants { languages: wants.languages, ..Wants::default() };
        let residency = Wants { regions: wants.regions, ..Wants::default() };
        for (name, wants) in [("language", language), ("residency", residency)] {
            let serves = |tier: &Tier, certain: bool| {
                tier.kinds.given().iter().any(|(_, kind)| {
                    (kind.target() == Target::Certain) == certain
                        && capability::can(&names, (tier, route), *kind).serves(wants)
                })
            };
            let any = |certain| route.tiers.iter().flat_map(Tier::asked).any(|tier| serves(tier, certain));
            if wants == Wants::default() || any(false) {
                continue;
            }
            let message = match any(true) {
                true => format!("no tier can answer by this `{name}` but the `fixed` one, which always can"),
                false => format!("no tier of this route can answer by this `{name}`"),
            };
            let hint = match name {
                "language" => "declare it in the `languages` of a tier that understands it",
                _ => "declare in the `residency` of a tier where it is, if it is within these regions",
            };
            self.warning("cannot-serve", &key.field(name), message, hint);
        }
        self.datatypes(key, route);
    }

    /// Warns of a tier that can never be asked: an input that every request has is of a datatype that it does not take.
    fn datatypes(&mut self, key: &Key, route: &Route) {
        let Some(input) = route.input.as_ref() else { return };
        for (tier_key, tier) in every_path(key, route) {
            let Some(takes) = &tier.datatypes else { continue };
            let bits = takes.iter().fold(0, |bits, it| bits | datatype(it.name()));
            let lacking = input.tensors.iter().find(|(_, it)| it.required && bits & datatype(it.datatype.name()) == 0);
            if let Some((name, it)) = lacking {
                let datatype = it.datatype.name();
                let message =
                    format!("the tier is never asked: input `{name}` is {datatype}, which it does not declare");
                let hint = format!("add {datatype}, or remove the tier");
                self.warning("cannot-serve", &tier_key.field("datatypes"), message, hint);
            }
        }
    }
}
