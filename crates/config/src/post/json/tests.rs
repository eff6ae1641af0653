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
