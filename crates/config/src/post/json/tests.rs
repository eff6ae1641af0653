//! Answers that are JSON, nearly JSON, and none.

use super::*;

const TICKET: &str = r##"{
  "type": "object", "additionalProperties": false, "required": ["title", "priority", "urgent"],
  "properties": {
    "title": {"type": "string"}, "priority": {"$ref": "#/$defs/level"}, "urgent": {"type": "boolean", "default": false},
    "tags": {"type": "array", "items": {"enum": ["Bug", "Question"]}}, "note": {"type": ["string", "null"]}
  },
  "$defs": {"level": {"type": "integer", "minimum": 1, "maximum": 5}}
}"##;

fn schema(repair: bool) -> Schema {
    Schema::read(TICKET, repair).expect("it is one")
}

/// What an answer becomes, and what was mended.
fn mended(text: &str) -> Option<(String, Vec<(&'static str, u64)>)> {
    schema(true).of(text).map(|it| (it.text, it.repairs))
}

#[test]
fn json_1_what_is_valid_comes_out_byte_for_byte() {
    let valid = "{ \"urgent\": true,  \"title\": \"x\", \"priority\": 3 }\n";
    for repair in [true, false] {
        assert_eq!(schema(repair).of(valid), Some(Written { text: valid.into(), repairs: Vec::new() }));
    }
}

#[test]
fn what_stands_around_it_and_slips_of_syntax_are_mended() {
    let plain = r#"{"priority":3,"title":"x","urgent":true}"#;
    let check = |text: &str, repairs: &[(&'static str, u64)]| {
        assert_eq!(mended(text), Some((plain.into(), repairs.to_vec())), "{text}");
        assert_eq!(schema(false).of(text), None, "{text}");
    };
    check("```json\n{\"title\": \"x\", \"priority\": 3, \"urgent\": true}\n```", &[("around", 1)]);
    check("Sure! Here it is: {\"title\": \"x\", \"priority\": 3, \"urgent\": true} Anything else?", &[("around", 1)]);
    check("In {braces} first. {\"title\":\"x\",\"priority\":3,\"urgent\":true}", &[("around", 1)]);
    check("{title: 'x', priority: 3, urgent: True,}", &[("syntax", 6)]);
    check("{\"title\": \"x\", // its name\n \"priority\": 3, /* of 5 */ \"urgent\": true}", &[("syntax", 2)]);
}

#[test]
fn types_fields_and_defaults_are_mended_where_nothing_is_lost() {
    let check = |text: &str, expected: &str, repairs: &[(&'static str, u64)]| {
        assert_eq!(mended(text), Some((expected.into(), repairs.to_vec())), "{text}");
    };
    check(
        r#"{"title": 7, "priority": "3", "urgent": "False", "mood": "good"}"#,
        r#"{"priority":3,"title":"7","urgent":false}"#,
        &[("type", 3), ("unknown", 1)],
    );
    check(
        r#"{"title": "x", "priority": 2.0, "tags": ["bug", "QUESTION"]}"#,
        r#"{"priority":2,"tags":["Bug","Question"],"title":"x","urgent":false}"#,
        &[("type", 3), ("default", 1)],
    );
    check(
        "{'title': 'it\\'s \"x\"\nand y', 'priority': 1}",
        r#"{"priority":1,"title":"it's \"x\"\nand y","urgent":false}"#,
        &[("syntax", 4), ("default", 1)],
    );
}

const LABEL: &str = r##"{
  "type": "object", "additionalProperties": false, "required": ["label"],
  "properties": {"label": {"enum": ["approve", "decline"], "default": "approve"}}
}"##;

#[test]
fn of_several_values_the_last_valid_one_is_meant_and_no_default_makes_one() {
    let schema = Schema::read(LABEL, true).expect("it is one");
    let check = |text: &str, expected: Option<&str>| {
        let expected = expected.map(|it| format!(r#"{{"label":"{it}"}}"#));
        assert_eq!(schema.of(text).map(|it| it.text), expected, "{text}");
    };
    check(r#"I will fill {} as asked: {"label":"decline"}"#, Some("decline"));
    check(r#"As [1] says: {"label":"decline"}"#, Some("decline"));
    check(r#"{"label":"decline"}, and {} is left alone [2]"#, Some("decline"));
    check(r#"At first {"label":"approve"}, then {"label":"decline"}"#, Some("decline"));
    check(r#"Not {"label":"maybe"} but {"label":"decline"}"#, Some("decline"));
    check(r#"so: {"label":"DECLINE"}"#, Some("decline"));
    check(r#"As [1] says: {"label":"Decline"}"#, Some("decline"));
    // Which one was meant would be a guess.
    check(r#"{"label":"approve"}, or rather {"label":"DECLINE"}"#, None);
    check(r#"{"label":"Approve"} or {"label":"DECLINE"}"#, None);
    check("I was asked to fill {} and will not", None);
    check("{} {}", None);
    // Nothing of what was cut off is an answer, whole as it may be.
    check(r#"{"label":"approve"} becomes {"label":"dec"#, None);
    check(r#"{"cases": [{"label":"approve"}"#, None);
    check(r#"{"why": "{\"label\": \"approve\"}"#, None);
    // An answer that is nothing but defaults is one.
    check("{}", Some("approve"));
    check("```json\n{}\n```", Some("approve"));
    check(&format!("{}{}", "{a} ".repeat(40), r#"{"label":"decline"}"#), Some("decline"));
    check(&format!("{}{}", "{a} ".repeat(80), r#"{"label":"decline"}"#), None);
}

#[test]
fn json_1_an_object_with_a_key_twice_is_written_anew_from_what_was_validated() {
    let text = r#"{"label":"approve","label":"decline"}"#;
    let schema = |repair| Schema::read(LABEL, repair).expect("it is one");
    let written = Written { text: r#"{"label":"decline"}"#.into(), repairs: vec![("twice", 1)] };
    assert_eq!(schema(true).of(text), Some(written));
    assert_eq!(schema(false).of(text), None);
    let nested = r#"{"title":"x","priority":3,"urgent":true,"tags":["Bug"],"note":null}"#;
    assert_eq!(mended(nested), Some((nested.into(), vec![])), "each key stands once");
    let deep = Schema::read("true", true).expect("it is one");
    let check =
        |text: &str, expected: &str| assert_eq!(deep.of(text).map(|it| it.text), Some(expected.into()), "{text}");
    check(r#"[{"a": {"b": 1, "b": -2.5}}, true, null]"#, r#"[{"a":{"b":-2.5}},true,null]"#);
    check(r#"{"a": {"b": 1}, "c": {"b": 2}}"#, r#"{"a": {"b": 1}, "c": {"b": 2}}"#);
    check(r#"so {"a": 1, "a": 2}"#, r#"{"a":2}"#);
}

#[test]
fn what_would_be_a_guess_is_no_answer() {
    for text in [
        "",
        "I cannot say.",
        r#"{"title": "x"}"#,
        r#"{"title": "x", "priority": 9}"#,
        r#"{"title": "x", "priority": "high"}"#,
        r#"{"title": "x", "priority": 2.5}"#,
        r#"{"title": "x", "priority": 3, "urg"#,
        r#"{"title": "x", "priority": 3"#,
        "[1, 2]",
    ] {
        assert_eq!(mended(text), None, "{text}");
    }
    assert_eq!(mended(&"[".repeat(10_000)), None);
}

#[test]
fn json_2_a_schema_that_is_none_or_names_something_outside_is_refused() {
    let refused = |text: &str| Schema::read(text, true).expect_err("it is none");
    assert_eq!(refused("{\n  \"type\": }").0, (2, 11));
    assert!(refused(r#"{"type": "strin"}"#).1.contains("no schema"));
    assert!(refused(r#"{"$ref": "https://example.com/schema.json"}"#).1.contains("no schema"));
    assert!(refused(r#"{"pattern": "(?=x)y"}"#).1.contains("no schema"), "no look-ahead: such patterns backtrack");
}
