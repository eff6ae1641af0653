//! House: one gateway between two mocks, with a route for every run of a row, and what must hold of the process at the end.

use std::{
    cell::Cell,
    fmt::Write as _,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    client::Client,
    process::Process,
    provider::Provider,
    raw::Listener,
    row::{Row, Variant},
};

/// How long the gateway may hold a socket after the last request: idle connections are kept for 4 s (F-032), some ticks
/// more on a busy machine.
const LET_GO: Duration = Duration::from_secs(15);
/// How long a gateway without open requests may take to end; with one it would take the whole drain of 30 s.
pub(crate) const STOP: Duration = Duration::from_secs(8);

/// How often it is looked how late the machine is.
const TICK: Duration = Duration::from_millis(20);

/// The processes of one row.
pub(crate) struct House {
    pub(crate) gateway: Process,
    pub(crate) primary: Provider,
    pub(crate) lower: Provider,
    /// Where clients ask, and where operators look.
    pub(crate) data: std::net::SocketAddr,
    pub(crate) admin: std::net::SocketAddr,
    pub(crate) client: Client,
    pub(crate) folder: TempDir,
    pub(crate) raw: Option<Listener>,
    /// How late this machine has woken the row at most, when it wanted to be woken: what no gateway can be blamed for.
    pub(crate) late: Cell<Duration>,
    /// Requests that the clients of all runs have seen refused before they were admitted.
    pub(crate) refused: Cell<usize>,
    /// The most memory that the gateway had before the first run that asks, in KiB.
    rest: OnceCell<u64>,
    /// Sockets of the gateway before the first request.
    sockets: usize,
}

/// Which run of a row, in which variant and form.
#[derive(Clone, Copy)]
pub(crate) struct Which {
    pub(crate) variant: &'static Variant,
    pub(crate) stream: bool,
    pub(crate) number: usize,
}

impl Which {
    /// Lists all runs of a row.
    pub(crate) fn all(row: &'static Row, runs: usize) -> Vec<Which> {
        let variants = row.variants.iter();
        let forms = variants.flat_map(|variant| row.streams(variant).iter().map(move |stream| (variant, *stream)));
        let which = |(variant, stream)| (0..runs).map(move |number| Which { variant, stream, number });
        forms.flat_map(which).collect()
    }

    /// Returns the name of its route, which is also that of its model.
    pub(crate) fn route(self, row: &Row) -> String {
        let variant = row.variants.iter().position(|it| std::ptr::eq(it, self.variant)).unwrap_or(0);
        format!("{}-{variant}-{}-{}", row.id.to_lowercase(), if self.stream { "s" } else { "p" }, self.number)
    }
}

impl House {
    /// Returns the most memory that the gateway had at rest, in KiB; all runs of a row have one answer.
    pub(crate) async fn rest_kib(&self) -> u64 {
        *self.rest.get_or_init(|| self.gateway.at_rest_kib()).await
    }

    /// Starts the processes of a row, with a route for each of its runs.
    pub(crate) async fn start(row: &'static Row, runs: &[Which]) -> House {
        let folder = tempfile::tempdir().expect("a folder");
        let models = row.setting.onnx.map_or(Vec::new(), |model| {
            let file = crate::catalogue::file(model);
            runs.iter().map(|it| format!("--oip={}={}", it.route(row), file.display())).collect()
        });
        let arguments: Vec<&str> = row.setting.mock.iter().copied().chain(models.iter().map(String::as_str)).collect();
        let (primary, lower) = (Provider::start(&arguments).await, Provider::start(&arguments).await);
        let raw = match row.setting.raw {
            Some(serve) => Some(Listener::start(serve).await),
            None => None,
        };
        let each = runs.iter().map(|it| row.setting.each.replace("MODEL", &it.route(row))).collect::<String>();
        let upstreams = format!("{}{each}", row.setting.upstreams);
        let certificates = crate::catalogue::file("crates/evenkeel/tests/faults/certificates");
        let upstreams = upstreams.replace("CERTIFICATES", &certificates.display().to_string());
        let mut upstreams = upstreams.replace("PRIMARY", &format!("http://{}", primary.models));
        upstreams = upstreams.replace("LOWER", &format!("http://{}", lower.models));
        if let Some(raw) = &raw {
            upstreams = upstreams.replace("RAW", &raw.address.to_string());
        }
        let mut text = format!(
            "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"{}}}\nupstreams:\n{upstreams}routes:\n",
            row.setting.server
        );
        for it in runs {
            let name = it.route(row);
            write!(text, "  {name}:{}", it.variant.route.replace("MODEL", &name)).expect("a String takes all");
        }
        let file = folder.path().join("evenkeel.yaml");
        std::fs::write(&file, text).expect("written");
        let arguments = ["serve", "-c", file.to_str().expect("text")];
        let gateway = match row.setting.files {
            Some(files) => Process::start_with(files, &arguments).await,
            None => Process::start(&arguments).await,
        };
        let (data, admin) = (gateway.address("serves at http://"), gateway.address("admin at http://"));
        let sockets = gateway.sockets();
        House {
            gateway,
            primary,
            lower,
            data,
            admin,
            client: Client::new(),
            folder,
            raw,
            late: Cell::default(),
            refused: Cell::default(),
            rest: OnceCell::new(),
            sockets,
        }
    }

    /// Watches for ever how late the machine is.
    pub(crate) async fn watch(&self) {
        loop {
            let due = Instant::now() + TICK;
            tokio::time::sleep_until(due.into()).await;
            self.late.set(self.late.get().max(due.elapsed()));
        }
    }

    /// Returns the value of a metric, of all its labels together; 0 where it does not stand.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, "").await
    }

    /// Returns the value of a metric, of all series that have a label (`found="busy"`); 0 where none stands.
    pub(crate) async fn metric_of(&self, name: &str, label: &str) -> f64 {
        let text = self.client.send(self.admin, "GET", "/metrics", String::new()).await.text();
        let values = text.lines().filter(|line| line.contains(label)).filter_map(|line| line.strip_prefix(name));
        values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Holds the process against what every row asks: it lives, it lost no record, it lets go of every socket, no task of it
    /// panicked, and it ends at once when it is told to, so that no request is open. Of one that `ends` by its row, only that it is
    /// gone, and without a panic. Returns what is wrong.
    pub(crate) async fn judge(&self, ends: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.gateway.log_text().contains("panicked") {
            wrong.push("a task of the gateway panicked".to_owned());
        }
        if ends {
            // Its numbers are gone with it, and so are its sockets; what it has logged is judged above, and its end by the row.
            if self.gateway.runs().await {
                wrong.push("the gateway is not ended, as the row says that it is".to_owned());
            }
            return wrong;
        }
        if !self.gateway.runs().await {
            wrong.push("the gateway is dead".to_owned());
            return wrong;
        }
        let alive = self.client.send(self.admin, "GET", "/healthz", String::new()).await;
        if alive.status != 200 {
            wrong.push(format!("the gateway is not live: {}", alive.status));
        }
        let lost = self.metric("evenkeel_decisions_lost_total").await;
        if lost > 0.0 {
            wrong.push(format!("{lost} records are lost"));
        }
        if let Err(open) = self.let_go().await {
            wrong.push(format!("{open} sockets are open that were not before the first request"));
        }
        self.gateway.signal("TERM").await;
        match self.gateway.ended(STOP).await {
            (Some(0), _) => {}
            (Some(code), _) => wrong.push(format!("the gateway ended with {code}")),
            (None, _) => wrong.push(format!("a request is open: the gateway did not end within {STOP:?} of SIGTERM")),
        }
        wrong
    }

    /// Waits until the gateway holds no more sockets than at its start, but for those of our own client.
    async fn let_go(&self) -> Result<(), usize> {
        let start = Instant::now();
        loop {
            let ours = own_connections_to(&[self.data.port(), self.admin.port()]);
            let open = self.gateway.sockets().saturating_sub(self.sockets + ours);
            match open {
                0 => return Ok(()),
                _ if start.elapsed() > LET_GO => return Err(open),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// Counts established connections on loopback whose far side is one of these ports.
fn own_connections_to(ports: &[u16]) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let to = |line: &str| {
        let mut fields = line.split_whitespace().skip(2);
        let (remote, state) = (fields.next()?, fields.next()?);
        let port = u16::from_str_radix(remote.rsplit(':').next()?, 16).ok()?;
        (state == "01").then_some(port)
    };
    table.lines().skip(1).filter_map(to).filter(|port| ports.contains(port)).count()
}
