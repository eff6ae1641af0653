//! Readers of the log that read, and one that does not.

use std::{
    io,
    sync::{Arc, mpsc::Sender},
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
