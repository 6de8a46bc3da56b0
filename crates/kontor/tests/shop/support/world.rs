//! A whole shop in this process: six services on their databases, the public listener, the test
//! provider as a server of its own, a mailbox, and a clock that the test can move.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use bench::ports::free_address;
use contracts::{Source, Timestamp};
use kontor::config::{Config, Postgres};
use kontor::shop::{Place, Shop};
use platform::bus::Bus;
use platform::clock::Clock;
use platform::config::Credential;
use platform::db::Sqlite;
use platform::http::{HttpContext, Limits, serve};
use platform::ids::Ids;
use platform::service::{Runtime, RuntimeConfig};
use platform::tasks::Tasks;
use platform::testing::NOON;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::program::Running;
use super::provider;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the data lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file for all services, on disk.
    Sqlite,
    /// A server, with one database for all services: quicker to make than six.
    Postgres,
    /// A server, with a database for each service.
    PostgresApart,
    /// Separate processes on PostgreSQL, NATS and Redis, two of each service. Their time is the machine's.
    Processes,
}

/// A running shop.
pub struct World {
    /// Its services.
    pub shop: Arc<Shop>,
    /// What the public listener answers.
    pub app: Router,
    /// Where the public listener is; of processes, that of the first gateway.
    pub address: SocketAddr,
    /// Where the test provider is.
    pub provider: SocketAddr,
    /// Its time.
    pub time: Time,
    pub(super) at_provider: Mutex<Option<TcpListener>>,
    pub(super) folder: TempDir,
    pub(super) tasks: Tasks,
    /// What runs elsewhere; the gateways are the last.
    pub(super) processes: Vec<Running>,
}

/// The shop's time: it goes on a little by itself, and leaps when told to.
#[derive(Clone)]
pub struct Time {
    clock: Clock,
    turn: Arc<Mutex<()>>,
}

impl Time {
    fn new() -> Self {
        Self::of(Clock::standing_at(NOON))
    }

    pub(super) fn of(clock: Clock) -> Self {
        Self { clock, turn: Arc::default() }
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn pass(&self, span: Duration) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.clock.set(self.clock.now().plus(span));
    }
}

impl World {
    /// A shop as it comes, open and stocked.
    pub async fn open(engine: Engine) -> Self {
        Self::open_with(engine, |_| {}).await
    }

    /// A shop with a configuration of its own.
    pub async fn open_with(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        let world = Self::open_before_the_provider(engine, change).await;
        world.start_provider();
        world
    }

    /// A shop whose payment provider lets everybody wait until it is started.
    pub async fn open_before_the_provider(
        engine: Engine,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, provider) = (free_address(), free_address());
        let postgres = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(databases("").await),
            Engine::PostgresApart | Engine::Processes => Some(databases("_{service}").await),
        };
        let mut config = configured(folder.path(), postgres, address, provider);
        change(&mut config);
        let world = if engine == Engine::Processes {
            Self::apart(folder, config, address, provider).await
        } else {
            Self::start(folder, config, Time::new(), address, provider).await
        };
        world.fill().await;
        world
    }

    /// The shop that is in this folder or on these servers, open again at this time.
    pub async fn reopen(folder: TempDir, postgres: Option<Postgres>, at: Timestamp) -> Self {
        let (address, provider) = (free_address(), free_address());
        let config = configured(folder.path(), postgres, address, provider);
        let time = Time { clock: Clock::standing_at(at), turn: Arc::default() };
        let world = Self::start(folder, config, time, address, provider).await;
        world.start_provider();
        world
    }

    /// Starts a shop on what there is.
    async fn start(
        folder: TempDir,
        config: Config,
        time: Time,
        address: SocketAddr,
        provider: SocketAddr,
    ) -> Self {
        let place = match &config.data.postgres {
            None => Place::File(open_file(folder.path()).await),
            Some(servers) => Place::Servers(servers.clone()),
        };
        let listener = TcpListener::bind(address).await.unwrap();
        let at_provider = Mutex::new(Some(TcpListener::bind(provider).await.unwrap()));
        let tasks = Tasks::new();
        let shop = Arc::new(Shop::assemble(place, config, time.clock.clone()).await.unwrap());
        Runtime::start(shop.hosts(), &Bus::Inside, RuntimeConfig::default(), &tasks);
        tick(&time, &tasks);
        let app = site(&shop, &time.clock, &tasks);
        let (public, stopping) = (app.clone(), tasks.stopping().clone());
        tasks.spawn("public listener", async move {
            serve(listener, public, &Limits::default(), stopping).await;
        });
        let processes = Vec::new();
        Self { shop, app, address, provider, time, at_provider, folder, tasks, processes }
    }

    /// Stops in the middle of whatever is under way, and starts again on what is left.
    pub async fn restart(self) -> Self {
        let (address, provider, time) = (self.address, self.provider, self.time.clone());
        let config = self.shop.config.clone();
        let folder = self.stop().await;
        let world = Self::start(folder, config, time, address, provider).await;
        world.start_provider();
        world
    }

    /// Another process that runs all services on the same databases; it answers nobody.
    pub async fn run_another(&self) {
        let config = self.shop.config.clone();
        let servers = config.data.postgres.clone().expect("a file is run by one process");
        let clock = self.time.clock.clone();
        let other = Shop::assemble(Place::Servers(servers), config, clock).await.unwrap();
        Runtime::start(other.hosts(), &Bus::Inside, RuntimeConfig::default(), &self.tasks);
    }

    /// Starts the payment provider: who has been waiting is served now.
    pub fn start_provider(&self) {
        let listener = self.at_provider.lock().unwrap().take().expect("it runs already");
        provider::start(listener, self.address, self.folder(), &self.time.clock, &self.tasks);
    }

    /// Puts a few products on sale and receives ten pieces of each.
    async fn fill(&self) {
        let lines = [
            product("A", "Red candle", 1_000, "standard", true),
            product("B", "Tea, second flush", 799, "reduced", true),
            product("C", "A book", 1_290, "books", true),
            product("FREE", "A leaflet", 0, "standard", false),
            product("FILE", "A pattern to print", 450, "standard", false),
        ];
        self.import(lines).await;
        for sku in ["A", "B", "C"] {
            self.receive(sku, 10).await;
        }
        self.until_on_sale(&["A", "B", "C", "FREE", "FILE"], "EUR").await;
    }

    /// Imports products and puts them on sale.
    pub async fn import(&self, products: impl IntoIterator<Item = Value>) {
        let lines: Vec<String> = products.into_iter().map(|line| line.to_string()).collect();
        let import = self.post("/products/import").staff("catalogue");
        let import = import.header("content-type", "application/x-ndjson").text(lines.join("\n"));
        let report = import.send().await.expect(200);
        assert_eq!(report["refused"], 0, "{report}");
    }

    /// Waits until all these units are on sale: until the order service has heard of each. News of
    /// different products comes in any order.
    pub async fn until_on_sale(&self, skus: &[impl AsRef<str>], currency: &str) {
        let line = |sku: &str| json!({ "sku": sku, "quantity": 1 });
        let lines: Vec<Value> = skus.iter().map(|sku| line(sku.as_ref())).collect();
        let body = json!({ "lines": lines, "currency": currency });
        self.until("they are on sale", async || {
            let answer = self.post("/carts").json(body.clone()).send().await;
            (answer.status == 201).then_some(())
        })
        .await;
    }

    /// Where mails are put.
    pub fn mailbox(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until `look` finds something.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let real = Clock::system();
        let limit = real.now().plus(PATIENCE);
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(real.now() < limit, "waited in vain until {what}");
            real.sleep(Duration::from_millis(4)).await;
        }
    }

    /// Waits until looking finds what is wanted.
    pub async fn until_eq<T: PartialEq + Debug>(&self, look: impl AsyncFn() -> T, wanted: T) {
        let last = Mutex::new(None);
        let found = self.until_or_not(async || {
            let now = look().await;
            let found = now == wanted;
            *last.lock().unwrap() = Some(now);
            found
        });
        assert!(found.await, "waited in vain for {wanted:?}, got {:?}", last.lock().unwrap());
    }

    async fn until_or_not(&self, look: impl AsyncFn() -> bool) -> bool {
        let real = Clock::system();
        let limit = real.now().plus(PATIENCE);
        while real.now() < limit {
            if look().await {
                return true;
            }
            real.sleep(Duration::from_millis(4)).await;
        }
        false
    }

    /// Waits until nothing is under way, and sees that every promise is kept.
    pub async fn rests(&self) {
        let broken = Mutex::new(Vec::new());
        let kept = self.until_or_not(async || {
            let found = kontor::doctor::examine(&self.shop, true).await.unwrap();
            *broken.lock().unwrap() = found;
            broken.lock().unwrap().is_empty()
        });
        assert!(kept.await, "not at rest: {:#?}", broken.lock().unwrap());
    }

    /// Comes to rest with every promise kept, and stops.
    pub async fn close(self) {
        self.rests().await;
        self.stop().await;
    }

    /// Stops, whatever is under way; answers the data folder.
    pub async fn stop(self) -> TempDir {
        // The gateways first, so that nobody is sent to a service that is gone; then all at once.
        for running in self.processes.iter().rev() {
            running.terminate();
        }
        for running in self.processes.into_iter().rev() {
            assert_eq!(running.stop().await.code(), Some(0));
        }
        tokio::time::timeout(PATIENCE, self.tasks.stop()).await.expect("it does not stop");
        self.shop.close();
        self.folder
    }
}

fn configured(
    folder: &Path,
    postgres: Option<Postgres>,
    address: SocketAddr,
    provider: SocketAddr,
) -> Config {
    let mut config = Config::default();
    config.data.folder = folder.to_owned();
    config.data.postgres = postgres;
    config.http.public_url = Some(format!("http://{address}"));
    config.payment.test_provider = Some(provider::told(provider));
    config.payment.bank = Some(payment::config::BankAccount {
        holder: "Tea & Sons".to_owned(),
        iban: "DE02120300000000202051".to_owned(),
        bic: None,
    });
    config.notification.mailbox = Some(folder.join("mail"));
    config.order.payment_methods.push(order::config::PaymentMethod {
        code: "card_single".to_owned(),
        name: "Card, one charge".to_owned(),
        terms: contracts::events::PaymentTerms::Prepaid,
    });
    config
}

/// A product with one unit of the same name, as a line of an import.
pub fn product(sku: &str, name: &str, price_minor: i64, tax_class: &str, ships: bool) -> Value {
    json!({
        "handle": sku.to_lowercase(),
        "name": name,
        "variants": [{
            "sku": sku, "tax_class": tax_class, "weight_g": 200, "requires_shipping": ships,
            "prices": [{ "price": { "amount_minor": price_minor, "currency": "EUR" } }],
        }],
    })
}

/// The shop's file, as soon as whoever had it before has let it go.
async fn open_file(folder: &Path) -> Arc<Sqlite> {
    let real = Clock::system();
    let limit = real.now().plus(PATIENCE);
    loop {
        match Sqlite::open(folder, 2) {
            Ok(file) => return file,
            Err(error) => assert!(real.now() < limit, "{error:?}"),
        }
        real.sleep(Duration::from_millis(4)).await;
    }
}

/// Time goes on, twice as fast as outside: what retries gets its turn.
fn tick(time: &Time, tasks: &Tasks) {
    let (time, stopping) = (time.clone(), tasks.stopping().clone());
    tasks.spawn("time", async move {
        while !stopping.is_cancelled() {
            Clock::system().sleep(Duration::from_millis(10)).await;
            time.pass(Duration::from_millis(20));
        }
    });
}

fn site(shop: &Arc<Shop>, clock: &Clock, tasks: &Tasks) -> Router {
    let settings = HttpContext::test_settings(Limits::default());
    let stopping = tasks.stopping().clone();
    let context = HttpContext::new(settings, shop.ids.clone(), clock.clone(), stopping);
    kontor::site::site(shop.routes(), context, &shop.config).unwrap()
}

/// Fresh databases on the server of `DATABASE_URL`, as many as `service` tells apart.
pub async fn databases(service: &str) -> Postgres {
    let client = server().await;
    let shop = Ids::from_system(Clock::system()).uuid().simple().to_string();
    let name =
        |source: Source| format!("test_{shop}{}", service.replace("{service}", source.name()));
    let names: BTreeSet<String> = Source::ALL.into_iter().map(name).collect();
    for name in names {
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    }
    let server = server_url();
    let (server, options) = server.split_once('?').unwrap_or((&server, ""));
    let (address, _) = server.rsplit_once('/').unwrap();
    let url = format!("{address}/test_{shop}{service}?{options}");
    Postgres { url: Credential::new(url.trim_end_matches('?')), connections: 6, ca: None }
}

fn server_url() -> String {
    std::env::var("DATABASE_URL")
        .expect("set DATABASE_URL, or run this under scripts/with-postgres")
}

/// A connection to the server of `DATABASE_URL`.
pub async fn server() -> tokio_postgres::Client {
    let (client, connection) =
        tokio_postgres::connect(&server_url(), tokio_postgres::NoTls).await.unwrap();
    platform::tasks::spawn("test connection", async move { drop(connection.await) });
    client
}
