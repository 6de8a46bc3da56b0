//! Placing an order: the cart is priced once more, and what the customer agreed to becomes an
//! order, in one commit with its event, its deadline and the key it was asked under.

use std::sync::Arc;

use contracts::{
    CartId, Money, OrderId, Payload,
    events::{Buyer, ChosenMethod, OrderPlaced, PaymentTerms, PlacedLine, PlacedShipping},
};
use platform::cause::Cause;
use platform::db::{NewEvent, Result, Tx, Unit};
use platform::kernel::idempotency::{Known, Request};
use platform::planted::{self, Bug};
use serde::{Deserialize, Serialize};

use crate::carts::{self, PricedCart};
use crate::domain::cart::{Cart, CartLine, CartState};
use crate::domain::pricing::{Priced, PricedLine, PricedShipping, PricingRefusal};
use crate::domain::{Order, number};
use crate::error::Error;
use crate::handlers::DEADLINE;
use crate::shop::Shop;
use crate::store::{self, orders::ShownOrder};
use crate::timeline::Entry;

/// Places an order from a cart.
#[derive(Debug)]
pub struct PlaceOrder {
    /// The shop.
    pub shop: Arc<Shop>,
    /// From which cart.
    pub cart_id: CartId,
    /// The hash of the token that opens the cart, and then the order.
    pub access_hash: String,
    /// What the customer agrees to.
    pub agreement: Agreement,
    /// The request, so that its repeat is known.
    pub request: Request,
    /// Who asks, in which trace.
    pub cause: Cause,
}

/// What the customer agrees to.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// The total they saw.
    pub expected_total: Money,
    /// How they mean to pay.
    pub payment_method: ChosenMethod,
    /// The version of the terms they accepted.
    pub terms_version: String,
}

/// What is kept of a placed order under its idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    order_id: OrderId,
}

/// What came of placing.
#[derive(Debug)]
pub enum Placing {
    /// This request made the order.
    Now(Box<ShownOrder>),
    /// An earlier request made it.
    Before(OrderId),
}

impl Unit for PlaceOrder {
    type Out = Result<Placing, Error>;
    const TOGETHER: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        match tx.known::<Made>(&self.request).await? {
            Known::Made(made) => return Ok(Ok(Placing::Before(made.order_id))),
            Known::OtherBody => return Ok(Err(Error::KeyReused)),
            Known::New => {}
        }
        let Some(stored) = store::carts::select(tx, self.cart_id, &self.access_hash).await? else {
            return Ok(Err(Error::NotFound));
        };
        let placing = match stored.cart.state {
            // Placed before, under another key: the same order.
            CartState::Ordered { order_id } => Placing::Before(order_id),
            CartState::Open { .. } => {
                let cart = carts::price(tx, &self.shop, stored).await?;
                match self.agree(tx, &cart) {
                    Ok(placed) => Placing::Now(Box::new(self.keep(tx, cart, placed).await?)),
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
        };
        tx.remember(&self.request, &Made { order_id: placing.order_id() }).await?;
        Ok(Ok(placing))
    }
}

impl Placing {
    /// The order.
    pub fn order_id(&self) -> OrderId {
        match self {
            Self::Now(shown) => shown.placed.order_id,
            Self::Before(order_id) => *order_id,
        }
    }
}

impl PlaceOrder {
    /// What is agreed, if customer and shop agree.
    fn agree(&self, tx: &Tx<'_>, cart: &PricedCart) -> Result<OrderPlaced, Error> {
        let Agreement { expected_total, payment_method, terms_version } = &self.agreement;
        if cart.stored.cart.lines.is_empty() {
            return Err(Error::Incomplete(cart.stored.cart.needs(false)));
        }
        if let Some(refusal) = &cart.refusal {
            return Err(refusal.clone().into());
        }
        let Some(priced) = &cart.priced else { return Err(PricingRefusal::AmountTooLarge.into()) };
        let needs = cart.stored.cart.needs(priced.requires_shipping);
        let (true, Some(email)) = (needs.is_empty(), &cart.stored.cart.email) else {
            return Err(Error::Incomplete(needs));
        };
        let Some(method) = self.shop.payment_method(&payment_method.code) else {
            return Err(Error::wrong("/payment_method/code", "is not a way to pay here"));
        };
        if method.terms == PaymentTerms::OnDelivery && !priced.requires_shipping {
            let why = "is a way to pay only where a parcel is delivered";
            return Err(Error::wrong("/payment_method/code", why));
        }
        let version = &self.shop.config.terms_version;
        if terms_version != version {
            return Err(Error::TermsOutdated { version: version.clone() });
        }
        let total = Money::new(priced.total_minor, cart.stored.cart.currency);
        let total = if planted::is(Bug::CustomersPrice) { *expected_total } else { total };
        if total != *expected_total {
            return Err(Error::PriceChanged { total });
        }
        let (order_id, now) = (tx.id(), tx.now());
        let deadline = self.shop.deadline(method.terms, now);
        let Cart { language, currency, tax_mode, .. } = &cart.stored.cart;
        let billing = cart.stored.cart.billed().cloned();
        Ok(OrderPlaced {
            order_id,
            number: number::of(&tx.secret()),
            cart_id: self.cart_id,
            access_hash: self.access_hash.clone(),
            buyer: Buyer { email: email.clone(), language: language.clone(), billing },
            currency: *currency,
            lines: lines(cart, priced),
            shipping: priced.shipping.as_ref().and_then(|shipping| placed_shipping(cart, shipping)),
            tax_mode: *tax_mode,
            taxes: priced.taxes.clone(),
            total,
            payment_method: payment_method.clone(),
            terms_version: version.clone(),
            placed_at: now,
            deadline,
        })
    }

    /// Keeps the order: its row, its event, its deadline, its timeline, its cart.
    async fn keep(
        &self,
        tx: &mut Tx<'_>,
        mut cart: PricedCart,
        placed: OrderPlaced,
    ) -> Result<ShownOrder> {
        let (order_id, deadline) = (placed.order_id, placed.deadline);
        let subject = order_id.to_string();
        let cause = self.cause.clone().about(subject.clone());
        let order = Order::placed(store::orders::agreed(&placed), deadline);
        let payload = Payload::from(placed.clone());
        let first = Entry::said(&payload, tx.now(), &cause);
        // The cart first: of two who place it at once, the second runs again and finds the order.
        cart.stored.cart.become_order(order_id);
        store::carts::update(tx, std::slice::from_ref(&cart.stored)).await?;
        store::orders::insert(tx, &placed, &order.standing, &first).await?;
        if !planted::is(Bug::NoDeadline) {
            tx.set_timer(DEADLINE, &subject, deadline, &cause);
        }
        tx.publish(NewEvent { subject, version: 1, cause: &cause, payload });
        Ok(ShownOrder { placed, standing: order.standing, last_entry: 1 })
    }
}

fn lines(cart: &PricedCart, priced: &Priced) -> Vec<PlacedLine> {
    let line = |(line, priced): (&CartLine, &PricedLine)| {
        let offer = cart.offers.get(&line.sku)?;
        Some(PlacedLine {
            line_id: line.line_id,
            sku: line.sku.clone(),
            name: offer.name.clone(),
            quantity: line.quantity,
            requires_shipping: offer.requires_shipping,
            unit_price_minor: priced.unit_price_minor,
            discount_minor: priced.discount_minor,
            amount: priced.amount,
        })
    };
    cart.stored.cart.lines.iter().zip(&priced.lines).filter_map(line).collect()
}

fn placed_shipping(cart: &PricedCart, shipping: &PricedShipping) -> Option<PlacedShipping> {
    let address = cart.stored.cart.shipping_address.clone()?;
    let PricedShipping { method, name, amounts } = shipping.clone();
    Some(PlacedShipping { method, name, address, amounts })
}
