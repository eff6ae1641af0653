//! Queue: what waits for threads of a path's own, bounded, first come, first served.
//!
//! # Invariants
//! - `QUEUE-1`: no more wait than the bound; those that nobody waits for any more do not count.
//! - `QUEUE-2`: the threads end once their crew is dropped, each after what it computes.

use std::{collections::VecDeque, sync::Arc, thread};

use parking_lot::{Condvar, Mutex};

/// What is computed for somebody.
pub(super) trait Job: Send + 'static {
    /// Says whether the answer is still wanted.
    fn is_wanted(&self) -> bool;
}

/// What waits.
pub(super) struct Queue<J> {
    waiting: Mutex<Waiting<J>>,
    news: Condvar,
    most: usize,
}

struct Waiting<J> {
    jobs: VecDeque<J>,
    is_over: bool,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<J: Job> Queue<J> {
    pub(super) fn new(most: usize) -> Self {
        Self { waiting: Mutex::new(Waiting { jobs: VecDeque::new(), is_over: false }), news: Condvar::new(), most }
    }

    /// Puts a job behind the others.
    pub(super) fn put(&self, job: J) -> Result<(), Full> {
        let mut waiting = self.waiting.lock();
        if waiting.jobs.len() >= self.most {
            waiting.jobs.retain(Job::is_wanted);
        }
        if waiting.jobs.len() >= self.most {
            return Err(Full);
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.news.notify_one();
        Ok(())
    }

    /// Waits for the next job that somebody wants; none once all is over.
    pub(super) fn next(&self) -> Option<J> {
        let mut waiting = self.waiting.lock();
        loop {
            match waiting.jobs.pop_front() {
                Some(job) if job.is_wanted() => return Some(job),
                Some(_) => {}
                None if waiting.is_over => return None,
                None => self.news.wait(&mut waiting),
            }
        }
    }

    /// Takes the next job, where one waits and it fits; waits for none.
    pub(super) fn next_if(&self, fits: impl FnOnce(&J) -> bool) -> Option<J> {
        let mut waiting = self.waiting.lock();
        while waiting.jobs.front().is_some_and(|it| !it.is_wanted()) {
            waiting.jobs.pop_front();
        }
        if waiting.jobs.front().is_some_and(fits) { waiting.jobs.pop_front() } else { None }
    }
}

/// Threads that work off a queue; they end with it.
pub(super) struct Crew<J: Job>(Arc<Queue<J>>);

impl<J: Job> Crew<J> {
    /// Starts so many threads of a name, for which so many jobs may wait.
    pub(super) fn start(
        name: &str,
        (threads, most): (u16, usize),
        work: impl Fn(J, &Queue<J>) + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let (crew, work) = (Self(Arc::new(Queue::new(most))), Arc::new(work));
        for _ in 0..threads {
            let (queue, work) = (crew.0.clone(), work.clone());
            let work = move || {
                while let Some(job) = queue.next() {
                    work(job, &queue);
                }
            };
            let thread = thread::Builder::new().name(name.into());
            thread.spawn(work).map_err(|error| format!("a thread cannot be started: {error}"))?;
        }
        Ok(crew)
    }

    /// Puts a job behind the others.
    pub(super) fn put(&self, job: J) -> Result<(), Full> {
        self.0.put(job)
    }
}

impl<J: Job> Drop for Crew<J> {
    fn drop(&mut self) {
        self.0.waiting.lock().is_over = true;
        self.0.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    };

    use super::*;

    struct Number(u32, Arc<AtomicBool>);

    impl Job for Number {
        fn is_wanted(&self) -> bool {
            self.1.load(Ordering::Relaxed)
        }
    }

    fn number(it: u32) -> Number {
        Number(it, Arc::new(AtomicBool::new(true)))
    }

    #[test]
    fn queue_1_no_more_wait_than_the_bound_and_what_nobody_wants_makes_room() {
        let queue = Queue::new(2);
        let (first, second) = (number(1), number(2));
        let gone = first.1.clone();
        assert_eq!([queue.put(first), queue.put(second), queue.put(number(3))], [Ok(()), Ok(()), Err(Full)]);
        gone.store(false, Ordering::Relaxed);
        assert_eq!([queue.put(number(4)), queue.put(number(5))], [Ok(()), Err(Full)]);
        assert_eq!(queue.next_if(|it| it.0 == 4).map(|it| it.0), None, "in their order");
        assert_eq!(queue.next_if(|it| it.0 == 2).map(|it| it.0), Some(2));
        assert_eq!(queue.next().map(|it| it.0), Some(4));
    }

    #[test]
    fn queue_2_threads_end_with_their_crew_after_what_waits() {
        let (said, heard) = channel();
        let crew = Crew::start("test", (2, 8), move |it: Number, _: &Queue<Number>| {
            let _ = said.send(it.0);
        });
        let crew = crew.expect("threads");
        (0..5).for_each(|it| assert_eq!(crew.put(number(it)), Ok(())));
        drop(crew);
        let mut all: Vec<u32> = heard.iter().collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4], "the sender went with the last thread");
    }
}
