//! Rooms: work at once at a server stays within what an operator said, and what was cancelled counts until it is seen closed
//! (F-081, F-172).

use std::collections::BTreeMap;

use evenkeel_core::{AttemptId, Core, LimitPolicy, Path, Revision, Start, Where};

use super::Broken;

/// What is in flight, by model and server.
#[derive(Debug)]
pub(super) struct Rooms {
    /// By path: the room of its first replica among all rooms; none for work in this process.
    of: Vec<Option<usize>>,
    /// By path: what it adds to the weight of a request, and the most that one weighs there, where its window is declared (F-080).
    weighs: Vec<(u64, u64)>,
    rooms: Vec<Room>,
    flights: BTreeMap<AttemptId, (usize, u64)>,
    in_flight: u64,
}

#[derive(Clone, Copy, Debug)]
struct Room {
    limit: LimitPolicy,
    used: u64,
}

impl Rooms {
    pub(super) fn new(revision: &Revision) -> Self {
        let (mut known, mut rooms, mut of) = (BTreeMap::new(), Vec::new(), Vec::new());
        for path in &revision.paths {
            let Where::Remote(upstream) = path.place else {
                of.push(None);
                continue;
            };
            of.push(Some(*known.entry((upstream, path.model.clone())).or_insert_with(|| {
                let first = rooms.len();
                let replicas = revision.upstreams[upstream.index()].replicas.len();
                rooms.extend(vec![Room { limit: path.limit, used: 0 }; replicas]);
                first
            })));
        }
        let window = |context: u64| (context / 1_024).max(1);
        let weighs = |path: &Path| (path.added.most / 1_024, path.context.map_or(u64::MAX, window));
        let weighs = revision.paths.iter().map(weighs).collect();
        Self { of, weighs, rooms, flights: BTreeMap::new(), in_flight: 0 }
    }

    /// Judges a start: nothing but one single attempt may exceed what was said.
    pub(super) fn started(&mut self, start: &Start, weight: u64) -> Result<(), Broken> {
        let Some(first) = self.of[start.path.index()] else { return Ok(()) };
        let weight = self.weight(start, weight);
        let at = first + start.replica.index();
        let room = &mut self.rooms[at];
        let alone = room.used == 0;
        room.used += weight;
        self.in_flight += weight;
        self.flights.insert(start.attempt, (at, weight));
        match room.limit {
            LimitPolicy::Fixed(limit) if room.used > limit && !alone => {
                let what = format!("{} is in flight at a server with room for {limit}", room.used);
                Err(("F-081", Some(start.request), what))
            }
            _ => Ok(()),
        }
    }

    fn weight(&self, start: &Start, weight: u64) -> u64 {
        let (added, most) = self.weighs[start.path.index()];
        (weight + added).min(most)
    }

    /// Judges a copy: it leaves half of what was said to requests (F-151).
    pub(super) fn copied(&mut self, start: &Start, weight: u64) -> Result<(), Broken> {
        self.started(start, weight)?;
        let Some(first) = self.of[start.path.index()] else { return Ok(()) };
        let room = self.rooms[first + start.replica.index()];
        let alone = room.used == self.weight(start, weight);
        match room.limit {
            LimitPolicy::Fixed(limit) if room.used > limit / 2 && !alone => {
                let what = format!("a copy takes the room for {limit} to {}", room.used);
                Err(("F-151", Some(start.request), what))
            }
            _ => Ok(()),
        }
    }

    /// Notes that an attempt has ended, or is seen closed, or is given up.
    pub(super) fn left(&mut self, attempt: AttemptId) {
        if let Some((at, weight)) = self.flights.remove(&attempt) {
            self.rooms[at].used -= weight;
            self.in_flight -= weight;
        }
    }

    /// Judges that the core counts what there is, and nothing else.
    pub(super) fn balance(&self, core: &Core) -> Result<(), Broken> {
        match core.in_flight() {
            found if found == self.in_flight => Ok(()),
            found => Err(("F-172", None, format!("{} is in flight, the core counts {found}", self.in_flight))),
        }
    }
}
