//! A cart: what a shopper means to buy, and whether it can become an order.
//!
//! A cart holds no prices: it is priced in full whenever it is looked at. It survives the placing
//! of its order, and is open again when that order comes to nothing.

use contracts::{
    Currency, LineId, OrderId, Sku,
    events::{Address, TaxMode},
};
use serde::{Deserialize, Serialize};

/// A cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    /// Its currency, for good.
    pub currency: Currency,
    /// Whether its prices contain the tax, for good.
    pub tax_mode: TaxMode,
    /// Language of messages, BCP 47.
    pub language: String,
    /// What is in it, in the order it was put in.
    pub lines: Vec<CartLine>,
    /// Where messages go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Who is billed, if it is not whoever receives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Address>,
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_address: Option<Address>,
    /// How it is shipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_method: Option<String>,
    /// Whether it has become an order.
    pub state: CartState,
}

/// A line of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartLine {
    /// The line, and later the order's.
    pub line_id: LineId,
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: i64,
}

/// Whether a cart has become an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CartState {
    /// It can be filled.
    Open {
        /// Why its last order came to nothing, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It has become this order, which lives.
    Ordered {
        /// The order.
        order_id: OrderId,
    },
}

/// How much fits into a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CartLimits {
    /// How many different things.
    pub lines_max: usize,
    /// How many pieces of one thing.
    pub quantity_max: i64,
}

/// The fact that stands against changing a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CartRefusal {
    /// It has become an order.
    #[error("the cart has become an order")]
    Ordered {
        /// Which.
        order_id: OrderId,
    },
    /// It is full.
    #[error("a cart holds at most {lines_max} different things")]
    Full {
        /// How many fit.
        lines_max: usize,
    },
    /// So many pieces do not fit.
    #[error("a quantity is from 1 to {quantity_max}")]
    Quantity {
        /// How many fit.
        quantity_max: i64,
    },
}

/// What a cart still needs before it can become an order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = CartNeeds)]
pub enum Needs {
    /// Something in it.
    Lines,
    /// An e-mail address.
    Email,
    /// Where it goes.
    ShippingAddress,
    /// How it is shipped.
    ShippingMethod,
    /// Who is billed, where nothing ships: their country decides about the tax.
    BillingAddress,
}

impl Cart {
    /// An empty cart.
    pub fn new(currency: Currency, tax_mode: TaxMode, language: String) -> Self {
        Self {
            currency,
            tax_mode,
            language,
            lines: Vec::new(),
            email: None,
            billing_address: None,
            shipping_address: None,
            shipping_method: None,
            state: CartState::Open { reason: None },
        }
    }

    /// Whether it can be changed.
    ///
    /// # Errors
    /// When it has become an order.
    pub fn check_open(&self) -> Result<(), CartRefusal> {
        match &self.state {
            CartState::Open { .. } => Ok(()),
            CartState::Ordered { order_id } => Err(CartRefusal::Ordered { order_id: *order_id }),
        }
    }

    /// Puts `quantity` pieces of a unit in it, whatever was there of it before. A new line gets
    /// `line_id`.
    ///
    /// # Errors
    /// When it has become an order, is full, or so many do not fit.
    pub fn set_line(
        &mut self,
        sku: Sku,
        quantity: i64,
        line_id: LineId,
        limits: CartLimits,
    ) -> Result<(), CartRefusal> {
        self.check_open()?;
        let CartLimits { lines_max, quantity_max } = limits;
        if !(1..=quantity_max).contains(&quantity) {
            return Err(CartRefusal::Quantity { quantity_max });
        }
        let is_full = self.lines.len() >= lines_max;
        match self.lines.iter_mut().find(|line| line.sku == sku) {
            Some(line) => line.quantity = quantity,
            None if is_full => return Err(CartRefusal::Full { lines_max }),
            None => self.lines.push(CartLine { line_id, sku, quantity }),
        }
        Ok(())
    }

    /// Takes a unit out of it. What is not in it is out already.
    ///
    /// # Errors
    /// When it has become an order.
    pub fn remove_line(&mut self, sku: &Sku) -> Result<(), CartRefusal> {
        self.check_open()?;
        self.lines.retain(|line| line.sku != *sku);
        Ok(())
    }

    /// What it still needs before it can become an order.
    pub fn needs(&self, requires_shipping: bool) -> Vec<Needs> {
        let nothing_ships = !self.lines.is_empty() && !requires_shipping;
        let needs = [
            (Needs::Lines, self.lines.is_empty()),
            (Needs::Email, self.email.is_none()),
            (Needs::ShippingAddress, requires_shipping && self.shipping_address.is_none()),
            (Needs::ShippingMethod, requires_shipping && self.shipping_method.is_none()),
            (Needs::BillingAddress, nothing_ships && self.billed().is_none()),
        ];
        needs.into_iter().filter(|(_, missing)| *missing).map(|(needs, _)| needs).collect()
    }

    /// Who is billed: whoever receives it, unless somebody else.
    pub fn billed(&self) -> Option<&Address> {
        self.billing_address.as_ref().or(self.shipping_address.as_ref())
    }

    /// The country whose taxes apply: where it goes; where nothing ships, who is billed.
    pub fn country(&self, requires_shipping: bool) -> Option<&str> {
        let address =
            if requires_shipping { self.shipping_address.as_ref() } else { self.billed() };
        address.map(|address| address.country.as_str())
    }

    /// It has become an order.
    pub fn become_order(&mut self, order_id: OrderId) {
        self.state = CartState::Ordered { order_id };
    }

    /// The order came to nothing: the cart is open again. Nothing happens if it has become another
    /// order meanwhile.
    pub fn reopen(&mut self, order_id: OrderId, reason: String) {
        if self.state == (CartState::Ordered { order_id }) {
            self.state = CartState::Open { reason: Some(reason) };
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LIMITS: CartLimits = CartLimits { lines_max: 2, quantity_max: 10 };

    fn put(cart: &mut Cart, sku: &str, quantity: i64) -> Result<(), CartRefusal> {
        let line_id = LineId::from_uuid(Uuid::from_u128(cart.lines.len() as u128));
        cart.set_line(sku.parse().unwrap(), quantity, line_id, LIMITS)
    }

    fn cart() -> Cart {
        Cart::new(Currency::EUR, TaxMode::Included, "en".to_owned())
    }

    #[test]
    fn a_unit_is_in_a_cart_once() {
        let mut cart = cart();
        put(&mut cart, "A", 2).unwrap();
        put(&mut cart, "A", 5).unwrap();
        assert_eq!(cart.lines.iter().map(|line| line.quantity).collect::<Vec<_>>(), [5]);
        cart.remove_line(&"A".parse().unwrap()).unwrap();
        cart.remove_line(&"A".parse().unwrap()).unwrap();
        assert!(cart.lines.is_empty());
    }

    #[test]
    fn a_cart_has_limits() {
        let mut cart = cart();
        for quantity in [0, -1, 11, i64::MAX, i64::MIN] {
            let refused = put(&mut cart, "A", quantity);
            assert_eq!(refused, Err(CartRefusal::Quantity { quantity_max: 10 }));
        }
        put(&mut cart, "A", 1).unwrap();
        put(&mut cart, "B", 1).unwrap();
        assert_eq!(put(&mut cart, "C", 1), Err(CartRefusal::Full { lines_max: 2 }));
        assert_eq!(put(&mut cart, "B", 10), Ok(()));
    }

    #[test]
    fn a_cart_that_became_an_order_is_closed_until_that_order_comes_to_nothing() {
        let (order, other) =
            (OrderId::from_uuid(Uuid::from_u128(1)), OrderId::from_uuid(Uuid::from_u128(2)));
        let mut cart = cart();
        cart.become_order(order);
        assert_eq!(put(&mut cart, "A", 1), Err(CartRefusal::Ordered { order_id: order }));
        cart.reopen(other, "other".to_owned());
        assert_eq!(cart.check_open(), Err(CartRefusal::Ordered { order_id: order }));
        cart.reopen(order, "no stock".to_owned());
        assert_eq!(cart.state, CartState::Open { reason: Some("no stock".to_owned()) });
    }

    #[test]
    fn where_nothing_ships_who_is_billed_decides_the_country() {
        let address = |country: &str| Address {
            name: "Ada".to_owned(),
            company: None,
            street: "Hafenstraße 1".to_owned(),
            extra: None,
            postal_code: "20457".to_owned(),
            city: "Hamburg".to_owned(),
            region: None,
            country: country.to_owned(),
            phone: None,
        };
        let mut cart = cart();
        cart.shipping_address = Some(address("AT"));
        assert_eq!((cart.country(true), cart.country(false)), (Some("AT"), Some("AT")));
        cart.billing_address = Some(address("DE"));
        assert_eq!((cart.country(true), cart.country(false)), (Some("AT"), Some("DE")));
        cart.shipping_address = None;
        assert_eq!((cart.country(true), cart.country(false)), (None, Some("DE")));
    }

    #[test]
    fn only_what_ships_needs_to_be_told_where() {
        let mut cart = cart();
        put(&mut cart, "A", 1).unwrap();
        assert_eq!(cart.needs(false), [Needs::Email, Needs::BillingAddress]);
        assert_eq!(cart.needs(true), [Needs::Email, Needs::ShippingAddress, Needs::ShippingMethod]);
    }
}
