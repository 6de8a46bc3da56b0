//! One who buys: fills a cart, changes it, places the order (twice, if impatient), acts when the
//! provider asks, tries another way to pay, changes their mind. Whatever was not answered is sent
//! again under the same key.

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::request::{Answer, Request};

/// What a shopper knows of an order: what the shop has told them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// Its state, as last seen.
    pub status: String,
    /// What its payment waits for, as last seen.
    pub waits_for: String,
}

/// A request that has not been answered for good.
#[derive(Debug, Clone)]
struct Asked {
    what: What,
    request: Request,
    /// How many copies of it are under way.
    under_way: usize,
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Open,
    Change,
    Look,
    Place,
    Watch,
    Pay,
    Cancel,
}

/// A shopper.
#[derive(Debug)]
pub struct Shopper {
    number: usize,
    method: &'static str,
    token: &'static str,
    /// Of a hundred occasions, how often they change their mind.
    fickle: usize,
    /// Whether they tell the shop a price of their own.
    cheats: bool,
    cart: Option<(String, String)>,
    total: i64,
    terms: String,
    order: Option<Known>,
    placed: u64,
    asked: Option<Asked>,
    keys: u64,
    gone: bool,
}

/// What hearing an answer has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Nothing of note.
    Nothing,
    /// The shop has accepted an order under a key, at this total.
    Accepted {
        /// The idempotency key.
        key: String,
        /// The order.
        order: String,
        /// The total the shopper agreed to.
        total: i64,
    },
    /// The price has changed.
    PriceChanged,
    /// Something was done under the key, for the second time or not, and this came of it.
    Refused(String),
}

impl Shopper {
    /// A new one.
    pub fn new(number: usize, chance: &mut Chance) -> Self {
        let method = *chance
            .pick(&[
                "card",
                "card",
                "card_single",
                "card_auto",
                "card_auto",
                "on_delivery",
                "transfer",
            ])
            .unwrap_or(&"card");
        let token = *chance
            .pick(&[
                "ok",
                "ok",
                "ok",
                "action",
                "action",
                "decline",
                "decline",
                "decline",
                "capture_fails",
                "refund_fails",
                "wrong_amount",
            ])
            .unwrap_or(&"ok");
        Self {
            number,
            method,
            token,
            fickle: if chance.happens(400) { 1 + chance.below(6) } else { 0 },
            cheats: chance.happens(80),
            cart: None,
            total: 0,
            terms: String::new(),
            order: None,
            placed: 0,
            asked: None,
            keys: 0,
            gone: false,
        }
    }

    /// One who buys without any trouble.
    pub fn plain(number: usize, method: &'static str, token: &'static str) -> Self {
        let mut plain = Self::new(number, &mut Chance::of(0, 0));
        (plain.method, plain.token, plain.fickle, plain.cheats) = (method, token, 0, false);
        plain
    }

    /// They do nothing any more, except to repeat what was not answered.
    pub fn leaves(&mut self) {
        self.gone = true;
    }

    /// Whether they have something to repeat.
    pub fn is_unsure(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.under_way == 0)
    }

    /// The shop is gone: no answer will come.
    pub fn cut_off(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.under_way = 0;
        }
    }

    /// What they ask next: one request, or the same one twice at a time.
    pub fn next(&mut self, chance: &mut Chance) -> Vec<Request> {
        if let Some(asked) = &mut self.asked {
            if asked.under_way > 0 {
                return Vec::new();
            }
            asked.under_way = 1;
            return vec![asked.request.clone()];
        }
        if self.gone {
            return Vec::new();
        }
        let Some((what, request)) = self.decide(chance) else { return Vec::new() };
        let doubled = what == What::Place && chance.happens(250);
        let copies = if doubled { 2 } else { 1 };
        self.asked = Some(Asked { what, request: request.clone(), under_way: copies });
        vec![request; copies]
    }

    fn decide(&mut self, chance: &mut Chance) -> Option<(What, Request)> {
        let Some((cart, token)) = self.cart.clone() else {
            return Some((What::Open, self.open(chance)));
        };
        let fickle = chance.below(100) < self.fickle;
        match self.order.clone() {
            None if fickle => {
                let line = format!("/carts/{cart}/lines/{}", sku(chance));
                let change = if chance.happens(500) {
                    Request::put(line, json!({ "quantity": chance.between(1, 3) }))
                } else {
                    Request::new(http::Method::DELETE, line)
                };
                Some((What::Change, change.by(token)))
            }
            None if self.placed > 2 => None,
            None => Some((What::Place, self.place(&cart, &token))),
            Some(order) => self.follow(&order, &token, fickle, chance),
        }
    }

    fn follow(
        &mut self,
        order: &Known,
        token: &str,
        fickle: bool,
        chance: &mut Chance,
    ) -> Option<(What, Request)> {
        let over = matches!(order.status.as_str(), "failed" | "expired" | "cancelled");
        if over && self.placed < 3 && chance.happens(500) {
            // The cart is open again.
            self.order = None;
            let (cart, token) = self.cart.clone()?;
            self.token = "ok";
            let look = Request::new(http::Method::GET, format!("/carts/{cart}")).by(token);
            return Some((What::Look, look));
        }
        if over || order.status == "completed" {
            return None;
        }
        if fickle {
            let reason = json!({ "reason": "changed my mind" });
            let cancel = Request::post(format!("/orders/{}/cancel", order.id), reason).by(token);
            return Some((What::Cancel, cancel));
        }
        if order.waits_for == "method" && chance.happens(700) {
            return Some((What::Pay, self.pay(&order.id, token, chance)));
        }
        let look = Request::new(http::Method::GET, format!("/orders/{}", order.id)).by(token);
        Some((What::Watch, look))
    }

    fn open(&self, chance: &mut Chance) -> Request {
        let mut lines: Vec<Value> = Vec::new();
        // Who pays at the door wants something brought there.
        let wanted = |sku| sku == "MUG" && self.method == "on_delivery";
        for sku in UNITS {
            if chance.happens(500) || wanted(sku) {
                lines.push(json!({ "sku": sku, "quantity": chance.between(1, 3) }));
            }
        }
        if lines.is_empty() {
            lines.push(json!({ "sku": UNITS[0], "quantity": 1 }));
        }
        // Two share an address: the customer service hears of another name, or another street.
        let email = format!("shopper{}@example.org", self.number / 2);
        let address = json!({
            "name": format!("Shopper {}", self.number),
            "street": format!("Am Kai {}", chance.between(1, 2)),
            "postal_code": "20457", "city": "Hamburg", "country": "DE",
        });
        let cart = json!({
            "lines": lines, "email": email, "shipping_address": address,
            "billing_address": address, "shipping_method": "standard",
        });
        Request::post("/carts", cart)
    }

    fn place(&mut self, cart: &str, token: &str) -> Request {
        let total = if self.cheats { 1 } else { self.total };
        let body = json!({
            "expected_total": { "amount_minor": total, "currency": "EUR" },
            "payment_method": self.means(),
            "terms_version": self.terms,
        });
        let key = self.key("place");
        Request::post(format!("/carts/{cart}/order"), body).by(token).keyed(key)
    }

    /// How they pay. Where no provider takes the money there is nothing to show one.
    fn means(&self) -> Value {
        match self.method {
            "on_delivery" | "transfer" => json!({ "code": self.method }),
            by_provider => json!({ "code": by_provider, "token": self.token }),
        }
    }

    fn pay(&mut self, order: &str, token: &str, chance: &mut Chance) -> Request {
        let means = if chance.happens(700) { "ok" } else { "decline" };
        let body = json!({ "code": "card", "token": means });
        let key = self.key("pay");
        Request::post(format!("/payments/{order}/method"), body).by(token).keyed(key)
    }

    fn key(&mut self, what: &str) -> String {
        self.keys += 1;
        format!("{what}-{}-{}", self.number, self.keys)
    }

    /// An answer came.
    pub fn hear(&mut self, answer: &Answer) -> Heard {
        let Some(asked) = &mut self.asked else { return Heard::Nothing };
        asked.under_way = asked.under_way.saturating_sub(1);
        if answer.is_unsure() {
            // The other copy may know more; if not, it is sent again.
            return Heard::Nothing;
        }
        let (what, request) = (asked.what, asked.request.clone());
        if asked.under_way == 0 {
            self.asked = None;
        }
        match what {
            What::Open | What::Look | What::Change => self.hear_of_cart(answer),
            What::Place => self.hear_of_placing(&request, answer),
            What::Watch | What::Cancel => {
                self.hear_of_order(answer);
                Heard::Nothing
            }
            What::Pay if answer.is_ok() => {
                if let Some(order) = &mut self.order {
                    "nothing".clone_into(&mut order.waits_for);
                }
                Heard::Nothing
            }
            What::Pay => Heard::Refused(answer.problem().unwrap_or("?").to_owned()),
        }
    }

    fn hear_of_cart(&mut self, answer: &Answer) -> Heard {
        if let (Some(id), Some(token)) = (answer.text("/id"), answer.text("/token")) {
            self.cart = Some((id.to_owned(), token.to_owned()));
        }
        if let Some(total) = answer.number("/totals/total_minor") {
            self.total = total;
        }
        if let Some(terms) = answer.text("/terms_version") {
            terms.clone_into(&mut self.terms);
        }
        Heard::Nothing
    }

    fn hear_of_placing(&mut self, request: &Request, answer: &Answer) -> Heard {
        if answer.is_ok() {
            self.hear_of_order(answer);
            self.placed += 1;
            let order = answer.text("/id").unwrap_or_default().to_owned();
            let key = request.key.clone().unwrap_or_default();
            let agreed = request.body.as_ref();
            let total = agreed.and_then(|body| body.pointer("/expected_total/amount_minor"));
            let total = total.and_then(Value::as_i64).unwrap_or(0);
            return Heard::Accepted { key, order, total };
        }
        let problem = answer.problem().unwrap_or("?").to_owned();
        if problem == "price-changed" {
            self.cheats = false;
            self.total = answer.number("/total/amount_minor").unwrap_or(self.total);
            return Heard::PriceChanged;
        }
        // Nothing in the cart, or nothing to be had: they walk away.
        self.gone = true;
        Heard::Refused(problem)
    }

    fn hear_of_order(&mut self, answer: &Answer) {
        if let (true, Some(id), Some(status)) =
            (answer.is_ok(), answer.text("/id"), answer.text("/status"))
        {
            let waits_for = answer.text("/payment_waits_for/for").unwrap_or("nothing").to_owned();
            self.order = Some(Known { id: id.to_owned(), status: status.to_owned(), waits_for });
        }
    }
}

/// What can be bought: units with stock, and one that is handed out without a parcel.
pub const UNITS: [&str; 4] = ["MUG", "LAMP", "TENT", "EBOOK"];

fn sku(chance: &mut Chance) -> &'static str {
    chance.pick(&UNITS).copied().unwrap_or("MUG")
}
