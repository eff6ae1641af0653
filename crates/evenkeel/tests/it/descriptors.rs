//! A gateway that has no file descriptor left (PR-03).

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;
use tempfile::NamedTempFile;

use crate::process::{Mocking, Serving, until};

/// Descriptors of the gateway, and clients that come and say nothing: more than that.
const DESCRIPTORS: u32 = 48;
const CLIENTS: usize = 100;

/// A client that keeps its connection.
struct Kept(BufReader<TcpStream>);

impl Kept {
    fn new(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).expect("somebody listens")))
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Value {
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n{body}");
        self.0.get_mut().write_all(request.as_bytes()).expect("sent");
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).expect("a line") > 0, "the connection was closed");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Asks the route; returns the tier that answers, and why.
    fn chat(&mut self) -> (u64, String) {
        let answer =
            self.ask("POST", "/v1/chat/completions", r#"{"model":"r","messages":[{"role":"user","content":"?"}]}"#);
        let told = &answer["evenkeel"];
        (told["tier"].as_u64().expect("a tier"), told["reason"].as_str().expect("a reason").to_owned())
    }
}

#[test]
#[cfg(target_os = "linux")]
fn pr_03_f_106_without_descriptors_the_default_answers_and_no_path_is_blamed() {
    let mock = Mocking::start(&[]);
    // One by its address, one by a name, for which the system has to open files.
    for host in ["127.0.0.1", "localhost"] {
        let port = mock.models.port();
        // What is kept on disk opens files of its own, and closes them: somebody would be let in.
        let text = format!(
            "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}}\ndecisions: off\nstore: off\naudit: {{level: off}}\nupstreams:\n  big: {{protocol: openai, \
             url: \"http://{host}:{port}/v1\"}}\nroutes:\n  r:\n    protocol: openai-chat\n    tiers:\n      - {{name: primary, \
             openai: {{upstream: big, model: m}}}}\n      - {{name: default, fixed: {{content: later}}}}\n"
        );
        let config = NamedTempFile::with_suffix(".yaml").expect("a file");
        std::fs::write(config.path(), text).expect("written");
        let serving = Serving::start_under(&format!("ulimit -n {DESCRIPTORS}"), config.path());
        let mut kept = Kept::new(serving.data);
        kept.ask("GET", "/v1/models", "");
        let crowd: Vec<_> = (0..CLIENTS).map(|_| TcpStream::connect(serving.data).expect("it is queued")).collect();
        // All are taken, and whoever waits at the door takes what becomes free.
        until("the last descriptor", || (serving.descriptors() >= DESCRIPTORS as usize).then_some(()));
        for _ in 0..20 {
            assert_eq!(kept.chat(), (1, "CAPACITY_EXHAUSTED".to_owned()), "{host}");
        }
        drop(crowd);
        let back = until("a descriptor", || Some(kept.chat()).filter(|(tier, _)| *tier == 0));
        assert_eq!(back.1, "PRIMARY_HEALTHY", "{host}");
        let state = kept.ask("GET", "/v1/routes/r/state", "");
        assert_eq!((state["phase"].as_str(), state["tiers"][0]["breaker"].as_str()), (Some("normal"), Some("closed")));
    }
}
