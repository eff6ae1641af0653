//! The Open Inference Protocol over REST.

use evenkeel_mock::{Mock, OipModel, Options, TensorSpec};
use serde_json::{Value, json};

use crate::client::{Seen, post, send};

async fn mock() -> Mock {
    let input = TensorSpec::new("x", "FP32", [-1, 2]);
    let output = TensorSpec::new("y", "INT64", [-1, 1]);
    let mut options = Options::default();
    options
        .oip
        .insert("home value".to_owned(), OipModel::declared(vec![input], output, vec![json!(u64::MAX), json!(2)]));
    Mock::start(options).await.expect("loopback has a free port")
}

async fn get(mock: &Mock, path: &str) -> Seen {
    send(mock.address(), "GET", path, "").await
}

#[tokio::test]
async fn oip_21_health_and_metadata_answer_with_and_without_a_slash() {
    let mock = mock().await;
    assert_eq!(get(&mock, "/v2/health/live").await.json(), json!({"live": true}));
    assert_eq!(get(&mock, "/v2/health/ready/").await.json(), json!({"ready": true}));
    assert_eq!(get(&mock, "/v2").await.json()["name"], "evenkeel-mock");
    assert_eq!(get(&mock, "/v2/").await.status(), 200);
    let model = get(&mock, "/v2/models/home%20value").await.json();
    assert_eq!(model["outputs"], json!([{"name": "y", "datatype": "INT64", "shape": [-1, 1]}]));
    assert_eq!(get(&mock, "/v2/models/home%20value/versions/1/ready").await.json()["ready"], true);
}

#[tokio::test]
async fn oip_22_what_is_not_there_is_404_with_a_text() {
    let mock = mock().await;
    for path in ["/v2/models/nope", "/v2/models/nope/ready", "/v2/models/home%20value/versions/2", "/v2/nope"] {
        let seen = get(&mock, path).await;
        assert!(seen.status() == 404 && seen.json()["error"].is_string(), "{path}");
    }
    assert_eq!(post(mock.address(), "/v2/models/nope/infer", &json!({})).await.status(), 404);
    assert_eq!(get(&mock, "/v2/models/home%20value/infer").await.status(), 405);
}

async fn infer(mock: &Mock, body: &Value) -> Seen {
    post(mock.address(), "/v2/models/home%20value/infer", body).await
}

#[tokio::test]
async fn oip_09_declared_outputs_follow_the_batch_and_keep_their_digits() {
    let mock = mock().await;
    let input = json!({"name": "x", "datatype": "FP32", "shape": [3, 2], "data": [[1, 2], [3, 4], [5, 6]]});
    let seen = infer(&mock, &json!({"id": "7", "inputs": [input], "outputs": [{"name": "y"}]})).await;
    assert_eq!(
        seen.text(),
        "{\"model_name\":\"home value\",\"model_version\":\"1\",\"id\":\"7\",\"outputs\":[{\"name\":\"y\",\"datatype\":\"INT64\",\
         \"shape\":[3,1],\"data\":[18446744073709551615,2,18446744073709551615]}]}"
    );
}

#[tokio::test]
async fn oip_13_bad_requests_are_400_with_a_text() {
    let mock = mock().await;
    let input = |shape: Value, data: Value| json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": shape, "data": data}]});
    for body in [
        json!({}),
        json!({"inputs": []}),
        json!({"id": 7, "inputs": []}),
        input(json!([2, 2]), json!([1, 2, 3])),
        input(json!([1, 2]), json!([1, null])),
        input(json!([1, 2]), json!([1, "2"])),
        json!({"inputs": [{"name": "z", "datatype": "FP32", "shape": [1], "data": [1]}]}),
        json!({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1]}]}),
        input(json!([-1, 2]), json!([1, 2])),
        input(json!([4_294_967_296_u64, 4_294_967_296_u64]), json!([1])),
        json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}], "outputs": [{"name": "z"}]}),
    ] {
        let seen = infer(&mock, &body).await;
        assert!(seen.status() == 400 && seen.json()["error"].is_string(), "{body}");
    }
}
