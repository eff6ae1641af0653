//! A small feature server that answers as Feast 0.67.0 does, and breaks on demand.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What it does with a question.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// Answers.
    Well,
    /// Answers that it has nothing but nulls, which are PRESENT.
    Nulls,
    /// Says nothing.
    Silent,
    /// Closes the connection.
    Closed,
    /// Answers this.
    Status(u16, String),
}

/// What it knows of a customer: `txn_7d`, `avg_amount`, and how many seconds ago.
type Row = (i64, i64, f64, i64);

/// The server, for as long as the test runs.
pub(crate) struct Feast {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    table: Vec<Row>,
    mode: Mutex<Mode>,
    asked: Mutex<Vec<Value>>,
    authorization: Mutex<String>,
}

impl Feast {
    pub(crate) async fn start(table: &[Row]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its own");
        let shared = Arc::new(Shared {
            table: table.to_vec(),
            mode: Mutex::new(Mode::Well),
            asked: Mutex::default(),
            authorization: Mutex::default(),
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.shared.mode.lock().expect("not poisoned") = mode;
    }

    /// Returns the questions so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.shared.asked.lock().expect("not poisoned").clone()
    }

    /// Returns the credential that came last.
    pub(crate) fn authorization(&self) -> String {
        self.shared.authorization.lock().expect("not poisoned").clone()
    }
}

/// Answers the questions of a connection until it ends.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut held = Vec::new();
    while let Some((head, body)) = next(&mut stream, &mut held).await {
        assert!(head.starts_with("POST /get-online-features HTTP/1.1"), "{head}");
        let authorization = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default();
        *shared.authorization.lock().expect("not poisoned") = authorization.into();
        let question: Value = serde_json::from_slice(&body).expect("JSON");
        shared.asked.lock().expect("not poisoned").push(question.clone());
        let mode = shared.mode.lock().expect("not poisoned").clone();
        let (status, answer) = match mode {
            Mode::Well => (200, answer(&question, |customer| shared.table.iter().find(|row| row.0 == customer))),
            Mode::Nulls => (200, nulls(&question)),
            Mode::Silent => std::future::pending().await,
            Mode::Closed => return,
            Mode::Status(status, body) => (status, body),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        if stream.write_all(&[head.as_bytes(), answer.as_bytes()].concat()).await.is_err() {
            return;
        }
    }
}

/// Reads a request: its head in lower case but for the first line, and its body.
async fn next(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        let end = held.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(held[..end].to_vec()).expect("text");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let whole = end + 4 + length.expect("the gateway says how much it sends");
            if held.len() >= whole {
                let body = held[end + 4..whole].to_vec();
                held.drain(..whole);
                return Some((head, body));
            }
        }
        let mut piece = [0; 16 << 10];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(some) => held.extend_from_slice(&piece[..some]),
        }
    }
}

/// The table by feature, the entity first and the others sorted by name, which is not the order of the question.
fn answer<'r>(question: &Value, row: impl Fn(i64) -> Option<&'r Row>) -> String {
    let customers: Vec<i64> = entities(question);
    let rows: Vec<Option<&Row>> = customers.iter().map(|customer| row(*customer)).collect();
    let time = |row: &Option<&Row>| {
        row.map_or(Timestamp::UNIX_EPOCH, |row| {
            Timestamp::from_second(Timestamp::now().as_second() - row.3).expect("a time")
        })
    };
    let mut wanted: Vec<String> = question["features"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it.as_str().expect("text").replace(':', "__"))
        .collect();
    wanted.sort_unstable_by(|a, b| b.cmp(a));
    let column = |name: &String| {
        let value = |row: &Option<&Row>| match (row, name.as_str()) {
            (None, _) => Value::Null,
            (Some(row), "stats__txn_7d") => json!(row.1),
            (Some(row), _) => json!(row.2),
        };
        let status = |row: &Option<&Row>| if row.is_some() { "PRESENT" } else { "NOT_FOUND" };
        let (values, statuses, times) = (rows.iter().map(value), rows.iter().map(status), rows.iter().map(time));
        list(values.collect(), &statuses.collect::<Vec<_>>(), &times.collect::<Vec<_>>())
    };
    let mut results = vec![keys(&customers)];
    results.extend(wanted.iter().map(column));
    whole(&wanted, &results)
}

fn nulls(question: &Value) -> String {
    let customers = entities(question);
    let wanted = ["stats__avg_amount".to_owned(), "stats__txn_7d".to_owned()];
    let column = list(
        vec![Value::Null; customers.len()],
        &vec!["PRESENT"; customers.len()],
        &vec![Timestamp::now(); customers.len()],
    );
    whole(&wanted, &[keys(&customers), column.clone(), column])
}

fn entities(question: &Value) -> Vec<i64> {
    let customers = question["entities"]["customer_id"].as_array().expect("a list");
    customers.iter().map(|it| it.as_i64().expect("a number")).collect()
}

fn keys(customers: &[i64]) -> Value {
    let values = customers.iter().map(|it| json!(it)).collect();
    list(values, &vec!["PRESENT"; customers.len()], &vec![Timestamp::UNIX_EPOCH; customers.len()])
}

fn list(values: Vec<Value>, statuses: &[&str], times: &[Timestamp]) -> Value {
    let times: Vec<String> = times.iter().map(ToString::to_string).collect();
    json!({"values": values, "statuses": statuses, "event_timestamps": times})
}

fn whole(features: &[String], results: &[Value]) -> String {
    let names: Vec<&str> = std::iter::once("customer_id").chain(features.iter().map(String::as_str)).collect();
    json!({"results": results, "metadata": {"feature_names": names}}).to_string()
}
