//! A warehouse with several instances on one PostgreSQL database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use contracts::events::{
    Buyer, ChosenMethod, OrderCancelled, OrderPlaced, PaymentAuthorized, PlacedLine, TaxMode, Taxed,
};
use contracts::{Currency, Envelope, Id, Money, OrderId, Payload, Rate};
use platform::clock::Clock;
use platform::db::{Db, Result};
use platform::service::{Host, Hosted};
use platform::testing;
use serde_json::json;
use uuid::Uuid;
use warehouse::domain::Place;
use warehouse::{Config, Warehouse, store};

use crate::look::{Look, look};
use crate::site::{Answer, Ask};

/// The warehouse's database, and what it takes to have something happen there.
pub struct House {
    pub db: Db,
    pub clock: Clock,
    names: AtomicU32,
}

impl House {
    /// An empty warehouse. It is noon.
    pub async fn empty() -> Self {
        let clock = Clock::standing_at(testing::NOON);
        let db = testing::on_postgres::<Warehouse>(&clock).await;
        Self { db, clock, names: AtomicU32::new(0) }
    }

    /// So many pieces of a unit that nobody has had before, by its name.
    pub async fn stocked(&self, pieces: i64) -> String {
        let name = format!("UNIT{}", self.names.fetch_add(1, Ordering::Relaxed));
        let came = json!({ "quantity": pieces });
        let receipt = Ask::new("POST", format!("/stock/{name}/receipts"), &came).key(&name);
        let answer = by_staff(receipt, self.db.clone()).await;
        assert_eq!(answer.outcome(), "201", "{answer:?}");
        name
    }

    /// The news that an order for these goods was placed, and the order.
    pub fn order(&self, lines: &[(&str, i64)]) -> (OrderId, Arc<Envelope>) {
        let zero = Taxed {
            net_minor: 0,
            tax_minor: 0,
            gross_minor: 0,
            rate: Rate::ZERO,
            zero_reason: None,
        };
        let line = |(name, quantity): &(&str, i64)| PlacedLine {
            line_id: self.db.ids().id(),
            sku: name.parse().unwrap(),
            name: (*name).to_owned(),
            quantity: *quantity,
            requires_shipping: true,
            unit_price_minor: 0,
            discount_minor: 0,
            amount: zero,
        };
        let order_id = self.db.ids().id();
        let placed = OrderPlaced {
            order_id,
            number: "K-1".into(),
            cart_id: self.db.ids().id(),
            access_hash: String::new(),
            buyer: Buyer { email: "a@example.org".into(), language: "en".into(), billing: None },
            currency: Currency::EUR,
            lines: lines.iter().map(line).collect(),
            shipping: None,
            tax_mode: TaxMode::Included,
            taxes: vec![],
            total: Money::new(100, Currency::EUR),
            payment_method: ChosenMethod { code: "card".into(), token: None },
            terms_version: "1".into(),
            placed_at: self.clock.now(),
            deadline: self.clock.now().plus(Duration::from_secs(1800)),
        };
        (order_id, self.news(order_id, placed))
    }

    /// The news that an order's money is guaranteed.
    pub fn authorised(&self, order_id: OrderId) -> Arc<Envelope> {
        let amount = Money::new(100, Currency::EUR);
        let payment_id = Id::from_uuid(Uuid::from_u128(1));
        self.news(order_id, PaymentAuthorized { payment_id, order_id, amount })
    }

    /// The news that an order is off.
    pub fn cancelled(&self, order_id: OrderId) -> Arc<Envelope> {
        let cart_id = self.db.ids().id();
        self.news(order_id, OrderCancelled { order_id, cart_id, reason: "changed mind".into() })
    }

    fn news(&self, order_id: OrderId, payload: impl Into<Payload>) -> Arc<Envelope> {
        testing::event(&self.db, order_id.to_string(), 1, payload)
    }

    /// Some instance hears this, undisturbed.
    pub async fn hears(&self, news: Vec<Arc<Envelope>>) {
        deliver(self.db.clone(), news).await.unwrap();
    }

    /// Everything that is due happens.
    pub async fn settle(&self) {
        testing::settle(instance(self.db.clone()).as_ref()).await;
    }

    /// Time passes, and nothing happens yet.
    pub fn wait(&self, minutes: u64) {
        self.clock.set(self.clock.now().plus(Duration::from_secs(60 * minutes)));
    }

    /// How an order stands.
    pub async fn state(&self, order_id: OrderId) -> String {
        const STATE: Look =
            Look("SELECT state FROM warehouse_claims WHERE CAST(order_id AS text) = $1");
        look(&self.db, STATE, &order_id.to_string()).await.join(" ")
    }

    /// What was said about an order, in its order.
    pub async fn said(&self, order_id: OrderId) -> Vec<String> {
        const SAID: Look = Look(
            "SELECT type FROM warehouse_outbox WHERE strpos(event, $1) > 0 \
             AND type <> 'stock.changed.v1' ORDER BY position",
        );
        look(&self.db, SAID, &order_id.to_string()).await
    }

    /// Pieces on hand and pieces promised of a unit.
    pub async fn shelf(&self, name: &str) -> String {
        const SHELF: Look = Look(
            "SELECT CAST(on_hand AS text) || ' ' || CAST(reserved AS text) FROM warehouse_stock \
             WHERE sku = $1",
        );
        look(&self.db, SHELF, name).await.join(" ")
    }

    /// Nothing has had to be tried again or been parked, and the books agree.
    pub async fn is_sound(&self) {
        const TROUBLE: Look = Look(
            "SELECT reaction || ' ' || coalesce(error, '') FROM warehouse_inbox \
             WHERE (attempts > 0 OR state = 'parked') AND $1 = ''",
        );
        assert_eq!(look(&self.db, TROUBLE, "").await, Vec::<String>::new());
        let audit = self.db.read(store::ReadAudit).await.unwrap();
        for row in &audit.shelves {
            let here = |sku: &contracts::Sku, place: &Place| *sku == row.sku && *place == row.place;
            let promises = audit.claims.iter().flat_map(|row| row.claim.promises());
            let promised = promises.filter(|(sku, place, _)| here(sku, place)).map(|(.., n)| n);
            let moved = audit.ledger.iter().filter(|moved| here(&moved.sku, &moved.place));
            assert!(row.shelf.is_sound(), "{row:?}");
            assert_eq!(row.shelf.reserved, promised.sum::<i64>(), "{row:?}");
            assert_eq!(row.shelf.on_hand, moved.map(|moved| moved.on_hand).sum::<i64>(), "{row:?}");
        }
    }
}

/// An instance of the warehouse on `db`.
pub fn instance(db: Db) -> Arc<Hosted<Warehouse>> {
    Hosted::new(Arc::new(Warehouse::new(db, Config::default(), None)))
}

/// An instance on `db` hears this.
pub async fn deliver(db: Db, news: Vec<Arc<Envelope>>) -> Result<()> {
    instance(db).deliver(news).await
}

/// An instance on `db` does what is due.
pub async fn do_what_is_due(db: Db) -> Result<usize> {
    instance(db).step_due(false).await
}

/// A member of staff asks an instance on `db`.
pub async fn by_staff(ask: Ask, db: Db) -> Answer {
    let service = Arc::new(Warehouse::new(db.clone(), Config::default(), None));
    let (routes, _) = warehouse::routes(service).split_for_parts();
    ask.token("kst_test_warehouse").send(routes, &db).await
}
