//! The services of a shop, all of them or some, put together on their databases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use catalogue::Catalogue;
use contracts::Source;
use customer::Customers;
use notification::Notifications;
use order::Orders;
use payment::PaymentService;
use platform::clock::Clock;
use platform::config::Secret;
use platform::db::{self, Db, PostgresConfig, Sqlite};
use platform::ids::Ids;
use platform::keep::Plan;
use platform::service::{Host, Hosted, Service};
use utoipa_axum::router::OpenApiRouter;
use warehouse::Warehouse;

use crate::Failure;
use crate::config::{Config, Postgres};

/// A shop, or the part of one that is in this process, ready to be run or looked at.
pub struct Shop {
    /// What it was told.
    pub config: Config,
    /// Its time.
    pub clock: Clock,
    /// Its ids.
    pub ids: Ids,
    /// Its one file, if it lives in one.
    pub sqlite: Option<Arc<Sqlite>>,
    catalogue: Option<Arc<Catalogue>>,
    hosts: Vec<Arc<dyn Host>>,
    routes: BTreeMap<Source, OpenApiRouter>,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shop")
    }
}

/// Where the services' databases are.
#[derive(Debug)]
pub enum Place {
    /// All in one file, or in memory.
    File(Arc<Sqlite>),
    /// Each on a server.
    Servers(Postgres),
}

impl Place {
    fn file(&self) -> Option<Arc<Sqlite>> {
        match self {
            Self::File(sqlite) => Some(Arc::clone(sqlite)),
            Self::Servers(_) => None,
        }
    }
}

impl Shop {
    /// The shop of this machine, which nobody else may run meanwhile.
    ///
    /// # Errors
    /// When its data cannot be opened, or another process runs it.
    pub async fn open(config: Config) -> Result<Self, Failure> {
        Self::open_part(config, &Source::ALL.into()).await
    }

    /// As [`Shop::open`], with these services alone.
    ///
    /// # Errors
    /// As there.
    pub async fn open_part(config: Config, services: &BTreeSet<Source>) -> Result<Self, Failure> {
        if services.is_empty() {
            return Ok(Self::without_services(config, Clock::system()));
        }
        let place = match &config.data.postgres {
            Some(postgres) => Place::Servers(postgres.clone()),
            None => Place::File(open_file(&config.data.folder, config.data.readers)?),
        };
        Self::assemble_part(services, place, config, Clock::system()).await
    }

    /// As [`Shop::open_part`], but makes none where there is none.
    ///
    /// # Errors
    /// As there, and when there is none.
    pub async fn existing(config: Config, services: &BTreeSet<Source>) -> Result<Self, Failure> {
        let folder = &config.data.folder;
        if config.data.postgres.is_none() && !folder.join("shop.db").exists() {
            return Err(none_in(folder));
        }
        Self::open_part(config, services).await
    }

    /// The shop of this machine, for a look or a small change while it may be running.
    ///
    /// # Errors
    /// When there is none.
    pub async fn beside(config: Config) -> Result<Self, Failure> {
        let folder = &config.data.folder;
        let place = match &config.data.postgres {
            Some(postgres) => Place::Servers(postgres.clone()),
            None => Place::File(Sqlite::beside(folder).map_err(|error| {
                tracing::debug!(?error, "no shop");
                none_in(folder)
            })?),
        };
        Self::assemble(place, config, Clock::system()).await
    }

    /// A shop that is gone when the program ends.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn in_memory() -> Result<Self, Failure> {
        let mut config = Config::default();
        config.notification.mailbox = Some(std::env::temp_dir());
        Self::assemble(Place::File(Sqlite::in_memory()?), config, Clock::system()).await
    }

    /// Puts all services on their databases, all going by `clock`. Nothing runs yet.
    ///
    /// # Errors
    /// When a database cannot be used or the configuration cannot be right.
    pub async fn assemble(place: Place, config: Config, clock: Clock) -> Result<Self, Failure> {
        Self::assemble_part(&Source::ALL.into(), place, config, clock).await
    }

    /// As [`Shop::assemble`], with these services alone.
    ///
    /// # Errors
    /// As there.
    pub async fn assemble_part(
        services: &BTreeSet<Source>,
        place: Place,
        mut config: Config,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let left_out = config.complete();
        config.check()?;
        if !left_out.is_empty() {
            let why = "no payment provider is configured (payment.test_provider)";
            tracing::info!(methods = left_out.join(", "), why, "ways to pay that are not offered");
        }
        let mut shop = Self { sqlite: place.file(), ..Self::without_services(config, clock) };
        for source in services {
            shop.take_in(*source, &place).await?;
        }
        Ok(shop)
    }

    /// Nothing but the configuration, the time and the ids.
    fn without_services(config: Config, clock: Clock) -> Self {
        let ids = Ids::from_system(clock.clone());
        let (sqlite, catalogue) = (None, None);
        let (hosts, routes) = (Vec::new(), BTreeMap::new());
        Self { config, clock, ids, sqlite, catalogue, hosts, routes }
    }

    /// Puts one service on its database.
    async fn take_in(&mut self, source: Source, place: &Place) -> Result<(), Failure> {
        let room = Room { place, clock: &self.clock, ids: &self.ids };
        let config = &self.config;
        match source {
            Source::Catalogue => {
                let db = room.database::<Catalogue>().await?;
                let redis = config.redis.as_ref().map(|redis| redis.connect()).transpose()?;
                let catalogue = Arc::new(Catalogue::new(db, &config.catalogue, redis));
                self.catalogue = Some(Arc::clone(&catalogue));
                self.add(&catalogue, catalogue::routes);
            }
            Source::Customer => {
                let db = room.database::<Customers>().await?;
                self.add(&Arc::new(Customers::new(db)), customer::routes);
            }
            Source::Order => {
                let db = room.database::<Orders>().await?;
                let orders = Orders::new(db, config.order.clone())?;
                self.add(&Arc::new(orders), order::routes);
            }
            Source::Warehouse => {
                let db = room.database::<Warehouse>().await?;
                let redis = config.redis.as_ref().map(|redis| redis.connect()).transpose()?;
                let warehouse = Warehouse::new(db, config.warehouse.clone(), redis);
                self.add(&Arc::new(warehouse), warehouse::routes);
            }
            Source::Payment => {
                let db = room.database::<PaymentService>().await?;
                let payments = PaymentService::new(db, config.payment.clone())?;
                self.add(&Arc::new(payments), payment::routes);
            }
            Source::Notification => {
                let db = room.database::<Notifications>().await?;
                let post = config.notification.post(&config.data.folder)?;
                let notifications = Notifications::new(db, &config.notification, post)?;
                self.add(&Arc::new(notifications), notification::routes);
            }
        }
        Ok(())
    }

    fn add<S: Service>(&mut self, service: &Arc<S>, routes: impl Fn(Arc<S>) -> OpenApiRouter) {
        self.hosts.push(Hosted::new(Arc::clone(service)));
        self.routes.insert(S::SOURCE, routes(Arc::clone(service)));
    }

    /// Ends the use of the shop's file as it should end.
    pub fn close(&self) {
        if let Some(sqlite) = &self.sqlite {
            sqlite.close();
        }
    }

    /// The services with the kernel around them.
    pub fn hosts(&self) -> &[Arc<dyn Host>] {
        &self.hosts
    }

    /// The catalogue.
    ///
    /// # Errors
    /// A sentence that says so, when it is not here.
    pub fn catalogue(&self) -> Result<&Arc<Catalogue>, Failure> {
        self.catalogue.as_ref().ok_or_else(|| not_here(Source::Catalogue))
    }

    /// The database of a service.
    ///
    /// # Errors
    /// A sentence that says so, when it is not here.
    pub fn database(&self, source: Source) -> Result<&Db, Failure> {
        let host = self.hosts.iter().find(|host| host.source() == source);
        host.map(|host| host.db()).ok_or_else(|| not_here(source))
    }

    /// The routes of all services here, without the prefix they are served under.
    pub fn routes(&self) -> OpenApiRouter {
        self.routes.values().cloned().fold(OpenApiRouter::new(), OpenApiRouter::merge)
    }

    /// The routes of each service here, without the prefix they are served under.
    pub fn routes_by_service(&self) -> &BTreeMap<Source, OpenApiRouter> {
        &self.routes
    }
}

fn not_here(source: Source) -> Failure {
    format!("the {source} service does not run in this process").into()
}

/// A secret of the shop, made when it is first needed and kept in the data folder.
///
/// # Errors
/// When it cannot be read or kept.
pub fn kept_secret(folder: &Path, name: &str, ids: &Ids) -> Result<Secret, Failure> {
    std::fs::create_dir_all(folder)?;
    Ok(Secret::kept_in(&folder.join(name), ids)?)
}

pub(crate) fn none_in(folder: &Path) -> Failure {
    format!("there is no shop in {}: `kontor run` makes one", folder.display()).into()
}

fn open_file(folder: &Path, readers: usize) -> Result<Arc<Sqlite>, Failure> {
    Sqlite::open(folder, readers).map_err(in_use)
}

/// Says what to do where another process has the shop.
pub(crate) fn in_use(error: db::Error) -> Failure {
    if matches!(error, db::Error::InUse(_)) {
        return format!("{error}: stop that one, or name another folder with --data").into();
    }
    error.into()
}

/// Gives each service its database.
struct Room<'a> {
    place: &'a Place,
    clock: &'a Clock,
    ids: &'a Ids,
}

impl Room<'_> {
    async fn database<S: Service>(&self) -> Result<Db, Failure> {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        Ok(match self.place {
            Place::File(sqlite) => Db::on_sqlite(sqlite, S::SOURCE, S::MIGRATIONS, clock, ids)?,
            Place::Servers(postgres) => {
                let at = database_of(postgres, S::SOURCE);
                Db::on_postgres(&at, S::SOURCE, S::MIGRATIONS, clock, ids).await?
            }
        })
    }
}

/// Where the database of a service is.
pub fn database_of(postgres: &Postgres, source: Source) -> PostgresConfig {
    let Postgres { url, connections, ca } = postgres;
    let url = url.reveal().replace("{service}", source.name());
    PostgresConfig { url, connections: *connections, ca: ca.clone() }
}

/// What must be known of each service in order to copy its data.
pub const PLANS: [Plan; 6] = [
    Plan::of::<Catalogue>(),
    Plan::of::<Customers>(),
    Plan::of::<Orders>(),
    Plan::of::<Warehouse>(),
    Plan::of::<PaymentService>(),
    Plan::of::<Notifications>(),
];

/// The events that nobody in this shop reacts to, and the reactions to what nobody says.
pub fn loose_ends(hosts: &[Arc<dyn Host>]) -> (Vec<&'static str>, Vec<&'static str>) {
    let mut said: BTreeMap<&'static str, bool> = BTreeMap::new();
    for host in hosts {
        said.extend(host.publishes().iter().map(|kind| (kind.name, false)));
    }
    let mut to_nothing = Vec::new();
    for reaction in hosts.iter().flat_map(|host| host.reactions()) {
        match said.get_mut(reaction.on.name) {
            Some(heard) => *heard = true,
            None => to_nothing.push(reaction.on.name),
        }
    }
    let unheard = said.into_iter().filter(|(_, heard)| !heard).map(|(name, _)| name).collect();
    (unheard, to_nothing)
}
