//! The traffic: clients that ask at a steady rate, whether or not they are answered, and judge what they get.

use std::{sync::Arc, time::Duration};

use evenkeel_core::{Protocol, Revision};
use evenkeel_gateway::Gateway;
use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    homes,
    summary::{Seen, Tally},
};
use crate::client::{Client, Short};

/// Between two requests of a route.
const EVERY: Duration = Duration::from_millis(20);
/// Rows that one request asks about, at most.
const MOST_ROWS: usize = 4;

/// Traffic on its way.
pub(super) struct Traffic {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Traffic {
    /// Stops asking, and waits for what was asked.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts to ask every route of the revision.
pub(super) fn start(gateway: &Gateway, revision: &Revision, tally: Arc<Mutex<Tally>>, start: Instant) -> Traffic {
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let rows = Arc::new(homes::rows());
    for route in &revision.routes {
        let asker = Asker {
            client: Client::new(gateway.address()),
            route: route.name.clone(),
            rows: (route.protocol == Protocol::Oip).then(|| rows.clone()),
            deadline: Duration::from_nanos(route.deadline),
            tally: tally.clone(),
            start,
        };
        tasks.spawn(ask_on(asker, stopped.clone()));
    }
    Traffic { stop, tasks }
}

#[derive(Clone)]
struct Asker {
    client: Client,
    route: String,
    /// What a route over tensors is asked about.
    rows: Option<Arc<Vec<Vec<f64>>>>,
    deadline: Duration,
    tally: Arc<Mutex<Tally>>,
    start: Instant,
}

async fn ask_on(asker: Asker, mut stopped: watch::Receiver<bool>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut open = JoinSet::new();
    for n in 0u64.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
        while open.try_join_next().is_some() {}
        let asker = asker.clone();
        open.spawn(async move { asker.ask(n).await });
    }
    while open.join_next().await.is_some() {}
}

impl Asker {
    async fn ask(&self, n: u64) {
        let began = Instant::now();
        let answered = match &self.rows {
            Some(rows) => {
                let at = n as usize % (rows.len() - MOST_ROWS);
                self.client.score(&self.route, &rows[at..=at + n as usize % MOST_ROWS]).await
            }
            None => {
                let text = format!("How do I reset my password, part {n}?");
                self.client.chat(&self.route, &text, n.is_multiple_of(2)).await
            }
        };
        let took = began.elapsed();
        let late = (took > self.deadline).then(|| format!("answered after {took:?} of {:?}", self.deadline));
        let (seen, short) = match answered {
            Ok(answered) => (Seen::Answered { tier: answered.tier, late: late.is_some() }, late),
            Err(Short::Truncated(error)) => (Seen::Truncated, Some(format!("{error:#}"))),
            Err(Short::Failed(error)) => (Seen::Failed, Some(format!("{error:#}"))),
        };
        let mut tally = self.tally.lock();
        tally.seen(&self.route, seen, began - self.start, self.start.elapsed());
        if let Some(why) = short {
            tally.fell_short(&self.route, &why);
        }
    }
}
