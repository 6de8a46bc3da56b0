//! What is known of a person, learned from their orders. Pure: no I/O, no clock, no randomness.
//!
//! Orders may be heard of late, early and twice: what is known in the end does not depend on it.

use contracts::events::{Address, CustomerRegistered, CustomerUpdated, OrderPlaced, Payload};
use contracts::{CustomerId, OrderId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How many addresses are kept of a person: the ones used last.
const MOST_ADDRESSES: usize = 20;

/// A person, or the place where one may come to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Customer {
    /// Nobody of that e-mail address is known.
    Unknown,
    /// Somebody who buys without an account.
    Guest {
        /// Counts what was learned; the first is 1.
        version: i64,
        /// What is known.
        contact: Contact,
    },
}

/// What is known of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// Their e-mail address, as they wrote it last.
    pub email: String,
    /// The language of their last order, BCP 47.
    pub language: String,
    /// Their name, as of their last order that gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<NameUsed>,
    /// Where things went or were billed to, the last used first.
    pub addresses: Vec<AddressUsed>,
    /// When their first order was placed.
    pub first_order_at: Timestamp,
    /// When their last order was placed.
    pub last_order_at: Timestamp,
    /// Which it was.
    pub last_order_id: OrderId,
}

/// A name, and when it was last given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct NameUsed {
    /// When.
    pub last_used_at: Timestamp,
    /// The name.
    pub name: String,
}

/// An address, and when it was last used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressUsed {
    /// The address.
    pub address: Address,
    /// When.
    pub last_used_at: Timestamp,
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Learn from an order of theirs.
    NoteOrder(Box<Contact>),
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody became known.
    Registered(Box<Contact>),
    /// How to reach them changed.
    Changed(Box<Contact>),
    /// They bought again, the same way as before: nobody else's business.
    SeenAgain(Box<Contact>),
}

/// Why something was not learned. Nothing in an order is a reason not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {}

/// The form of an e-mail address under which a person is known: spelling is not a difference.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

impl Contact {
    /// What one order tells of its buyer.
    pub fn of(placed: &OrderPlaced) -> Self {
        let used = |address: &Address| AddressUsed {
            address: address.clone(),
            last_used_at: placed.placed_at,
        };
        let shipping = placed.shipping.as_ref().map(|shipping| &shipping.address);
        let billing = placed.buyer.billing.as_ref();
        let named = billing.or(shipping).map(|address| address.name.clone());
        let mut addresses: Vec<AddressUsed> = shipping.into_iter().map(used).collect();
        addresses.extend(billing.filter(|billing| Some(*billing) != shipping).map(used));
        Self {
            email: placed.buyer.email.trim().to_owned(),
            language: placed.buyer.language.clone(),
            name: named.map(|name| NameUsed { last_used_at: placed.placed_at, name }),
            addresses,
            first_order_at: placed.placed_at,
            last_order_at: placed.placed_at,
            last_order_id: placed.order_id,
        }
    }

    /// What is known after both: the later word counts, in whichever order they were heard.
    fn with(&self, other: &Self) -> Self {
        let latest = |contact: &Self| (contact.last_order_at, contact.last_order_id);
        let newer = if latest(other) > latest(self) { other } else { self };
        let mut addresses = self.addresses.clone();
        for used in &other.addresses {
            match addresses.iter_mut().find(|known| known.address == used.address) {
                Some(known) => known.last_used_at = known.last_used_at.max(used.last_used_at),
                None => addresses.push(used.clone()),
            }
        }
        addresses.sort_by_cached_key(|used| {
            (std::cmp::Reverse(used.last_used_at), serde_json::to_string(&used.address).ok())
        });
        addresses.truncate(MOST_ADDRESSES);
        Self {
            email: newer.email.clone(),
            language: newer.language.clone(),
            name: self.name.clone().max(other.name.clone()),
            addresses,
            first_order_at: self.first_order_at.min(other.first_order_at),
            last_order_at: newer.last_order_at,
            last_order_id: newer.last_order_id,
        }
    }

    /// Whether somebody who writes to them has to know of the difference.
    fn reached_differently(&self, other: &Self) -> bool {
        let name = |contact: &Self| contact.name.as_ref().map(|used| used.name.clone());
        let places = |contact: &Self| -> Vec<Address> {
            contact.addresses.iter().map(|used| used.address.clone()).collect()
        };
        (&self.email, &self.language, name(self), places(self))
            != (&other.email, &other.language, name(other), places(other))
    }
}

impl Customer {
    /// What `command` would change. `Ok([])` means "known already".
    ///
    /// # Errors
    /// None: see [`Refusal`].
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Unknown, Command::NoteOrder(told)) => Ok(vec![Event::Registered(told)]),
            (Self::Guest { contact, .. }, Command::NoteOrder(told)) => {
                let after = Box::new(contact.with(&told));
                Ok(if *after == *contact {
                    vec![]
                } else if contact.reached_differently(&after) {
                    vec![Event::Changed(after)]
                } else {
                    vec![Event::SeenAgain(after)]
                })
            }
        }
    }

    /// The person after `event`.
    #[must_use]
    pub fn apply(self, event: &Event) -> Self {
        let version = self.version() + 1;
        match event {
            Event::Registered(contact) | Event::Changed(contact) | Event::SeenAgain(contact) => {
                Self::Guest { version, contact: (**contact).clone() }
            }
        }
    }

    /// Its version; 0 if nobody is known.
    pub const fn version(&self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::Guest { version, .. } => *version,
        }
    }
}

/// What the other services are told of an event that led to `version`: that there is something to
/// know, and never what.
pub fn to_contract(customer_id: CustomerId, version: i64, event: &Event) -> Option<Payload> {
    match event {
        Event::Registered(_) => {
            Some(CustomerRegistered { customer_id, version, guest: true }.into())
        }
        Event::Changed(_) => Some(CustomerUpdated { customer_id, version }.into()),
        Event::SeenAgain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn address(street: &str) -> Address {
        serde_json::from_value(serde_json::json!({
            "name": "Anna", "street": street, "city": "Bonn", "country": "DE",
        }))
        .unwrap()
    }

    /// What the n-th order tells.
    fn order(n: u16, language: &str, street: &str) -> Contact {
        let at = Timestamp::from_micros(i64::from(n));
        Contact {
            email: format!("Anna{n}@example.org"),
            language: language.into(),
            name: (!n.is_multiple_of(3))
                .then(|| NameUsed { last_used_at: at, name: format!("Anna {n}") }),
            addresses: vec![AddressUsed { address: address(street), last_used_at: at }],
            first_order_at: at,
            last_order_at: at,
            last_order_id: OrderId::from_uuid(Uuid::from_u128(u128::from(n))),
        }
    }

    fn after(customer: Customer, told: Contact) -> (Customer, Vec<Event>) {
        let events = customer.decide(Command::NoteOrder(Box::new(told))).unwrap();
        (events.iter().fold(customer, Customer::apply), events)
    }

    fn contact(customer: &Customer) -> Option<&Contact> {
        match customer {
            Customer::Unknown => None,
            Customer::Guest { contact, .. } => Some(contact),
        }
    }

    #[test]
    fn a_guest_is_registered_once_and_updated_when_something_changed() {
        let said = |events: &[Event]| -> Vec<Option<&'static str>> {
            let id = CustomerId::from_uuid(Uuid::from_u128(1));
            let payloads = events.iter().map(|event| to_contract(id, 1, event));
            payloads.map(|payload| payload.map(|payload| payload.kind().name)).collect()
        };
        let (customer, first) = after(Customer::Unknown, order(1, "de", "A 1"));
        assert_eq!(said(&first), [Some("customer.registered.v1")]);
        let (customer, repeat) = after(customer, order(1, "de", "A 1"));
        assert_eq!(said(&repeat), [] as [Option<&str>; 0]);
        let (customer, moved) = after(customer, order(2, "de", "B 2"));
        assert_eq!(said(&moved), [Some("customer.updated.v1")]);
        let same =
            Contact { email: "Anna2@example.org".into(), name: None, ..order(3, "de", "B 2") };
        let (customer, again) = after(customer, same);
        assert_eq!(said(&again), [None]);
        assert_eq!(customer.version(), 3);
    }

    #[test]
    fn the_last_order_decides_the_language_even_if_it_is_heard_of_first() {
        let (customer, _) = after(Customer::Unknown, order(5, "en", "A 1"));
        let (customer, _) = after(customer, order(2, "de", "B 2"));
        let contact = contact(&customer).unwrap();
        assert_eq!(contact.language, "en");
        assert_eq!(contact.addresses.len(), 2);
        assert_eq!(contact.first_order_at, Timestamp::from_micros(2));
    }

    #[test]
    fn one_person_writes_an_address_in_several_ways() {
        assert_eq!(email_key(" Anna@Example.ORG "), email_key("anna@example.org"));
        assert_ne!(email_key("anna+shop@example.org"), email_key("anna@example.org"));
    }

    proptest! {
        #[test]
        fn what_is_known_does_not_depend_on_the_order_of_hearing(
            told in proptest::collection::vec((0_u16..60, 0_u8..2, 0_u8..40), 1..60),
            seed in proptest::collection::vec(any::<u32>(), 60),
        ) {
            // An order tells the same each time it is told.
            let orders: std::collections::BTreeMap<u16, Contact> = told
                .iter()
                .map(|(n, language, street)| {
                    let language = if *language == 0 { "de" } else { "en" };
                    (*n, order(*n, language, &format!("Street {street}")))
                })
                .collect();
            let in_turn = orders.values().cloned();
            let mut shuffled: Vec<Contact> = told.iter().map(|(n, ..)| orders[n].clone()).collect();
            let mut keys = seed.iter().cycle();
            shuffled.sort_by_cached_key(|_| keys.next());
            let learn = |known, told| after(known, told).0;
            let one = in_turn.fold(Customer::Unknown, learn);
            let other = shuffled.into_iter().fold(Customer::Unknown, learn);
            prop_assert_eq!(contact(&one), contact(&other));
        }
    }
}
