//! Questions and answers of feature servers: the words of a real one, both shapes, and what is no answer.

use super::*;

fn asked<'a>(features: &[(&'a str, &'a str)], entities: &[i64]) -> Asked<'a> {
    Asked { features: features.to_vec(), keys: vec![("customer_id", entities.iter().map(|it| json!(it)).collect())] }
}

fn found(number: f64, of: &str) -> Option<Found> {
    Some(Found { number, of: Some(of.parse().expect("a time")), outdated: false })
}

/// What Feast 0.67.0 answered to the question below, word for word.
const REAL: &str = r#"{"results":[{"values":[1,2,3,99],"statuses":["PRESENT","PRESENT","PRESENT","PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z","1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},{"values":[7,9,null,null],"statuses":["PRESENT","PRESENT","PRESENT","NOT_FOUND"],"event_timestamps":["2026-11-26T08:08:13Z","2026-11-26T05:09:13Z","2026-11-26T08:09:13Z","1970-01-01T00:00:00Z"]},{"values":[12.5,3.5,null,null],"statuses":["PRESENT","PRESENT","PRESENT","NOT_FOUND"],"event_timestamps":["2026-11-26T08:08:13Z","2026-11-26T05:09:13Z","2026-11-26T08:09:13Z","1970-01-01T00:00:00Z"]}],"metadata":{"feature_names":["customer_id","stats__txn_7d","stats__avg_amount"]}}"#;

const BOTH: [(&str, &str); 2] = [("stats", "avg_amount"), ("stats", "txn_7d")];

#[test]
fn a_question_names_features_with_their_views_and_entities_by_join_key() {
    let mut asked = asked(&BOTH, &[1, 9_007_199_254_740_993]);
    asked.keys.push(("shop", vec!["a\"b".into(), "ü".into()]));
    let written: Value = serde_json::from_slice(&asked.write()).expect("JSON");
    let entities = json!({"customer_id": [1, 9_007_199_254_740_993_i64], "shop": ["a\"b", "ü"]});
    let features = json!(["stats:avg_amount", "stats:txn_7d"]);
    assert_eq!(written, json!({"features": features, "entities": entities, "full_feature_names": true}));
}

#[test]
fn feast_1_the_answer_of_a_real_server_is_read_in_the_order_of_the_question() {
    let read = asked(&BOTH, &[1, 2, 3, 99]).read(REAL.as_bytes()).expect("it is one");
    let [now, then] = ["2026-11-26T08:08:13Z", "2026-11-26T05:09:13Z"];
    // A null is PRESENT, an unknown entity NOT_FOUND of 1970: neither is a value.
    assert_eq!(read[0], [found(12.5, now), found(3.5, then), None, None]);
    assert_eq!(read[1], [found(7.0, now), found(9.0, then), None, None]);
}

/// An answer in both shapes: a table by feature, and the same by entity, as older servers write it.
fn shapes(names: &[&str], table: &[Vec<Value>]) -> [String; 2] {
    let list = |values: Vec<Value>| {
        let statuses = vec!["PRESENT"; values.len()];
        let times = vec!["2026-11-26T08:00:00Z"; values.len()];
        json!({"values": values, "statuses": statuses, "event_timestamps": times})
    };
    let turned = |entity: usize| table.iter().map(|column| column[entity].clone()).collect();
    let by_feature: Vec<_> = table.iter().cloned().map(list).collect();
    let by_entity: Vec<_> = (0..table[0].len()).map(turned).map(list).collect();
    [by_feature, by_entity].map(|results| json!({"metadata": {"feature_names": names}, "results": results}).to_string())
}

#[test]
fn old_and_new_shapes_are_told_apart_by_length_and_where_that_does_not_tell_by_the_entities() {
    let at = "2026-11-26T08:00:00Z";
    for entities in [1, 2, 3, 4] {
        let ids: Vec<i64> = (5..5 + entities).collect();
        let column = |from: i64| (0..entities).map(|at| json!(from + at)).collect::<Vec<_>>();
        let table = [column(5), column(100), column(200)];
        // Three names: with three entities both lengths would do.
        for text in shapes(&["customer_id", "stats__txn_7d", "avg_amount"], &table) {
            let read = asked(&BOTH, &ids).read(text.as_bytes()).expect("it is one");
            let expected = |from: i64| (0..entities).map(|it| found((from + it) as f64, at)).collect::<Vec<_>>();
            assert_eq!(read, [expected(200), expected(100)], "{text}");
        }
    }
}

#[test]
fn two_features_of_one_name_are_never_taken_for_one_another() {
    let wanted = [("day", "sum"), ("week", "sum")];
    let read = |names: &[&str]| {
        let table = [vec![json!(5)], vec![json!(1)], vec![json!(7)]];
        asked(&wanted, &[5]).read(shapes(names, &table)[0].as_bytes())
    };
    let at = "2026-11-26T08:00:00Z";
    assert_eq!(read(&["customer_id", "week__sum", "day__sum"]), Ok(vec![vec![found(7.0, at)], vec![found(1.0, at)]]));
    assert_eq!(read(&["customer_id", "sum", "other"]), Err(Unreadable));
}

#[test]
fn values_that_are_no_numbers_and_statuses_that_are_not_present_are_no_values() {
    let cell = |value: Value, status: &str, time: &str| {
        let list = json!({"values": [value], "statuses": [status], "event_timestamps": [time]});
        serde_json::from_value::<List>(list).expect("a list").cell(0)
    };
    let now = "2026-11-26T08:00:00Z";
    assert_eq!(cell(json!(true), "PRESENT", now), found(1.0, now));
    assert_eq!(cell(json!(-2), "PRESENT", now), found(-2.0, now));
    for value in [json!(null), json!("7"), json!("NaN"), json!([1.0]), json!({})] {
        assert_eq!(cell(value.clone(), "PRESENT", now), None, "{value}");
    }
    for status in ["NOT_FOUND", "NULL_VALUE", "INVALID", "", "present"] {
        assert_eq!(cell(json!(7), status, now), None, "{status}");
    }
    assert!(cell(json!(7), "OUTSIDE_MAX_AGE", now).expect("there").outdated);
    for time in ["1970-01-01T00:00:00Z", "", "yesterday", "1969-12-31T23:59:59Z"] {
        assert_eq!(cell(json!(7), "PRESENT", time).expect("there").of, None, "{time}");
    }
}

#[test]
fn what_is_no_answer_to_the_question_is_unreadable() {
    let asked = asked(&BOTH, &[1, 2, 3, 99]);
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "\"'Feature nope not found in projection stats'\"",
        "<html>",
        r#"{"results":[],"metadata":{"feature_names":[]}}"#,
        r#"{"results":7,"metadata":{"feature_names":["a"]}}"#,
        &REAL[..REAL.len() - 1],
        &REAL.replace("stats__txn_7d", "stats__txn_30d"),
        &REAL.replacen("[7,9,null,null]", "[7,9,null]", 1),
        &REAL.replacen("[7,9,null,null]", "7", 1),
        &REAL.replacen("\"PRESENT\",\"NOT_FOUND\"", "\"NOT_FOUND\"", 1),
        &REAL.replacen("12.5", "NaN", 1),
    ] {
        assert_eq!(asked.read(body.as_bytes()), Err(Unreadable), "{body}");
    }
}
