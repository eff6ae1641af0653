//! Wire: writes the bytes of a script to a socket, and breaks off where the script says so.
//!
//! It is not HTTP: it knows bytes, pauses and the two ways in which a connection ends. An HTTP library refuses to send
//! what this module sends every day, so the socket is its own.
//!
//! # Invariants
//! - `WIRE-1`: neighbouring sends leave in one write, unless a flush or a pause stands between them.
//! - `WIRE-2`: while a script pauses, is silent or waits for room in the socket, the read side is watched: a FIN or RST of
//!   the client is noted with its time within one turn of the runtime.
//! - `WIRE-3`: bytes that the client sends meanwhile are kept for the next request, up to `MAX_UNREAD`.
//!
//! # Source
//! RST by `SO_LINGER` 0: socket(7).

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::log::{Ending, Progress};

/// What a client may send ahead before reading stops; then its end shows only in a failing write.
const MAX_UNREAD: usize = 1024 * 1024;
/// How long the rest of a refused request is read, so that our answer is not lost to an RST.
const DRAIN: Duration = Duration::from_millis(200);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Sends bytes that carry so many tokens.
    Send {
        bytes: Bytes,
        tokens: u32,
    },
    /// Lets what was gathered leave as a write of its own.
    Flush,
    Pause(Duration),
    /// Says nothing until the client leaves.
    Silence,
    /// Goes back to a step.
    Again(usize),
}

/// How the connection ends after the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Keep,
    Fin,
    Rst,
}

/// All that is to happen on a socket for one request.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// The status that the first bytes carry, if any leave.
    pub(crate) status: Option<u16>,
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
    /// Goes on after the client left.
    pub(crate) heedless: bool,
    /// The answer is whole when the last step is done.
    pub(crate) whole: bool,
}

impl Script {
    /// Makes a script that answers nothing: the connection just ends.
    pub(crate) fn end(end: End) -> Script {
        Script { status: None, steps: Vec::new(), end, heedless: false, whole: false }
    }

    /// Makes a script that answers nothing and keeps the connection, for a while or until the client leaves.
    pub(crate) fn silence(wait: Option<Duration>) -> Script {
        let steps = vec![wait.map_or(Step::Silence, Step::Pause)];
        Script { steps, ..Script::end(End::Fin) }
    }
}

/// The client has left.
#[derive(Debug)]
pub(crate) struct Gone;

/// One accepted socket with what was read ahead.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: TcpStream,
    pub(crate) unread: BytesMut,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream) -> Conn {
        // Only latency would suffer if the option were refused.
        let _ = stream.set_nodelay(true);
        Conn { stream, unread: BytesMut::with_capacity(8 * 1024) }
    }

    /// Reads more bytes; 0 is the end.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        use tokio::io::AsyncReadExt;
        self.stream.read_buf(&mut self.unread).await
    }

    /// Resolves when the client has closed or reset its side.
    async fn gone(&mut self) -> Gone {
        loop {
            if self.unread.len() >= MAX_UNREAD {
                std::future::pending::<()>().await;
            }
            if self.stream.readable().await.is_err() {
                return Gone;
            }
            match self.stream.try_read_buf(&mut self.unread) {
                Ok(0) => return Gone,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Gone,
            }
        }
    }

    /// Sends all bytes, or learns that nobody reads them.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Gone> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.room().await?,
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    /// Waits for room in the socket's buffer, with an eye on the read side: a client that is gone makes no room.
    async fn room(&mut self) -> Result<(), Gone> {
        loop {
            tokio::select! {
                biased;
                room = self.stream.writable() => return room.map_err(|_| Gone),
                readable = self.stream.readable(), if self.unread.len() < MAX_UNREAD => readable.map_err(|_| Gone)?,
            }
            match self.stream.try_read_buf(&mut self.unread) {
                Ok(0) => return Err(Gone),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(Gone),
                _ => {}
            }
        }
    }

    /// Pauses; ends early when the client leaves.
    async fn pause(&mut self, wait: Duration) -> Result<(), Gone> {
        tokio::select! {
            Gone = self.gone() => Err(Gone),
            () = sleep(wait) => Ok(()),
        }
    }

    /// Closes the write side: FIN.
    pub(crate) async fn finish(&mut self) {
        // A client that is gone already needs no FIN.
        let _ = self.stream.shutdown().await;
    }

    /// Closes the write side and reads for a short while what the client is still sending.
    pub(crate) async fn finish_politely(&mut self) {
        self.finish().await;
        let drained = async {
            while self.fill().await.is_ok_and(|count| count > 0) {
                self.unread.clear();
            }
        };
        // Whether it ends by itself or by the clock, the connection is dropped next.
        let _ = timeout(DRAIN, drained).await;
    }

    /// Makes the coming drop an RST.
    pub(crate) fn reset(&self) {
        // If the option were refused the drop would send a FIN, which a test would see.
        let _ = self.stream.set_zero_linger();
    }

    /// Plays a script. Returns whether the connection may carry another request; if not, it is to be dropped.
    pub(crate) async fn play(&mut self, script: &Script, progress: &Progress) -> bool {
        let player = Player { conn: self, script, progress, out: Vec::new(), tokens: 0, alone: false };
        match (player.run().await, script.end) {
            (Err(Gone), _) => return false,
            (Ok(()), End::Keep) => return true,
            (Ok(()), End::Fin) => self.finish().await,
            (Ok(()), End::Rst) => self.reset(),
        }
        false
    }
}

/// The state of one script being played.
struct Player<'a> {
    conn: &'a mut Conn,
    script: &'a Script,
    progress: &'a Progress,
    out: Vec<u8>,
    /// Tokens gathered in `out`.
    tokens: u32,
    /// The client has left and the script goes on all the same.
    alone: bool,
}

impl Player<'_> {
    async fn run(mut self) -> Result<(), Gone> {
        let mut at = 0;
        while let Some(step) = self.script.steps.get(at) {
            at += 1;
            match step {
                Step::Send { bytes, tokens } => {
                    self.out.extend_from_slice(bytes);
                    self.tokens += tokens;
                }
                Step::Flush => {
                    self.flush().await?;
                    // A turn for the other side, so that it may see this write alone.
                    tokio::task::yield_now().await;
                }
                Step::Pause(wait) => {
                    self.flush().await?;
                    self.pause(*wait).await?;
                }
                Step::Silence => {
                    self.flush().await?;
                    let Gone = self.conn.gone().await;
                    self.left()?;
                }
                Step::Again(to) => {
                    self.flush().await?;
                    tokio::task::yield_now().await;
                    at = *to;
                }
            }
        }
        self.flush().await?;
        self.progress.ended(self.ending());
        if self.alone { Err(Gone) } else { Ok(()) }
    }

    fn ending(&self) -> Ending {
        match self.script.end {
            _ if self.alone => Ending::ClientGone,
            _ if self.script.whole => Ending::Complete,
            End::Rst => Ending::Rst,
            End::Fin | End::Keep => Ending::Fin,
        }
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        if !self.out.is_empty() && !self.alone {
            self.progress.writing(self.script.status);
            if let Err(Gone) = self.conn.send(&self.out).await {
                self.left()?;
            } else {
                self.progress.wrote(self.out.len());
            }
        }
        self.progress.said(self.tokens, self.alone);
        self.tokens = 0;
        self.out.clear();
        Ok(())
    }

    async fn pause(&mut self, wait: Duration) -> Result<(), Gone> {
        if self.alone {
            sleep(wait).await;
            return Ok(());
        }
        let until = tokio::time::Instant::now() + wait;
        if let Err(Gone) = self.conn.pause(wait).await {
            self.left()?;
            tokio::time::sleep_until(until).await;
        }
        Ok(())
    }

    /// Notes that the client left; only a heedless script goes on.
    fn left(&mut self) -> Result<(), Gone> {
        self.progress.client_gone();
        if self.script.heedless {
            self.alone = true;
            return Ok(());
        }
        self.progress.ended(Ending::ClientGone);
        Err(Gone)
    }
}
