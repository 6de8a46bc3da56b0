//! Invoices, credit notes, their personal blocks, and where their series stand.

use contracts::{PaymentId, Timestamp};
use platform::db::{Error, Expect, FromRow, Json, Result, Row, Tx};
use platform::params;
use uuid::Uuid;

use crate::domain::document::{Document, Issued, Person, Series, SeriesHead};

pub(super) const INSERT_DOCUMENT: &str = "INSERT INTO payment_documents (id, series, year, sequence, number, payment_id, corrects, \
    document, hash, previous_hash, issued_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

pub(super) const INSERT_PERSON: &str =
    "INSERT INTO payment_document_persons (document_id, salt, person) VALUES ($1, $2, $3)";

pub(super) const DOCUMENT: &str = "SELECT id, series, year, sequence, number, payment_id, document, hash, issued_at \
    FROM payment_documents WHERE id = $1 AND series = $2";

pub(super) const DOCUMENTS_OF: &str = "SELECT id, series, year, sequence, number, payment_id, document, hash, issued_at \
    FROM payment_documents WHERE payment_id = $1 ORDER BY issued_at, number LIMIT 500";

pub(super) const DOCUMENTS_OF_SERIES: &str = "SELECT id, series, year, sequence, number, payment_id, document, hash, issued_at \
    FROM payment_documents WHERE payment_id = $1 AND series = $2 AND (year > $3 OR (year = $3 AND sequence > $4)) \
    ORDER BY year, sequence LIMIT $5";

pub(super) const DOCUMENTS_AFTER: &str = "SELECT id, series, year, sequence, number, payment_id, document, hash, issued_at \
    FROM payment_documents WHERE series = $1 AND (year < $2 OR (year = $2 AND sequence < $3)) \
    ORDER BY year DESC, sequence DESC LIMIT $4";

pub(super) const DOCUMENTS_SINCE: &str = "SELECT id, series, year, sequence, number, payment_id, document, hash, issued_at \
    FROM payment_documents WHERE series = $1 AND (year > $2 OR (year = $2 AND sequence > $3)) \
    ORDER BY year, sequence LIMIT $4";

pub(super) const PERSON_OF: &str =
    "SELECT document_id, salt, person FROM payment_document_persons WHERE document_id = $1";

pub(super) const LOCK_SERIES: &str = "UPDATE payment_series SET last_number = last_number WHERE series = $1 \
    RETURNING year, last_number, last_hash, last_issued_micros";

pub(super) const MOVE_SERIES: &str = "UPDATE payment_series SET year = $2, last_number = $3, last_hash = $4, last_issued_micros = $5 \
    WHERE series = $1";

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// The year of its number.
    pub year: i64,
    /// Its number within the year.
    pub sequence: i64,
    /// Its number.
    pub number: String,
    /// For which payment.
    pub payment_id: PaymentId,
    /// What it says.
    pub document: Document,
    /// The text that was hashed.
    pub text: String,
    /// Its hash.
    pub hash: String,
}

/// A document to keep.
#[derive(Debug, Clone)]
pub struct IssuedRow {
    /// What was issued.
    pub issued: Issued,
    /// Who was billed.
    pub person: Person,
    /// What makes the commitment unguessable.
    pub salt: String,
}

/// A personal block: of which document, its salt, and the block.
pub type PersonRow = (Uuid, String, Json<Person>);

impl FromRow for DocumentRow {
    fn from_row(row: &Row<'_>) -> Result<Self> {
        let (number, text): (String, String) = (row.get(4)?, row.get(6)?);
        let document = serde_json::from_str(&text)
            .map_err(|error| super::corrupt("payment_documents", &number, error))?;
        Ok(Self {
            year: row.get(2)?,
            sequence: row.get(3)?,
            number,
            payment_id: row.get(5)?,
            document,
            text,
            hash: row.get(7)?,
        })
    }
}

/// Takes hold of a series until the transaction ends, and says where it stands.
pub async fn lock_series(tx: &mut Tx<'_>, series: Series) -> Result<SeriesHead> {
    let row: Option<(i64, i64, String, i64)> =
        tx.fetch_optional(LOCK_SERIES, &params![series.prefix()]).await?;
    let (year, last_number, last_hash, micros) =
        row.ok_or_else(|| Error::Failed(format!("the series {} is not there", series.prefix())))?;
    let last_issued_at = Timestamp::from_micros(micros);
    Ok(SeriesHead { series, year, last_number, last_hash, last_issued_at })
}

/// Moves a series on to where documents have been issued to.
pub async fn move_series(tx: &mut Tx<'_>, head: &SeriesHead) -> Result<()> {
    let micros = head.last_issued_at.micros();
    let row = params![head.series.prefix(), head.year, head.last_number, &head.last_hash, micros];
    tx.execute(MOVE_SERIES, &row, Expect::One).await.map(drop)
}

/// Keeps documents with their personal blocks.
pub async fn insert_documents(tx: &mut Tx<'_>, rows: &[IssuedRow]) -> Result<()> {
    let documents = rows.iter().map(|row| {
        let document = &row.issued.document;
        params![
            document.id,
            document.series.prefix(),
            row.issued.year,
            row.issued.sequence,
            &document.number,
            document.payment_id,
            document.corrects.as_ref().map(|corrected| corrected.invoice_id),
            &row.issued.text,
            &row.issued.hash,
            &document.previous_hash,
            document.issued_at,
        ]
    });
    tx.execute_many(INSERT_DOCUMENT, documents, Expect::One).await?;
    let persons =
        rows.iter().map(|row| params![row.issued.document.id, &row.salt, Json(&row.person)]);
    tx.execute_many(INSERT_PERSON, persons, Expect::One).await.map(drop)
}

/// The document with this id, if it is of this series.
pub async fn document(tx: &mut Tx<'_>, id: Uuid, series: Series) -> Result<Option<DocumentRow>> {
    tx.fetch_optional(DOCUMENT, &params![id, series.prefix()]).await
}

/// The documents of payments.
pub async fn documents_of(tx: &mut Tx<'_>, ids: &[PaymentId]) -> Result<Vec<DocumentRow>> {
    tx.fetch_many(DOCUMENTS_OF, ids.iter().map(|id| params![*id])).await
}

/// A page of the documents of one payment in a series, above a year and number.
pub async fn documents_of_series(
    tx: &mut Tx<'_>,
    id: PaymentId,
    series: Series,
    above: (i64, i64),
    limit: i64,
) -> Result<Vec<DocumentRow>> {
    let row = params![id, series.prefix(), above.0, above.1, limit];
    tx.fetch_all(DOCUMENTS_OF_SERIES, &row).await
}

/// A page of a series, the latest first, below a year and number.
pub async fn documents_after(
    tx: &mut Tx<'_>,
    series: Series,
    below: Option<(i64, i64)>,
    limit: i64,
) -> Result<Vec<DocumentRow>> {
    let (year, sequence) = below.unwrap_or((i64::MAX, i64::MAX));
    tx.fetch_all(DOCUMENTS_AFTER, &params![series.prefix(), year, sequence, limit]).await
}

/// A page of a series in its order, above a year and number.
pub async fn documents_since(
    tx: &mut Tx<'_>,
    series: Series,
    above: (i64, i64),
    limit: i64,
) -> Result<Vec<DocumentRow>> {
    tx.fetch_all(DOCUMENTS_SINCE, &params![series.prefix(), above.0, above.1, limit]).await
}

/// The personal blocks of documents, as far as they are still there.
pub async fn persons_of(tx: &mut Tx<'_>, ids: &[Uuid]) -> Result<Vec<PersonRow>> {
    tx.fetch_many(PERSON_OF, ids.iter().map(|id| params![*id])).await
}
