//! OIP-36: sequences over gRPC, alone and in a stream, through a gateway that has another for its server.

use super::{oracle::InferParameter, *};

/// One number of a sequence.
fn number(model: &str, id: Scalar, (start, end): (bool, bool), value: f32) -> ModelInferRequest {
    let contents = InferTensorContents { fp32_contents: vec![value], ..InferTensorContents::default() };
    let input = InferTensor {
        name: "x".into(),
        datatype: "FP32".into(),
        shape: vec![1],
        parameters: [].into(),
        contents: Some(contents),
    };
    let parameter = |name: &str, scalar| (name.to_owned(), InferParameter { scalar: Some(scalar) });
    let flags = [parameter("sequence_start", Scalar::Bool(start)), parameter("sequence_end", Scalar::Bool(end))];
    ModelInferRequest {
        model_name: model.into(),
        inputs: vec![input],
        parameters: flags.into_iter().chain([parameter("sequence_id", id)]).collect(),
        ..ModelInferRequest::default()
    }
}

fn sum(answer: &ModelInferResponse) -> f32 {
    answer.outputs[0].contents.as_ref().expect("typed, as it was asked").fp32_contents[0]
}

fn is_lost(said: &Said) {
    assert!(said.code == 9 && said.text.contains("begin it again"), "FAILED_PRECONDITION: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_36_calls_of_a_sequence_go_to_one_server_over_either_kind_of_upstream() {
    let row = Row::start().await;
    let ids = [Scalar::Int64(7), Scalar::Uint64(8), Scalar::String("7".into())];
    for model in ["sum", "sum-rest"] {
        for id in &ids {
            let send = async |flags, value| row.infer(&number(model, id.clone(), flags, value)).await;
            is_lost(&send((false, false), 1.0).await.expect_err("nobody began it"));
            for (flags, total) in [((true, false), 2.0), ((false, false), 4.0), ((false, true), 6.0)] {
                let (answer, _) = send(flags, 2.0).await.expect("an answer");
                assert_eq!(sum(&answer), total, "{model} {id:?}");
                let told = answer.parameters["sequence_id"].scalar.clone();
                // Nothing but `int64` is written, where that holds it.
                let own = if *id == Scalar::Uint64(8) { Scalar::Int64(8) } else { id.clone() };
                assert_eq!(told, Some(own));
            }
            is_lost(&send((false, false), 1.0).await.expect_err("it has ended"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_36_what_is_lost_behind_a_server_is_lost() {
    let row = Row::start().await;
    for model in ["sum", "sum-rest"] {
        let send = async |flags| row.infer(&number(model, Scalar::Int64(1), flags, 1.0)).await;
        send((true, false)).await.expect("an answer");
        row.behind.break_primary("{fault: reset, times: 1}");
        // The gateway behind says that it has lost it, which is no answer and no fault of the client.
        is_lost(&send((false, false)).await.expect_err("it is lost"));
        is_lost(&send((false, false)).await.expect_err("and stays lost"));
        send((true, true)).await.expect("begun again");
        let state = row.before.route_state(model).expect("a route");
        assert_eq!(state.tiers[0].breaker, "closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_36_oip_31_a_stream_carries_sequences_side_by_side_and_outlives_one_that_is_lost() {
    let row = Row::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(64);
    let mut body = begin(&row.before, "inference.GRPCInferenceService/ModelStreamInfer", Sending(receiver)).await;
    // All at once, as clients do: they are answered one by one.
    let [start, on, end] = [(true, false), (false, false), (false, true)];
    let asked =
        [(1, start, 1.0), (2, start, 10.0), (1, on, 2.0), (3, on, 5.0), (2, on, 20.0), (1, end, 3.0), (1, on, 4.0)];
    for (id, flags, value) in asked {
        sender.send(framed(&number("sum", Scalar::Int64(id), flags, value))).await.expect("it reads");
    }
    for (at, total) in [Some(1.0), Some(10.0), Some(3.0), None, Some(30.0), Some(6.0), None].into_iter().enumerate() {
        let answer: ModelStreamInferResponse = next(&mut body).await.expect("a message");
        match total {
            Some(total) => assert_eq!(sum(&answer.infer_response.expect("an answer")), total, "answer {at}"),
            None => assert!(answer.error_message.contains("begin it again"), "answer {at}: {answer:?}"),
        }
    }
    drop(sender);
    assert_eq!(next::<ModelStreamInferResponse>(&mut body).await.expect_err("the end")["grpc-status"], "0");
}
