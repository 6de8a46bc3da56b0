//! The real test provider on a loopback port, the real client, and webhooks between real sockets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use payment::test_provider::{Bank, Client, Config, serve};
use payment::{PaymentService, Providers};
use platform::clock::Clock;
use platform::http::Limits;
use platform::tasks::{CancellationToken, spawn};
use platform::testing;
use tokio::net::TcpListener;

use crate::shop::{Placed, SECRET, Shop};

/// A shop and a provider that talk over sockets, on the machine's time.
struct Wired {
    shop: Shop,
    provider_url: String,
    stop: CancellationToken,
    http: reqwest::Client,
}

async fn wired(patience: Duration) -> Wired {
    let clock = Clock::system();
    let stop = CancellationToken::new();
    let (at_provider, at_shop) = (listener().await, listener().await);
    let provider_url = format!("http://{}", at_provider.local_addr().unwrap());
    let shop_url = format!("http://{}", at_shop.local_addr().unwrap());
    let config = Config {
        public_url: provider_url.clone(),
        api_key: "key".to_owned(),
        webhook_url: Some(format!("{shop_url}/api/v1/payments/webhooks/test")),
        webhook_secret: SECRET.to_owned(),
        journal: None,
        slow: Duration::from_millis(50),
        hang: Duration::from_secs(2),
        clock: clock.clone(),
    };
    let stopping = stop.clone();
    spawn("test provider", async move { serve(at_provider, config, stopping).await });
    let tolerance = Duration::from_secs(300);
    let client = Client::new(&provider_url, "key", SECRET, patience, tolerance).unwrap();
    let providers: Providers = [("test".to_owned(), Arc::new(client) as Arc<_>)].into();
    let db = testing::on_sqlite::<PaymentService>(&clock);
    let shop = Shop::new(db, providers, Arc::new(Mutex::new(Bank::new())));
    let (app, stopping) = (shop.app.clone(), stop.clone());
    spawn("shop", async move {
        platform::http::serve(at_shop, app, &Limits::default(), stopping).await
    });
    let http = browser().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Wired { shop, provider_url, stop, http }
}

fn browser() -> reqwest::ClientBuilder {
    let tls = platform::tls::client(None).unwrap();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

impl Wired {
    async fn until(&self, order: &Placed, status: &str) {
        let clock = Clock::system();
        let deadline = clock.now().plus(Duration::from_secs(20));
        loop {
            self.shop.settle().await;
            let seen = self.shop.status(order).await;
            if seen == status {
                return;
            }
            assert!(clock.now() < deadline, "{seen} and not {status}");
            clock.sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_shopper_confirms_on_the_providers_page_and_the_webhook_brings_the_news() {
    let wired = wired(Duration::from_secs(5)).await;
    let order = wired.shop.paid("card", "action").await;
    let view = wired.shop.staff_sees(&format!("/payments/{}", order.id)).await;
    let url = view["action"]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(&wired.provider_url), "{url}");
    let page = wired.http.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("35.00 EUR") && page.contains("Confirm payment"), "{page}");
    let answer = wired.http.post(format!("{url}/confirm")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 303);
    let back = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.ends_with(&format!("/api/v1/payments/{}/return", order.id)), "{back}");
    wired.until(&order, "authorised").await;
    wired.shop.pack(&order, [3, 2]).await;
    assert_eq!(wired.shop.status(&order).await, "captured");
    wired.stop.cancel();
}

#[tokio::test]
async fn a_provider_that_is_silent_after_success_is_found_out_by_its_webhook() {
    let wired = wired(Duration::from_millis(200)).await;
    let order = wired.shop.paid("card", "timeout_after").await;
    wired.until(&order, "authorised").await;
    let slow = wired.shop.paid("card_auto", "slow").await;
    wired.until(&slow, "captured").await;
    wired.stop.cancel();
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unknown_and_a_stranger_is_not_let_in() {
    let wired = wired(Duration::from_millis(200)).await;
    let url = format!("{}/v1/calls", wired.provider_url);
    let answer = wired.http.post(&url).body("{}").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 401);
    wired.stop.cancel();
    let clock = Clock::system();
    clock.sleep(Duration::from_millis(100)).await;
    let order = wired.shop.paid("card", "ok").await;
    let view = wired.shop.staff_sees(&format!("/payments/{}", order.id)).await;
    assert_eq!(view["unknown"], true, "{view}");
}

#[tokio::test]
async fn a_provider_that_is_started_anew_remembers_what_its_journal_holds() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Some(folder.path().join("journal"));
    let clock = Clock::system();
    let mut views = Vec::new();
    for round in 0..2 {
        let stop = CancellationToken::new();
        let listener = listener().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = Config {
            public_url: url.clone(),
            api_key: "key".to_owned(),
            webhook_url: None,
            webhook_secret: SECRET.to_owned(),
            journal: journal.clone(),
            slow: Duration::ZERO,
            hang: Duration::ZERO,
            clock: clock.clone(),
        };
        let stopping = stop.clone();
        let server = spawn("test provider", async move { serve(listener, config, stopping).await });
        // The first client of a process settles which cryptography is used.
        Client::new(&url, "key", SECRET, Duration::from_secs(5), Duration::ZERO).unwrap();
        let http = browser().build().unwrap();
        if round == 0 {
            let call = serde_json::json!({
                "call": "create", "key": "k", "amount": {"amount_minor": 5, "currency": "EUR"},
                "token": "ok", "automatic": true, "return_url": "x", "shop_payment": "y"
            });
            let request = http.post(format!("{url}/v1/calls")).bearer_auth("key").json(&call);
            assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
        }
        let asked = http.get(format!("{url}/v1/operations/k")).bearer_auth("key");
        views.push(asked.send().await.unwrap().text().await.unwrap());
        stop.cancel();
        server.await.unwrap().unwrap();
    }
    assert!(views[0].contains("captured"), "{views:?}");
    assert_eq!(views[0], views[1]);
}
