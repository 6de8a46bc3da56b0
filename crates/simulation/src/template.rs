//! A shop with products on sale and nothing else, made once: every run begins with a copy of it,
//! because making its tables takes longer than most runs.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;
use serde_json::{Value, json};

use crate::people::{ADMIN, UNITS};
use crate::plan::{Plan, STOCKED};
use crate::request::{Answer, Request};
use crate::trace::Lines;
use crate::world::{Asker, Failure, Step, World};

/// The shop every run begins with.
pub struct Template {
    connection: Connection,
    products: BTreeMap<&'static str, String>,
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Template")
    }
}

/// What each unit costs at first, in cents.
pub const PRICES: [i64; UNITS.len()] = [1_000, 2_550, 9_999, 700];

/// A product with one unit, as the catalogue takes it.
pub fn product(unit: &str, price_minor: i64) -> Value {
    let variant = json!({
        "sku": unit, "options": {}, "tax_class": "standard", "weight_g": 300,
        "requires_shipping": unit != "EBOOK",
        "prices": [{ "price": { "amount_minor": price_minor, "currency": "EUR" } }],
    });
    json!({
        "handle": unit.to_lowercase(), "name": unit, "description": "", "categories": [],
        "attributes": {}, "variants": [variant],
    })
}

fn broken(error: rusqlite::Error) -> Failure {
    Failure::new(format!("template: {error}"))
}

impl Template {
    /// Makes it: opens an empty shop and puts the products on sale.
    ///
    /// # Errors
    /// When the shop does not even do that.
    pub fn make() -> Result<Self, Failure> {
        let empty = Connection::open_in_memory().map_err(broken)?;
        let mut world = World::new(Plan::quiet(0), empty, Lines::Hashed)?;
        world.put_products_on_sale()?;
        let shop = world.shop.take().ok_or_else(|| Failure::new("there is no shop"))?;
        Ok(Self { connection: shop.crash()?, products: world.products })
    }

    /// A world that begins with a copy of it.
    ///
    /// # Errors
    /// When the shop does not start.
    pub fn world(&self, plan: Plan, lines: Lines) -> Result<World, Failure> {
        let mut copy = Connection::open_in_memory().map_err(broken)?;
        let backup = Backup::new(&self.connection, &mut copy).map_err(broken)?;
        backup.run_to_completion(10_000, Duration::ZERO, None).map_err(broken)?;
        drop(backup);
        let mut world = World::new(plan, copy, lines)?;
        world.products = self.products.clone();
        Ok(world)
    }
}

impl World {
    fn put_products_on_sale(&mut self) -> Step {
        for (unit, price_minor) in UNITS.iter().zip(PRICES) {
            let made = self.ask(Request::post("/products", product(unit, price_minor)))?;
            let id = made.text("/id").unwrap_or_default().to_owned();
            self.ask(Request::new(http::Method::POST, format!("/products/{id}/publish")))?;
            self.products.insert(unit, id);
        }
        self.come_to_rest()
    }

    /// Asks for something that must succeed.
    fn ask(&mut self, request: Request) -> Result<Answer, Failure> {
        self.send(Asker::Owner, request.by(ADMIN))?;
        self.come_to_rest()?;
        match self.told_owner.take() {
            Some(answer) if answer.is_ok() => Ok(answer),
            answer => Err(Failure::new(format!("setting up: {answer:?}"))),
        }
    }

    /// The goods of the plan come in; what things cost is known to whoever audits.
    ///
    /// # Errors
    /// When they do not.
    pub fn open_shop(&mut self) -> Step {
        for (unit, price_minor) in UNITS.iter().zip(PRICES) {
            self.auditor.costs(unit, price_minor);
        }
        for (unit, pieces) in UNITS.iter().zip(self.plan.stock.clone()).take(STOCKED) {
            if pieces > 0 {
                let body = json!({ "quantity": pieces, "note": "opening" });
                let path = format!("/stock/{unit}/receipts");
                self.ask(Request::post(path, body).keyed(format!("open-{unit}")))?;
            }
        }
        self.come_to_rest()
    }
}
