//! The shop's side of the test provider, over HTTP.

use std::time::Duration;

use contracts::{Money, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use platform::tls::{self, TlsError};

use super::sign::{SIGNATURE_HEADER, verify};
use super::wire::{Answer, Call, View, Webhook};
use crate::domain::{CaptureMode, Reply};
use crate::provider::{
    Act, Asked, Authorise, Finding, Look, Provider, Query, SignatureError, WebhookEvent,
};

/// Speaks to a test provider.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    api_key: String,
    webhook_secret: String,
    tolerance: Duration,
}

/// Why no client can be built here.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// What it has to know.
    #[error("{0} is not set, and whoever runs the payment service needs it")]
    NotTold(&'static str),
    /// Its TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The rest of it.
    #[error("the HTTP client")]
    Http(#[from] reqwest::Error),
}

/// An HTTP client that gives up after `patience`, and follows nobody elsewhere.
pub(super) fn http_client(patience: Duration) -> Result<reqwest::Client, NoClient> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client(None)?)
        .timeout(patience)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    Ok(client)
}

impl Client {
    /// A client of the provider at `url`.
    ///
    /// # Errors
    /// When no HTTP client can be built here.
    pub fn new(
        url: &str,
        api_key: &str,
        webhook_secret: &str,
        patience: Duration,
        tolerance: Duration,
    ) -> Result<Self, NoClient> {
        Ok(Self {
            http: http_client(patience)?,
            url: url.trim_end_matches('/').to_owned(),
            api_key: api_key.to_owned(),
            webhook_secret: webhook_secret.to_owned(),
            tolerance,
        })
    }

    async fn call(&self, call: Call, asked: Asked) -> Reply {
        let unknown = |why: &dyn std::fmt::Display| Reply::Unknown { why: why.to_string() };
        let request = self.http.post(format!("{}/v1/calls", self.url)).bearer_auth(&self.api_key);
        let answer = match request.json(&call).send().await {
            Ok(answer) => answer,
            Err(error) => return unknown(&error.without_url()),
        };
        let status = answer.status();
        if status.is_server_error() || status == StatusCode::CONFLICT {
            return unknown(&format!("the provider answered {status}"));
        }
        match answer.json::<Answer>().await {
            Ok(answer) => reply_of(&answer, asked),
            Err(_) if status.is_client_error() => {
                Reply::Declined { code: format!("rejected_{}", status.as_u16()) }
            }
            Err(error) => unknown(&error.without_url()),
        }
    }

    async fn account(&self, reference: &str) -> Look {
        let url = format!("{}/v1/payments/{reference}", self.url);
        let answer = match self.http.get(url).bearer_auth(&self.api_key).send().await {
            Ok(answer) => answer,
            Err(error) => return Look::Unknown { why: error.without_url().to_string() },
        };
        match answer.status() {
            StatusCode::OK => match answer.json::<View>().await {
                Ok(view) => Look::Account(view.account()),
                Err(error) => Look::Unknown { why: error.without_url().to_string() },
            },
            StatusCode::NOT_FOUND => Look::NotThere,
            other => Look::Unknown { why: format!("the provider answered {other}") },
        }
    }

    async fn find(&self, query: &Query) -> Finding {
        let unknown = |why: String| Finding::Known(Reply::Unknown { why });
        let url = format!("{}/v1/operations/{}", self.url, query.key);
        let answer = match self.http.get(url).bearer_auth(&self.api_key).send().await {
            Ok(answer) => answer,
            Err(error) => return unknown(error.without_url().to_string()),
        };
        match answer.status() {
            StatusCode::OK => match answer.json::<View>().await {
                Ok(view) => Finding::Known(view.reply(query.kind)),
                Err(error) => unknown(error.without_url().to_string()),
            },
            StatusCode::NOT_FOUND => Finding::NeverArrived,
            other => unknown(format!("the provider answered {other}")),
        }
    }
}

/// What an answer means for the operation that was asked.
pub(super) fn reply_of(answer: &Answer, asked: Asked) -> Reply {
    match (&answer.view, &answer.error) {
        _ if answer.status >= 500 || answer.status == 409 => {
            Reply::Unknown { why: format!("the provider answered {}", answer.status) }
        }
        (Some(view), _) => view.reply(asked),
        (None, Some(code)) => Reply::Declined { code: code.clone() },
        (None, None) => Reply::Unknown { why: "the provider's answer is empty".to_owned() },
    }
}

/// The call for a request to guarantee money.
pub(super) fn create(request: &Authorise) -> Call {
    Call::Create {
        key: request.key.to_string(),
        amount: request.amount,
        token: request.token.clone().unwrap_or_default(),
        automatic: match request.capture {
            CaptureMode::Automatic => true,
            CaptureMode::OnShip => false,
        },
        return_url: request.return_url.clone(),
        shop_payment: request.payment_id.to_string(),
    }
}

/// The calls for what is done with a payment.
pub(super) fn act(act: &Act, asked: Asked) -> Call {
    let (key, payment, amount) = (act.key.to_string(), act.reference.clone(), act.amount);
    match asked {
        Asked::Authorise | Asked::Capture => Call::Capture { key, payment, amount },
        Asked::Void => Call::Void { key, payment },
        Asked::Refund => Call::Refund { key, payment, amount },
    }
}

/// Reads and checks one of the test provider's webhooks.
pub(super) fn read_webhook(
    secret: &str,
    tolerance: Duration,
    headers: &HeaderMap,
    body: &str,
    now: Timestamp,
) -> Result<WebhookEvent, SignatureError> {
    let header = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    verify(secret, header.ok_or(SignatureError::Missing)?, body, now, tolerance)?;
    let webhook: Webhook = serde_json::from_str(body).map_err(|_| SignatureError::Unreadable)?;
    Ok(WebhookEvent {
        id: webhook.id,
        kind: webhook.r#type,
        payment_id: webhook.shop_payment.parse().ok(),
        reference: webhook.payment,
        amount: Some(Money::new(webhook.amount.amount_minor, webhook.amount.currency)),
    })
}

impl Provider for Client {
    fn authorise<'a>(&'a self, request: &'a Authorise) -> BoxFuture<'a, Reply> {
        self.call(create(request), Asked::Authorise).boxed()
    }

    fn capture<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        self.call(act(request, Asked::Capture), Asked::Capture).boxed()
    }

    fn void<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        self.call(act(request, Asked::Void), Asked::Void).boxed()
    }

    fn refund<'a>(&'a self, request: &'a Act) -> BoxFuture<'a, Reply> {
        self.call(act(request, Asked::Refund), Asked::Refund).boxed()
    }

    fn query<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Finding> {
        self.find(query).boxed()
    }

    fn look<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Look> {
        self.account(reference).boxed()
    }

    fn read_webhook(
        &self,
        headers: &HeaderMap,
        body: &str,
        now: Timestamp,
    ) -> Result<WebhookEvent, SignatureError> {
        read_webhook(&self.webhook_secret, self.tolerance, headers, body, now)
    }
}
