//! The calls to providers, outside any transaction, and what is done with their answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::{Money, OperationId, PaymentId, Timestamp};
use platform::db::{Result, Tx};
use platform::planted::{self, Bug};
use platform::service::{Task, Verdict};

use crate::config::Config;
use crate::domain::{Command, KEY_LIFE, Operation, OperationKind, Reply};
use crate::handlers::{self, Ask, Asking, Does, NotDone, QUERY};
use crate::provider::{Act, Asked, Authorise, Finding, Provider, Query};

/// Providers by the names that methods use.
pub type Providers = BTreeMap<String, Arc<dyn Provider>>;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider was asked.
    Asked {
        /// About which payment.
        payment_id: PaymentId,
        /// About which operation.
        operation: OperationId,
        /// What it said.
        finding: Finding,
    },
    /// The task itself does not read.
    Unreadable(String),
}

/// Calls the provider.
pub(crate) async fn perform(
    providers: &Providers,
    config: &Config,
    task: &Task,
    now: Timestamp,
) -> Outcome {
    let asking: Asking = match serde_json::from_str(&task.payload) {
        Ok(asking) => asking,
        Err(error) => return Outcome::Unreadable(error.to_string()),
    };
    let operation = &asking.operation;
    let finding = match providers.get(&operation.provider) {
        // Nobody can be asked now; whether it was done before, nobody knows either.
        None => Finding::Known(Reply::Unknown { why: "provider_not_configured".to_owned() }),
        // A provider forgets keys: what may have been forgotten is asked about, not sent again.
        Some(provider) if task.name == QUERY || now.since(operation.requested_at) >= KEY_LIFE => {
            provider.query(&query(&asking)).await
        }
        Some(provider) => Finding::Known(call(provider.as_ref(), config, &asking).await),
    };
    let finding = misread(finding, &operation.kind);
    Outcome::Asked { payment_id: asking.payment_id, operation: operation.id, finding }
}

/// What nobody knows stays unknown, unless a bug is planted.
fn misread(finding: Finding, kind: &OperationKind) -> Finding {
    let bug = match kind {
        OperationKind::Authorise { .. } => Bug::UnknownIsDeclined,
        OperationKind::Refund { .. } => Bug::RefundedTwice,
        OperationKind::Capture { .. } | OperationKind::Void => return finding,
    };
    match finding {
        Finding::Known(Reply::Unknown { why }) if planted::is(bug) => {
            Finding::Known(Reply::Declined { code: why })
        }
        known @ (Finding::Known(_) | Finding::NeverArrived) => known,
    }
}

fn amount(asking: &Asking) -> Money {
    Money::new(asking.operation.amount_minor, asking.currency)
}

fn query(asking: &Asking) -> Query {
    let operation = &asking.operation;
    Query {
        key: operation.id,
        kind: match operation.kind {
            OperationKind::Authorise { .. } => Asked::Authorise,
            OperationKind::Capture { .. } => Asked::Capture,
            OperationKind::Void => Asked::Void,
            OperationKind::Refund { .. } => Asked::Refund,
        },
        reference: operation.reference.clone(),
        amount: amount(asking),
    }
}

async fn call(provider: &dyn Provider, config: &Config, asking: &Asking) -> Reply {
    let operation = &asking.operation;
    match &operation.kind {
        OperationKind::Authorise { method, token } => {
            let id = asking.payment_id;
            let request = Authorise {
                key: operation.id,
                payment_id: id,
                amount: amount(asking),
                token: token.clone(),
                capture: method.capture,
                return_url: format!("{}/api/v1/payments/{id}/return", config.public_url),
            };
            provider.authorise(&request).await
        }
        OperationKind::Capture { .. } => match act(operation, asking) {
            Some(act) => provider.capture(&act).await,
            None => no_reference(),
        },
        OperationKind::Void => match act(operation, asking) {
            Some(act) => provider.void(&act).await,
            None => no_reference(),
        },
        OperationKind::Refund { .. } => match act(operation, asking) {
            Some(act) => provider.refund(&act).await,
            None => no_reference(),
        },
    }
}

fn act(operation: &Operation, asking: &Asking) -> Option<Act> {
    let reference = operation.reference.clone()?;
    Some(Act { key: operation.id, reference, amount: amount(asking) })
}

fn no_reference() -> Reply {
    Reply::Declined { code: "no_reference".to_owned() }
}

/// Records what providers said.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    config: &Config,
    done: &[(&Task, &Outcome)],
) -> Result<Vec<Verdict>> {
    let mut asks = Vec::with_capacity(done.len());
    let mut verdicts = Vec::with_capacity(done.len());
    for (task, outcome) in done {
        match outcome {
            Outcome::Asked { payment_id, operation, finding } => {
                let command = match finding {
                    Finding::Known(reply) => {
                        Command::Answer { operation: *operation, reply: reply.clone() }
                    }
                    Finding::NeverArrived => Command::NeverArrived { operation: *operation },
                };
                verdicts.push(Err(asks.len()));
                asks.push(Ask {
                    payment_id: *payment_id,
                    does: Does::Command(command),
                    cause: task.cause.clone(),
                });
            }
            Outcome::Unreadable(why) => verdicts.push(Ok(Verdict::Failed(why.clone()))),
        }
    }
    let answers = handlers::handle(tx, config, &asks).await?;
    let verdict = |given: std::result::Result<Verdict, usize>| match given {
        Ok(verdict) => verdict,
        Err(place) => match answers.get(place) {
            Some(Ok(())) | None => Verdict::Done,
            Some(Err(NotDone::NotKnown)) => Verdict::Failed("there is no such payment".to_owned()),
            Some(Err(NotDone::Refused(refusal))) => Verdict::Failed(refusal.to_string()),
        },
    };
    Ok(verdicts.into_iter().map(verdict).collect())
}
