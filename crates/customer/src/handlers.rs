//! Carries out commands on people: load, decide, store. A batch of one or of hundreds.

use std::collections::BTreeMap;

use contracts::CustomerId;
use platform::cause::Cause;
use platform::db::{NewEvent, Result, Tx};

use crate::domain::{Command, Customer, to_contract};
use crate::store::{self, Known};

/// A command, for whom, and why.
pub struct Asked<'a> {
    /// The person, by the normal form of their e-mail address.
    pub email_key: String,
    /// What is asked.
    pub command: Command,
    /// What led to it.
    pub cause: &'a Cause,
}

/// Somebody in memory: as loaded, and as decided since.
struct Subject {
    id: CustomerId,
    stored_version: i64,
    now: Customer,
}

/// Decides all commands, several for one person one after the other, and stores what changed.
///
/// # Errors
/// When the database fails.
pub async fn handle(tx: &mut Tx<'_>, asked: Vec<Asked<'_>>) -> Result<()> {
    let keys = asked.iter().map(|asked| asked.email_key.clone()).collect();
    let known = store::load(tx, &keys).await?;
    let mut subjects: BTreeMap<String, Subject> = known
        .into_iter()
        .map(|Known { id, email_key, version, contact }| {
            let now = Customer::Guest { version, contact };
            (email_key, Subject { id, stored_version: version, now })
        })
        .collect();
    for Asked { email_key, command, cause } in asked {
        let subject = subjects.entry(email_key).or_insert_with(|| Subject {
            id: tx.id(),
            stored_version: 0,
            now: Customer::Unknown,
        });
        // Nothing can be refused: the type of refusals has no value.
        let Ok(events) = subject.now.decide(command);
        for event in events {
            subject.now = std::mem::replace(&mut subject.now, Customer::Unknown).apply(&event);
            let version = subject.now.version();
            if let Some(payload) = to_contract(subject.id, version, &event) {
                tx.publish(NewEvent { subject: subject.id.to_string(), version, cause, payload });
            }
        }
    }
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    for (email_key, subject) in &subjects {
        let Customer::Guest { version, contact } = &subject.now else { continue };
        let row = store::Write { id: subject.id, email_key, version: *version, contact };
        match subject.stored_version {
            0 => new.push(row),
            stored if stored < *version => changed.push((row, stored)),
            _ => {}
        }
    }
    store::insert(tx, &new).await?;
    store::update(tx, &changed).await
}
