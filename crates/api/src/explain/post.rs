//! What the steps of the route did to answers.

use super::counted;
use crate::decision::{Decision, Posted};

pub(super) fn lines(it: &Decision) -> Vec<String> {
    it.post.iter().map(line).collect()
}

fn line(it: &Posted) -> String {
    let of = it.output.as_ref().map(|output| format!(" of `{output}`")).unwrap_or_default();
    let whose = format!("{}: `post[{}].{}`{of}", it.path, it.step, it.name);
    if it.failed {
        return format!("{whose} did not let the answer pass.");
    }
    let part = it.part.as_deref().unwrap_or_default();
    let times = it.changes;
    let done = match (it.name.as_str(), part) {
        ("allow", "passed") => format!("let {} pass that is not in its list", counted(times, "label")),
        ("json", "passed") => format!("let {} pass that is not what its schema wants", counted(times, "text")),
        ("clamp", _) => format!("brought {} within bounds", counted(times, "number")),
        ("round", _) => format!("rounded {}", counted(times, "number")),
        ("allow", _) => format!("wrote {} as the list has it", counted(times, "label")),
        ("redact", pattern) => format!("hid {}: {pattern}", counted(times, "place")),
        ("strip", "control") => format!("removed {} that nobody sees", counted(times, "character")),
        ("strip", "markup") => format!("removed {}", counted(times, "tag")),
        ("max_length", _) => format!("cut {}", counted(times, "text")),
        ("json", "around") => "took the JSON out of the words around it".to_owned(),
        ("json", "syntax") => format!("mended {} of syntax", counted(times, "slip")),
        ("json", "twice") => format!("kept the last of {} that stood twice", counted(times, "key")),
        ("json", "type") => format!("converted {}", counted(times, "value")),
        ("json", "unknown") => format!("removed {}", counted(times, "unknown field")),
        ("json", "default") => format!("added {}", counted(times, "missing default")),
        (_, part) => format!("changed {} ({part})", counted(times, "place")),
    };
    format!("{whose} {done}.")
}
