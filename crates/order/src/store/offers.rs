//! Offers: a product's version, and the units it offers.

use contracts::{ProductId, Sku};
use platform::db::{Expect, Json, Result, Tx};
use platform::params;
use platform::planted::{self, Bug};

use crate::domain::pricing::Offer;

pub(super) const UPSERT_PRODUCT: &str = "INSERT INTO offer_products (product_id, version) \
    VALUES ($1, $2) ON CONFLICT (product_id) DO UPDATE SET version = excluded.version \
    WHERE offer_products.version < excluded.version";
pub(super) const DELETE_OFFERS: &str = "DELETE FROM offers WHERE product_id = $1";
pub(super) const UPSERT_OFFER: &str = "INSERT INTO offers (sku, product_id, offer) \
    VALUES ($1, $2, $3) ON CONFLICT (sku) \
    DO UPDATE SET product_id = excluded.product_id, offer = excluded.offer";
pub(super) const SELECT_OFFER: &str = "SELECT offer FROM offers WHERE sku = $1";

/// What a product offers as of a version; nothing, once it is withdrawn.
#[derive(Debug, Clone)]
pub struct ProductOffers {
    /// The product.
    pub product_id: ProductId,
    /// Its version.
    pub version: i64,
    /// What it offers.
    pub offers: Vec<Offer>,
}

/// Replaces what each product offers, unless something newer is known. Products come once each,
/// in the order of their ids.
pub async fn replace(tx: &mut Tx<'_>, products: &[ProductOffers]) -> Result<()> {
    let versions = products.iter().map(|product| params![product.product_id, product.version]);
    let changed = tx.execute_each(UPSERT_PRODUCT, versions, Expect::AtMostOne).await?;
    let newer =
        products.iter().zip(changed).filter(|(_, n)| *n == 1 || planted::is(Bug::OldOverNew));
    let newer: Vec<_> = newer.map(|(product, _)| product).collect();
    let ids = newer.iter().map(|product| params![product.product_id]);
    tx.execute_many(DELETE_OFFERS, ids, Expect::Any).await?;
    let mut offers: Vec<_> = newer
        .iter()
        .flat_map(|product| {
            product.offers.iter().map(|offer| (&offer.sku, product.product_id, offer))
        })
        .collect();
    offers.sort_by_key(|(sku, ..)| *sku);
    let rows = offers.into_iter().map(|(sku, product, offer)| params![sku, product, Json(offer)]);
    tx.execute_many(UPSERT_OFFER, rows, Expect::One).await?;
    Ok(())
}

/// What is on sale of some units.
pub async fn select(tx: &mut Tx<'_>, skus: impl IntoIterator<Item = &Sku>) -> Result<Vec<Offer>> {
    let keys: Vec<_> = skus.into_iter().map(|sku| params![sku]).collect();
    let rows: Vec<(Json<Offer>,)> = tx.fetch_many(SELECT_OFFER, keys).await?;
    Ok(rows.into_iter().map(|(Json(offer),)| offer).collect())
}
