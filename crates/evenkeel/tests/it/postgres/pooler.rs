//! A pooler hands the connection that a search had to somebody else, who must find it as the server makes one.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    time::Duration,
};

use evenkeel_postgres::{Documents, Target, build};
use evenkeel_retrieval::{Folder, Language, With};

use super::{
    search::{NOW, target},
    server::Postgres,
    shop, with_each,
};

/// What a session may have been told.
const SETTINGS: &str = "SELECT concat_ws(' ', current_setting('default_transaction_read_only'), current_setting('statement_timeout'), \
     current_setting('jit'), current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements))";

#[test]
fn pool_3_a_search_leaves_nothing_of_its_own_in_the_session_of_a_pooler() {
    with_each("postgres", |postgres| {
        let folder = tempfile::tempdir().expect("a folder");
        shop(folder.path());
        let from = Folder { path: folder.path().into(), language: Language::of("en") };
        build(&from, &target(postgres, "pooled"), With::default(), |_| {}).expect("a table");
        let expected = postgres.sql(SETTINGS);
        assert_eq!(after_a_search(postgres), expected);
        // Whoever builds by the same pooler is let write.
        assert!(expected.starts_with("off "), "{expected}");
    });
}

/// Lets somebody search on a connection, and returns what that is told then, by whom it is handed to next.
fn after_a_search(postgres: &Postgres) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (url, port) = (postgres.url(), listener.local_addr().expect("a port").port());
    let (head, place) = url.rsplit_once('@').expect("a place behind the password");
    let between = format!("{head}@127.0.0.1:{port}/help?statement-cache-capacity=0&sslmode=disable");
    let server = TcpStream::connect(place.trim_end_matches("/help")).expect("connected");
    // A search that fails must not leave this test waiting.
    server.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let over = AtomicBool::new(false);
    let (told, tells) = channel();
    std::thread::scope(|scope| {
        let (over, server) = (&over, &server);
        scope.spawn(move || {
            let (client, _) = listener.accept().expect("a client");
            let mut back = client.try_clone().expect("cloned");
            scope.spawn(move || {
                pass_on(server, |bytes| match over.load(Ordering::SeqCst) {
                    true => told.send(bytes.to_vec()).is_ok(),
                    false => back.write_all(bytes).is_ok(),
                })
            });
            let mut server = server;
            pass_on(&client, |bytes| over.load(Ordering::SeqCst) || server.write_all(bytes).is_ok());
        });
        let documents = Documents::new(Target::new(&between, "pooled").expect("right"), 1, Duration::from_secs(20));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let search = documents.search(("May I return what I bought?", None), NOW);
        let found = runtime.block_on(search).expect("searched").judge(3);
        assert_eq!(found.first().map(|it| it.id.as_str()), Some("return"));
        over.store(true, Ordering::SeqCst);
        let said = ask(server, || tells.recv_timeout(Duration::from_secs(60)).expect("it answers"));
        server.shutdown(std::net::Shutdown::Both).expect("closed");
        drop(documents);
        said
    })
}

/// Hands on what is read, until there is no more, or nobody takes it.
fn pass_on(mut from: &TcpStream, mut to: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 8 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if !to(&bytes[..read]) {
            return;
        }
    }
}

/// Asks on a connection that is idle, in the protocol's simple form; `more` is what it answers.
fn ask(mut server: &TcpStream, mut more: impl FnMut() -> Vec<u8>) -> String {
    let length = u32::try_from(SETTINGS.len() + 5).expect("it is short");
    server.write_all(&[b"Q", &length.to_be_bytes()[..], SETTINGS.as_bytes(), b"\0"].concat()).expect("sent");
    let mut said = Vec::new();
    // Ready, and in no transaction.
    while !said.ends_with(b"Z\0\0\0\x05I") {
        said.extend(more());
    }
    // A row of one column: `D`, its length, the number of columns, and that of its bytes.
    let mut rest = &said[..];
    while rest[0] != b'D' {
        let length = u32::from_be_bytes(rest[1..5].try_into().expect("four bytes"));
        rest = &rest[1 + length as usize..];
    }
    let length = u32::from_be_bytes(rest[7..11].try_into().expect("four bytes"));
    String::from_utf8(rest[11..11 + length as usize].to_vec()).expect("text")
}
