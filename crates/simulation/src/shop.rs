//! The process: everything that is gone when it dies. Its data is not: [`Shop::crash`] gives the
//! connection back, and [`Shop::start`] goes on with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use audit::Databases;
use axum::Router;
use catalogue::Catalogue;
use contracts::Source;
use customer::Customers;
use notification::Notifications;
use order::Orders;
use payment::PaymentService;
use platform::db::{Db, Error, Fault, Sqlite};
use platform::http::{HttpContext, Limits};
use platform::ids::Ids;
use platform::service::{Host, Hosted, Service};
use platform::tasks::CancellationToken;
use rusqlite::Connection;
use utoipa_axum::router::OpenApiRouter;
use warehouse::Warehouse;

use crate::clocks::Clocks;
use crate::post::Sink;
use crate::provider::Simulated;
use crate::settings;

/// A running shop.
pub struct Shop {
    /// Its one file, in memory.
    pub sqlite: Arc<Sqlite>,
    /// Its services.
    pub hosts: BTreeMap<Source, Arc<dyn Host>>,
    /// Its HTTP side.
    pub app: Router,
    /// Its databases, for audits.
    pub databases: Databases,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shop")
    }
}

/// What is outside the process and outlives it.
#[derive(Debug)]
pub struct Outside<'a> {
    /// Time.
    pub clocks: &'a Clocks,
    /// The payment provider.
    pub provider: &'a Simulated,
    /// The mail server.
    pub post: &'a Sink,
    /// The seed of the ids this process gives out: another after every crash.
    pub ids: u64,
}

/// Gives each service its database.
struct Room<'a> {
    sqlite: &'a Arc<Sqlite>,
    outside: &'a Outside<'a>,
}

impl Room<'_> {
    fn database<S: Service>(&self) -> Result<Db, Error> {
        let clock = self.outside.clocks.of(S::SOURCE);
        let place = Source::ALL.iter().position(|source| *source == S::SOURCE).unwrap_or(0);
        let stream = u64::try_from(place).unwrap_or(0) << 56;
        let ids = Ids::from_seed(clock.clone(), self.outside.ids ^ stream);
        Db::on_sqlite(self.sqlite, S::SOURCE, S::MIGRATIONS, clock, ids)
    }
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::Failed(why.to_string())
}

impl Shop {
    /// Starts the shop on what its data was when it ended.
    ///
    /// # Errors
    /// When a service cannot be built: a bug.
    pub fn start(connection: Connection, outside: &Outside<'_>) -> Result<Self, Error> {
        let sqlite = Sqlite::by_hand_on(connection)?;
        let room = Room { sqlite: &sqlite, outside };
        let catalogue = Arc::new(Catalogue::new(
            room.database::<Catalogue>()?,
            &catalogue::Config::default(),
            None,
        ));
        let customers = Arc::new(Customers::new(room.database::<Customers>()?));
        let orders =
            Arc::new(Orders::new(room.database::<Orders>()?, settings::order()).map_err(failed)?);
        let warehouse =
            Arc::new(Warehouse::new(room.database::<Warehouse>()?, settings::warehouse(), None));
        let payments = room.database::<PaymentService>()?;
        let payments = Arc::new(settings::payments(payments, outside.provider.clone()));
        let notifications = Arc::new(
            Notifications::new(
                room.database::<Notifications>()?,
                &settings::notification(),
                Arc::new(outside.post.clone()),
            )
            .map_err(failed)?,
        );
        let routes = OpenApiRouter::new()
            .merge(catalogue::routes(Arc::clone(&catalogue)))
            .merge(customer::routes(Arc::clone(&customers)))
            .merge(order::routes(Arc::clone(&orders)))
            .merge(warehouse::routes(Arc::clone(&warehouse)))
            .merge(payment::routes(Arc::clone(&payments)))
            .merge(notification::routes(Arc::clone(&notifications)));
        let (router, _) = OpenApiRouter::new().nest("/api/v1", routes).split_for_parts();
        let clock = outside.clocks.outside();
        let context = HttpContext::new(
            HttpContext::test_settings(Limits::default()),
            Ids::from_seed(clock.clone(), outside.ids ^ (0xff << 56)),
            clock,
            CancellationToken::new(),
        );
        let hosts: Vec<Arc<dyn Host>> = vec![
            Hosted::new(catalogue),
            Hosted::new(customers),
            Hosted::new(orders),
            Hosted::new(warehouse),
            Hosted::new(payments),
            Hosted::new(notifications),
        ];
        let all: BTreeMap<Source, Db> =
            hosts.iter().map(|host| (host.source(), host.db().clone())).collect();
        let hosts = hosts.into_iter().map(|host| (host.source(), host)).collect();
        let databases = Databases::of(&all).ok_or_else(|| failed("a database is missing"))?;
        Ok(Self { app: platform::http::app(router, context), databases, hosts, sqlite })
    }

    /// Ends at once. Whatever was under way must be gone before: it holds on to the data.
    ///
    /// # Errors
    /// When somebody still does: a bug of the simulation.
    pub fn crash(self) -> Result<Connection, Error> {
        let Self { sqlite, hosts, app, databases } = self;
        // What waits for the writer holds on to its service, and that to the writer.
        sqlite.pump(usize::MAX, Fault::CrashBefore);
        // And so does whoever follows the log.
        sqlite.close();
        drop((hosts, app, databases));
        sqlite.into_connection().ok_or_else(|| failed("something survived the crash"))
    }
}
