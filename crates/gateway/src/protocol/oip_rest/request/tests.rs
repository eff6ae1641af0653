//! Tests of requests: every check before dispatch, in its order, and what goes upstream.

use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::Value;

use super::*;
use crate::tensor::Port;

const X: &str = r#"{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2.5]}"#;

fn contract() -> Contract {
    let port = Port::new;
    Contract {
        inputs: vec![port("x", Datatype::Fp32, &[-1, 2])],
        outputs: vec![port("y", Datatype::Fp32, &[-1])],
        max_batch: Some(2),
        non_finite: false,
        learned: false,
    }
}

fn free(body: &str) -> Result<Infer, BadInfer> {
    decode(Divided::Json(Bytes::copy_from_slice(body.as_bytes())), &Contract::default())
}

fn bound(body: &str) -> Result<Infer, BadInfer> {
    decode(Divided::Json(Bytes::copy_from_slice(body.as_bytes())), &contract())
}

fn with(members: &str) -> String {
    format!(r#"{{"inputs":[{X}]{members}}}"#)
}

fn sent(request: &Infer, dialect: Dialect) -> Result<String, ResultCode> {
    let mut written = encode(request, Upstream { id: "01KB", dialect, budget_us: 250_000 })?;
    let first = written.body.next_piece().expect("JSON comes first");
    let json = first[..written.json.unwrap_or(first.len())].to_vec();
    Ok(String::from_utf8(json).expect("JSON is UTF-8"))
}

/// Divides what was written as its reader does.
fn divided(Written { mut body, json }: Written) -> Divided {
    let whole: Vec<u8> = std::iter::from_fn(|| body.next_piece()).flatten().collect();
    let mut whole = Bytes::from(whole);
    match json {
        None => Divided::Json(whole),
        Some(length) => {
            let tail = whole.split_off(length);
            Divided::Tailed { json: whole, tail }
        }
    }
}

mod binary;
mod rows;

#[test]
fn a_request_is_read_and_written_again() {
    let infer = bound(&with(r#","id":"a","outputs":[{"name":"y"}]"#)).expect("well-formed");
    assert_eq!((infer.id.as_deref(), infer.batch()), (Some("a"), 1));
    assert_eq!(infer.input("x").expect("there").to_f64(), Some(vec![1.0, 2.5]));
    let golden = r#"{"id":"a","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,2.5]}],"outputs":[{"name":"y"}]}"#;
    assert_eq!(sent(&infer, Dialect::Plain).as_deref(), Ok(golden));
}

#[test]
fn cl_13_tn_01_what_is_malformed_is_refused_in_words() {
    let check = |body: &str, words: &str| {
        let refused = free(body).expect_err(body);
        assert!(refused.message.contains(words), "{body}: {}", refused.message);
    };
    check("", "not valid JSON: unexpected end at byte 0");
    check("[]", "must be a JSON object");
    check("{}", "'inputs' is missing");
    check(r#"{"inputs":[]}"#, "'inputs' is empty");
    check(r#"{"inputs":{}}"#, "'inputs' is missing");
    check(r#"{"inputs":{"x":1}}"#, "'inputs' must be an array");
    check(r#"{"inputs":[1]}"#, "inputs[0] must be an object");
    check(r#"{"inputs":[{}]}"#, "inputs[0].name must be given");
    check(r#"{"inputs":[{"name":7}]}"#, "inputs[0].name must be a string");
    check(r#"{"inputs":[{"name":""}]}"#, "inputs[0].name must be given");
    check(r#"{"inputs":[{"name":"x"}]}"#, "input 'x' has no datatype");
    check(r#"{"inputs":[{"name":"x","datatype":"FLOAT"}]}"#, "input 'x' has an unknown datatype");
    check(r#"{"inputs":[{"name":"x","datatype":"FP32"}]}"#, "input 'x' has no shape");
    check(r#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]}"#, "input 'x': has no data");
    for shape in ["[-1]", "[1.5]", "[1e1]", "[\"1\"]", "[18446744073709551616]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"]
    {
        let body = format!(r#"{{"inputs":[{{"name":"x","datatype":"FP32","shape":{shape},"data":[1]}}]}}"#);
        check(&body, "inputs[0].shape must be at most 16 integers that are not negative");
    }
    check(&with(r#","outputs":[{}]"#), "outputs[0].name must be given");
    check(&with(r#","outputs":[{"name":"y"},{"name":"y"}]"#), "output 'y' stands there twice");
    check(&format!(r#"{{"inputs":[{X},{X}]}}"#), "input 'x' stands there twice");
    check(&with(r#","parameters":[1]"#), "'parameters' must be an object");
    check(&with(r#","parameters":{"a":[1]}"#), "parameter 'a' must be");
    check(&with(r#","parameters":{"a":18446744073709551616}"#), "parameter 'a' must be");
    check(&with(r#","parameters":{"a":1e999}"#), "parameter 'a' must be");
    for twice in [r#","x":1,"x":2"#, r#","inputs":[]"#, r#","id":"a","i\u0064":"b""#, r#","parameters":{"a":1,"a":1}"#]
    {
        check(&with(twice), "stands there twice");
    }
    check(r#"{"inputs":[{"name":"x","name":"y"}]}"#, "'name' stands there twice");
    check(&with(&format!(r#","x":{}{}"#, "[".repeat(40), "]".repeat(40))), "nested deeper than 32");
    check(&with(r#","x":NaN"#), "not valid JSON");
    check(&with(r#","parameters":{"a":NaN}"#), "not valid JSON");
    let many = format!(r#"{{"inputs":[{}]}}"#, vec![X; 1025].join(","));
    check(&many, "more than 1024 tensors");
    let members: String = (0..300).map(|at| format!(",\"k{at}\":0")).collect();
    check(&with(&members), "more than 256 members");
    // What comes behind the last that is taken is not even read.
    for member in ["0", "null"] {
        let parameters: String = (0..300).map(|at| format!("\"k{at}\":{member},")).collect();
        check(&with(&format!(",\"parameters\":{{{parameters} and so on")), "more than 256 parameters");
        let part = format!(r#"{{"inputs":[{{"name":"x","parameters":{{{parameters} and so on"#);
        check(&part, "more than 256 parameters");
    }
    let parameters: Vec<_> = (0..256).map(|at| format!("\"k{at}\":0")).collect();
    let most = free(&with(&format!(",\"parameters\":{{{}}}", parameters.join(",")))).expect("256 are taken");
    assert_eq!(most.parameters.len(), 256);
}

#[test]
fn oip_12_an_id_is_a_string_and_is_always_sent() {
    for number in ["7", "true", "[]", "{}"] {
        assert_eq!(free(&with(&format!(",\"id\":{number}"))), Err(BadInfer::new("'id' must be a string")), "{number}");
    }
    for none in ["", ",\"id\":null", ",\"id\":\"\""] {
        let infer = free(&with(none)).expect("well-formed");
        assert_eq!(infer.id, None);
        assert!(sent(&infer, Dialect::Kserve).expect("JSON").starts_with(r#"{"id":"01KB","#), "the decision's");
    }
}

#[test]
fn oip_14_absent_null_and_empty_are_one_and_no_null_is_sent() {
    let plain = free(&with("")).expect("well-formed");
    for same in [
        r#","outputs":null,"parameters":null,"id":null,"x":null"#,
        r#","outputs":[],"parameters":{}"#,
        r#","outputs":{},"parameters":{"a":null}"#,
    ] {
        assert_eq!(free(&with(same)), Ok(plain.clone()), "{same}");
    }
    let part = r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2.5],"parameters":null,"x":null}]}"#;
    assert_eq!(free(part), Ok(plain.clone()));
    for dialect in [Dialect::Triton, Dialect::Plain] {
        assert!(!sent(&plain, dialect).expect("JSON").contains("null"));
    }
}

#[test]
fn oip_15_unknown_members_and_parameters_go_on() {
    let body = r#"{"v":[1,{"a":"b"}],"model_name":"route","inputs":[{"name":"x","shape":[1],"datatype":"INT64","data":[9007199254740993],
        "w":1e999,"parameters":{"p":true,"content_type":"np"}}],"outputs":[{"name":"y","u":"é","parameters":{"q":-1,"binary_data":true}}],
        "parameters":{"s":"t","f":0.5,"u":18446744073709551615,"priority":3,"binary_data_output":true,"evenkeel.tier":9,"content_type":"pd"}}"#;
    let infer = free(body).expect("well-formed");
    let golden = concat!(
        r#"{"id":"01KB","parameters":{"s":"t","f":0.5,"u":18446744073709551615,"priority":3},"#,
        r#""inputs":[{"name":"x","shape":[1],"datatype":"INT64","parameters":{"p":true},"data":[9007199254740993],"w":1e999}],"#,
        r#""outputs":[{"name":"y","parameters":{"q":-1},"u":"é"}],"v":[1,{"a":"b"}]}"#,
    );
    assert_eq!(sent(&infer, Dialect::Plain).as_deref(), Ok(golden));
    let mlserver = sent(&infer, Dialect::Mlserver).expect("JSON");
    assert!(mlserver.contains(r#""content_type":"np""#) && mlserver.contains(r#""content_type":"pd""#));
}

#[test]
fn oip_19_what_hides_the_data_is_refused() {
    let part = |parameters: &str| {
        format!(r#"{{"inputs":[{{"name":"x","shape":[1],"datatype":"FP32","parameters":{{{parameters}}}}}]}}"#)
    };
    let check = |body: &str, words: &str| {
        let refused = free(body).expect_err(body);
        assert!(refused.message.contains(words), "{body}: {}", refused.message);
    };
    check(&part(r#""shared_memory_region":"r","shared_memory_byte_size":4"#), "the region is on another host");
    check(&with(r#","outputs":[{"name":"y","parameters":{"shared_memory_region":"r"}}]"#), "on another host");
}

#[test]
fn oip_36_a_request_says_to_which_sequence_it_belongs() {
    let with = |parameters: &str| with(&format!(r#","parameters":{{{parameters}}}"#));
    let check = |parameters: &str, id: Parameter, flags: [bool; 2]| {
        let infer = free(&with(parameters)).expect(parameters);
        let named = |name: &str, value| (name.to_owned(), value);
        let [start, end] = flags.map(Parameter::Bool);
        let expected = [named("sequence_id", id), named("sequence_start", start), named("sequence_end", end)];
        assert_eq!(infer.parameters, expected, "{parameters}");
    };
    check(r#""sequence_id":7,"sequence_start":true"#, Parameter::Int(7), [true, false]);
    check(r#""sequence_end":true,"sequence_id":"s""#, Parameter::String("s".into()), [false, true]);
    check(r#""sequence_id":18446744073709551615"#, Parameter::Uint(u64::MAX), [false, false]);
    for none in [r#""sequence_id":0,"sequence_start":false"#, r#""sequence_id":"""#, r#""sequence_start":true"#] {
        assert!(free(&with(none)).expect("no sequence").parameters.is_empty(), "{none}");
    }
    for wrong in ["-7", "1.5", "true", "[]", "18446744073709551616"] {
        let refused = free(&with(&format!(r#""sequence_id":{wrong}"#))).expect_err(wrong);
        assert!(refused.message.contains("'sequence_id' must be"), "{wrong}: {}", refused.message);
    }
    assert!(free(&with(r#""sequence_id":1,"sequence_end":"yes""#)).is_err());
}

#[test]
fn tn_06_the_contract_is_checked_in_the_order_of_the_protocol() {
    let check = |body: &str, words: &str| {
        let refused = bound(body).expect_err(body);
        assert!(refused.message.contains(words), "{body}: {}", refused.message);
    };
    let input = |name: &str, datatype: &str, shape: &str, data: &str| {
        let input = format!(r#"{{"name":"{name}","datatype":"{datatype}","shape":{shape},"data":{data}}}"#);
        format!(r#"{{"inputs":[{input}],"outputs":[{{"name":"nope"}}],"parameters":{{"a":[]}}}}"#)
    };
    check(&input("z", "INT8", "[9]", "[999]"), "unknown input 'z'");
    check(&input("x", "INT8", "[9]", "[999]"), "input 'x' is INT8, expected FP32");
    check(&input("x", "FP32", "[9]", "[1e99]"), "input 'x' has shape [9], expected [-1, 2]");
    check(&input("x", "FP32", "[3,2]", "[1e99]"), "input 'x' has 3 rows, the limit is 2");
    check(&input("x", "FP32", "[1,2]", "[1]"), "input 'x': data does not have the shape [1, 2]");
    check(&input("x", "FP32", "[1,2]", "[1,1e99]"), "input 'x': element 1 is out of range for FP32");
    check(&input("x", "FP32", "[1,2]", "[1,null]"), "input 'x': element 1 is not a number");
    check(&input("x", "FP32", "[1,2]", "[1,2]"), "unknown output 'nope'");
    check(&with(r#","outputs":[{"name":"y"}],"parameters":{"a":[]}"#), "parameter 'a' must be");
}

#[test]
fn oip_08_non_finite_inputs_go_only_where_they_are_read() {
    let tokens = r#"{"inputs":[{"name":"x","shape":[3],"datatype":"FP64","data":[NaN,Infinity,-Infinity]}]}"#;
    let infer = free(tokens).expect("tokens in an FP tensor");
    for reads in [Dialect::Triton, Dialect::Kserve] {
        assert!(sent(&infer, reads).expect("bytes have no words").contains("\"binary_data_size\":24"), "{reads:?}");
    }
    for refuses in [Dialect::Mlserver, Dialect::Plain] {
        assert_eq!(sent(&infer, refuses), Err(ResultCode::UnsupportedFeature), "{refuses:?}");
    }
    let integers = tokens.replace("FP64", "INT64");
    assert!(free(&integers).is_err());
}

#[test]
fn a_timeout_is_never_longer_than_what_is_left() {
    for (asked, told) in [("100000", "100000"), ("900000", "250000")] {
        let infer = free(&with(&format!(",\"parameters\":{{\"timeout\":{asked}}}"))).expect("well-formed");
        let written = sent(&infer, Dialect::Plain).expect("JSON");
        assert!(written.contains(&format!("\"parameters\":{{\"timeout\":{told}}}")), "{written}");
    }
}

#[test]
fn strings_pass_with_everything_in_them() {
    let body = r#"{"inputs":[{"name":"x","shape":[3],"datatype":"BYTES","data":["","a\u0000\"\n","\ud83d\ude00é"]}]}"#;
    let infer = free(body).expect("well-formed");
    let strings: Vec<&[u8]> = infer.inputs[0].tensor.strings().collect();
    assert_eq!(strings, [&b""[..], b"a\0\"\n", "😀é".as_bytes()]);
    let again = free(&sent(&infer, Dialect::Plain).expect("JSON")).expect("what we write is what we read");
    assert_eq!(again.inputs, infer.inputs);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, rng_seed: RngSeed::Fixed(21), ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_request_is_refused_or_is_json_that_says_the_same(
        bites in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..4),
    ) {
        let mut body = with(r#","id":"a","outputs":[{"name":"y"}],"parameters":{"p":1.5,"q":"t"},"extra":{"k":[true]}"#).into_bytes();
        for (at, byte, how) in bites {
            let at = at.index(body.len());
            match how {
                0 => body.insert(at, byte),
                1 => body[at] = byte,
                _ => drop(body.remove(at)),
            }
        }
        let body = Bytes::from(body);
        if let Ok(infer) = decode(Divided::Json(body.clone()), &Contract::default()) {
            prop_assert!(is_json(&body), "{:?}", body);
            if let Ok(value) = serde_json::from_slice::<Value>(&body) {
                prop_assert_eq!(infer.id.as_deref(), value["id"].as_str().filter(|id| !id.is_empty()));
                for (input, told) in infer.inputs.iter().zip(value["inputs"].as_array().expect("a list")) {
                    prop_assert_eq!(input.tensor.name(), told["name"].as_str().expect("a name"));
                    prop_assert_eq!(input.tensor.datatype().name(), told["datatype"].as_str().expect("a word"));
                    prop_assert_eq!(&serde_json::json!(input.tensor.shape()), &told["shape"]);
                    prop_assert_eq!(input.tensor.to_f64(), Some(numbers(&told["data"], input.tensor.datatype())));
                }
            }
            for dialect in [Dialect::Triton, Dialect::Plain] {
                let written = encode(&infer, Upstream { id: "01KB", dialect, budget_us: 250_000 });
                // What has no words goes as bytes only.
                let Ok(written) = written else { continue };
                let again = decode(divided(written), &Contract::default()).expect("what we write is what we read");
                prop_assert_eq!(&again.inputs, &infer.inputs);
            }
        }
    }
}

/// Says whether a text is JSON, whatever the size of its numbers: one beyond any type may stand where nobody reads it.
fn is_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// The numbers of nested or flat data, in the precision of their datatype.
fn numbers(data: &Value, datatype: Datatype) -> Vec<f64> {
    match data {
        Value::Array(items) => items.iter().flat_map(|item| numbers(item, datatype)).collect(),
        Value::Bool(flag) => vec![f64::from(u8::from(*flag))],
        number if datatype == Datatype::Fp32 => vec![f64::from(number.as_f64().expect("a number") as f32)],
        number => vec![number.as_f64().expect("a number")],
    }
}
