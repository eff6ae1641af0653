//! Requests in which not every input has rows.

use super::*;

#[test]
fn tn_06_the_rows_of_a_request_are_those_of_the_inputs_that_have_some_wherever_they_stand() {
    let port = Port::new;
    let inputs = vec![port("weights", Datatype::Fp32, &[3]), port("x", Datatype::Fp32, &[-1, 2])];
    let contract = Contract { inputs, ..contract() };
    let weights = r#"{"name":"weights","shape":[3],"datatype":"FP32","data":[1,2,3]}"#;
    for body in [format!(r#"{{"inputs":[{weights},{X}]}}"#), format!(r#"{{"inputs":[{X},{weights}]}}"#)] {
        let infer = decode(Divided::Json(body.into()), &contract).expect("it fits");
        assert_eq!(infer.batch(), 1);
        let answer = |rows: u64| {
            let values = vec![0.5; rows as usize];
            crate::tensor::InferAnswer::of([Tensor::from_f32("y", vec![rows], &values).expect("it fits")])
        };
        assert!(contract.accept(answer(1), &infer).is_ok());
        assert_eq!(contract.accept(answer(3), &infer), Err(evenkeel_core::ResultCode::ContractShape));
    }
}

#[test]
fn batch_1_oip_07_rows_with_nothing_in_them_are_answered_by_a_model_and_make_no_answer_of_ours_larger() {
    let inputs = vec![Port::new("x", Datatype::Fp32, &[-1, -1])];
    let contract = Contract { inputs, ..contract() };
    let body = r#"{"inputs":[{"name":"x","shape":[2,0],"datatype":"FP32","data":[]}]}"#;
    let infer = decode(Divided::Json(body.into()), &contract).expect("it fits");
    assert_eq!(infer.batch(), 0);
    let answer = Tensor::from_f32("y", vec![2], &[0.5; 2]).expect("it fits");
    assert!(contract.accept(crate::tensor::InferAnswer::of([answer]), &infer).is_ok(), "that is no fault of the model");

    let inputs = vec![Port::new("z", Datatype::Fp32, &[4])];
    let contract = Contract { inputs, ..contract };
    let body = r#"{"inputs":[{"name":"z","shape":[4],"datatype":"FP32","data":[1,2,3,4]}]}"#;
    let infer = decode(Divided::Json(body.into()), &contract).expect("it fits");
    assert_eq!(infer.batch(), 1, "no input has rows");
}
