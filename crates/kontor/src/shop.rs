//! The services of a shop, put together on their databases.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use catalogue::Catalogue;
use contracts::Source;
use customer::Customers;
use notification::Notifications;
use order::Orders;
use payment::PaymentService;
use platform::clock::Clock;
use platform::config::{Credential, Secret};
use platform::db::{Db, PostgresConfig, Sqlite};
use platform::ids::Ids;
use platform::service::{Host, Hosted, Service};
use utoipa_axum::router::OpenApiRouter;
use warehouse::Warehouse;

use crate::Failure;
use crate::config::{Config, Postgres};

/// A whole shop, ready to be run or looked at.
pub struct Shop {
    /// What it was told.
    pub config: Config,
    /// Its time.
    pub clock: Clock,
    /// Its ids.
    pub ids: Ids,
    /// Its one file, if it lives in one.
    pub sqlite: Option<Arc<Sqlite>>,
    /// Products.
    pub catalogue: Arc<Catalogue>,
    /// People.
    pub customers: Arc<Customers>,
    /// Carts and orders.
    pub orders: Arc<Orders>,
    /// Stock and parcels.
    pub warehouse: Arc<Warehouse>,
    /// Money.
    pub payments: Arc<PaymentService>,
    /// Messages.
    pub notifications: Arc<Notifications>,
    hosts: Vec<Arc<dyn Host>>,
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

impl Shop {
    /// The shop of this machine, which nobody else may run meanwhile.
    ///
    /// # Errors
    /// When its data cannot be opened, or another process runs it.
    pub async fn open(config: Config) -> Result<Self, Failure> {
        let place = match &config.data.postgres {
            Some(postgres) => Place::Servers(postgres.clone()),
            None => Place::File(open_file(&config.data.folder, config.data.readers)?),
        };
        Self::assemble(place, config, Clock::system()).await
    }

    /// As [`Shop::open`], but makes none where there is none.
    ///
    /// # Errors
    /// As there, and when there is none.
    pub async fn existing(config: Config) -> Result<Self, Failure> {
        let folder = &config.data.folder;
        if config.data.postgres.is_none() && !folder.join("shop.db").exists() {
            return Err(none_in(folder));
        }
        Self::open(config).await
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
        config.notification.mailbox = Some(std::env::temp_dir().join("kontor-in-memory-mail"));
        Self::assemble(Place::File(Sqlite::in_memory()?), config, Clock::system()).await
    }

    /// Puts the services on their databases, all going by `clock`. Nothing runs yet.
    ///
    /// # Errors
    /// When a database cannot be used or the configuration cannot be right.
    pub async fn assemble(place: Place, mut config: Config, clock: Clock) -> Result<Self, Failure> {
        let left_out = config.complete();
        config.check()?;
        if !left_out.is_empty() {
            let why = "no payment provider is configured (payment.test_provider)";
            tracing::info!(methods = left_out.join(", "), why, "ways to pay that are not offered");
        }
        let ids = Ids::from_system(clock.clone());
        let room = Room { place: &place, clock: &clock, ids: &ids };
        let catalogue =
            Arc::new(Catalogue::new(room.database::<Catalogue>().await?, &config.catalogue));
        let customers = Arc::new(Customers::new(room.database::<Customers>().await?));
        let orders = Arc::new(Orders::new(room.database::<Orders>().await?, config.order.clone())?);
        let warehouse =
            Arc::new(Warehouse::new(room.database::<Warehouse>().await?, config.warehouse.clone()));
        let payments = Arc::new(PaymentService::new(
            room.database::<PaymentService>().await?,
            config.payment.clone(),
        )?);
        let post = config.notification.post(&config.data.folder)?;
        let notifications = Arc::new(Notifications::new(
            room.database::<Notifications>().await?,
            &config.notification,
            post,
        )?);
        let hosts: Vec<Arc<dyn Host>> = vec![
            Hosted::new(Arc::clone(&catalogue)),
            Hosted::new(Arc::clone(&customers)),
            Hosted::new(Arc::clone(&orders)),
            Hosted::new(Arc::clone(&warehouse)),
            Hosted::new(Arc::clone(&payments)),
            Hosted::new(Arc::clone(&notifications)),
        ];
        let sqlite = match place {
            Place::File(sqlite) => Some(sqlite),
            Place::Servers(_) => None,
        };
        Ok(Self {
            config,
            clock,
            ids,
            sqlite,
            catalogue,
            customers,
            orders,
            warehouse,
            payments,
            notifications,
            hosts,
        })
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

    /// The routes of all services, without the prefix they are served under.
    pub fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(catalogue::routes(Arc::clone(&self.catalogue)))
            .merge(customer::routes(Arc::clone(&self.customers)))
            .merge(order::routes(Arc::clone(&self.orders)))
            .merge(warehouse::routes(Arc::clone(&self.warehouse)))
            .merge(payment::routes(Arc::clone(&self.payments)))
            .merge(notification::routes(Arc::clone(&self.notifications)))
    }
}

/// A secret of the shop, made when it is first needed and kept in the data folder.
///
/// # Errors
/// When it cannot be read or kept.
pub fn kept_secret(folder: &Path, name: &str, ids: &Ids) -> Result<Secret, Failure> {
    std::fs::create_dir_all(folder)?;
    Ok(Secret::kept_in(&folder.join(name), ids)?)
}

fn none_in(folder: &Path) -> Failure {
    format!("there is no shop in {}: `kontor run` makes one", folder.display()).into()
}

fn open_file(folder: &Path, readers: usize) -> Result<Arc<Sqlite>, Failure> {
    Sqlite::open(folder, readers).map_err(|error| {
        let hint =
            "is another kontor running on it? Stop that one, or name another folder with --data";
        format!("the shop in {} cannot be opened ({error:?}): {hint}", folder.display()).into()
    })
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
            Place::Servers(Postgres { url, connections }) => {
                let at = PostgresConfig::new(address(url, S::SOURCE), *connections);
                Db::on_postgres(&at, S::SOURCE, S::MIGRATIONS, clock, ids).await?
            }
        })
    }
}

fn address(url: &Credential, source: Source) -> String {
    url.reveal().replace("{service}", source.name())
}

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
