//! Readers of the log that read, and one that does not; and how loud lines are.

use std::{
    io,
    sync::{Arc, mpsc::Sender},
};

use evenkeel_core::Reason;
use tracing::{
    Level, Metadata, Subscriber,
    span::{self, Attributes, Id},
};

use super::*;

/// What a reader has read.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that says when it is asked to read, and then waits for leave.
struct Slow {
    asked: Sender<()>,
    leave: Receiver<()>,
    page: Page,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.asked.send(());
        let _ = self.leave.recv();
        self.page.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_last_lines_are_written_before_the_end() {
    let page = Page::default();
    let log = Log::start(page.clone());
    for line in ["a\n", "b\n", "c\n"] {
        assert!(log.hand_on(line.into()));
    }
    drop(log);
    assert_eq!(page.0.lock().as_slice(), b"a\nb\nc\n", "LOG-2");
}

#[test]
fn a_reader_that_does_not_read_delays_nobody_and_what_found_no_room_is_known() {
    let ((asked, is_asked), (give, leave)) = (channel(), channel());
    let page = Page::default();
    let log = Log::start(Slow { asked, leave, page: page.clone() });
    assert!(log.hand_on("first\n".into()));
    is_asked.recv().expect("the first line is on its way");
    let taken = (0..WAITING + 10).filter(|_| log.hand_on("x\n".into())).count();
    assert_eq!(taken, WAITING, "LOG-1");
    drop(give);
    drop(log);
    assert_eq!(page.0.lock().len(), "first\n".len() + WAITING * "x\n".len(), "what was taken is written");
}

/// Hears how loud lines are.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Level>>>);

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().push(*event.metadata().level());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_transition_is_as_loud_as_its_reason_matters() {
    let ear = Ear::default();
    let it = Transition {
        time: Timestamp::UNIX_EPOCH,
        revision: "sha256:0".into(),
        route: "chat".into(),
        from: 0,
        to: 1,
        reason: "x".into(),
        rule: "breaker".into(),
        path: "primary".into(),
        trip: None,
        episode: "chat-1".into(),
    };
    tracing::subscriber::with_default(ear.clone(), || {
        for reason in [Reason::RecoveryRamp, Reason::Upstream5xx, Reason::AllTiersExhausted] {
            transition(&it, reason.severity());
        }
    });
    assert_eq!(*ear.0.lock(), [Level::INFO, Level::WARN, Level::ERROR]);
}

#[test]
fn a_proposal_warns_and_its_end_does_not() {
    let ear = Ear::default();
    let route = evenkeel_config::load_text("evenkeel.yaml", evenkeel_config::EXAMPLE, std::path::Path::new("."));
    let revision = route.deployment.expect("the example works").revision.clone();
    let it = evenkeel_core::Proposal {
        at: 0,
        revision,
        route: evenkeel_core::RouteId(0),
        start_at: 1,
        stands: true,
        reason: Reason::InputDrift,
        samples: 5_000,
    };
    tracing::subscriber::with_default(ear.clone(), || {
        proposal(&it);
        proposal(&evenkeel_core::Proposal { stands: false, reason: Reason::SignalStale, ..it });
    });
    assert_eq!(*ear.0.lock(), [Level::WARN, Level::INFO]);
}
