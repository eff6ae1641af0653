//! Mailbox: what the core wants of one request, in order, for the one task that carries it out.
//!
//! A channel would do, but it allocates a block of 32 letters for the four or so that a request gets.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Mail;

/// Where the letters of a request are put and taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    letters: Mutex<VecDeque<Mail>>,
    /// Keeps one permit, so that a letter that comes before its reader waits is not overlooked.
    arrived: Notify,
}

impl Mailbox {
    pub(super) fn put(&self, letter: Mail) {
        self.0.letters.lock().push_back(letter);
        self.0.arrived.notify_one();
    }

    /// Takes the next letter, and waits for it where there is none. Only one task may take.
    pub(crate) async fn take(&self) -> Mail {
        loop {
            if let Some(letter) = self.0.letters.lock().pop_front() {
                return letter;
            }
            self.0.arrived.notified().await;
        }
    }
}
