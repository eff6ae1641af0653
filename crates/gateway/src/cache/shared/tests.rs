//! A store that is spoken to, held against a server that answers as it is told.

use std::path::Path;

use bytes::Bytes;
use evenkeel_config::load_text;
use jiff::SignedDuration;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::*;
use crate::cache::{Beside, Cache, Said, tests::spec};

/// A command that a server has heard: on which connection, its words, and where its answer goes.
struct Heard {
    connection: usize,
    words: Vec<Vec<u8>>,
    answer: oneshot::Sender<Vec<u8>>,
}

/// A server whose answers to look-ups and writes are given by the test; all else it takes.
struct Scene {
    shared: Arc<Shared>,
    heard: mpsc::UnboundedReceiver<Heard>,
    _server: JoinSet<()>,
}

impl Scene {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (tell, heard) = mpsc::unbounded_channel();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut talks = JoinSet::new();
            for connection in 0.. {
                let (stream, _) = listener.accept().await.expect("one comes");
                talks.spawn(talk(stream, connection, tell.clone()));
            }
        });
        let text = format!(
            "version: 1\nshared: \"redis://127.0.0.1:{port}\"\nroutes: {{r: {{protocol: openai-chat, cache: {{}}, tiers: [{{name: d, fixed: {{content: x}}}}]}}}}\n"
        );
        let loaded = load_text("t.yaml", &text, Path::new(".")).deployment.expect("it compiles");
        let store = loaded.shared.clone().expect("one is named");
        let shared = Shared::start(&store, Clock::start()).expect("it can be used");
        let scene = Self { shared, heard, _server: server };
        until(|| scene.shared.connection().is_some()).await;
        scene
    }

    async fn next(&mut self) -> Heard {
        self.heard.recv().await.expect("it runs")
    }

    fn counted(&self, came: Came) -> u64 {
        self.shared.counts[came as usize].load(Ordering::Relaxed)
    }
}

impl Heard {
    fn word(&self) -> &str {
        std::str::from_utf8(&self.words[0]).expect("a command")
    }

    fn answer(self, answer: &[u8]) {
        drop(self.answer.send(answer.into()));
    }
}

/// Reads commands, however many come at once, and answers them in their order.
async fn talk(stream: TcpStream, connection: usize, tell: mpsc::UnboundedSender<Heard>) {
    let (read, mut write) = stream.into_split();
    let (mut read, (queue, mut answers)) =
        (BufReader::new(read), mpsc::unbounded_channel::<oneshot::Receiver<Vec<u8>>>());
    let reading = async move {
        while let Some(words) = command(&mut read).await {
            let (answer, answered) = oneshot::channel();
            drop(queue.send(answered));
            let heard = Heard { connection, words, answer };
            match heard.word() {
                "SET" | "DEL" | "GETRANGE" => drop(tell.send(heard)),
                _ => heard.answer(b"+OK\r\n"),
            }
        }
    };
    let writing = async move {
        while let Some(answered) = answers.recv().await {
            let Ok(answer) = answered.await else { return };
            if write.write_all(&answer).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}

/// Reads one command; none at the end.
async fn command(read: &mut BufReader<OwnedReadHalf>) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for _ in 0..number(read).await? {
        let mut word = vec![0; number(read).await? + 2];
        read.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(word);
    }
    Some(words)
}

/// Reads a line of a mark and a number.
async fn number(read: &mut BufReader<OwnedReadHalf>) -> Option<usize> {
    let mut line = String::new();
    read.read_line(&mut line).await.ok()?;
    line.trim_end().get(1..)?.parse().ok()
}

async fn until(there: impl Fn() -> bool) {
    let look = async {
        while !there() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), look).await.expect("it comes within a minute");
}

fn entry(made: Timestamp) -> Arc<Entry> {
    Arc::new(Entry { tier: 0, made, sure: None, said: Said::Json(Bytes::from_static(b"{\"choices\":[]}")) })
}

fn put(scene: &Scene, number: u64) {
    scene.shared.put(&Key::of_number(number), &entry(Timestamp::now()), 1_000_000_000);
}

#[tokio::test]
async fn shared_4_f_146_a_master_that_became_a_replica_is_left_for_who_has_its_name_now() {
    for said in [&b"-READONLY You can't write against a read only replica.\r\n"[..], b"-LOADING it is\r\n"] {
        let mut scene = Scene::start().await;
        put(&scene, 1);
        scene.next().await.answer(said);
        until(|| scene.counted(Came::WriteFailed) == 1).await;
        put(&scene, 2);
        let again = scene.next().await;
        assert_eq!((again.connection, again.word()), (1, "SET"), "on a connection of its own");
        again.answer(b"+OK\r\n");
        until(|| scene.counted(Came::Written) == 1).await;
    }
    let mut scene = Scene::start().await;
    for number in 0..2 {
        put(&scene, number);
        let heard = scene.next().await;
        assert_eq!(heard.connection, 0, "what is full is no other one");
        heard.answer(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n");
        until(|| scene.counted(Came::WriteFailed) == number + 1).await;
    }
}

#[tokio::test]
async fn writes_2_writes_3_f_146_what_waits_is_sent_at_once_and_each_is_answered_by_itself() {
    let mut scene = Scene::start().await;
    put(&scene, 0);
    let first = scene.next().await;
    (1..=10).for_each(|number| put(&scene, number));
    first.answer(b"+OK\r\n");
    let mut others = Vec::new();
    // None of them is answered before the last is heard.
    for _ in 0..10 {
        others.push(scene.next().await);
    }
    for (at, other) in others.into_iter().enumerate() {
        other.answer(if at == 3 { b"-OOM\r\n" } else { b"+OK\r\n" });
    }
    until(|| scene.counted(Came::Written) + scene.counted(Came::WriteFailed) == 11).await;
    assert_eq!(scene.counted(Came::WriteFailed), 1);
}

/// Answers a look-up with an entry.
fn found(key: &Key, entry: &Entry) -> Vec<u8> {
    let value = entry.encode(key);
    [format!("${}\r\n", value.len()).as_bytes(), &value, b"\r\n"].concat()
}

#[tokio::test]
async fn shared_5_f_146_what_is_dated_after_now_is_a_miss_and_a_little_is_how_clocks_differ() {
    let mut scene = Scene::start().await;
    let key = Key::of_number(1);
    for (ahead, came) in [(60, Came::Ahead), (2, Came::Hit)] {
        // On a busy machine its patience may end first.
        while scene.counted(came) == 0 {
            let made = Timestamp::now() + SignedDuration::from_secs(ahead);
            let shared = scene.shared.clone();
            let asked = async { shared.get(&key, (0, 1 << 20)).await };
            let answer = async {
                if let Ok(heard) = timeout(PATIENCE, scene.next()).await {
                    heard.answer(&found(&key, &entry(made)));
                }
            };
            let (got, ()) = tokio::join!(asked, answer);
            assert!(got.is_none() || came == Came::Hit, "{ahead} s");
        }
    }
}

#[tokio::test]
async fn asking_1_f_146_many_who_want_the_same_read_it_once() {
    let mut scene = Scene::start().await;
    let beside = Beside { shared: Some(scene.shared.clone()), semantic: None };
    let cache = Arc::new(Cache::new(spec(), beside, None));
    // On a busy machine the patience of some may end before they hear of it.
    for number in 0.. {
        let key = Key::of_number(number);
        let mut all = JoinSet::new();
        for _ in 0..50 {
            let cache = cache.clone();
            all.spawn(async move {
                cache.fetch(&key, 0).await;
                cache.find(&key, Timestamp::now()).is_some()
            });
        }
        if let Ok(heard) = timeout(PATIENCE, scene.next()).await {
            heard.answer(&found(&key, &entry(Timestamp::now())));
        }
        let found = all.join_all().await.into_iter().filter(|found| *found).count();
        assert!(scene.heard.try_recv().is_err(), "it is asked once");
        if found == 50 {
            return;
        }
        assert!(number < 1_000, "what one has found all have");
    }
}
