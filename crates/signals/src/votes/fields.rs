//! Fields: votes for records, such as `{"label": "invoice", "amount": 12.5}`, that agree where all of their fields do.
//!
//! A record is voted for whole: one put together of the fields of several is one that nobody gave (`VOTE-3`).

use super::{Tolerance, cluster::joined};

/// What parts the fields of a class: canonical texts have no line ends.
const BETWEEN: &str = "\n";

/// Returns the class of a record: the canonical values of its fields, in order.
pub fn record(fields: &[String]) -> String {
    fields.join(BETWEEN)
}

/// Returns for each record ([`record`]) the class it votes for: the least record, by bytes, of its cluster.
///
/// Two are one where each field is the same, or is in both a number within the tolerance; the relative one is a part of the number
/// that is larger without its sign. Clusters are joined through whoever stands between, so that they do not depend on order.
pub fn records(records: &[&str], tolerance: Tolerance) -> Vec<String> {
    let fields: Vec<Vec<&str>> = records.iter().map(|it| it.split(BETWEEN).collect()).collect();
    let near = |a: &[&str], b: &[&str]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_near(a, b, tolerance));
    joined(records, |a, b| near(&fields[a], &fields[b]))
}

fn is_near(a: &str, b: &str, tolerance: Tolerance) -> bool {
    let number = |it: &str| it.parse::<f64>().ok().filter(|it| it.is_finite());
    let within =
        |(a, b): (f64, f64)| (a - b).abs() <= tolerance.absolute.max(tolerance.relative * a.abs().max(b.abs()));
    a == b || number(a).zip(number(b)).is_some_and(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(given: &[[&str; 2]], absolute: f64, relative: f64) -> Vec<String> {
        let texts: Vec<_> = given.iter().map(|it| record(&it.map(str::to_owned))).collect();
        records(&texts.iter().map(String::as_str).collect::<Vec<_>>(), Tolerance { absolute, relative })
    }

    #[test]
    fn records_agree_where_every_field_does() {
        let given = [["invoice", "100"], ["invoice", "101"], ["receipt", "100"], ["invoice", "100"]];
        assert_eq!(classes(&given, 0.0, 0.0), ["invoice\n100", "invoice\n101", "receipt\n100", "invoice\n100"]);
        let near = ["invoice\n100", "invoice\n100", "receipt\n100", "invoice\n100"];
        assert_eq!(classes(&given, 1.0, 0.0), near, "a label that differs parts them still");
        assert_eq!(classes(&given, 0.0, 0.01), near, "1 is a hundredth of 101, about");
        assert_eq!(classes(&given, 0.5, 0.009)[1], "invoice\n101", "too far for both");
    }

    #[test]
    fn a_number_between_joins_two_and_what_is_no_number_is_equal_or_not() {
        let given = [["x", "1"], ["x", "3"], ["x", "2"], ["x", "inf"], ["x", "nan"], ["x", ""]];
        let all = ["x\n1", "x\n1", "x\n1", "x\ninf", "x\nnan", "x\n"];
        assert_eq!(classes(&given, 1.0, 0.0), all);
        let turned: Vec<_> = given.iter().rev().copied().collect();
        assert!(classes(&turned, 1.0, 0.0).iter().rev().eq(&all), "VOTE-1");
        assert_eq!(
            classes(&[["-1", "0"], ["-2", "0"]], 0.0, 0.5),
            ["-1\n0", "-1\n0"],
            "of the larger without its sign"
        );
    }
}
