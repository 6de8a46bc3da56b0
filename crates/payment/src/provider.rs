//! What any payment provider is to this service. The words fit Stripe's PaymentIntents (automatic
//! and manual capture, redirects) as they fit the test provider built in.
//!
//! A provider is asked, it is never trusted to ask us: its webhooks only say that there is news.

use contracts::{Money, OperationId, PaymentId, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;

use crate::domain::{Account, CaptureMode, Reply};

/// A payment provider.
pub trait Provider: Send + Sync + 'static {
    /// Guarantees money, or takes it at once. The same key twice is one payment.
    fn authorise<'a>(&'a self, request: &'a Authorise) -> BoxFuture<'a, Reply>;

    /// Takes guaranteed money.
    fn capture<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply>;

    /// Gives up what is guaranteed or begun. Answers [`Reply::Captured`] where the money has been
    /// taken already.
    fn void<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply>;

    /// Gives money back.
    fn refund<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply>;

    /// Finds out what became of an operation, without doing anything.
    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Finding>;

    /// How a whole payment stands, without doing anything: for a person who settles a
    /// contradiction.
    fn look<'a>(&'a self, _reference: &'a str) -> BoxFuture<'a, Look> {
        let why = "this provider cannot be asked about a whole payment".to_owned();
        std::future::ready(Look::Unknown { why }).boxed()
    }

    /// Reads a webhook and checks that the provider sent it, no longer ago than its tolerance.
    ///
    /// # Errors
    /// [`SignatureError`] when the provider did not send exactly this just now.
    fn read_webhook(
        &self,
        headers: &HeaderMap,
        body: &str,
        now: Timestamp,
    ) -> Result<WebhookEvent, SignatureError>;
}

/// A request to guarantee money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorise {
    /// The idempotency key, and how the operation is found again.
    pub key: OperationId,
    /// Our payment, to be kept with the provider's.
    pub payment_id: PaymentId,
    /// How much.
    pub amount: Money,
    /// The provider's token for the shopper's means of payment.
    pub token: Option<String>,
    /// Whether to take it at once.
    pub capture: CaptureMode,
    /// Where the shopper comes back to after doing something with the provider.
    pub return_url: String,
}

/// A request to take, give up or give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The idempotency key, and how the operation is found again.
    pub key: OperationId,
    /// The provider's payment.
    pub reference: String,
    /// How much.
    pub amount: Money,
}

/// The question what became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its idempotency key.
    pub key: OperationId,
    /// What it was.
    pub kind: Asked,
    /// The provider's payment, once known.
    pub reference: Option<String>,
    /// How much it was for.
    pub amount: Money,
}

/// What an operation was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Guarantee money.
    Authorise,
    /// Take it.
    Capture,
    /// Give it up.
    Void,
    /// Give it back.
    Refund,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The provider knows it, and this is how it stands.
    Known(Reply),
    /// The provider has never heard of it.
    NeverArrived,
}

/// How a whole payment stands with its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// So.
    Account(Account),
    /// The provider has no such payment.
    NotThere,
    /// Nobody knows: a time-out, a broken connection, an error of the provider.
    Unknown {
        /// What was seen.
        why: String,
    },
}

/// What a provider's webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The provider's id for it: the same on every delivery.
    pub id: String,
    /// What happened, in the provider's word.
    pub kind: String,
    /// Our payment it is about, where the provider says so.
    pub payment_id: Option<PaymentId>,
    /// The provider's payment it is about.
    pub reference: String,
    /// The amount it names.
    pub amount: Option<Money>,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature, or none of the form it must have.
    #[error("the webhook is not signed")]
    Missing,
    /// It was not made with our secret over this body.
    #[error("the webhook's signature does not fit its body")]
    Wrong,
    /// It was made too long ago, or in the future.
    #[error("the webhook's signature is not of this time")]
    Stale,
    /// It is signed, and not a webhook of this provider all the same.
    #[error("the signed webhook does not read")]
    Unreadable,
}
