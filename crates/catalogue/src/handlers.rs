//! Carries out commands on products: load, decide, store. A batch of one or of hundreds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contracts::{Actor, ProductId, Sku, Source};
use platform::cause::Cause;
use platform::db::{NewEvent, Result, Tx, Unit};

use crate::Catalogue;
use crate::domain::{CategoryPath, Command, Content, Event, Product, Refusal};
use crate::store::history::{self, NewChange};
use crate::store::{self, Change, Stored};
use platform::cache::Changing;

/// Which product is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One that is to be made.
    New,
    /// The one with this id.
    Id(ProductId),
    /// The one with the handle of the content, or a new one if there is none.
    Handle,
}

/// What is asked of one product: all of it happens, or nothing.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which.
    pub target: Target,
    /// At which version the caller saw it, if that matters.
    pub expected_version: Option<i64>,
    /// What.
    pub commands: Vec<Command>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The product as it is now.
    pub product: Stored,
    /// The version it had before; 0 if it was made.
    pub was_version: i64,
    /// The units it had before and has no more.
    pub gave_up: Vec<Sku>,
}

/// The answer to one [`Asked`].
pub type Outcome = Result<Saved, Refusal>;

/// Commands on products, names of categories, all in one transaction.
#[derive(Debug)]
pub struct Save {
    /// What is asked of products.
    pub asked: Vec<Asked>,
    /// Names to give.
    pub names: BTreeMap<CategoryPath, String>,
    /// Whether to decide only, and store nothing. A read transaction will do then.
    pub dry_run: bool,
    /// In a dry run, the units that were given up in it before: nobody's, whatever is stored.
    pub given_up: Arc<BTreeSet<Sku>>,
    /// What led to it.
    pub cause: Cause,
    /// Held by the transaction itself, for a caller who does not wait for its end.
    pub changing: Option<Arc<Changing>>,
}

impl Save {
    /// To be carried out, not rehearsed.
    pub fn of(asked: Vec<Asked>, names: BTreeMap<CategoryPath, String>, cause: Cause) -> Self {
        let given_up = Arc::default();
        Self { asked, names, dry_run: false, given_up, cause, changing: None }
    }
}

impl Unit for Save {
    type Out = Vec<Outcome>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let mut desk = Desk::load(tx, &self.asked).await?;
        desk.skus.retain(|sku, _| !self.given_up.contains(sku));
        let outcomes = self.asked.iter().map(|asked| desk.decide(asked, || tx.id())).collect();
        if !self.dry_run {
            let named = store::name_categories(tx, &self.names).await?;
            let named = named.into_iter().map(|(path, name)| NewChange {
                subject: path.as_str().to_owned(),
                version: None,
                what: format!("named {name}"),
            });
            let changes: Vec<NewChange> = named.chain(desk.changes()).collect();
            desk.store(tx, &self.cause).await?;
            history::note(tx, &self.cause.actor, &changes).await?;
        }
        Ok(outcomes)
    }
}

/// A product in memory: as stored, and as decided since.
struct Loaded {
    stored: Option<(i64, Content)>,
    now: Product,
    events: Vec<Event>,
}

/// Everything a batch needs to be decided. What a product gives up in a batch is free only after it.
struct Desk {
    products: BTreeMap<ProductId, Loaded>,
    handles: BTreeMap<String, ProductId>,
    skus: BTreeMap<Sku, ProductId>,
}

impl Desk {
    async fn load(tx: &mut Tx<'_>, asked: &[Asked]) -> Result<Self> {
        let contents = || asked.iter().flat_map(|asked| &asked.commands).filter_map(content_of);
        let ids: BTreeSet<ProductId> = asked
            .iter()
            .filter_map(|asked| match asked.target {
                Target::Id(id) => Some(id),
                Target::New | Target::Handle => None,
            })
            .collect();
        let wanted: BTreeSet<&str> = contents().map(|content| content.handle.as_str()).collect();
        let stored = store::load(tx, &ids, &wanted).await?;
        let skus = store::sku_owners(tx, &contents().flat_map(Content::skus).collect()).await?;
        let handles = stored.iter().map(|row| (row.content.handle.clone(), row.id)).collect();
        let products = stored
            .into_iter()
            .map(|Stored { id, state, version, content }| {
                let now = Product::Known { state, version, content: content.clone() };
                (id, Loaded { stored: Some((version, content)), now, events: Vec::new() })
            })
            .collect();
        Ok(Self { products, handles, skus })
    }

    fn decide(&mut self, asked: &Asked, new_id: impl FnOnce() -> ProductId) -> Outcome {
        let content = asked.commands.iter().find_map(content_of);
        let owner = content.and_then(|content| self.handles.get(&content.handle)).copied();
        let id = match asked.target {
            Target::Id(id) => id,
            Target::Handle => owner.unwrap_or_else(new_id),
            Target::New => new_id(),
        };
        let absent = Product::Absent;
        let before = self.products.get(&id).map_or(&absent, |loaded| &loaded.now);
        let was_version = before.version();
        if asked.expected_version.is_some_and(|expected| expected != was_version) {
            return Err(match before {
                Product::Absent => Refusal::NoSuchProduct,
                Product::Known { .. } => Refusal::VersionDiffers { actual: was_version },
            });
        }
        if matches!((asked.target, before), (Target::Id(_), Product::Absent)) {
            return Err(Refusal::NoSuchProduct);
        }
        if let Some(content) = content {
            self.free(id, content)?;
        }
        let had: Vec<Sku> = match before {
            Product::Absent => Vec::new(),
            Product::Known { content, .. } => content.skus().cloned().collect(),
        };
        let (mut product, mut events) = (before.clone(), Vec::new());
        for command in &asked.commands {
            for event in product.decide(command.clone())? {
                product = product.apply(&event);
                events.push(event);
            }
        }
        let Product::Known { state, version, content } = product.clone() else {
            return Err(Refusal::NoSuchProduct);
        };
        let gave_up =
            had.into_iter().filter(|sku| !content.skus().any(|kept| kept == sku)).collect();
        self.handles.insert(content.handle.clone(), id);
        self.skus.extend(content.skus().map(|sku| (sku.clone(), id)));
        let unknown = || Loaded { stored: None, now: Product::Absent, events: Vec::new() };
        let loaded = self.products.entry(id).or_insert_with(unknown);
        loaded.now = product;
        loaded.events.extend(events);
        Ok(Saved { product: Stored { id, state, version, content }, was_version, gave_up })
    }

    /// Whether a product may have the handle and the units of a content.
    fn free(&self, id: ProductId, content: &Content) -> Result<(), Refusal> {
        let handle = &content.handle;
        if self.handles.get(handle).is_some_and(|owner| *owner != id) {
            return Err(Refusal::HandleTaken { handle: handle.clone() });
        }
        let taken = |sku: &&Sku| self.skus.get(*sku).is_some_and(|owner| *owner != id);
        match content.skus().find(taken) {
            Some(sku) => Err(Refusal::SkuTaken { sku: sku.clone() }),
            None => Ok(()),
        }
    }

    /// What becomes of products, as it is noted.
    fn changes(&self) -> impl Iterator<Item = NewChange> + '_ {
        let changed = self.products.iter().filter(|(_, loaded)| !loaded.events.is_empty());
        changed.map(|(id, loaded)| {
            let what: Vec<&str> = loaded.events.iter().map(Event::name).collect();
            let version = Some(loaded.now.version());
            NewChange { subject: id.to_string(), version, what: what.join(" ") }
        })
    }

    async fn store(&self, tx: &mut Tx<'_>, cause: &Cause) -> Result<()> {
        let changed = || self.products.iter().filter(|(_, loaded)| !loaded.events.is_empty());
        let rows: Vec<(Option<(i64, &Content)>, Stored)> = changed()
            .filter_map(|(id, loaded)| match &loaded.now {
                Product::Absent => None,
                Product::Known { state, version, content } => {
                    let was = loaded.stored.as_ref().map(|(version, content)| (*version, content));
                    let (state, version, content) = (*state, *version, content.clone());
                    Some((was, Stored { id: *id, state, version, content }))
                }
            })
            .collect();
        let changes: Vec<Change<'_>> =
            rows.iter().map(|(was, now)| Change { was: *was, now }).collect();
        store::store(tx, &changes).await?;
        for (id, loaded) in changed() {
            if let Some((version, payload)) = loaded.now.to_contract(*id, &loaded.events) {
                let cause = &cause.clone().about(id.to_string());
                tx.publish(NewEvent { subject: id.to_string(), version, cause, payload });
            }
        }
        Ok(())
    }
}

fn content_of(command: &Command) -> Option<&Content> {
    match command {
        Command::Revise(content) => Some(content),
        Command::Publish | Command::Withdraw => None,
    }
}

/// Says the present state of some products anew. Answers how many it looked at, and where to go on.
#[derive(Debug)]
pub struct Republish {
    /// Those made after this one.
    pub after: ProductId,
    /// At most so many.
    pub limit: i64,
}

impl Unit for Republish {
    type Out = Option<(u64, ProductId)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let products = store::next(tx, self.after, self.limit).await?;
        let Some(last) = products.last().map(|product| product.id) else { return Ok(None) };
        let count = u64::try_from(products.len()).unwrap_or(u64::MAX);
        for Stored { id, state, version, content } in products {
            let product = Product::Known { state, version, content };
            let Some((version, payload)) = product.restated(id) else { continue };
            let cause = Cause {
                causation: None,
                correlation: id.to_string(),
                trace: None,
                actor: Actor::Service(Source::Catalogue),
            };
            tx.publish(NewEvent { subject: id.to_string(), version, cause: &cause, payload });
        }
        Ok(Some((count, last)))
    }
}

impl Catalogue {
    /// Carries out what is asked, and answers each. What was kept of the shop in memory is stale
    /// afterwards.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn save(&self, mut save: Save) -> Result<Vec<Outcome>> {
        if save.dry_run {
            return self.db.read(save).await;
        }
        let changing = self.documents.changing();
        save.changing = Some(Arc::clone(&changing));
        let outcomes = self.db.write(save).await;
        changing.over();
        outcomes
    }

    /// Says the present state of all products anew, for a consumer that starts late. `progress` is
    /// told how many were looked at so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn republish(&self, mut progress: impl FnMut(u64)) -> Result<u64> {
        let (mut after, mut total) = (ProductId::from_uuid(uuid::Uuid::nil()), 0);
        while let Some((count, last)) = self.db.write(Republish { after, limit: 200 }).await? {
            (after, total) = (last, total + count);
            progress(total);
        }
        Ok(total)
    }
}
