//! Who says what, and who hears it: no reaction waits for what nobody says, and what nobody hears
//! is said for a reason.

use std::collections::BTreeSet;

use contracts::Source;
use kontor::shop::{Shop, loose_ends};

/// What is said and not heard inside the shop, and why it is said all the same.
const UNHEARD: &[(&str, &str)] = &[
    ("customer.registered.v1", "the buyer's own record, for accounts and other systems"),
    ("customer.updated.v1", "the same"),
    ("stock.changed.v1", "what is left, for search and for the pages of the shop"),
    ("order.completed.v1", "the end of the story, for other systems"),
];

#[tokio::test]
async fn every_reaction_is_to_something_that_is_said() {
    let shop = Shop::in_memory().await.unwrap();
    let (_, to_nothing) = loose_ends(shop.hosts());
    assert_eq!(to_nothing, Vec::<&str>::new());
}

#[tokio::test]
async fn what_nobody_hears_is_said_for_a_reason() {
    let shop = Shop::in_memory().await.unwrap();
    let (unheard, _) = loose_ends(shop.hosts());
    let known: BTreeSet<&str> = UNHEARD.iter().map(|(name, _)| *name).collect();
    assert_eq!(unheard.into_iter().collect::<BTreeSet<_>>(), known);
    assert!(UNHEARD.iter().all(|(_, reason)| reason.len() > 5));
}

#[tokio::test]
async fn each_service_says_only_what_is_its_own() {
    let shop = Shop::in_memory().await.unwrap();
    let mut said = BTreeSet::new();
    for host in shop.hosts() {
        for kind in host.publishes() {
            assert_eq!(kind.source, host.source(), "{}", kind.name);
            assert!(said.insert(kind.name), "{} is said by two", kind.name);
        }
    }
    let running: BTreeSet<Source> = shop.hosts().iter().map(|host| host.source()).collect();
    assert_eq!(running, Source::ALL.into_iter().collect());
}

#[tokio::test]
async fn no_service_reacts_to_the_same_thing_twice() {
    let shop = Shop::in_memory().await.unwrap();
    for host in shop.hosts() {
        let heard: Vec<&str> = host.reactions().iter().map(|reaction| reaction.on.name).collect();
        let distinct: BTreeSet<&str> = heard.iter().copied().collect();
        assert_eq!(heard.len(), distinct.len(), "{}: {heard:?}", host.source());
    }
}
