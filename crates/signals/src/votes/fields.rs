//! Fields: votes for records, field by field.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ballot, Tally};

/// One member's record: the class of each field that it filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The member, by its place in the tier.
    pub voter: usize,
    /// What it counts, in millionths.
    pub weight: i64,
    /// The canonical value of each field.
    pub fields: BTreeMap<String, String>,
}

/// Counts each field for itself; who leaves a field out abstains there. The record is as agreed as its least agreed field.
pub fn tally_fields(forms: &[Form]) -> BTreeMap<String, Tally> {
    let names: BTreeSet<_> = forms.iter().flat_map(|it| it.fields.keys()).collect();
    let votes = |name: &String| -> Vec<Ballot> {
        let vote = |it: &Form| {
            it.fields.get(name).map(|class| Ballot { voter: it.voter, weight: it.weight, class: class.clone() })
        };
        forms.iter().filter_map(vote).collect()
    };
    names.into_iter().map(|it| (it.clone(), Tally::of(&votes(it)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_counted_for_itself() {
        let form = |voter, weight, fields: &[(&str, &str)]| Form {
            voter,
            weight,
            fields: fields.iter().map(|(name, class)| ((*name).to_owned(), (*class).to_owned())).collect(),
        };
        let tallies = tally_fields(&[
            form(0, 2, &[("city", "paris"), ("zip", "75001")]),
            form(1, 2, &[("city", "paris")]),
            form(2, 3, &[("city", "lyon"), ("zip", "69001")]),
        ]);
        let won = |name: &str| tallies[name].leader().map(|it| (it.class.clone(), it.voters, it.best));
        assert_eq!(won("city"), Some(("paris".into(), 2, 0)));
        assert_eq!(won("zip"), Some(("69001".into(), 1, 2)));
        assert_eq!(tally_fields(&[]).len(), 0);
    }
}
