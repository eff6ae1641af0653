//! Clients: they ask, wait, lose patience, and ask again.

use evenkeel_core::{Admit, Features, Input, MILLISECOND, Nanos, Refusal, RequestId, Rows, weight_of_tokens};

use super::{What, World, cached, measured::verdict};

/// Where the place in the table ends in the number of a request.
const PLACES: u32 = 20;

/// A client with one request, through all its retries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    load: u16,
    /// How often it has asked.
    tries: u8,
    pub(super) stream: bool,
    pub(super) tokens: u32,
    needs: Features,
    pure: bool,
    /// What is the same for all that ask the same.
    pub(super) question: Option<u64>,
    /// Pieces of a stream that it has, or would have at its commit, and whose words.
    pub(super) heard: (u32, u32),
}

/// The clients whose request is open.
#[derive(Debug, Default)]
pub(super) struct Clients {
    table: Vec<Option<(RequestId, Client)>>,
    free: Vec<u32>,
    requests: u64,
}

impl Clients {
    /// Takes a client in and numbers its request: the place in the table, under a number that was never used.
    fn add(&mut self, client: Client) -> RequestId {
        self.requests += 1;
        let at = self.free.pop().unwrap_or_else(|| {
            self.table.push(None);
            self.table.len() as u32 - 1
        });
        let request = RequestId(self.requests << PLACES | u64::from(at));
        self.table[at as usize] = Some((request, client));
        request
    }

    /// Returns the client of an open request.
    pub(super) fn find(&self, request: RequestId) -> Option<&Client> {
        let it = self.table.get(place(request))?.as_ref();
        it.filter(|(of, _)| *of == request).map(|(_, client)| client)
    }

    /// Returns the client of an open request, to be changed.
    pub(super) fn find_mut(&mut self, request: RequestId) -> Option<&mut Client> {
        let it = self.table.get_mut(place(request))?.as_mut();
        it.filter(|(of, _)| *of == request).map(|(_, client)| client)
    }

    fn take(&mut self, request: RequestId) -> Option<Client> {
        self.find(request)?;
        self.free.push(place(request) as u32);
        self.table[place(request)].take().map(|(_, client)| client)
    }
}

/// Returns the place of a request in tables of open ones.
pub(crate) fn place(request: RequestId) -> usize {
    (request.0 & ((1 << PLACES) - 1)) as usize
}

/// Returns the number of a request as people count them, from 1.
pub(crate) fn number(request: RequestId) -> u64 {
    request.0 >> PLACES
}

impl World<'_> {
    /// Looks forward to the next request of a load.
    pub(super) fn expect_arrival(&mut self, load: u16) {
        let at = usize::from(load);
        if let Some(next) = self.arrivals[at].next(&self.scenario.workload[at], &mut self.dice[0]) {
            self.queue.add(next, What::Arrival(load));
        }
    }

    /// Lets a request arrive, unless all have.
    pub(super) fn arrive(&mut self, load: u16) {
        let Some(left) = self.left.checked_sub(1) else { return };
        self.left = left;
        self.expect_arrival(load);
        let it = &self.scenario.workload[usize::from(load)];
        let dice = &mut self.dice[1];
        let stream = dice.share(it.streams);
        let tokens = it.prompt.draw(dice.roll()).max(1) as u32;
        self.tally.arrived(self.now, left);
        let wanted = it.needs.iter().filter(|(_, share)| dice.share(*share));
        let needs = wanted.fold(Features::NONE, |all, (needs, _)| all.with(*needs));
        let pure = !dice.share(it.effects);
        let different = Some(u64::from(it.questions)).filter(|questions| *questions > 0);
        let question = different.map(|questions| cached::key(it.route, dice.roll() % questions)).filter(|_| pure);
        self.ask(Client { load, tries: 0, stream, tokens, needs, pure, question, heard: (0, 0) });
    }

    /// Lets a client ask.
    pub(super) fn ask(&mut self, client: Client) {
        let load = &self.scenario.workload[usize::from(client.load)];
        let request = self.clients.add(client);
        let dice = &mut self.dice[1];
        if let Some(patience) = load.patience.filter(|_| dice.share(load.impatient)) {
            // Half to one and a half times as long, so that not all leave at once.
            let waits = patience / 2 + dice.below(patience);
            self.queue.add(self.now + waits.max(1), What::Leave(request));
        }
        let (all, apart) = load.rows;
        let apart = (0..all).filter(|_| dice.share(apart)).count() as u64;
        let rows = Rows { all: all.into(), apart };
        let suspicious = dice.share(load.unlike);
        let admit = Admit {
            request,
            route: load.route,
            operation: load.operations[usize::from(client.stream)],
            deadline: load.deadline,
            entropy: dice.roll(),
            cost: u64::from(client.tokens) * 1_000,
            weight: weight_of_tokens(client.tokens.into(), 0),
            needs: client.needs,
            wants: Default::default(),
            tokens: u64::from(client.tokens),
            max_tier: load.max_tier,
            min_confidence: None,
            pure: client.pure,
            private: false,
            bodies: evenkeel_core::Permille::new(0),
            spent: 0,
            imputed: evenkeel_core::Permille::new(0),
            rows,
            sequence: None,
            cache: self.kept.ask(self.now, request, client.question),
            verdict: verdict(&self.scenario.revision.routes[load.route.index()], suspicious),
        };
        self.tally.asked(client.tokens);
        self.feed(Input::Admit(admit), Some(request));
    }

    /// A client has its answer, whatever it is worth.
    pub(super) fn answered(&mut self, request: RequestId) {
        self.answered = self.clients.find(request).map_or((false, 0), |client| (client.stream, client.tokens));
        self.ballots.close(request);
        self.clients.take(request);
    }

    /// A client is refused: it comes back, if it is one of those.
    pub(super) fn refused(&mut self, request: RequestId, why: Refusal, retry_after: Option<Nanos>) {
        self.ballots.close(request);
        let Some(mut client) = self.clients.take(request) else { return };
        let load = &self.scenario.workload[usize::from(client.load)];
        if why == Refusal::ClientGone || u32::from(client.tries) >= load.retries {
            return;
        }
        client.tries += 1;
        let told = retry_after.filter(|_| load.heeds).unwrap_or(0);
        // A round trip, at least.
        self.queue.add(self.now + load.pause.max(told).max(MILLISECOND), What::Return(client));
    }
}
