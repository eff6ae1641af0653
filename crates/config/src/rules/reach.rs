//! Reach: rules that never answer, rows that no rule answers, and rules that no test has tried.

use std::collections::BTreeSet;

use super::{
    RuleSet,
    cells::{Found, search},
};
use crate::{expr::Logic, report::Report, schema::rules::Mode, tree::Key};

/// Warns of rules that never answer (CF-07): nothing is said that is not proven.
pub(super) fn reach(set: &RuleSet, report: &mut Report<'_>) {
    let logics: Vec<Logic> = set.rules.iter().map(|rule| rule.when.logic(&set.types)).collect();
    for (at, rule) in set.rules.iter().enumerate() {
        let key = Key::default().field("rules").index(at).field("when");
        let never = |not: &[&Logic]| search(&[&logics[at]], not, &set.types) == Found::None;
        if never(&[]) {
            report.warning("never-fires", &key, format!("rule `{}` never holds", rule.id), "remove it");
            continue;
        }
        if set.mode != Mode::First {
            continue;
        }
        let hides = |above: usize| never(&[&logics[above]]) || rule.when.implies(&set.rules[above].when);
        let above: Vec<&Logic> = logics[..at].iter().collect();
        let who = match (0..at).find(|above| hides(*above)) {
            Some(above) => format!("`{}` above does", set.rules[above].id),
            None if at > 1 && never(&above) => "one of those above does".into(),
            None => continue,
        };
        let message = format!("rule `{}` never answers: wherever it holds, {who}", rule.id);
        report.warning("never-fires", &key, message, "move it up, or remove it");
    }
}

/// Reports a row that no rule answers, where the file says that there is none.
pub(super) fn gaps(set: &RuleSet, report: &mut Report<'_>) {
    let logics: Vec<Logic> = set.rules.iter().map(|rule| rule.when.logic(&set.types)).collect();
    let key = Key::default().field("complete");
    match search(&[], &logics.iter().collect::<Vec<_>>(), &set.types) {
        Found::None => {}
        Found::Row(row) => {
            let row: Vec<_> = row.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let message = format!("no rule holds for {{{}}}", row.join(", "));
            report.error("gap", &key, message, "add a rule for it, or leave `complete` out: `otherwise` answers it");
        }
        Found::Unknown => {
            let message = "it is not certain that each row has a rule: more stands in the conditions than comparisons of inputs with constants";
            report.warning("gap", &key, message, "end with a rule whose condition is `true`, or leave `complete` out");
        }
    }
}

/// Warns of rules that none of the tests has tried, where there are tests.
pub(super) fn coverage(set: &RuleSet, tried: &BTreeSet<usize>, report: &mut Report<'_>) {
    for (at, rule) in set.rules.iter().enumerate().filter(|(at, _)| !tried.contains(at)) {
        let key = Key::default().field("rules").index(at).field("id");
        let message = format!("no test has a row for which rule `{}` answers", rule.id);
        report.warning("untested", &key, message, "add one under `tests`, or remove the rule");
    }
}
