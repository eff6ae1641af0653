//! The Open Inference Protocol over REST.

use evenkeel_mock::{Evaluate, Mock, OipModel, Options, Tensor, TensorData, TensorSpec};
use serde_json::{Value, json};

use crate::client::{Seen, exchange, post, send};

async fn mock() -> Mock {
    let input = TensorSpec::new("x", "FP32", [-1, 2]);
    let output = TensorSpec::new("y", "UINT64", [-1, 1]);
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
    assert_eq!(model["outputs"], json!([{"name": "y", "datatype": "UINT64", "shape": [-1, 1]}]));
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
        "{\"model_name\":\"home value\",\"model_version\":\"1\",\"id\":\"7\",\"outputs\":[{\"name\":\"y\",\"datatype\":\"UINT64\",\
         \"shape\":[3,1],\"data\":[18446744073709551615,2,18446744073709551615]}]}"
    );
}

#[tokio::test]
async fn oip_05_tensors_come_and_go_as_bytes_where_that_is_asked() {
    let mock = mock().await;
    let size = json!({"binary_data_size": 8});
    let inputs = json!([{"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": size}]);
    let json = json!({"inputs": inputs, "outputs": [{"name": "y", "parameters": {"binary_data": true}}]}).to_string();
    let ask = async |length: usize| {
        let head = format!("POST /v2/models/home%20value/infer HTTP/1.1\r\nInference-Header-Content-Length: {length}");
        // Two numbers, if odd ones.
        let body = format!("{json}abcdefgh");
        let head = format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        exchange(mock.address(), &format!("{head}{body}"), usize::MAX).await
    };
    let seen = ask(json.len()).await;
    assert_eq!(seen.status(), 200);
    assert!(seen.raw.ends_with(&u64::MAX.to_le_bytes()), "as declared, in eight bytes");
    for wrong in [json.len() + 1, json.len() - 1, json.len() + 9] {
        assert_eq!(ask(wrong).await.status(), 400, "{wrong}");
    }
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

/// Adds the numbers of each row; refuses a row that is all zero.
#[derive(Debug)]
struct Sum;

impl Evaluate for Sum {
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let TensorData::Floats(numbers) = &inputs[0].data else { return Err("x holds no floats".to_owned()) };
        if numbers.iter().all(|number| *number == 0.0) {
            return Err("nothing to add".to_owned());
        }
        let sums: Vec<f64> = numbers.chunks(2).map(|row| row.iter().sum()).collect();
        let rows = sums.len() as u64;
        let small = sums.iter().map(|sum| *sum < 1.0).collect();
        let tensor = |name: &str, datatype: &str, data| Tensor {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape: vec![rows, 1],
            data,
        };
        Ok(vec![tensor("sum", "FP32", TensorData::Floats(sums)), tensor("small", "BOOL", TensorData::Booleans(small))])
    }
}

#[tokio::test]
async fn an_evaluated_model_computes_its_outputs_from_its_inputs() {
    let inputs = vec![TensorSpec::new("x", "FP32", [-1, 2])];
    let outputs = vec![TensorSpec::new("sum", "FP32", [-1, 1]), TensorSpec::new("small", "BOOL", [-1, 1])];
    let oip = [("home value".to_owned(), OipModel::evaluated(inputs, outputs, Sum))].into();
    let mock = Mock::start(Options { oip, ..Options::default() }).await.expect("loopback has a free port");
    assert_eq!(get(&mock, "/v2/models/home%20value").await.json()["platform"], "evaluated");
    let input = |data: Value| json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [3, 2], "data": data}]});
    let seen = infer(&mock, &input(json!([0.1, 0.2, 3e38, 3e38, 1, 1]))).await;
    let rows = "\"shape\":[3,1],\"data\":";
    assert_eq!(
        seen.text(),
        format!(
            "{{\"model_name\":\"home value\",\"model_version\":\"1\",\"outputs\":[{{\"name\":\"sum\",\"datatype\":\"FP32\",\
             {rows}[0.3,Infinity,2.0]}},{{\"name\":\"small\",\"datatype\":\"BOOL\",{rows}[true,false,false]}}]}}"
        )
    );
    let seen = infer(&mock, &input(json!([0, 0, 0, 0, 0, 0]))).await;
    assert_eq!((seen.status(), seen.json()), (500, json!({"error": "nothing to add"})));
}
