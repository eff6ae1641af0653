//! Item: one piece of feedback, as it is read: which decision, which of its rows, and what became of them.
//!
//! Accepted: one object, several on lines of their own, or a list of them. Each has `decision` and one of `label`, `labels`, `correct`
//! and `score`; of a decision with several rows `labels`, and lists of `correct` and `score`, are row by row, of those in `rows` where
//! some are named. `null` in a list says nothing of its row.

use serde_json::{Map, Value as Json};
use ulid::Ulid;

use super::Value;

/// Items of one request.
const MOST: usize = 10_000;
/// Rows of one item.
const ROWS: usize = 1_024;

/// What an item may say.
const SHAPE: &str = "it is an object with `decision` and one of `label`, `labels`, `correct` and `score`, and `rows` where it means some";

/// One piece of feedback.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) decision: u128,
    /// The rows that are meant; none where all are.
    pub(super) rows: Option<Vec<usize>>,
    pub(super) claims: Claims,
}

/// What is said: of all rows the same, or of each what stands in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Claims {
    All(Claim),
    Each(Vec<Option<Claim>>),
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Claim {
    /// What would have been right.
    Label(Value),
    /// Whether it was right.
    Correct(bool),
    /// How good it was, 0 to 1.
    Score(f64),
}

/// Why an item cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The items of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Result<Item, Malformed>>,
    /// It was one object, and its answer is of that alone.
    pub(crate) alone: bool,
}

/// Reads the body of a request.
///
/// # Errors
/// It is no JSON, or too much of it.
pub(crate) fn parse(body: &[u8]) -> Result<Batch, String> {
    let mut values = Vec::new();
    for (at, value) in serde_json::Deserializer::from_slice(body).into_iter::<Json>().enumerate() {
        let value =
            value.map_err(|_| format!("item {at} is not JSON; write one object, a list of them, or one a line"))?;
        values.push(value);
        if values.len() > MOST {
            break;
        }
    }
    let alone = matches!(&values[..], [Json::Object(_)]);
    let values = match <[Json; 1]>::try_from(values) {
        Ok([Json::Array(list)]) => list,
        Ok([one]) => vec![one],
        Err(several) => several,
    };
    match values.len() {
        0 => Err("there is no item; write one object, a list of them, or one a line".into()),
        many if many > MOST => Err(format!("there are more than {MOST} items; send the rest in another request")),
        _ => Ok(Batch { items: values.into_iter().map(item).collect(), alone }),
    }
}

fn item(value: Json) -> Result<Item, Malformed> {
    let Json::Object(mut fields) = value else { return Err(Malformed(SHAPE)) };
    let decision = match fields.remove("decision") {
        Some(Json::String(id)) => Ulid::from_string(&id).ok(),
        _ => return Err(Malformed(SHAPE)),
    };
    let decision = decision.ok_or(Malformed("`decision` is no id of a decision: 26 letters and digits"))?.0;
    let rows = fields.remove("rows").map(rows).transpose()?;
    let claims = claims(&mut fields)?;
    if !fields.is_empty() {
        return Err(Malformed(SHAPE));
    }
    match (&claims, &rows) {
        (Claims::Each(each), Some(rows)) if each.len() != rows.len() => {
            Err(Malformed("`rows` and what is said of them are not equally many"))
        }
        _ => Ok(Item { decision, rows, claims }),
    }
}

fn rows(value: Json) -> Result<Vec<usize>, Malformed> {
    let wrong = Malformed("`rows` is a list of the numbers of rows, from 0, each once, at most 1,024");
    let Json::Array(list) = value else { return Err(wrong) };
    let row = |it: &Json| it.as_u64().and_then(|it| usize::try_from(it).ok());
    let rows = list.iter().map(row).collect::<Option<Vec<_>>>().ok_or(wrong)?;
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if rows.is_empty() || rows.len() > ROWS || sorted.len() != rows.len() { Err(wrong) } else { Ok(rows) }
}

fn claims(fields: &mut Map<String, Json>) -> Result<Claims, Malformed> {
    let mut said = ["label", "labels", "correct", "score"].into_iter().filter_map(|it| Some((it, fields.remove(it)?)));
    let (Some((name, value)), None) = (said.next(), said.next()) else { return Err(Malformed(SHAPE)) };
    drop(said);
    let read: fn(&Json) -> Result<Claim, Malformed> = match name {
        "correct" => correct,
        "score" => score,
        _ => label,
    };
    match (name, &value) {
        ("label", it) => read(it).map(Claims::All),
        (_, Json::Array(list)) => {
            if list.len() > ROWS {
                return Err(Malformed("more than 1,024 rows are not held; leave the others out"));
            }
            let each = list.iter().map(|it| if it.is_null() { Ok(None) } else { read(it).map(Some) });
            each.collect::<Result<_, _>>().map(Claims::Each)
        }
        ("labels", _) => Err(Malformed("`labels` is a list, one for each row; of one row alone write `label`")),
        (_, it) => read(it).map(Claims::All),
    }
}

fn label(value: &Json) -> Result<Claim, Malformed> {
    let number = |it: &serde_json::Number| it.as_f64().filter(|it| it.is_finite()).map(Value::Number);
    let value = match value {
        Json::Bool(it) => Some(Value::Flag(*it)),
        Json::String(it) => Some(Value::of_text(it)),
        Json::Number(it) => number(it),
        _ => None,
    };
    value.map(Claim::Label).ok_or(Malformed("a label is a number, a text, true or false"))
}

fn correct(value: &Json) -> Result<Claim, Malformed> {
    value.as_bool().map(Claim::Correct).ok_or(Malformed("`correct` is true or false, or a list of them"))
}

fn score(value: &Json) -> Result<Claim, Malformed> {
    let score = value.as_f64().filter(|it| (0.0..=1.0).contains(it));
    score.map(Claim::Score).ok_or(Malformed("`score` is a number from 0 to 1, or a list of them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01JDZ0000000000000000000AA";

    fn read(body: &str) -> Batch {
        parse(body.replace("ID", ID).as_bytes()).expect("JSON")
    }

    #[test]
    fn one_object_a_list_and_lines_are_the_same_items() {
        let one = read(r#"{"decision": "ID", "correct": true}"#);
        assert!(one.alone);
        let expected = Item {
            decision: Ulid::from_string(ID).expect("an id").0,
            rows: None,
            claims: Claims::All(Claim::Correct(true)),
        };
        assert_eq!(one.items, [Ok(expected.clone())]);
        for several in [
            r#"[{"decision": "ID", "correct": true}, {"decision": "ID", "correct": true}]"#,
            "{\"decision\": \"ID\", \"correct\": true}\n{\"decision\": \"ID\", \"correct\": true}\n",
        ] {
            assert_eq!(read(several).items, [Ok(expected.clone()), Ok(expected.clone())], "{several}");
        }
        assert!(!read(r#"[{"decision": "ID", "correct": true}]"#).alone);
    }

    #[test]
    fn what_is_said_of_rows_is_read_row_by_row() {
        let claims =
            |more: &str| read(&format!(r#"{{"decision": "ID", {more}}}"#)).items.remove(0).expect("sound").claims;
        let label = |it| Some(Claim::Label(Value::Number(it)));
        assert_eq!(claims(r#""labels": [1, null, 2.5]"#), Claims::Each(vec![label(1.0), None, label(2.5)]));
        assert_eq!(claims(r#""label": "a""#), Claims::All(Claim::Label(Value::of_text("a"))));
        assert_eq!(claims(r#""label": false"#), Claims::All(Claim::Label(Value::Flag(false))));
        let correct = |it| Some(Claim::Correct(it));
        assert_eq!(
            claims(r#""rows": [2, 0], "correct": [true, false]"#),
            Claims::Each(vec![correct(true), correct(false)])
        );
        assert_eq!(claims(r#""score": 0.25"#), Claims::All(Claim::Score(0.25)));
    }

    #[test]
    fn se_12_what_cannot_be_meant_is_refused_item_by_item_and_what_is_no_json_as_a_whole() {
        for wrong in [
            r#"{"decision": "ID"}"#,
            r#"{"decision": "ID", "correct": true, "score": 1}"#,
            r#"{"decision": "ID", "correct": true, "who": "me"}"#,
            r#"{"decision": 7, "correct": true}"#,
            r#"{"decision": "short", "correct": true}"#,
            r#"{"decision": "ID", "correct": 1}"#,
            r#"{"decision": "ID", "score": 1.5}"#,
            r#"{"decision": "ID", "score": "good"}"#,
            r#"{"decision": "ID", "label": null}"#,
            r#"{"decision": "ID", "label": [1]}"#,
            r#"{"decision": "ID", "labels": 1}"#,
            r#"{"decision": "ID", "rows": [], "labels": []}"#,
            r#"{"decision": "ID", "rows": [0, 0], "labels": [1, 2]}"#,
            r#"{"decision": "ID", "rows": [-1], "labels": [1]}"#,
            r#"{"decision": "ID", "rows": [0], "labels": [1, 2]}"#,
            "7",
        ] {
            assert!(read(wrong).items[0].is_err(), "{wrong}");
        }
        let mixed = read(r#"[{"decision": "ID", "correct": 1}, {"decision": "ID", "correct": true}]"#);
        assert_eq!((mixed.items[0].is_err(), mixed.items[1].is_ok()), (true, true));
        for wrong in ["", "[]", "{\"decision\": ", "nonsense", &"[".repeat(10_000)] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong:.20}");
        }
        let many = format!("{{\"decision\": \"{ID}\", \"correct\": true}}\n").repeat(MOST + 1);
        assert!(parse(many.as_bytes()).expect_err("too many").contains("10000"));
    }
}
