//! Checking what was issued: numbers without gaps, texts as they were hashed, each document tied to
//! the one before.

use super::{Document, Person, commitment, sha256};

/// What is wrong with a chain of documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// A document's text is not what was hashed.
    #[error("{0} was changed after it was issued")]
    Changed(String),
    /// A document does not hold the hash of the one before.
    #[error("{0} does not follow the document before it")]
    Broken(String),
    /// A number is missing or doubled.
    #[error("{0} is not the number that follows")]
    Gap(String),
    /// A personal block is not the one that was committed to.
    #[error("the personal block of {0} was changed")]
    PersonChanged(String),
}

/// One kept document, for checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number, as kept beside the text.
    pub number: String,
    /// The year of its number.
    pub year: i64,
    /// Its number within the year.
    pub sequence: i64,
    /// Its text.
    pub text: String,
    /// Its hash.
    pub hash: String,
    /// Salt and personal block, unless removed.
    pub person: Option<(String, Person)>,
}

/// Checks a whole series, in order: hashes, numbers without gaps, personal blocks.
pub fn verify(links: &[Link]) -> Vec<ChainFault> {
    let mut faults = Vec::new();
    let mut before: Option<&Link> = None;
    for link in links {
        let number = || link.number.clone();
        let document = serde_json::from_str::<Document>(&link.text).ok();
        let document = document.filter(|document| document.number == link.number);
        if sha256(&link.text) != link.hash || document.is_none() {
            faults.push(ChainFault::Changed(number()));
        }
        if let Some(document) = document {
            if document.previous_hash != before.map(|link| link.hash.clone()).unwrap_or_default() {
                faults.push(ChainFault::Broken(number()));
            }
            let holds = |(salt, person): &(String, Person)| {
                commitment(salt, person).is_ok_and(|made| made == document.person_commitment)
            };
            if !link.person.as_ref().is_none_or(holds) {
                faults.push(ChainFault::PersonChanged(number()));
            }
        }
        let follows = match before {
            Some(before) if before.year == link.year => link.sequence == before.sequence + 1,
            Some(before) => link.year > before.year && link.sequence == 1,
            None => link.sequence == 1,
        };
        if !follows {
            faults.push(ChainFault::Gap(number()));
        }
        before = Some(link);
    }
    faults
}
