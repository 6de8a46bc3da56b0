//! Units of work on carts: open one, look at it, change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::{CartId, Sku, events::Address};
use platform::db::{Result, Tx, Unit};

use crate::domain::cart::{Cart, CartRefusal};
use crate::domain::pricing::{
    Basket, BasketLine, Discounts, Offer, Priced, PricingRefusal, ShippingQuote,
};
use crate::error::Error;
use crate::shop::Shop;
use crate::store::{
    carts::{self, StoredCart},
    offers,
};
use crate::sweep::Day;

/// A cart with what it costs.
#[derive(Debug, Clone)]
pub struct PricedCart {
    /// The cart.
    pub stored: StoredCart,
    /// What is on sale of what is in it.
    pub offers: BTreeMap<Sku, Offer>,
    /// What it costs, without shipping if that is what stands against it.
    pub priced: Option<Priced>,
    /// Ways to ship it.
    pub quotes: Vec<ShippingQuote>,
    /// What stands against a price for it as it is.
    pub refusal: Option<PricingRefusal>,
}

/// A change of who buys and where it goes. The outer `Option` says whether, the inner what to.
#[derive(Debug, Clone, Default)]
pub struct Contact {
    /// Where messages go.
    pub email: Option<Option<String>>,
    /// Language of messages.
    pub language: Option<String>,
    /// Who is billed.
    pub billing_address: Option<Option<Address>>,
    /// Where it goes.
    pub shipping_address: Option<Option<Address>>,
    /// How it is shipped.
    pub shipping_method: Option<Option<String>>,
}

/// A change of a cart.
#[derive(Debug, Clone)]
pub enum Change {
    /// So many pieces of a unit are in it.
    SetLine {
        /// What.
        sku: Sku,
        /// How many.
        quantity: i64,
    },
    /// A unit is not in it.
    RemoveLine {
        /// What.
        sku: Sku,
    },
    /// Who buys and where it goes.
    Contact(Box<Contact>),
}

/// Opens a cart.
#[derive(Debug)]
pub struct OpenCart {
    /// The shop.
    pub shop: Arc<Shop>,
    /// The hash of the token that will open it.
    pub access_hash: String,
    /// The cart, empty.
    pub cart: Cart,
    /// What is in it from the start.
    pub lines: Vec<(Sku, i64)>,
}

/// Looks at a cart.
#[derive(Debug)]
pub struct LookAtCart {
    /// The shop.
    pub shop: Arc<Shop>,
    /// Which.
    pub id: CartId,
    /// The hash of the token.
    pub access_hash: String,
    /// Where it would go, as long as it has no address that says so.
    pub country: Option<String>,
}

/// Changes a cart.
#[derive(Debug)]
pub struct ChangeCart {
    /// The shop.
    pub shop: Arc<Shop>,
    /// Which.
    pub id: CartId,
    /// The hash of the token.
    pub access_hash: String,
    /// How.
    pub change: Change,
}

impl Unit for OpenCart {
    type Out = Result<(PricedCart, Option<Day>), Error>;
    const TOGETHER: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let mut cart = self.cart.clone();
        for (n, (sku, quantity)) in self.lines.iter().enumerate() {
            let set = cart.set_line(sku.clone(), *quantity, tx.id(), self.shop.limits());
            if let Err(refusal) = set {
                return Ok(Err(at_line(refusal, n)));
            }
        }
        let (id, version) = (tx.id(), 1);
        let priced = price(tx, &self.shop, StoredCart { id, version, cart }).await?;
        if let Some((n, sku)) = not_on_sale(&priced) {
            return Ok(Err(Error::wrong(
                format!("/lines/{n}/sku"),
                format!("{sku} is not on sale"),
            )));
        }
        carts::insert(tx, id, &self.access_hash, &priced.stored.cart).await?;
        let swept = self.shop.swept.see_to_it(tx);
        Ok(Ok((priced, swept)))
    }
}

impl Unit for LookAtCart {
    type Out = Result<PricedCart, Error>;
    const TOGETHER: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        match carts::select(tx, self.id, &self.access_hash).await? {
            Some(stored) => {
                let country = self.country.as_deref();
                price_for(tx, &self.shop, stored, country).await.map(Ok)
            }
            None => Ok(Err(Error::NotFound)),
        }
    }
}

impl Unit for ChangeCart {
    type Out = Result<PricedCart, Error>;
    const TOGETHER: bool = true;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let Some(mut stored) = carts::select(tx, self.id, &self.access_hash).await? else {
            return Ok(Err(Error::NotFound));
        };
        let before = stored.cart.clone();
        if let Err(refusal) = self.make(tx, &mut stored.cart) {
            return Ok(Err(refusal.into()));
        }
        let changed = stored.cart != before;
        let mut priced = price(tx, &self.shop, stored).await?;
        if let Change::SetLine { sku, .. } = &self.change
            && !priced.offers.contains_key(sku)
        {
            return Ok(Err(PricingRefusal::NotOnSale { sku: sku.clone() }.into()));
        }
        if changed {
            carts::update(tx, std::slice::from_ref(&priced.stored)).await?;
            priced.stored.version += 1;
        }
        Ok(Ok(priced))
    }
}

impl ChangeCart {
    fn make(&self, tx: &Tx<'_>, cart: &mut Cart) -> Result<(), CartRefusal> {
        match &self.change {
            Change::SetLine { sku, quantity } => {
                cart.set_line(sku.clone(), *quantity, tx.id(), self.shop.limits())
            }
            Change::RemoveLine { sku } => cart.remove_line(sku),
            Change::Contact(contact) => {
                cart.check_open().map(|()| Contact::clone(contact).apply(cart))
            }
        }
    }
}

impl Contact {
    /// Makes the change.
    pub fn apply(self, cart: &mut Cart) {
        let Self { email, language, billing_address, shipping_address, shipping_method } = self;
        cart.email = email.unwrap_or_else(|| cart.email.take());
        cart.billing_address = billing_address.unwrap_or_else(|| cart.billing_address.take());
        cart.shipping_address = shipping_address.unwrap_or_else(|| cart.shipping_address.take());
        cart.shipping_method = shipping_method.unwrap_or_else(|| cart.shipping_method.take());
        if let Some(language) = language {
            cart.language = language;
        }
    }
}

/// Prices a cart in full, from the service's own copy of what is offered.
pub async fn price(tx: &mut Tx<'_>, shop: &Shop, stored: StoredCart) -> Result<PricedCart> {
    price_for(tx, shop, stored, None).await
}

/// The same, as if it went to `country`, unless its address says where it goes.
async fn price_for(
    tx: &mut Tx<'_>,
    shop: &Shop,
    stored: StoredCart,
    country: Option<&str>,
) -> Result<PricedCart> {
    let cart = &stored.cart;
    let found = offers::select(tx, cart.lines.iter().map(|line| &line.sku)).await?;
    let offers: BTreeMap<_, _> =
        found.into_iter().map(|offer| (offer.sku.clone(), offer)).collect();
    let lines: Vec<_> = cart
        .lines
        .iter()
        .map(|line| BasketLine {
            line_id: line.line_id,
            quantity: line.quantity,
            offer: offers.get(&line.sku).ok_or(&line.sku),
        })
        .collect();
    let requires_shipping = offers.values().any(|offer| offer.requires_shipping);
    let mut basket = Basket {
        currency: cart.currency,
        tax_mode: cart.tax_mode,
        lines: &lines,
        country: cart.country(requires_shipping).or(country),
        shipping_method: cart.shipping_method.as_deref(),
        discounts: &Discounts::default(),
    };
    let mut outcome = shop.book.price(&basket);
    let refusal = outcome.as_ref().err().cloned();
    if let Some(PricingRefusal::ShippingUnavailable { .. }) = refusal {
        // The goods have a price all the same, and there may be another way to ship them.
        basket.shipping_method = None;
        outcome = shop.book.price(&basket);
    }
    let (priced, quotes) = outcome.map_or((None, vec![]), |(p, q)| (Some(p), q));
    Ok(PricedCart { stored, offers, priced, quotes, refusal })
}

fn not_on_sale(cart: &PricedCart) -> Option<(usize, &Sku)> {
    let lines = cart.stored.cart.lines.iter().map(|line| &line.sku).enumerate();
    lines.into_iter().find(|(_, sku)| !cart.offers.contains_key(sku))
}

fn at_line(refusal: CartRefusal, n: usize) -> Error {
    match refusal {
        CartRefusal::Quantity { .. } => {
            Error::wrong(format!("/lines/{n}/quantity"), refusal.to_string())
        }
        CartRefusal::Full { .. } | CartRefusal::Ordered { .. } => refusal.into(),
    }
}
