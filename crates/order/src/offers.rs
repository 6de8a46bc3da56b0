//! What the catalogue publishes, as offers: the newest of each product.

use std::collections::BTreeMap;

use contracts::{
    ProductId,
    events::{ProductPublished, ProductWithdrawn, Variant},
};

use crate::domain::pricing::Offer;
use crate::store::offers::ProductOffers;

/// The newest offers of each product among what was heard at once.
#[derive(Debug, Default)]
pub struct NewestOffers(BTreeMap<ProductId, ProductOffers>);

impl NewestOffers {
    /// A product is on sale.
    pub fn published(&mut self, product: &ProductPublished) {
        let offers = product.variants.iter().map(|variant| offer(product, variant)).collect();
        let ProductPublished { product_id, version, .. } = *product;
        self.keep(ProductOffers { product_id, version, offers });
    }

    /// A product is no longer on sale.
    pub fn withdrawn(&mut self, product: &ProductWithdrawn) {
        let ProductWithdrawn { product_id, version, .. } = *product;
        self.keep(ProductOffers { product_id, version, offers: vec![] });
    }

    /// One for each product, in the order of their ids.
    pub fn into_products(self) -> Vec<ProductOffers> {
        self.0.into_values().collect()
    }

    fn keep(&mut self, product: ProductOffers) {
        let known = self.0.get(&product.product_id).map(|known| known.version);
        if known.is_none_or(|known| known < product.version) {
            self.0.insert(product.product_id, product);
        }
    }
}

fn offer(product: &ProductPublished, variant: &Variant) -> Offer {
    let options: Vec<&str> = variant.options.values().map(String::as_str).collect();
    let name = if options.is_empty() {
        product.name.clone()
    } else {
        format!("{} ({})", product.name, options.join(", "))
    };
    let prices = variant
        .prices
        .iter()
        .map(|price| (price.price.currency.code().to_owned(), price.price.amount_minor));
    Offer {
        sku: variant.sku.clone(),
        name,
        handle: Some(product.handle.clone()),
        category: product.categories.first().cloned(),
        tax_class: variant.tax_class.clone(),
        requires_shipping: variant.requires_shipping,
        weight_g: variant.weight_g,
        prices: prices.collect(),
    }
}
