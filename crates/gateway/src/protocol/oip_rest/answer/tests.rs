//! Tests of answers: as four kinds of server write them, and as a client reads ours.

use ResultCode as R;

use super::*;
use crate::tensor::{Contract, Port};

fn request(members: &str) -> Infer {
    let body = format!(r#"{{"inputs":[{{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}}]{members}}}"#);
    request::decode(Divided::Json(body.into()), &Contract::default()).expect("well-formed")
}

fn read(body: &str) -> Result<InferAnswer, R> {
    decode(Divided::Json(Bytes::copy_from_slice(body.as_bytes())), &request(""), &Mapping::default())
}

/// What was written, all of it JSON.
fn text(mut written: Written) -> String {
    assert_eq!(written.json, None);
    let whole: Vec<u8> = std::iter::from_fn(|| written.body.next_piece()).flatten().collect();
    String::from_utf8(whole).expect("JSON is UTF-8")
}

fn json(answer: &InferAnswer, request: &Infer) -> String {
    text(encode(answer, Told { route: "r", version: "1", request, evenkeel: &[] }))
}

fn output(members: &str) -> String {
    format!(r#"{{"model_name":"m","outputs":[{{"name":"y",{members}}}]}}"#)
}

#[test]
fn answers_of_every_dialect_are_read() {
    let check = |body: &str, values: &[f64]| {
        assert_eq!(read(body).expect(body).output("y").expect("there").to_f64().as_deref(), Some(values), "{body}");
    };
    let triton = r#"{"id":"01KB","model_name":"simple","model_version":"1","parameters":{"sequence_id":0,"sequence_start":false},
        "outputs":[{"name":"y","datatype":"INT32","shape":[1,2],"data":[3,4]}]}"#;
    check(triton, &[3.0, 4.0]);
    let mlserver = r#"{"model_name":"iris","model_version":"v1","id":"u","parameters":{"content_type":"np","headers":{"a":"b"}},
        "outputs":[{"name":"y","shape":[2,1],"datatype":"INT64","parameters":{"content_type":"np"},"data":[0,2]}]}"#;
    check(mlserver, &[0.0, 2.0]);
    let kserve = r#"{"model_name":"m","model_version":null,"id":"x","parameters":null,
        "outputs":[{"name":"y","shape":[1,2],"datatype":"FP64","parameters":null,"data":[[0.25,1e-3]]}]}"#;
    check(kserve, &[0.25, 0.001]);
}

#[test]
fn oip_40_a_200_that_is_no_answer_is_a_failure() {
    let check = |body: &str, expected: R| assert_eq!(read(body), Err(expected), "{body}");
    check("", R::EmptyAnswer);
    check("{}", R::EmptyAnswer);
    check(r#"{"outputs":[]}"#, R::EmptyAnswer);
    check(r#"{"outputs":null}"#, R::EmptyAnswer);
    check(r#"{"error":"inference failed"}"#, R::ErrorInBody);
    check(r#"{"outputs":[],"error":{"code":1}}"#, R::ErrorInBody);
    check("<html>", R::DecodeFailed);
    check("[]", R::DecodeFailed);
    check(r#"{"outputs":[1]}"#, R::DecodeFailed);
    check(r#"{"outputs":[{"name":"y","#, R::DecodeFailed);
    check(&output(r#""shape":[1],"datatype":"INT32""#), R::DecodeFailed);
    check(&output(r#""datatype":"INT32","data":[1]"#), R::DecodeFailed);
    check(&output(r#""shape":[2],"datatype":"INT32","data":[1]"#), R::DecodeFailed);
    check(&output(r#""shape":[-1],"datatype":"INT32","data":[1]"#), R::DecodeFailed);
    check(&output(r#""shape":[1],"datatype":"INT32","data":[1.5]"#), R::DecodeFailed);
    check(&output(r#""shape":[1],"datatype":"INT32","data":[3000000000]"#), R::DecodeFailed);
    check(&output(r#""shape":[1],"datatype":"INT32","parameters":{"binary_data_size":4}"#), R::DecodeFailed);
    check(&output(r#""shape":[1],"datatype":"FLOAT","data":[1]"#), R::ContractDtype);
    let one = r#"{"name":"y","shape":[1],"datatype":"INT32","data":[1]}"#;
    check(&format!(r#"{{"outputs":[{one},{one}]}}"#), R::DecodeFailed);
    let no_error = format!(r#"{{"error":null,"outputs":[{one}]}}"#);
    assert!(read(&no_error).is_ok());
}

#[test]
fn se_10_an_answer_of_too_many_parts_is_a_failure() {
    let one = |at: usize| format!(r#"{{"name":"y{at}","shape":[1],"datatype":"INT32","data":[1]}}"#);
    let outputs = |count: usize| (0..count).map(one).collect::<Vec<_>>().join(",");
    let body = |count: usize| format!(r#"{{"outputs":[{}]}}"#, outputs(count));
    assert_eq!(read(&body(1_024)).map(|answer| answer.outputs.len()), Ok(1_024));
    assert_eq!(read(&body(1_025)), Err(R::DecodeFailed));
    for (count, fine) in [(256, true), (257, false)] {
        let parameters: Vec<_> = (0..count).map(|at| format!("\"k{at}\":0")).collect();
        let parameters = parameters.join(",");
        let whole = format!(r#"{{"parameters":{{{parameters}}},"outputs":[{}]}}"#, one(0));
        let part = output(&format!(r#""shape":[1],"datatype":"INT32","parameters":{{{parameters}}},"data":[1]"#));
        for body in [whole, part] {
            assert_eq!(read(&body).err(), (!fine).then_some(R::DecodeFailed), "{count}");
        }
    }
}

#[test]
fn oip_08_null_and_tokens_are_nan_and_break_the_contract() {
    for value in ["null", "NaN", "Infinity", "-Infinity"] {
        let body = output(&format!(r#""shape":[2],"datatype":"FP32","data":[1,{value}]"#));
        assert_eq!(read(&body), Err(R::ContractNonfinite), "{value}");
        let open = Contract { non_finite: true, ..Contract::default() };
        let answer = decode(Divided::Json(body.into()), &request(""), &open.into()).expect("allowed");
        let token = if value == "null" { "NaN" } else { value };
        let written = json(&answer, &request(""));
        assert!(written.contains(&format!("[1.0,{token}]")), "{written}");
    }
    assert_eq!(read(&output(r#""shape":[1],"datatype":"INT32","data":[null]"#)), Err(R::DecodeFailed));
}

#[test]
fn oip_20_a_wanted_or_promised_output_that_is_absent_is_target() {
    let body = Bytes::from(output(r#""shape":[1],"datatype":"INT32","data":[1]"#));
    let wanted = request(r#","outputs":[{"name":"z"}]"#);
    let body = Divided::Json(body);
    assert_eq!(decode(body.clone(), &wanted, &Mapping::default()), Err(R::OutputMissing));
    let promised = Port::new("z", Datatype::Int32, &[-1]);
    let contract = Contract { outputs: vec![promised], ..Contract::default() };
    assert_eq!(decode(body, &request(""), &contract.into()), Err(R::OutputMissing));
}

#[test]
fn oip_12_oip_16_the_client_reads_its_route_version_and_id() {
    let body = r#"{"model_name":"their-model","model_version":"9","id":"theirs",
        "parameters":{"headers":{"a":1},"kept":1,"evenkeel.tier":0},
        "outputs":[{"name":"y","shape":[2,2],"datatype":"FP32","parameters":{"content_type":"np"},"data":[[0.1,2],[3,4]]}]}"#;
    let answer = read(body).expect("an answer");
    let evenkeel = [("evenkeel.tier", Parameter::Int(1)), ("evenkeel.degraded", Parameter::Bool(true))];
    let golden = concat!(
        r#"{"model_name":"route","model_version":"7","id":"ours","parameters":{"kept":1,"evenkeel.tier":1,"evenkeel.degraded":true},"#,
        r#""outputs":[{"name":"y","shape":[2,2],"datatype":"FP32","parameters":{"content_type":"np"},"data":[0.1,2.0,3.0,4.0]}]}"#
    );
    let ours = request(r#","id":"ours""#);
    let written = encode(&answer, Told { route: "route", version: "7", request: &ours, evenkeel: &evenkeel });
    assert_eq!(text(written), golden);
    let bare = json(&InferAnswer::default(), &request(""));
    assert_eq!(bare, r#"{"model_name":"r","model_version":"1","outputs":[]}"#, "OIP-14: nothing is written as null");
}

#[test]
fn oip_01_oip_05_outputs_come_as_bytes_or_as_json_and_go_as_they_are_wanted() {
    // The server ignored what it was asked for: one output in JSON, one behind it.
    let theirs = r#"{"outputs":[{"name":"a","shape":[2],"datatype":"INT32","data":[1,2]},
        {"name":"b","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}}]}"#;
    let body = |tail| Divided::Tailed { json: Bytes::from_static(theirs.as_bytes()), tail: Bytes::from_static(tail) };
    let wanted = request(
        r#","parameters":{"binary_data_output":true},"outputs":[{"name":"a","parameters":{"binary_data":false}},{"name":"b"}]"#,
    );
    let answer = decode(body(b"\x00\x3c\x00\xbc"), &wanted, &Mapping::default()).expect("an answer");
    assert_eq!(answer.output("b").expect("there").to_f64(), Some(vec![1.0, -1.0]));
    let mut written = encode(&answer, Told { route: "r", version: "1", request: &wanted, evenkeel: &[] });
    let golden = concat!(
        r#"{"model_name":"r","model_version":"1","outputs":[{"name":"a","shape":[2],"datatype":"INT32","data":[1,2]},"#,
        r#"{"name":"b","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}}]}"#
    );
    assert_eq!(written.json, Some(golden.len()), "our own length, not theirs");
    let whole: Vec<u8> = std::iter::from_fn(|| written.body.next_piece()).flatten().collect();
    assert_eq!(whole, [golden.as_bytes(), b"\x00\x3c\x00\xbc"].concat());
    for cut in [&b"\x00\x3c\x00"[..], b"\x00\x3c\x00\xbc\x00"] {
        assert_eq!(decode(body(cut), &wanted, &Mapping::default()), Err(R::DecodeFailed), "OIP-40");
    }
    // Who wants JSON cannot have half-precision numbers.
    assert_eq!(decode(body(b"\x00\x3c\x00\xbc"), &request(""), &Mapping::default()), Err(R::ContractSchema), "OIP-11");
}
