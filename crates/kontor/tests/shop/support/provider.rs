//! The test provider as a server of its own, the shopper at its page, and what it has been asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use contracts::Timestamp;
use http::{Method, StatusCode, header};
use payment::config::TestProviderConfig;
use payment::test_provider::{self, Bank, Call};
use platform::clock::Clock;
use platform::config::{Credential, Secret};
use platform::tasks::Tasks;
use serde_json::Value;
use tokio::net::TcpListener;

use super::program::Client;
use super::world::World;

/// What the provider signs its webhooks with.
pub const WEBHOOK_SECRET: &str = "7a1f0c5d9be24386a7b5c4d3e2f10987";
/// What the shop shows the provider.
pub const API_KEY: &str = "the shop's key at the provider";
const JOURNAL: &str = "test-provider.jsonl";

/// How the shop reaches the provider.
pub fn told(address: SocketAddr) -> TestProviderConfig {
    TestProviderConfig {
        url: format!("http://{address}"),
        api_key: Some(Credential::new(API_KEY)),
        webhook_secret: Some(Secret::new(WEBHOOK_SECRET).unwrap()),
        timeout_ms: 10_000,
    }
}

/// Starts the provider, going by the shop's time.
pub fn start(listener: TcpListener, shop: SocketAddr, folder: &Path, clock: &Clock, tasks: &Tasks) {
    let config = test_provider::Config {
        public_url: format!("http://{}", listener.local_addr().unwrap()),
        api_key: API_KEY.to_owned(),
        webhook_url: Some(format!("http://{shop}/api/v1/payments/webhooks/test")),
        webhook_secret: WEBHOOK_SECRET.to_owned(),
        journal: Some(folder.join(JOURNAL)),
        slow: Duration::from_millis(200),
        hang: Duration::from_secs(20),
        clock: clock.clone(),
    };
    let stopping = tasks.stopping().clone();
    tasks.spawn("test provider", async move {
        test_provider::serve(listener, config, stopping).await.unwrap();
    });
}

impl World {
    /// The shopper opens the provider's page and agrees to pay, or refuses; they are sent back.
    pub async fn at_the_provider(&self, url: &str, does: &str) {
        let path = url.strip_prefix(&format!("http://{}", self.provider)).unwrap();
        let mut browser = Client::connect(self.provider).await.unwrap();
        let page = browser.send(Method::GET, path, &[], "").await.unwrap();
        let form = format!("action=\"{path}/{does}\"");
        assert!(page.text.contains(&form), "{form} is not on the page: {}", page.text);
        let answer = browser.send(Method::POST, &format!("{path}/{does}"), &[], "").await.unwrap();
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let back = answer.headers[header::LOCATION].to_str().unwrap();
        let home = format!("http://{}", self.address);
        let back = back.strip_prefix(&home).unwrap_or_else(|| panic!("sent to {back}"));
        let mut browser = Client::connect(self.address).await.unwrap();
        let landed = browser.send(Method::GET, back, &[], "").await.unwrap();
        assert!(landed.status.is_redirection(), "{landed:?}");
    }

    /// Every call of a kind that has reached the provider: `create`, `capture`, `void`, `refund`.
    pub fn asked_of_provider(&self, kind: &str) -> Vec<Value> {
        let calls = journal(self.folder()).into_iter().map(|mut entry| entry["call"].take());
        calls.filter(|call| call["call"] == kind).collect()
    }
}

/// Everything the provider in this folder was ever asked, and when.
fn journal(folder: &Path) -> Vec<Value> {
    let journal = std::fs::read_to_string(folder.join(JOURNAL)).unwrap_or_default();
    let entries = journal.lines().filter(|line| !line.is_empty());
    entries.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the provider keeps of a payment of the shop.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Taken, in minor units.
    pub captured_minor: i64,
    /// Given back.
    pub refunded_minor: i64,
}

/// The provider's own account of every payment of the shop, reckoned from what it was asked; and that
/// no key was ever used for two things.
pub fn account(folder: &Path) -> BTreeMap<String, Kept> {
    let mut bank = Bank::new();
    let mut keys: BTreeMap<String, Value> = BTreeMap::new();
    let mut whose: BTreeMap<String, String> = BTreeMap::new();
    for entry in journal(folder) {
        let at: Timestamp = serde_json::from_value(entry["at"].clone()).unwrap();
        let call: Call = serde_json::from_value(entry["call"].clone()).unwrap();
        if let Some(key) = entry["call"]["key"].as_str() {
            let first = keys.entry(key.to_owned()).or_insert_with(|| entry["call"].clone());
            assert_eq!(*first, entry["call"], "a key was used for two things");
        }
        let answer = bank.call(at, &call);
        if let (Call::Create { shop_payment, .. }, Some(view)) = (call, answer.view) {
            whose.insert(view.payment, shop_payment);
        }
    }
    let mut account: BTreeMap<String, Kept> = BTreeMap::new();
    for view in bank.all() {
        let kept = account.entry(whose[&view.payment].clone()).or_default();
        kept.captured_minor += view.captured_minor;
        kept.refunded_minor += view.refunded_minor;
    }
    account
}
