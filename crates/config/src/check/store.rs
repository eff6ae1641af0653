//! What must hold for `store`.

use super::Checks;
use crate::{
    schema::file::{STORE_OFF, STORE_SQLITE},
    secret::within,
    tree::Key,
};

impl Checks<'_> {
    /// Where decisions are stored.
    pub(super) fn decision_store(&mut self) {
        let (key, written) = (Key::default().field("store"), &self.file.store);
        if [STORE_OFF, STORE_SQLITE].contains(&written.as_str()) || self.report.doubts(&key) {
            return;
        }
        if within(written).is_none() && !written.contains('@') {
            // Nothing in it is secret; it is taken along like one all the same, unless it is empty or has line ends.
            if self.outside.fetch_secret(written).is_err() {
                return self.is_no_store(&key);
            }
        } else {
            self.secret(&key, written);
        }
        let Some(url) = self.outside.known_secret(written) else { return };
        let host = ["postgres://", "postgresql://"].into_iter().find_map(|it| url.reveal().strip_prefix(it));
        if host.is_none_or(str::is_empty) {
            self.is_no_store(&key);
        }
    }

    /// Not what it is: it may be a secret.
    fn is_no_store(&mut self, key: &Key) {
        let message = "it is neither `sqlite` nor `off`, and no address of a PostgreSQL";
        let hint = "write `sqlite`, `off`, or ${env:NAME} for postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        self.error("bad-url", key, message, hint);
    }
}
