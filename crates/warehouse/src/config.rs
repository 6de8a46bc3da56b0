//! What a shop can set about its warehouse.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::Place;

/// The warehouse's part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long goods are held for an order that has not been paid, in minutes.
    pub hold_minutes: u32,
    /// How long, counted from placing, a hold can last at most when the payment provider asks the
    /// shopper for something, in minutes.
    pub hold_max_minutes: u32,
    /// Payment methods whose money takes days, by code, and how many days goods are held for them.
    pub hold_days: BTreeMap<String, u32>,
    /// Where goods are kept, in the order in which they are taken from.
    pub places: Vec<Place>,
    /// At how many pieces or fewer a unit counts as low in the list of stock.
    pub low_stock: i64,
    /// How long changes of stock are collected before they are announced, in milliseconds. Every
    /// unit is announced once however often it changed meanwhile.
    pub announce_ms: u32,
    /// How many bytes of what shoppers are told to be available are kept in memory; 0 keeps none.
    pub cache_bytes: u64,
    /// How long that is kept, in milliseconds. What staff changes by this process shows at once, at
    /// other instances with `redis` within a tenth of a second; what orders take shows when it is
    /// announced; and everything when this is over, with `redis` after at most twice as long.
    pub cache_ttl_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hold_minutes: 15,
            hold_max_minutes: 30,
            hold_days: BTreeMap::from([("transfer".to_owned(), 7)]),
            places: vec![Place::main()],
            low_stock: 5,
            announce_ms: 1000,
            cache_bytes: 8 * 1024 * 1024,
            cache_ttl_ms: 1000,
        }
    }
}

impl Config {
    /// Whether the values make sense together.
    ///
    /// # Errors
    /// A sentence that names the key and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if self.hold_minutes == 0 {
            return Err("hold_minutes must be at least 1".to_owned());
        }
        if self.hold_max_minutes < self.hold_minutes {
            return Err("hold_max_minutes must not be less than hold_minutes".to_owned());
        }
        if self.hold_days.values().any(|days| !(1..=60).contains(days)) {
            return Err("hold_days must be between 1 and 60 for each method".to_owned());
        }
        if self.places.is_empty() {
            return Err("places must name at least one place".to_owned());
        }
        let distinct: std::collections::BTreeSet<_> = self.places.iter().collect();
        if distinct.len() != self.places.len() {
            return Err("places must not name a place twice".to_owned());
        }
        if !(100..=60_000).contains(&self.announce_ms) {
            return Err("announce_ms must be between 100 and 60000".to_owned());
        }
        if self.cache_ttl_ms > 60_000 {
            return Err("cache_ttl_ms must be at most 60000".to_owned());
        }
        Ok(())
    }

    /// Until when goods are held at first, and until when at most.
    pub fn hold(
        &self,
        method: &str,
        placed_at: Timestamp,
        now: Timestamp,
    ) -> (Timestamp, Timestamp) {
        let minutes = |minutes: u32| Duration::from_secs(60 * u64::from(minutes));
        match self.hold_days.get(method) {
            Some(days) => {
                let span = minutes(24 * 60).saturating_mul(*days);
                (now.plus(span), now.plus(span))
            }
            None => {
                let first = now.plus(minutes(self.hold_minutes));
                (first, placed_at.plus(minutes(self.hold_max_minutes)).max(first))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_transfer_is_held_for_days_and_a_card_for_minutes() {
        let config = Config::default();
        let placed = Timestamp::from_micros(0);
        let now = Timestamp::from_micros(1_000_000);
        let minute = 60_000_000;
        assert_eq!(
            config.hold("card", placed, now),
            (Timestamp::from_micros(1_000_000 + 15 * minute), Timestamp::from_micros(30 * minute))
        );
        let week = Timestamp::from_micros(1_000_000 + 7 * 24 * 60 * minute);
        assert_eq!(config.hold("transfer", placed, now), (week, week));
    }

    #[test]
    fn a_hold_that_starts_late_is_never_cut_short_by_the_limit() {
        let config = Config::default();
        let hour = Timestamp::from_micros(3_600_000_000);
        let (first, most) = config.hold("card", Timestamp::EPOCH, hour);
        assert_eq!(first, most);
        assert!(first > hour);
    }

    #[test]
    fn two_places_of_one_name_are_refused() {
        let config = Config { places: vec![Place::main(), Place::main()], ..Config::default() };
        assert!(config.check().is_err());
    }
}
