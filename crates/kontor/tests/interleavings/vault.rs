//! The payment service with several instances on one PostgreSQL database, and one provider.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderName;
use contracts::events::{
    Address, Buyer, ChosenMethod, LineQuantity, OrderCancelled, OrderPlaced, PlacedLine,
    PlacedShipping, RefundGranted, ShipmentPacked, StockReserved, TaxMode, Taxed,
};
use contracts::{Currency, Envelope, Money, OrderId, Payload, Rate};
use payment::domain::document::Series;
use payment::test_provider::{Bank, Direct, SIGNATURE_HEADER, State, Webhook, sign};
use payment::{Config, PaymentService, Providers, audit};
use platform::clock::Clock;
use platform::db::{Db, Result};
use platform::service::{Host, Hosted, Performed, Task};
use platform::testing;
use serde_json::{Value, json};

use crate::look::{Look, look};
use crate::site::{Answer, Ask};

const SECRET: &str = "whsec_9f3c1b7a5d2e4f6081a2b3c4";

/// What every order here comes to: three teas for 10.00, two cups for 20.00, postage for 5.00.
pub const TOTAL_MINOR: i64 = 3_500;

/// The payment service's database, and the provider's account.
#[derive(Clone)]
pub struct Vault {
    pub db: Db,
    pub clock: Clock,
    bank: Arc<Mutex<Bank>>,
}

impl Vault {
    /// Nothing has been paid yet. It is noon.
    pub async fn empty() -> Self {
        let clock = Clock::standing_at(testing::NOON);
        let db = testing::on_postgres::<PaymentService>(&clock).await;
        Self { db, clock, bank: Arc::default() }
    }

    /// An order whose goods are held; its money is to be asked for.
    pub async fn reserved(&self, token: &str) -> OrderPlaced {
        let placed = self.order(token);
        let (order_id, expires_at) = (placed.order_id, placed.deadline);
        self.hears(self.news(&placed, placed.clone())).await;
        self.hears(self.news(&placed, StockReserved { order_id, expires_at })).await;
        placed
    }

    /// An order whose money has been asked for.
    pub async fn asked(&self, token: &str) -> OrderPlaced {
        let placed = self.reserved(token).await;
        self.settle().await;
        placed
    }

    /// An order that is paid for and packed.
    pub async fn paid(&self) -> OrderPlaced {
        let order = self.asked("ok").await;
        self.hears(self.packed(&order, [3, 2])).await;
        self.settle().await;
        order
    }

    /// The news that so many teas and so many cups of an order are in a parcel.
    pub fn packed(&self, order: &OrderPlaced, pieces: [i64; 2]) -> Arc<Envelope> {
        let lines = order.lines.iter().zip(pieces).filter(|(_, quantity)| *quantity > 0);
        let line = |(line, quantity): (&PlacedLine, i64)| LineQuantity {
            line_id: line.line_id,
            sku: line.sku.clone(),
            quantity,
        };
        let (shipment_id, lines) = (self.db.ids().id(), lines.map(line).collect());
        self.news(order, ShipmentPacked { shipment_id, order_id: order.order_id, lines })
    }

    /// The news that an order is off.
    pub fn cancelled(&self, order: &OrderPlaced) -> Arc<Envelope> {
        let (order_id, cart_id) = (order.order_id, order.cart_id);
        self.news(order, OrderCancelled { order_id, cart_id, reason: "changed mind".into() })
    }

    /// The news that the shop gives so much back.
    pub fn granted(&self, order: &OrderPlaced, amount_minor: i64) -> Arc<Envelope> {
        let granted = RefundGranted {
            order_id: order.order_id,
            refund_id: self.db.ids().uuid(),
            amounts: vec![taxed(amount_minor)],
            total: Money::new(amount_minor, Currency::EUR),
            line_id: None,
            reason: "broken".to_owned(),
        };
        self.news(order, granted)
    }

    fn news(&self, order: &OrderPlaced, payload: impl Into<Payload>) -> Arc<Envelope> {
        testing::event(&self.db, order.order_id.to_string(), 1, payload)
    }

    /// Some instance hears this, undisturbed.
    pub async fn hears(&self, news: Arc<Envelope>) {
        self.deliver(self.db.clone(), news).await.unwrap();
    }

    /// Everything that is due happens.
    pub async fn settle(&self) {
        testing::settle(self.instance(self.db.clone()).as_ref()).await;
    }

    /// Time passes.
    pub fn wait(&self, seconds: u64) {
        self.clock.set(self.clock.now().plus(Duration::from_secs(seconds)));
    }

    /// What the provider has to say since it was last asked.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.bank.lock().unwrap().take_webhooks()
    }

    /// The news of a capture for the order whose money was guaranteed last, as a provider may send
    /// it: ours only tells of guarantees.
    pub fn webhook_of_capture(&self) -> Webhook {
        let guaranteed = self.webhooks().pop().unwrap();
        let id = self.db.ids().uuid().to_string();
        Webhook { id, r#type: "payment.captured".to_owned(), ..guaranteed }
    }

    /// An instance on `db` hears this.
    pub fn deliver(
        &self,
        db: Db,
        news: Arc<Envelope>,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let instance = self.instance(db);
        async move { instance.deliver(vec![news]).await }
    }

    /// An instance on `db` takes what is to be done with the provider.
    pub fn claim(&self, db: Db) -> impl Future<Output = Result<Vec<Task>>> + Send + use<> {
        let instance = self.instance(db);
        async move { instance.claim_effects(64).await }
    }

    /// Some instance takes the one thing that is to be done with the provider, and does it.
    pub async fn called(&self) -> (Task, Performed) {
        let mut tasks = self.claim(self.db.clone()).await.unwrap();
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        let task = tasks.remove(0);
        let performed = self.instance(self.db.clone()).perform(&task).await;
        (task, performed)
    }

    /// An instance on `db` takes all that is to be done with the provider, does it and notes it.
    pub fn take_over(&self, db: Db) -> impl Future<Output = Result<()>> + Send + use<> {
        let instance = self.instance(db);
        async move {
            let mut done = Vec::new();
            for task in instance.claim_effects(64).await? {
                let performed = instance.perform(&task).await;
                done.push((task, performed));
            }
            instance.record(done).await
        }
    }

    /// An instance on `db` notes what came of it.
    pub fn record(
        &self,
        db: Db,
        done: (Task, Performed),
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let instance = self.instance(db);
        async move { instance.record(vec![done]).await }
    }

    /// An instance on `db` gets a webhook.
    pub fn told(&self, db: Db, webhook: &Webhook) -> impl Future<Output = Answer> + Send + use<> {
        let body: Value = serde_json::to_value(webhook).unwrap();
        let signature = sign(SECRET, self.clock.now(), &body.to_string());
        let header = HeaderName::from_static(SIGNATURE_HEADER);
        let ask = Ask::new("POST", "/payments/webhooks/test", &body).with(header, signature);
        let (routes, _) = payment::routes(self.service(db.clone())).split_for_parts();
        async move { ask.send(routes, &db).await }
    }

    /// What was taken and what went back for an order, as we say and as the provider says.
    pub async fn money(&self, order: &OrderPlaced) -> [(i64, i64); 2] {
        const MONEY: Look = Look(
            "SELECT CAST(captured_minor AS text) || ' ' || CAST(refunded_minor AS text) \
             FROM payments WHERE CAST(id AS text) = $1",
        );
        let found = look(&self.db, MONEY, &order.order_id.to_string()).await;
        let (captured, refunded) = found[0].split_once(' ').unwrap();
        let ours = (captured.parse().unwrap(), refunded.parse().unwrap());
        [ours, self.at_the_provider(order.order_id)]
    }

    /// The number of operations of a kind that took place for an order.
    pub async fn times(&self, kind: &str, order: &OrderPlaced) -> usize {
        const DONE: Look = Look(
            "SELECT kind FROM payment_operations WHERE status = 'succeeded' \
             AND CAST(payment_id AS text) = $1",
        );
        let done = look(&self.db, DONE, &order.order_id.to_string()).await;
        done.iter().filter(|done| *done == kind).count()
    }

    /// What was said about an order, in its order.
    pub async fn said(&self, order: &OrderPlaced) -> Vec<String> {
        const SAID: Look = Look(
            "SELECT replace(type, '.v1', '') FROM payment_outbox WHERE strpos(event, $1) > 0 \
             ORDER BY position",
        );
        look(&self.db, SAID, &order.order_id.to_string()).await
    }

    /// Whether the provider still guarantees money it has not given up.
    pub fn is_guaranteed(&self, order: &OrderPlaced) -> bool {
        self.view(order.order_id).is_some_and(|(state, ..)| state == State::Authorised)
    }

    /// Nothing is left to do or had to be given up; the books balance; every document follows the
    /// one before it.
    pub async fn is_sound(&self) {
        const LEFT: Look = Look(
            "SELECT reaction || ' ' || state || ' ' || coalesce(error, '') FROM payment_inbox \
             WHERE (attempts > 0 OR state = 'parked' OR kind = 'effect') AND $1 = ''",
        );
        assert_eq!(look(&self.db, LEFT, "").await, Vec::<String>::new());
        const UNBALANCED: Look = Look(
            "SELECT CAST(p.id AS text) FROM payments p WHERE $1 = '' AND p.captured_minor <> \
             coalesce((SELECT sum(o.amount_minor) FROM payment_operations o WHERE \
             o.payment_id = p.id AND o.kind = 'capture' AND o.status = 'succeeded'), 0)",
        );
        assert_eq!(look(&self.db, UNBALANCED, "").await, Vec::<String>::new());
        let balances = self.db.read(audit::TrialBalance).await.unwrap();
        assert_eq!(balances.iter().map(|(_, _, minor)| minor).sum::<i64>(), 0);
        for series in [Series::Invoice, Series::CreditNote] {
            assert_eq!(self.db.read(audit::Chain(series)).await.unwrap(), []);
        }
    }

    fn at_the_provider(&self, order_id: OrderId) -> (i64, i64) {
        self.view(order_id).map_or((0, 0), |(_, captured, refunded)| (captured, refunded))
    }

    fn view(&self, order_id: OrderId) -> Option<(State, i64, i64)> {
        let bank = self.bank.lock().unwrap();
        let found = bank.all().into_iter().find(|view| {
            let back = bank.return_url(&view.payment).unwrap_or_default();
            back.contains(&order_id.to_string())
        });
        found.map(|view| (view.state, view.captured_minor, view.refunded_minor))
    }

    fn instance(&self, db: Db) -> Arc<Hosted<PaymentService>> {
        Hosted::new(self.service(db))
    }

    fn service(&self, db: Db) -> Arc<PaymentService> {
        let direct = Direct::new(Arc::clone(&self.bank), self.clock.clone(), SECRET);
        let providers: Providers = [("test".to_owned(), Arc::new(direct) as Arc<_>)].into();
        Arc::new(PaymentService::with_providers(db, Config::default(), providers))
    }

    fn order(&self, token: &str) -> OrderPlaced {
        let order_id: OrderId = self.db.ids().id();
        let line = |name: &str, quantity: i64, gross_minor: i64| PlacedLine {
            line_id: self.db.ids().id(),
            sku: name.parse().unwrap(),
            name: name.to_owned(),
            quantity,
            requires_shipping: true,
            unit_price_minor: gross_minor / quantity,
            discount_minor: 0,
            amount: taxed(gross_minor),
        };
        OrderPlaced {
            order_id,
            number: format!("K-{}", &order_id.to_string()[24..]),
            cart_id: self.db.ids().id(),
            access_hash: "0".repeat(64),
            buyer: Buyer {
                email: "ada@example.org".to_owned(),
                language: "en".to_owned(),
                billing: None,
            },
            currency: Currency::EUR,
            lines: vec![line("TEA", 3, 1_000), line("CUP", 2, 2_000)],
            shipping: Some(PlacedShipping {
                method: "post".to_owned(),
                name: "Post".to_owned(),
                address: address(),
                amounts: vec![taxed(500)],
            }),
            tax_mode: TaxMode::Included,
            taxes: vec![taxed(TOTAL_MINOR)],
            total: Money::new(TOTAL_MINOR, Currency::EUR),
            payment_method: ChosenMethod { code: "card".to_owned(), token: Some(token.to_owned()) },
            terms_version: "1".to_owned(),
            placed_at: self.clock.now(),
            deadline: self.clock.now().plus(Duration::from_secs(1_800)),
        }
    }
}

fn taxed(gross_minor: i64) -> Taxed {
    let rate: Rate = serde_json::from_value(json!("0.19")).unwrap();
    let tax_minor = rate.included_in(gross_minor);
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, rate, zero_reason: None }
}

fn address() -> Address {
    Address {
        name: "Ada Byron".to_owned(),
        company: None,
        street: "High Street 2".to_owned(),
        extra: None,
        postal_code: "1010".to_owned(),
        city: "Wien".to_owned(),
        region: None,
        country: "AT".to_owned(),
        phone: None,
    }
}
