//! What carts and orders look like from outside. Amounts are minor units of the currency named.

use contracts::events::{Address, ChosenMethod, PaymentTerms, TaxMode, Taxed};
use contracts::{CartId, Currency, LineId, OrderId, ShipmentId, Sku, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::carts::PricedCart;
use crate::domain::cart::{CartLine, CartState, Needs};
use crate::domain::pricing::{Priced, PricedLine, ShippingQuote};
use crate::domain::{
    AgreedLine, Figures, FulfilmentStatus, Life, ParcelStep, PaymentStatus, Status, Waiting, pieces,
};
use crate::error::pricing_code;
use crate::orders::Access;
use crate::shop::Shop;
use crate::store::orders::ShownOrder;

/// A cart.
#[derive(Debug, Serialize, ToSchema)]
pub struct CartView {
    /// The cart.
    id: CartId,
    /// The secret that opens it, and the order made from it. Told once, when it is opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Its version, which grows with every change.
    version: i64,
    /// The currency of every amount.
    #[schema(value_type = String)]
    currency: Currency,
    /// Whether prices contain the tax.
    tax_mode: TaxMode,
    /// Language of messages, BCP 47.
    language: String,
    /// What is in it.
    lines: Vec<CartLineView>,
    /// Where messages go.
    email: Option<String>,
    /// Who is billed, if it is not whoever receives it.
    billing_address: Option<Address>,
    /// Where it goes.
    shipping_address: Option<Address>,
    /// How it is shipped.
    shipping_method: Option<String>,
    /// Ways to ship it, and what each costs.
    shipping_methods: Vec<ShippingQuote>,
    /// Ways to pay.
    payment_methods: Vec<PaymentMethodView>,
    /// The version of the terms that placing an order accepts.
    terms_version: String,
    /// What it costs; nothing, if it cannot be priced.
    totals: Option<TotalsView>,
    /// What stands against a price or a shipping method, as the code of a problem and in words.
    problem: Option<CartProblem>,
    /// What it still needs before it can become an order.
    needs: Vec<Needs>,
    /// The order it has become.
    order_id: Option<OrderId>,
    /// Why its last order came to nothing.
    reopened_because: Option<String>,
}

/// A line of a cart.
#[derive(Debug, Serialize, ToSchema)]
pub struct CartLineView {
    /// The line.
    line_id: LineId,
    /// What.
    sku: Sku,
    /// Its name, if it is on sale.
    name: Option<String>,
    /// Its product's name in addresses, if that is known.
    handle: Option<String>,
    /// The first category of its product, as a path.
    category: Option<String>,
    /// How many.
    quantity: i64,
    /// The price of one, as shown.
    unit_price_minor: Option<i64>,
    /// What is taken off the line.
    discount_minor: Option<i64>,
    /// What the line costs.
    amount: Option<Taxed>,
}

/// A way to pay.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentMethodView {
    /// Its code.
    code: String,
    /// Its name.
    name: String,
    /// When the money comes.
    terms: PaymentTerms,
}

/// What a cart costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct TotalsView {
    /// The goods as shown, after discounts.
    subtotal_minor: i64,
    /// What was taken off the goods.
    discount_minor: i64,
    /// Shipping as shown.
    shipping_minor: i64,
    /// All tax.
    tax_minor: i64,
    /// Net, tax and gross for each rate.
    taxes: Vec<Taxed>,
    /// What is to be paid: the `expected_total` of the order.
    total_minor: i64,
}

/// What stands against a price.
#[derive(Debug, Serialize, ToSchema)]
pub struct CartProblem {
    /// The code of the problem.
    code: String,
    /// In words.
    detail: String,
}

impl CartView {
    /// The cart as it is shown.
    pub fn new(shop: &Shop, cart: PricedCart, token: Option<String>) -> Self {
        let PricedCart { stored, offers, priced, quotes, refusal } = cart;
        let cart = stored.cart;
        let requires_shipping = offers.values().any(|offer| offer.requires_shipping);
        let (needs, is_empty) = (cart.needs(requires_shipping), cart.lines.is_empty());
        let line = |(n, line): (usize, &CartLine)| {
            let costs: Option<&PricedLine> = priced.as_ref().and_then(|p| p.lines.get(n));
            let offer = offers.get(&line.sku);
            CartLineView {
                line_id: line.line_id,
                sku: line.sku.clone(),
                name: offer.map(|offer| offer.name.clone()),
                handle: offer.and_then(|offer| offer.handle.clone()),
                category: offer.and_then(|offer| offer.category.clone()),
                quantity: line.quantity,
                unit_price_minor: costs.map(|costs| costs.unit_price_minor),
                discount_minor: costs.map(|costs| costs.discount_minor),
                amount: costs.map(|costs| costs.amount),
            }
        };
        let lines = cart.lines.iter().enumerate().map(line).collect();
        let (order_id, reopened_because) = match cart.state {
            CartState::Open { reason } => (None, reason),
            CartState::Ordered { order_id } => (Some(order_id), None),
        };
        Self {
            id: stored.id,
            token,
            version: stored.version,
            currency: cart.currency,
            tax_mode: cart.tax_mode,
            language: cart.language,
            lines,
            email: cart.email,
            billing_address: cart.billing_address,
            shipping_address: cart.shipping_address,
            shipping_method: cart.shipping_method,
            shipping_methods: quotes,
            payment_methods: payment_methods(shop, !is_empty && !requires_shipping),
            terms_version: shop.config.terms_version.clone(),
            totals: priced.map(TotalsView::new),
            problem: refusal.map(|refusal| CartProblem {
                code: pricing_code(&refusal).to_owned(),
                detail: refusal.to_string(),
            }),
            needs,
            order_id,
            reopened_because,
        }
    }
}

impl TotalsView {
    fn new(priced: Priced) -> Self {
        Self {
            subtotal_minor: priced.subtotal_minor,
            discount_minor: priced.discount_minor,
            shipping_minor: priced.shipping_minor,
            tax_minor: priced.tax_minor,
            taxes: priced.taxes,
            total_minor: priced.total_minor,
        }
    }
}

/// The ways to pay for a cart: on delivery only where something is delivered.
fn payment_methods(shop: &Shop, nothing_ships: bool) -> Vec<PaymentMethodView> {
    let view = |method: &crate::config::PaymentMethod| PaymentMethodView {
        code: method.code.clone(),
        name: method.name.clone(),
        terms: method.terms,
    };
    let fits = |method: &&crate::config::PaymentMethod| {
        !nothing_ships || method.terms != PaymentTerms::OnDelivery
    };
    shop.config.payment_methods.iter().filter(fits).map(view).collect()
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// The order.
    pub id: OrderId,
    /// The number people use.
    number: String,
    /// The cart it came from.
    cart_id: CartId,
    /// Where it is in its life.
    pub status: Status,
    /// Why, where there is a reason.
    reason: Option<String>,
    /// Whether somebody wants it cancelled and the warehouse has not answered yet.
    cancel_asked: bool,
    /// How the money stands.
    payment_status: PaymentStatus,
    /// How much has left and arrived.
    fulfilment_status: FulfilmentStatus,
    /// The code of the way to pay that was chosen when it was placed.
    payment_method: String,
    /// What its payment waits for, while it is pending.
    pub payment_waits_for: Waiting,
    /// The currency of every amount.
    #[schema(value_type = String)]
    currency: Currency,
    /// Whether prices contain the tax.
    tax_mode: TaxMode,
    /// What was bought.
    lines: Vec<OrderLineView>,
    /// How it travels.
    shipping: Option<ShippingView>,
    /// Net, tax and gross for each rate, as placed.
    taxes: Vec<Taxed>,
    /// The sums of money.
    money: Figures,
    /// Where messages go.
    email: String,
    /// Who is billed.
    billing_address: Option<Address>,
    /// Its parcels.
    parcels: Vec<ParcelView>,
    /// The version of the terms that was accepted.
    terms_version: String,
    /// When it was placed.
    placed_at: Timestamp,
    /// When it expires unless confirmed.
    deadline: Timestamp,
    /// The position of the last entry of its timeline; 0 in lists.
    timeline_version: i64,
}

/// A line of an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderLineView {
    /// The line.
    line_id: LineId,
    /// What.
    sku: Sku,
    /// Its name as it was.
    name: String,
    /// How many were ordered.
    quantity: i64,
    /// How many will not come.
    cancelled: i64,
    /// How many have left, or been handed over.
    dispatched: i64,
    /// How many have arrived, or been handed over.
    delivered: i64,
    /// Whether a parcel is needed.
    requires_shipping: bool,
    /// The price of one, as shown, before discounts.
    unit_price_minor: i64,
    /// What was taken off the line.
    discount_minor: i64,
    /// What the line costs as ordered.
    amount: Taxed,
}

/// How an order travels.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShippingView {
    /// The method's code.
    method: String,
    /// The method's name as it was.
    name: String,
    /// Where to.
    address: Address,
    /// What it costs, for each rate.
    amounts: Vec<Taxed>,
}

/// A parcel.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParcelView {
    /// The parcel.
    shipment_id: ShipmentId,
    /// How far it has come.
    step: ParcelStep,
    /// Who carries it.
    carrier: Option<String>,
    /// The carrier's number for it.
    tracking: Option<String>,
}

impl OrderView {
    /// The order as the caller sees it. Why staff hold an order is told to staff only.
    pub fn new(shown: ShownOrder, access: &Access) -> Self {
        let order = shown.order();
        let ShownOrder { placed, standing, last_entry } = shown;
        let reason = match access {
            Access::Token(_) => standing.life.reason_for_customer(),
            Access::Staff => standing.life.reason(),
        };
        let lines = placed.lines.iter().zip(&order.agreed.lines);
        let lines = lines.map(|(line, agreed)| order_line(line, agreed, &standing)).collect();
        let parcels = standing.parcels.iter().map(|(shipment_id, parcel)| {
            let (carrier, tracking) = parcel.tracking.clone().unzip();
            ParcelView { shipment_id: *shipment_id, step: parcel.step, carrier, tracking }
        });
        let ChosenMethod { code: payment_method, token: _ } = placed.payment_method;
        Self {
            id: placed.order_id,
            number: placed.number,
            cart_id: placed.cart_id,
            status: standing.life.status(),
            reason,
            cancel_asked: standing.life.cancel_asked(),
            payment_status: PaymentStatus::of(&standing),
            fulfilment_status: FulfilmentStatus::of(&order.agreed, &standing),
            payment_method,
            payment_waits_for: waits_for(&standing.life, &standing.payment.waiting),
            currency: placed.currency,
            tax_mode: placed.tax_mode,
            lines,
            shipping: placed.shipping.map(|shipping| ShippingView {
                method: shipping.method,
                name: shipping.name,
                address: shipping.address,
                amounts: shipping.amounts,
            }),
            taxes: placed.taxes,
            money: Figures::of(&order),
            email: placed.buyer.email,
            billing_address: placed.buyer.billing,
            parcels: parcels.collect(),
            terms_version: placed.terms_version,
            placed_at: placed.placed_at,
            deadline: placed.deadline,
            timeline_version: last_entry,
        }
    }
}

/// What a pending order's payment waits for; nothing, once the order is no longer pending.
pub fn waits_for(life: &Life, waiting: &Waiting) -> Waiting {
    match life {
        Life::Pending { .. } => waiting.clone(),
        Life::Confirmed { .. }
        | Life::OnHold { .. }
        | Life::Failed { .. }
        | Life::Expired
        | Life::Cancelled { .. }
        | Life::Completed => Waiting::Nothing,
    }
}

fn order_line(
    line: &contracts::events::PlacedLine,
    agreed: &AgreedLine,
    standing: &crate::domain::Standing,
) -> OrderLineView {
    let pieces = pieces(agreed, standing);
    OrderLineView {
        line_id: line.line_id,
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        cancelled: pieces.cancelled,
        dispatched: pieces.left,
        delivered: pieces.arrived,
        requires_shipping: line.requires_shipping,
        unit_price_minor: line.unit_price_minor,
        discount_minor: line.discount_minor,
        amount: line.amount,
    }
}
