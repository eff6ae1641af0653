//! A large tensor on its way through: what it costs in memory, of a process that does nothing else.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use crate::process::Serving;

/// Bytes of the tensor.
const SIZE: usize = 60 << 20;
/// What it may cost at the most: itself, and less than it once more, for the buffers that it grew out of.
const MOST_KIB: u64 = (SIZE >> 10) as u64 * 7 / 4;

/// Sends a tensor as bytes behind the JSON; returns the status.
fn send(address: SocketAddr, route: &str) -> u16 {
    let json = format!(
        r#"{{"inputs":[{{"name":"x","shape":[1,{SIZE}],"datatype":"UINT8","parameters":{{"binary_data_size":{SIZE}}}}}]}}"#
    );
    let mut client = TcpStream::connect(address).expect("taken");
    let (length, header) = (json.len() + SIZE, json.len());
    let head = format!(
        "POST /v2/models/{route}/infer HTTP/1.1\r\nhost: t\r\nconnection: close\r\ninference-header-content-length: {header}\r\n\
         content-length: {length}\r\n\r\n{json}"
    );
    client.write_all(head.as_bytes()).expect("sent");
    let piece = vec![7; 1 << 20];
    (0..SIZE >> 20).for_each(|_| client.write_all(&piece).expect("sent"));
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("read");
    answer.split(' ').nth(1).and_then(|it| it.parse().ok()).expect(&answer)
}

#[test]
fn oip_25_a_tensor_of_60_mib_passes_without_a_second_copy_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = |name: &str, rest: &str| {
        let file = folder.path().join(name);
        let server = "version: 1\nserver: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\n";
        std::fs::write(&file, format!("{server}{rest}")).expect("written");
        Serving::start(&file)
    };
    let behind = start(
        "behind.yaml",
        "routes: {m: {protocol: oip, deadline: 5m, tiers: [{name: default, fixed: {outputs: {y: 0.5}}}]}}\n",
    );
    for (kind, upstream) in [("rest", "protocol: oip, dialect: triton"), ("grpc", "protocol: oip-grpc")] {
        let before = start(
            "before.yaml",
            &format!(
                "upstreams: {{u: {{{upstream}, url: \"http://{}\"}}}}\nroutes:\n  r: {{protocol: oip, deadline: 5m, tiers: [{{name: p, oip: \
                 {{upstream: u, model: m}}, retries: 0}}]}}\n",
                behind.data
            ),
        );
        let idle = before.peak_memory();
        assert_eq!(send(before.data, "r"), 200, "{kind}");
        let grown = before.peak_memory().saturating_sub(idle);
        println!("{}", serde_json::json!({"upstream": kind, "tensor_kib": SIZE >> 10, "grown_kib": grown}));
        assert!(grown < MOST_KIB, "{kind}: {grown} KiB for a tensor of {} KiB", SIZE >> 10);
    }
}
