//! Intend: a change is in the log before it is made, or it is not made (G-090).
//!
//! A process that does not write the log hands what it intends on by the spool, and waits until it is entered: how far the writer has
//! read stands beside the lines.

use std::time::Duration;

use evenkeel_api::evidence::Cursor;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    super::{entry::Draft, note::note, sequence::READER},
    AppendError, Audit, State, chain,
};
use crate::reload::Intentions;

/// How often it is looked whether the process that writes the log has entered what was handed on.
const HEARD: Duration = Duration::from_millis(100);

/// What was handed on to the process that writes, and where.
pub(super) struct HandedOn {
    data: Value,
    instance: String,
    n: u64,
}

impl Audit {
    /// Enters what is about to be done, by whichever process writes the log, and returns once it is on disk (AUD-5).
    ///
    /// # Errors
    /// It could not be entered; what was to be done must not be.
    pub fn intend(&self, draft: Draft) -> Result<(), AppendError> {
        match self.append(draft.clone()) {
            Err(AppendError::Standby) => self.hand_on(&draft),
            entered => entered.map(drop),
        }
    }

    /// Notes in the spool what another process has to enter, and waits until it has.
    fn hand_on(&self, draft: &Draft) -> Result<(), AppendError> {
        let data_dir = &self.shared.settings.data_dir;
        let mut handed_on = self.shared.handed_on.lock();
        // What was not entered in time is waited for again, and not noted again.
        let it = match handed_on.take().filter(|it| it.data == draft.data) {
            Some(it) => it,
            None => {
                let data = draft.data.clone();
                let (instance, n) = note(data_dir, draft.time, (&draft.kind, &draft.actor), data.clone())?;
                HandedOn { data, instance, n }
            }
        };
        let folder = data_dir.join("instances").join(&it.instance);
        let mut waited = Duration::ZERO;
        let mut stop = self.shared.stop.lock();
        while waited < self.shared.patience && !*stop {
            if Cursor::load(&folder, READER)?.is_some_and(|read| read.events >= it.n) {
                return Ok(());
            }
            self.shared.stopped.wait_for(&mut stop, HEARD);
            waited += HEARD;
        }
        drop(stop);
        *handed_on = Some(it);
        Err(AppendError::NotHeard(self.shared.patience.as_secs_f32()))
    }
}

impl Intentions for Audit {
    fn down(&self) -> Option<String> {
        match self.state() {
            State::Down(why) => Some(why),
            State::Opening => Some("it is still being read".into()),
            State::Writing { .. } | State::Standby => None,
        }
    }

    fn propose(&self, data: Value) -> Result<(), String> {
        let draft = Draft {
            time: Timestamp::now(),
            kind: "config.proposed".into(),
            // Nobody has ordered it by name: a file was saved, or a process was told to read it again.
            actor: "system:gateway".into(),
            data,
            source: None,
        };
        self.intend(draft).map_err(|error| chain(&error))
    }
}
