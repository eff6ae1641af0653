//! File descriptors: the process takes as many as it may have (PR-03).
//!
//! A soft limit of 1,024 is there for programs that use `select`; a gateway needs two sockets for each open request. The
//! hard limit is what the operator has set, and stays. The variable of systemd is `LimitNOFILE`, the flag of a container
//! engine `--ulimit nofile`.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one, and says how many descriptors there are; none where there is no limit.
pub(crate) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        // Some systems have a limit of their own below a hard limit that says "none".
        Err(_) => limit.current,
    }
}
