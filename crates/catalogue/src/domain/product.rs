//! The life of one product: drafted, published, withdrawn, and revised in any of these. Pure.

use contracts::events::{Payload, ProductPublished, ProductWithdrawn};
use contracts::{ProductId, Sku};

use super::content::Content;

/// A product, or the place where one may come to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Product {
    /// There is none yet.
    Absent,
    /// There is one.
    Known {
        /// Where it is in its life.
        state: State,
        /// Counts its changes; the first is 1.
        version: i64,
        /// What it says.
        content: Content,
    },
}

/// Where a product is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Staff only.
    Draft,
    /// On sale.
    Published,
    /// No longer on sale.
    Withdrawn,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Draft, Self::Published, Self::Withdrawn];

    /// As it is stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What may be asked of a product.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Make it, or make it say this.
    Revise(Box<Content>),
    /// Put it on sale.
    Publish,
    /// Take it off sale.
    Withdraw,
}

/// What may happen to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It was made, as a draft.
    Drafted(Box<Content>),
    /// It says something else now.
    Revised(Box<Content>),
    /// It is on sale.
    Published,
    /// It is not on sale any more.
    Withdrawn,
}

impl Event {
    /// What happened, in a word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Drafted(_) => "drafted",
            Self::Revised(_) => "revised",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such product.
    #[error("there is no such product")]
    NoSuchProduct,
    /// Only what was on sale can be taken off sale.
    #[error("the product was never on sale")]
    NeverPublished,
    /// The caller had seen another version.
    #[error("the product is at version {actual}")]
    VersionDiffers {
        /// The one it is at.
        actual: i64,
    },
    /// Another product has the handle.
    #[error("the handle {handle} belongs to another product")]
    HandleTaken {
        /// The handle.
        handle: String,
    },
    /// Another product has the unit.
    #[error("the sku {sku} belongs to another product")]
    SkuTaken {
        /// The unit.
        sku: Sku,
    },
}

impl Product {
    /// What `command` would change. `Ok([])` means "already so".
    ///
    /// # Errors
    /// [`Refusal`], when the product's life does not allow it.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Absent, Command::Revise(content)) => Ok(vec![Event::Drafted(content)]),
            (Self::Absent, Command::Publish | Command::Withdraw) => Err(Refusal::NoSuchProduct),
            (Self::Known { content: old, .. }, Command::Revise(new)) if *old == *new => Ok(vec![]),
            (Self::Known { .. }, Command::Revise(new)) => Ok(vec![Event::Revised(new)]),
            (Self::Known { state, .. }, Command::Publish) => Ok(match state {
                State::Draft | State::Withdrawn => vec![Event::Published],
                State::Published => vec![],
            }),
            (Self::Known { state, .. }, Command::Withdraw) => match state {
                State::Draft => Err(Refusal::NeverPublished),
                State::Published => Ok(vec![Event::Withdrawn]),
                State::Withdrawn => Ok(vec![]),
            },
        }
    }

    /// The product after `event`.
    #[must_use]
    pub fn apply(self, event: &Event) -> Self {
        match (self, event) {
            (Self::Absent, Event::Drafted(content) | Event::Revised(content)) => {
                Self::Known { state: State::Draft, version: 1, content: (**content).clone() }
            }
            (Self::Absent, Event::Published | Event::Withdrawn) => Self::Absent,
            (
                Self::Known { state, version, .. },
                Event::Drafted(content) | Event::Revised(content),
            ) => Self::Known { state, version: version + 1, content: (**content).clone() },
            (Self::Known { version, content, .. }, Event::Published) => {
                Self::Known { state: State::Published, version: version + 1, content }
            }
            (Self::Known { version, content, .. }, Event::Withdrawn) => {
                Self::Known { state: State::Withdrawn, version: version + 1, content }
            }
        }
    }

    /// Its version; 0 if there is none.
    pub const fn version(&self) -> i64 {
        match self {
            Self::Absent => 0,
            Self::Known { version, .. } => *version,
        }
    }

    /// What the other services are told after `events` have led here: the whole document as it now
    /// stands, or that it is gone. Drafts are nobody's business.
    pub fn to_contract(&self, id: ProductId, events: &[Event]) -> Option<(i64, Payload)> {
        let Self::Known { state, version, content } = self else { return None };
        let concerns_others = match state {
            State::Draft => false,
            State::Published => !events.is_empty(),
            // A withdrawn product that is revised stays out of the shop: nothing to tell.
            State::Withdrawn => events.contains(&Event::Withdrawn),
        };
        concerns_others.then(|| (*version, state_of(id, *state, *version, content)))
    }

    /// The current state as an event, for a consumer that starts late. Nothing for drafts.
    pub fn restated(&self, id: ProductId) -> Option<(i64, Payload)> {
        match self {
            Self::Absent | Self::Known { state: State::Draft, .. } => None,
            Self::Known { state, version, content } => {
                Some((*version, state_of(id, *state, *version, content)))
            }
        }
    }
}

fn state_of(product_id: ProductId, state: State, version: i64, content: &Content) -> Payload {
    match state {
        State::Draft | State::Withdrawn => {
            ProductWithdrawn { product_id, version, skus: content.skus().cloned().collect() }.into()
        }
        State::Published => ProductPublished {
            product_id,
            version,
            handle: content.handle.clone(),
            name: content.name.clone(),
            description: content.description.clone(),
            categories: content.categories.iter().map(ToString::to_string).collect(),
            attributes: content.attributes.clone(),
            variants: content.variants.clone(),
        }
        .into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contracts::EventData;
    use contracts::events::Variant;
    use proptest::prelude::*;

    use super::*;

    fn content(name: &str) -> Box<Content> {
        Box::new(Content {
            handle: "candle".into(),
            name: name.into(),
            description: String::new(),
            categories: vec![],
            attributes: BTreeMap::new(),
            variants: vec![Variant {
                sku: "C-1".parse().unwrap(),
                options: BTreeMap::new(),
                tax_class: "standard".into(),
                weight_g: 1,
                requires_shipping: true,
                prices: vec![],
            }],
        })
    }

    fn in_state(state: State) -> Product {
        Product::Known { state, version: 3, content: *content("Candle") }
    }

    fn after(product: Product, command: Command) -> (Product, Vec<Event>) {
        let events = product.decide(command).unwrap_or_default();
        (events.iter().fold(product, Product::apply), events)
    }

    fn told(product: &Product, events: &[Event]) -> &'static str {
        let id = ProductId::from_uuid(uuid_of(7));
        product.to_contract(id, events).map_or("nothing", |(_, payload)| payload.kind().name)
    }

    fn uuid_of(n: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(n)
    }

    #[test]
    fn every_command_in_every_state_has_an_answer() {
        let states = [
            ("absent", Product::Absent),
            ("draft", in_state(State::Draft)),
            ("published", in_state(State::Published)),
            ("withdrawn", in_state(State::Withdrawn)),
        ];
        let commands = [
            ("revise", Command::Revise(content("Other"))),
            ("revise to the same", Command::Revise(content("Candle"))),
            ("publish", Command::Publish),
            ("withdraw", Command::Withdraw),
        ];
        let mut table = Vec::new();
        for (state, product) in &states {
            for (name, command) in &commands {
                let answer = match product.decide(command.clone()) {
                    Err(refusal) => refusal.to_string(),
                    Ok(events) => {
                        let after = events.iter().fold(product.clone(), Product::apply);
                        let state = match &after {
                            Product::Absent => "absent",
                            Product::Known { state, .. } => state.name(),
                        };
                        format!("{state} v{}, says {}", after.version(), told(&after, &events))
                    }
                };
                table.push(format!("{state} + {name} -> {answer}"));
            }
        }
        let expected = [
            "absent + revise -> draft v1, says nothing",
            "absent + revise to the same -> draft v1, says nothing",
            "absent + publish -> there is no such product",
            "absent + withdraw -> there is no such product",
            "draft + revise -> draft v4, says nothing",
            "draft + revise to the same -> draft v3, says nothing",
            "draft + publish -> published v4, says product.published.v1",
            "draft + withdraw -> the product was never on sale",
            "published + revise -> published v4, says product.published.v1",
            "published + revise to the same -> published v3, says nothing",
            "published + publish -> published v3, says nothing",
            "published + withdraw -> withdrawn v4, says product.withdrawn.v1",
            "withdrawn + revise -> withdrawn v4, says nothing",
            "withdrawn + revise to the same -> withdrawn v3, says nothing",
            "withdrawn + publish -> published v4, says product.published.v1",
            "withdrawn + withdraw -> withdrawn v3, says nothing",
        ];
        assert_eq!(table, expected);
    }

    #[test]
    fn a_published_product_is_told_whole_and_with_its_version() {
        let (product, events) = after(in_state(State::Draft), Command::Publish);
        let id = ProductId::from_uuid(uuid_of(7));
        let (version, payload) = product.to_contract(id, &events).unwrap();
        let published = ProductPublished::of(&payload).unwrap();
        assert_eq!((version, published.version), (4, 4));
        assert_eq!(published.variants.len(), 1);
        assert_eq!(product.restated(id), Some((4, payload)));
    }

    #[test]
    fn drafts_are_never_told_not_even_anew() {
        let draft = in_state(State::Draft);
        assert_eq!(draft.restated(ProductId::from_uuid(uuid_of(7))), None);
    }

    fn any_command() -> impl Strategy<Value = Command> {
        prop_oneof![
            "[a-c]".prop_map(|name| Command::Revise(content(&name))),
            Just(Command::Publish),
            Just(Command::Withdraw),
        ]
    }

    proptest! {
        #[test]
        fn versions_only_grow_and_a_repeat_changes_nothing(
            commands in proptest::collection::vec(any_command(), 0..20),
        ) {
            let mut product = Product::Absent;
            for command in commands {
                let before = product.version();
                let (next, events) = after(product, command.clone());
                prop_assert_eq!(next.version() > before, !events.is_empty());
                prop_assert_eq!(next.decide(command).unwrap_or_default(), vec![]);
                product = next;
            }
        }
    }
}
