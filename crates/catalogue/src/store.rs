//! Every SQL string of the service.

pub mod history;

use std::collections::{BTreeMap, BTreeSet};

use contracts::{ProductId, Sku};
use platform::db::{Error, Expect, FromRow, Json, Result, Row, Tx, Unit};
use platform::params;

use crate::domain::{CategoryPath, Content, State};

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[&str] = &[
    SELECT_BY_ID,
    SELECT_BY_HANDLE,
    SELECT_PAGE,
    SELECT_PAGE_OF_CATEGORY,
    SELECT_PAGE_NAMED,
    SELECT_ALL,
    SELECT_SKU,
    SELECT_CATEGORIES,
    INSERT,
    UPDATE,
    INSERT_SKU,
    DELETE_SKU,
    INSERT_HANDLE,
    DELETE_HANDLE,
    INSERT_PLACE,
    DELETE_PLACE,
    INSERT_CATEGORY,
    NAME_CATEGORY,
    history::INSERT_CHANGE,
    history::SELECT_CHANGES,
];

macro_rules! select_products {
    ($rest:literal) => {
        concat!("SELECT p.id, p.state, p.version, p.content FROM product p ", $rest)
    };
}
const SELECT_BY_ID: &str = select_products!("WHERE p.id = $1");
const SELECT_BY_HANDLE: &str = select_products!("WHERE p.handle = $1");
const SELECT_PAGE: &str =
    select_products!("WHERE p.state = $1 AND p.id > $2 ORDER BY p.id LIMIT $3");
const SELECT_PAGE_OF_CATEGORY: &str = select_products!(
    "JOIN product_place c ON c.product_id = p.id \
     WHERE c.path = $4 AND c.product_id > $2 AND p.state = $1 ORDER BY c.product_id LIMIT $3"
);
/// Each pattern is a word of the search; those that are not needed fit everything.
const SELECT_PAGE_NAMED: &str = select_products!(
    "WHERE p.state = $1 AND p.id > $2 AND p.name LIKE $4 ESCAPE '\\' AND p.name LIKE $5 ESCAPE '\\' \
     AND p.name LIKE $6 ESCAPE '\\' ORDER BY p.id LIMIT $3"
);
const SELECT_ALL: &str = select_products!("WHERE p.id > $1 ORDER BY p.id LIMIT $2");
const SELECT_SKU: &str = "SELECT sku, product_id FROM product_sku WHERE sku = $1";
const SELECT_CATEGORIES: &str = "SELECT c.path, c.name, count(p.id) FROM category c \
     LEFT JOIN product_place l ON l.path = c.path \
     LEFT JOIN product p ON p.id = l.product_id AND p.state = 'published' \
     WHERE c.path > $1 GROUP BY c.path, c.name ORDER BY c.path LIMIT $2";
/// Changes no row if the handle has just been taken: then the unit runs again and finds out.
const INSERT: &str = "INSERT INTO product (id, handle, state, version, content, changed_at, name) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE product SET handle = $2, state = $3, version = $4, content = $5, \
     changed_at = $6, name = $7 WHERE id = $1 AND version = $8";
/// As above, for a sku.
const INSERT_SKU: &str =
    "INSERT INTO product_sku (sku, product_id) VALUES ($1, $2) ON CONFLICT (sku) DO NOTHING";
const DELETE_SKU: &str = "DELETE FROM product_sku WHERE sku = $1 AND product_id = $2";
/// As above, for a handle.
const INSERT_HANDLE: &str = "INSERT INTO product_handle (handle, product_id) VALUES ($1, $2) ON CONFLICT (handle) DO NOTHING";
const DELETE_HANDLE: &str = "DELETE FROM product_handle WHERE handle = $1 AND product_id = $2";
const INSERT_PLACE: &str = "INSERT INTO product_place (path, product_id) VALUES ($1, $2) \
     ON CONFLICT (path, product_id) DO NOTHING";
const DELETE_PLACE: &str = "DELETE FROM product_place WHERE path = $1 AND product_id = $2";
const INSERT_CATEGORY: &str =
    "INSERT INTO category (path, name) VALUES ($1, $2) ON CONFLICT (path) DO NOTHING";
const NAME_CATEGORY: &str = "INSERT INTO category (path, name) VALUES ($1, $2) \
     ON CONFLICT (path) DO UPDATE SET name = excluded.name WHERE category.name <> excluded.name";

/// How many categories are read at a time.
const CATEGORIES_AT_ONCE: i64 = 1_000;

/// A product as stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its id.
    pub id: ProductId,
    /// Where it is in its life.
    pub state: State,
    /// Its version.
    pub version: i64,
    /// What it says.
    pub content: Content,
}

impl FromRow for Stored {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let id: ProductId = row.get(0)?;
        let state: String = row.get(1)?;
        let state = State::named(&state).ok_or_else(|| Error::Corrupt {
            table: "product",
            id: id.to_string(),
            why: format!("{state:?} is not a state"),
        })?;
        let Json(content) = row.get(3)?;
        Ok(Self { id, state, version: row.get(2)?, content })
    }
}

/// A category and how many products on sale are in it or below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// How many products.
    pub products: i64,
}

/// What a product becomes: the row it had, if any, and the one it gets.
pub struct Change<'a> {
    /// Its version and content as stored, if it was.
    pub was: Option<(i64, &'a Content)>,
    /// As it is to be stored.
    pub now: &'a Stored,
}

/// Products by their ids and by their handles.
///
/// # Errors
/// When the database fails.
pub async fn load(
    tx: &mut Tx<'_>,
    ids: &BTreeSet<ProductId>,
    handles: &BTreeSet<&str>,
) -> Result<Vec<Stored>> {
    let mut found: Vec<Stored> =
        tx.fetch_many(SELECT_BY_ID, ids.iter().map(|id| params![*id])).await?;
    let by_handle: Vec<Stored> =
        tx.fetch_many(SELECT_BY_HANDLE, handles.iter().map(|handle| params![*handle])).await?;
    found.extend(by_handle);
    Ok(found)
}

/// Whose the units are, as far as they are anybody's.
///
/// # Errors
/// When the database fails.
pub async fn sku_owners(
    tx: &mut Tx<'_>,
    skus: &BTreeSet<&Sku>,
) -> Result<BTreeMap<Sku, ProductId>> {
    let rows: Vec<(Sku, ProductId)> =
        tx.fetch_many(SELECT_SKU, skus.iter().map(|sku| params![*sku])).await?;
    Ok(rows.into_iter().collect())
}

/// Stores what became of products, given in the order of their ids, and all that follows from it.
///
/// # Errors
/// When the database fails; a conflict when another change came first.
pub async fn store(tx: &mut Tx<'_>, changes: &[Change<'_>]) -> Result<()> {
    let now = tx.now();
    let new = changes.iter().filter(|change| change.was.is_none()).map(|change| {
        let Stored { id, state, version, content } = change.now;
        let name = content.name.to_lowercase();
        params![*id, &content.handle, state.name(), *version, Json(content), now, name]
    });
    tx.execute_many(INSERT, new, Expect::Version).await?;
    store_handles(tx, changes).await?;
    let changed = changes.iter().filter_map(|change| {
        let Stored { id, state, version, content } = change.now;
        let (was, _) = change.was?;
        let name = content.name.to_lowercase();
        Some(params![*id, &content.handle, state.name(), *version, Json(content), now, name, was])
    });
    tx.execute_many(UPDATE, changed, Expect::Version).await?;
    store_skus(tx, changes).await?;
    store_places(tx, changes).await
}

/// Before the product itself says so: whoever wants the same handle at the same time waits here.
async fn store_handles(tx: &mut Tx<'_>, changes: &[Change<'_>]) -> Result<()> {
    let (mut gone, mut come) = (BTreeMap::new(), BTreeMap::new());
    for Change { was, now } in changes {
        let before = was.map(|(_, content)| content.handle.as_str());
        let after = now.content.handle.as_str();
        if before != Some(after) {
            gone.extend(before.map(|handle| (handle, now.id)));
            come.insert(after, now.id);
        }
    }
    let rows = come.iter().map(|(handle, id)| params![*handle, *id]);
    tx.execute_many(INSERT_HANDLE, rows, Expect::Version).await?;
    let rows = gone.iter().map(|(handle, id)| params![*handle, *id]);
    tx.execute_many(DELETE_HANDLE, rows, Expect::One).await.map(drop)
}

async fn store_skus(tx: &mut Tx<'_>, changes: &[Change<'_>]) -> Result<()> {
    let (mut gone, mut come) = (BTreeMap::new(), BTreeMap::new());
    for Change { was, now } in changes {
        let before: BTreeSet<&Sku> = was.iter().flat_map(|(_, content)| content.skus()).collect();
        let after: BTreeSet<&Sku> = now.content.skus().collect();
        gone.extend(before.difference(&after).map(|sku| (*sku, now.id)));
        come.extend(after.difference(&before).map(|sku| (*sku, now.id)));
    }
    let rows = gone.iter().map(|(sku, id)| params![*sku, *id]);
    tx.execute_many(DELETE_SKU, rows, Expect::One).await?;
    let rows = come.iter().map(|(sku, id)| params![*sku, *id]);
    tx.execute_many(INSERT_SKU, rows, Expect::Version).await.map(drop)
}

async fn store_places(tx: &mut Tx<'_>, changes: &[Change<'_>]) -> Result<()> {
    let places = |content: &Content| -> BTreeSet<CategoryPath> {
        let each = content.categories.iter();
        each.flat_map(|path| path.with_ancestors().collect::<Vec<_>>()).collect()
    };
    let (mut gone, mut come) = (BTreeSet::new(), BTreeSet::new());
    let mut categories = BTreeSet::new();
    for Change { was, now } in changes {
        let before = was.map(|(_, content)| places(content)).unwrap_or_default();
        let after = places(&now.content);
        gone.extend(before.difference(&after).map(|path| (path.clone(), now.id)));
        come.extend(after.difference(&before).map(|path| (path.clone(), now.id)));
        categories.extend(after.difference(&before).cloned());
    }
    add_categories(tx, &categories).await?;
    let rows = gone.iter().map(|(path, id)| params![path.as_str(), *id]);
    tx.execute_many(DELETE_PLACE, rows, Expect::AtMostOne).await?;
    let rows = come.iter().map(|(path, id)| params![path.as_str(), *id]);
    tx.execute_many(INSERT_PLACE, rows, Expect::AtMostOne).await.map(drop)
}

async fn add_categories(tx: &mut Tx<'_>, paths: &BTreeSet<CategoryPath>) -> Result<()> {
    let rows = paths.iter().map(|path| params![path.as_str(), path.default_name()]);
    tx.execute_many(INSERT_CATEGORY, rows, Expect::AtMostOne).await.map(drop)
}

/// Gives categories their names, making them and those above them if need be. Answers those that
/// had another name or none.
///
/// # Errors
/// When the database fails.
pub async fn name_categories<'a>(
    tx: &mut Tx<'_>,
    names: &'a BTreeMap<CategoryPath, String>,
) -> Result<Vec<(&'a CategoryPath, &'a String)>> {
    let above = |path: &CategoryPath| path.with_ancestors().collect::<Vec<_>>();
    let all: BTreeSet<CategoryPath> = names.keys().flat_map(above).collect();
    let unnamed: BTreeSet<CategoryPath> =
        all.into_iter().filter(|path| !names.contains_key(path)).collect();
    add_categories(tx, &unnamed).await?;
    let rows = names.iter().map(|(path, name)| params![path.as_str(), name]);
    let changed = tx.execute_each(NAME_CATEGORY, rows, Expect::AtMostOne).await?;
    Ok(names.iter().zip(changed).filter(|(_, rows)| *rows == 1).map(|(named, _)| named).collect())
}

/// Products from `after` on, whatever their state.
///
/// # Errors
/// When the database fails.
pub async fn next(tx: &mut Tx<'_>, after: ProductId, limit: i64) -> Result<Vec<Stored>> {
    tx.fetch_all(SELECT_ALL, &params![after, limit]).await
}

/// One product, by its id.
#[derive(Debug)]
pub struct ById(pub ProductId);

impl Unit for ById {
    type Out = Option<Stored>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        tx.fetch_optional(SELECT_BY_ID, &params![self.0]).await
    }
}

/// One product, by its handle.
#[derive(Debug)]
pub struct ByHandle(pub String);

impl Unit for ByHandle {
    type Out = Option<Stored>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        tx.fetch_optional(SELECT_BY_HANDLE, &params![&self.0]).await
    }
}

/// A page of products, the first to be made first.
#[derive(Debug)]
pub struct Page {
    /// Those in this state.
    pub state: State,
    /// Those in this category or below.
    pub category: Option<String>,
    /// Those whose names hold all these words, if they are not asked for by category.
    pub words: Vec<String>,
    /// Those made after this one.
    pub after: ProductId,
    /// At most so many.
    pub limit: i64,
}

impl Unit for Page {
    type Out = Vec<Stored>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let state = self.state.name();
        match &self.category {
            Some(path) => {
                let params = params![state, self.after, self.limit, path];
                tx.fetch_all(SELECT_PAGE_OF_CATEGORY, &params).await
            }
            None if self.words.is_empty() => {
                tx.fetch_all(SELECT_PAGE, &params![state, self.after, self.limit]).await
            }
            None => {
                let pattern = |index: usize| {
                    self.words.get(index).map_or("%".to_owned(), |word| holding(word))
                };
                let (first, second, third) = (pattern(0), pattern(1), pattern(2));
                let params = params![state, self.after, self.limit, first, second, third];
                tx.fetch_all(SELECT_PAGE_NAMED, &params).await
            }
        }
    }
}

/// How many words of a search are looked at.
pub const WORDS: usize = 3;

/// The pattern of what holds `word`, in which nothing stands for anything else.
fn holding(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// The category tree, by path.
#[derive(Debug)]
pub struct Categories;

impl Unit for Categories {
    type Out = Vec<Category>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out> {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let rows: Vec<(String, String, i64)> =
                tx.fetch_all(SELECT_CATEGORIES, &params![&after, CATEGORIES_AT_ONCE]).await?;
            let Some((last, ..)) = rows.last() else { return Ok(found) };
            after.clone_from(last);
            let category = |(path, name, products)| Category { path, name, products };
            found.extend(rows.into_iter().map(category));
        }
    }
}
