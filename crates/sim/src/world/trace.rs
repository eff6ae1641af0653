//! Trace: the last things that went in and came out, in words, for a run that breaks a rule.

use std::collections::VecDeque;

use evenkeel_core::{GateTurn, Input, Nanos, Output, Role};

use super::clients::number;
use crate::report::time;

/// Lines that are kept.
const KEPT: usize = 40;

/// The last lines of a run.
#[derive(Debug, Default)]
pub(crate) struct Trace(VecDeque<String>);

impl Trace {
    fn add(&mut self, now: Nanos, line: &str) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(format!("{:>12}  {line}", time(now)));
    }

    /// Notes an input.
    pub(crate) fn input(&mut self, now: Nanos, input: &Input) {
        self.add(now, &what(input));
    }

    /// Notes an output.
    pub(crate) fn output(&mut self, now: Nanos, output: &Output) {
        self.add(now, &format!("    {}", said(output)));
    }

    /// Returns the lines.
    pub(crate) fn lines(self) -> Vec<String> {
        self.0.into()
    }
}

/// Says in words what came in.
pub(crate) fn what(input: &Input) -> String {
    match input {
        Input::Admit(it) => {
            let (deadline, tier) = (it.deadline.map_or("its route's".into(), time), it.max_tier);
            let most = tier.map_or(String::new(), |tier| format!(", tier {tier} at most"));
            format!("request {} asks for {}, deadline {deadline}{most}", number(it.request), it.operation.name())
        }
        Input::Attempt { attempt, event } => format!("attempt {}: {event:?}", attempt.0),
        Input::Splice { attempt, splice } => format!("attempt {} against what was sent: {splice:?}", attempt.0),
        Input::ClientGone { request } => format!("the client of request {} leaves", number(*request)),
        Input::Landed { request, kept: true } => {
            format!("others may have the answer to request {}", number(*request))
        }
        Input::Landed { request, .. } => format!("nobody else gets the answer to request {}", number(*request)),
        Input::Revision(_) => "a revision is applied".into(),
        Input::Probed { probe, found } => format!("probe {}: {found:?}", probe.0),
        Input::Signal { route, name, value, .. } => format!("{} of route {} is {value}", name.name(), route.0),
        Input::Timeout => "a time of the core has come".into(),
        Input::Drain => "the process stops".into(),
    }
}

/// Says in words what came out.
pub(crate) fn said(output: &Output) -> String {
    match output {
        Output::Start(it) => {
            let (request, tier, replica) = (number(it.request), it.tier, it.replica.0);
            let role = if it.role == Role::Answer { String::new() } else { format!(" to {}", it.role.name()) };
            format!("start attempt {} of request {request}{role} on tier {tier}, replica {replica}", it.attempt.0)
        }
        Output::Shadow(it) => {
            let (request, tier, replica) = (number(it.request), it.tier, it.replica.0);
            format!("copy request {request} as attempt {} to tier {tier}, replica {replica}", it.attempt.0)
        }
        Output::ShadowStop { attempt, why } => format!("stop copy {}: {why:?}", attempt.0),
        Output::Cancel { attempt, why, .. } => format!("cancel attempt {}: {why:?}", attempt.0),
        Output::Commit { request, attempt, .. } => {
            format!("commit request {}: attempt {}", number(*request), attempt.0)
        }
        Output::Keep { request, attempt } => {
            format!("keep of request {} what attempt {} accepts", number(*request), attempt.0)
        }
        Output::Answer { request, source, .. } => format!("answer request {}: {source:?}", number(*request)),
        Output::Refuse { request, why, retry_after, .. } => {
            let after = retry_after.map_or(String::new(), |after| format!(", retry after {}", time(after)));
            format!("refuse request {}: {why:?}{after}", number(*request))
        }
        Output::CancelIgnored { attempt, .. } => format!("attempt {} was cancelled, and goes on", attempt.0),
        Output::Probe(it) => {
            format!("probe {} of replica {} of upstream {}", it.probe.0, it.replica.0, it.upstream.0)
        }
        Output::Breaker(it) => {
            let replica = it.replica.map_or(String::new(), |replica| format!(" replica {}", replica.0));
            let (from, to, rule) = (it.turn.from.name(), it.turn.to.name(), it.turn.rule());
            format!("path {}{replica} for {}: {from} -> {to} by {rule}", it.path.0, it.operation.name())
        }
        Output::Gate(it) => {
            let turn = match it.turn {
                GateTurn::Closed(until) => format!("closed until {}", time(until)),
                GateTurn::Lifted => "lifted".into(),
            };
            format!("gate of the {} of path {}: {turn} by {}", it.gate.name(), it.path.0, it.result.name())
        }
        Output::Transition(it) => {
            format!("tier {} -> {} by {}: {}", it.from, it.to, it.rule.name(), it.reason.name())
        }
        Output::Proposed(it) => {
            let what = if it.stands { "proposed" } else { "no more proposed" };
            format!("tier {} is {what} for route {}: {}", it.start_at, it.route.0, it.reason.name())
        }
        Output::Decision(it) => format!("record of request {}: {}", number(it.request), it.reason.name()),
    }
}
