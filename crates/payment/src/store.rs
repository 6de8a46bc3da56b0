//! Every SQL string of the service, and the rows behind them. It decides nothing.

mod books;
mod documents;
mod payments;
mod webhooks;

use platform::db::Error;

pub use books::{
    BookedJournal, JournalRow, PostingRow, TrialRow, insert_journals, journals_after, postings_of,
    sum_up, trial_balance,
};
pub use documents::{
    DocumentRow, IssuedRow, PersonRow, document, documents_after, documents_of,
    documents_of_series, documents_since, insert_documents, lock_series, move_series, persons_of,
};
pub use payments::{
    OperationRow, Stored, count_for_people, count_unknown, ending, insert, insert_operations,
    listed, load, may_see, operations_of, operations_since, payments_since, update, waiting,
};
pub use webhooks::{
    Place, QuarantinedRow, WebhookRow, forget_webhooks, insert_webhook, quarantined,
};

/// Every statement, to be prepared on both engines by a test.
pub const STATEMENTS: &[&str] = &[
    books::INSERT_BALANCE,
    books::INSERT_JOURNAL,
    books::INSERT_POSTING,
    books::JOURNALS_AFTER,
    books::POSTINGS_OF,
    books::SUMMED_UNTIL,
    books::TRIAL_BALANCE,
    documents::DOCUMENT,
    documents::DOCUMENTS_AFTER,
    documents::DOCUMENTS_OF,
    documents::DOCUMENTS_OF_SERIES,
    documents::DOCUMENTS_SINCE,
    documents::INSERT_DOCUMENT,
    documents::INSERT_PERSON,
    documents::LOCK_SERIES,
    documents::MOVE_SERIES,
    documents::PERSON_OF,
    payments::COUNT_FOR_PEOPLE,
    payments::COUNT_UNKNOWN,
    payments::ENDING,
    payments::INSERT,
    payments::INSERT_OPERATION,
    payments::LIST,
    payments::LIST_BY_STATUS,
    payments::LIST_FOR_PEOPLE,
    payments::LOAD,
    payments::MAY_SEE,
    payments::OPERATIONS_OF,
    payments::OPERATIONS_SINCE,
    payments::PAYMENTS_SINCE,
    payments::UPDATE,
    payments::WAITING,
    webhooks::FORGET,
    webhooks::INSERT_WEBHOOK,
    webhooks::QUARANTINED,
];

fn corrupt(table: &'static str, id: impl ToString, why: impl ToString) -> Error {
    Error::Corrupt { table, id: id.to_string(), why: why.to_string() }
}
