//! Rate: whether a stream says as much as one of its path must (F-029).
//!
//! It counts tokens over ten seconds in which somebody waited for them. A token's end is not seen, so it is estimated from
//! the bytes, and high on purpose: what is slow in truth is told a little late, what is not is never told.
//!
//! # Invariants
//! - `PACE-1`: only time in which the upstream was waited for counts: none in which we or the client did not read, and
//!   none in which this process stood still.
//! - `PACE-2`: nothing is judged in the first ten seconds from the first word or thought on, and nobody for a silence,
//!   which has a clock of its own (F-024).
//! - `PACE-3`: a server that gathers tokens and sends many at once is judged by all of them: no sooner than a second after
//!   the first.
//!
//! # When it misleads
//! An upstream behind a proxy that holds a stream back for longer than ten seconds looks slow in between.

use std::time::Duration;

use evenkeel_core::{Nanos, RATE_WINDOW};

use crate::protocol::openai::scan::Volume;

/// How finely time is counted: the core hears of progress as often.
pub(super) const TICK: Duration = Duration::from_millis(250);
/// Ticks that are judged together.
const WINDOW: usize = (RATE_WINDOW / TICK.as_nanos() as Nanos) as usize;
/// Ticks after a word before it is judged.
const SETTLE: u64 = 4;
/// The longest wait that counts as one: whoever waits looks up each tick, so a longer one was ours.
const LONGEST: Nanos = 2 * TICK.as_nanos() as Nanos;
/// Bytes up to which a text is one token, whatever it says; few have longer ones.
const ONE_TOKEN: usize = 16;
/// Bytes of a token, on average, in what has several: fewer than most texts have.
const TOKEN_BYTES: usize = 3;
/// Bytes that a piece of a call costs besides what it says.
const AROUND: usize = 64;

/// What a stream has said of late.
#[derive(Debug)]
pub(super) struct Rate {
    /// Tokens that a window must have; 0 where nothing is asked.
    least: u64,
    /// Tokens, tick by tick.
    said: [u64; WINDOW],
    /// How long it has been waited for since the first word.
    waited: Nanos,
    spoken: bool,
}

impl Rate {
    /// Starts with the least tokens of a window.
    pub(super) fn of(least: u64) -> Self {
        Self { least, said: [0; WINDOW], waited: 0, spoken: false }
    }

    /// Says whether anything is asked.
    pub(super) fn is_asked(&self) -> bool {
        self.least > 0
    }

    /// Counts what an event says.
    pub(super) fn says(&mut self, said: Volume) {
        let tokens = tokens(said);
        self.spoken |= tokens > 0;
        let at = self.tick();
        self.said[slot(at)] += tokens;
    }

    /// Counts a time in which the upstream was waited for; returns what the stream has said in a window that ended in it, where
    /// that is too little.
    pub(super) fn waited(&mut self, wait: Nanos) -> Option<u64> {
        if !self.spoken {
            return None;
        }
        let before = self.tick();
        self.waited += wait.min(LONGEST);
        // At most two: a wait is no longer.
        (before + 1..=self.tick()).fold(None, |slow, at| {
            let said = self.too_little(at);
            self.said[slot(at)] = 0;
            slow.or(said)
        })
    }

    /// Judges the window that ends where this tick begins; returns what was said in it, where that is too little.
    fn too_little(&self, at: u64) -> Option<u64> {
        // The first tick is seldom whole.
        let settled = at.checked_sub(1 + SETTLE).filter(|_| at > WINDOW as u64)?;
        let said = self.said.iter().sum();
        (self.said[slot(settled)] > 0 && said < self.least).then_some(said)
    }

    fn tick(&self) -> u64 {
        self.waited / TICK.as_nanos() as Nanos
    }
}

fn slot(tick: u64) -> usize {
    (tick % WINDOW as u64) as usize
}

/// Estimates the tokens of an event, rather too many than too few.
fn tokens(said: Volume) -> u64 {
    let text = match said.text {
        0 => 0,
        1..=ONE_TOKEN => 1,
        more => more / TOKEN_BYTES,
    };
    let other = match said.bytes - said.text {
        0 => 0,
        bytes => 1 + bytes.saturating_sub(AROUND) / TOKEN_BYTES,
    };
    (text + other) as u64
}

#[cfg(test)]
mod tests {
    use evenkeel_core::least_tokens;

    use super::*;

    const MILLI: Nanos = 1_000_000;
    const WORD: Volume = Volume { bytes: 7, text: 7 };

    /// A stream, and when it was told to be slow.
    struct Stream {
        rate: Rate,
        now: u64,
        told: Option<u64>,
    }

    impl Stream {
        fn new(min_rate: u16) -> Self {
            Self { rate: Rate::of(least_tokens(min_rate)), now: 0, told: None }
        }

        /// Waits, looking up each tick.
        fn wait(&mut self, mut millis: u64) -> &mut Self {
            while millis > 0 {
                let step = millis.min(250);
                (self.now, millis) = (self.now + step, millis - step);
                if let Some(said) = self.rate.waited(step * MILLI) {
                    assert!(said < self.rate.least, "as it will be compared");
                    self.told.get_or_insert(self.now);
                }
            }
            self
        }

        fn say(&mut self, events: u64, said: Volume) -> &mut Self {
            (0..events).for_each(|_| self.rate.says(said));
            self
        }

        /// Says so many events again and again, for a minute; returns when it was told.
        fn each(mut self, millis: u64, (events, said): (u64, Volume)) -> Option<u64> {
            while self.now < 60_000 {
                self.say(events, said).wait(millis);
            }
            self.told
        }
    }

    #[test]
    fn st_16_f_029_one_token_a_second_is_slow_after_ten_seconds_and_two_are_not() {
        assert_eq!(Stream::new(2).each(1_000, (1, WORD)), Some(10_250));
        assert_eq!(Stream::new(2).each(500, (1, WORD)), None);
        assert_eq!(Stream::new(2).each(550, (1, WORD)), Some(10_700), "a little less than that");
        assert_eq!(Stream::new(20).each(100, (1, WORD)), Some(10_300));
        assert_eq!(Stream::new(20).each(50, (1, WORD)), None);
        assert_eq!(Stream::new(0).each(5_000, (1, WORD)), None, "nothing is asked");
        assert!(Stream::new(2).each(4_000, (1, WORD)).is_some(), "far less");
    }

    #[test]
    fn f_029_a_stream_is_not_judged_before_it_has_had_ten_seconds_of_words() {
        let mut late = Stream::new(2);
        late.wait(60_000).say(1, WORD).wait(9_000).say(1, WORD).wait(1_000);
        assert_eq!(late.told, None, "PACE-2: the time to the first word has its own clock");
        late.say(1, WORD).wait(60_000);
        assert_eq!(late.told, Some(70_250), "ten seconds after its first");
    }

    #[test]
    fn f_029_a_silence_is_the_silence_clocks() {
        let mut stream = Stream::new(2);
        for _ in 0..200 {
            stream.say(1, WORD).wait(100);
        }
        stream.wait(60_000);
        assert_eq!(stream.told, None, "PACE-2");
    }

    #[test]
    fn f_029_what_comes_in_bursts_is_judged_by_the_whole_of_them() {
        for (millis, events) in [(2_000, 5), (9_000, 27), (15_000, 40)] {
            assert_eq!(Stream::new(2).each(millis, (events, WORD)), None, "{events} each {millis} ms");
        }
        let sentence = Volume { bytes: 80, text: 80 };
        assert_eq!(Stream::new(2).each(5_000, (1, sentence)), None, "several tokens an event");
        let mut cut = Stream::new(2);
        for _ in 0..5 {
            // The burst comes in two parts, of which the first says next to nothing.
            cut.say(1, WORD).wait(600).say(40, WORD).wait(13_000);
        }
        assert_eq!(cut.told, None, "PACE-3");
    }

    #[test]
    fn f_029_pr_09_time_in_which_nobody_waited_does_not_count() {
        let mut stopped = Stream::new(2);
        for _ in 0..100 {
            // A process that stood still, or a client that did not read: two seconds, seen as one wait.
            stopped.say(1, WORD);
            assert_eq!(stopped.rate.waited(2_000 * MILLI), None, "PACE-1");
        }
        let mut slow = Stream::new(2);
        slow.say(1, WORD);
        assert_eq!(slow.rate.waited(3_600_000 * MILLI), None, "an hour");
    }

    #[test]
    fn f_029_calls_thoughts_and_sound_are_progress() {
        let piece = Volume { bytes: 45, text: 0 };
        assert_eq!((tokens(piece), tokens(Volume::default()), tokens(WORD)), (1, 0, 1));
        assert_eq!(tokens(Volume { bytes: 364, text: 0 }), 101, "a call in one piece");
        assert_eq!(Stream::new(2).each(1_000, (1, piece)), Some(10_250));
        assert_eq!(Stream::new(2).each(1_000, (1, Volume { bytes: 4_000, text: 0 })), None);
    }
}
