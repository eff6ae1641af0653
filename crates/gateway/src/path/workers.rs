//! Workers: threads of a path's own, so that computing never keeps a request from being carried (TN-14).
//!
//! # Invariants
//! - `WORK-1`: a job that panics costs its own attempt; its thread goes on.
//! - `WORK-2`: a job that nobody waits for any more is not begun, and one that was begun can ask whether somebody still
//!   does. So no more wait than requests are open.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use evenkeel_core::ResultCode;
use parking_lot::Mutex;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that compute; they end with it.
pub(super) struct Workers(Sender<Job>);

impl Workers {
    /// Starts so many threads of a name.
    pub(super) fn start(name: &str, threads: u16) -> Result<Self, String> {
        let (sender, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = jobs.clone();
            let thread = thread::Builder::new().name(name.into());
            thread.spawn(move || work(&jobs)).map_err(|error| format!("a thread cannot be started: {error}"))?;
        }
        Ok(Self(sender))
    }

    /// Computes on one of the threads; a long job asks its argument from time to time whether the answer is still wanted.
    ///
    /// # Errors
    /// It panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        compute: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, ResultCode> {
        let (reply, answer) = oneshot::channel();
        let job = move || {
            if !reply.is_closed()
                && let Ok(answer) = catch_unwind(AssertUnwindSafe(|| compute(&|| !reply.is_closed())))
            {
                let _ = reply.send(answer);
            }
        };
        // A thread lives as long as we do, so that the job is taken; where it panics, the reply is dropped.
        let _ = self.0.send(Box::new(job));
        answer.await.map_err(|_| ResultCode::PathPanic)
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().recv();
        match next {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn tn_14_a_panic_costs_one_attempt_and_the_thread_goes_on() {
        let workers = Workers::start("test", 1).expect("a thread");
        assert_eq!(workers.run(|_| 6 * 7).await, Ok(42));
        let panics = workers.run(|_| -> u8 { panic!("a bug in an operator") }).await;
        assert_eq!(panics, Err(ResultCode::PathPanic), "WORK-1");
        assert_eq!(workers.run(|_| 6 * 7).await, Ok(42), "WORK-1");
    }

    #[tokio::test]
    async fn a_job_that_nobody_waits_for_is_not_begun() {
        let workers = Arc::new(Workers::start("test", 1).expect("a thread"));
        let (release, held) = channel::<()>();
        let (began, is_busy) = oneshot::channel();
        let busy = workers.clone();
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        let first = tokio::spawn(async move {
            let hold = move |_: &dyn Fn() -> bool| {
                let _ = began.send(());
                let _ = held.recv();
            };
            busy.run(hold).await
        });
        is_busy.await.expect("the thread is busy");
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let mut waits = Box::pin(workers.run(move |_| counted.fetch_add(1, Ordering::Relaxed)));
        assert!(futures_poll(&mut waits).is_none(), "it waits for the thread");
        drop(waits);
        drop(release);
        assert_eq!(first.await.expect("no panic"), Ok(()));
        assert_eq!(workers.run(|_| ()).await, Ok(()), "what came before is over");
        assert_eq!(count.load(Ordering::Relaxed), 0, "WORK-2");
    }

    #[tokio::test]
    async fn a_job_that_was_begun_hears_that_nobody_waits_any_more() {
        let workers = Workers::start("test", 1).expect("a thread");
        let (began, is_busy) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let mut waits = Box::pin(workers.run(move |is_wanted| {
            let _ = began.send(is_wanted());
            while is_wanted() {
                thread::yield_now();
            }
            let _ = end.send(());
        }));
        assert!(futures_poll(&mut waits).is_none());
        assert_eq!(is_busy.await, Ok(true), "it is wanted at first");
        drop(waits);
        assert_eq!(ended.await, Ok(()), "WORK-2");
        assert_eq!(workers.run(|_| ()).await, Ok(()), "the thread is free");
    }

    fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
