//! How often one client may change something (security S-50), over HTTP against the real program: alone, behind
//! a proxy, and as two gateways that share what they count.

use std::net::SocketAddr;
use std::time::Duration;

use contracts::{Source, Timestamp};
use http::Method;
use platform::clock::Clock;

use crate::support::Answer;
use crate::support::apart::{Apart, Ears};
use crate::support::program::{Client, Place, Running};
use crate::support::world::PATIENCE;

/// Twenty a minute: five at once, and one every three seconds.
const LIMIT: (&str, &str) = ("KONTOR_HTTP__LIMITS__WRITES_PER_MINUTE", "20");
const AT_ONCE: u64 = 5;
const EVERY: u64 = 3;
const CARTS: &str = "/api/v1/carts";

/// A shop with this limit.
async fn open(place: &Place, settings: &[(&str, &str)]) -> Running {
    let mut command = place.command(&["run", "--no-demo"]);
    command.envs([LIMIT]).envs(settings.iter().copied());
    let running = Running::begin(command, &place.folder.path().join("program.log"));
    let ready = running.until(place.listen, "/api/v1/products", |answer| answer.status == 200);
    let is_ready = tokio::time::timeout(PATIENCE, ready).await.is_ok();
    assert!(is_ready, "it is not ready: {}", place.log());
    running
}

async fn post(address: SocketAddr, path: &str, came_for: Option<&str>) -> Answer {
    let mut client = Client::connect(address).await.unwrap();
    let header = came_for.map(|chain| ("x-forwarded-for", chain));
    client.send(Method::POST, path, header.as_slice(), "{}").await.unwrap()
}

/// Asks until it is too often; answers how often it was not, and how long it is to wait.
async fn spend(address: SocketAddr, came_for: Option<&str>) -> (u64, Duration) {
    let mut taken = 0;
    loop {
        let answer = post(address, CARTS, came_for).await;
        if answer.status != 429 {
            taken += 1;
            continue;
        }
        assert_eq!(answer.problem(), "429 rate-limited");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=EVERY).contains(&seconds), "{seconds}");
        return (taken, Duration::from_secs(seconds));
    }
}

/// How many may have come back since then.
fn back_since(begun: Timestamp) -> u64 {
    Clock::system().now().since(begun).as_secs() / EVERY + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_too_much_reads_on_and_may_again_after_the_wait() {
    let place = Place::new().await;
    let running = open(&place, &[]).await;
    let begun = Clock::system().now();
    let (taken, wait) = spend(place.listen, None).await;
    assert!((AT_ONCE..=AT_ONCE + back_since(begun)).contains(&taken), "{taken}");
    // Whoever is no proxy of ours is not believed who they come for.
    let begun = Clock::system().now();
    let mut claimed = 0;
    for n in 0..10 {
        claimed += spend(place.listen, Some(&format!("198.51.100.{n}"))).await.0;
    }
    assert!(claimed <= back_since(begun), "{claimed}");
    let mut client = Client::connect(place.listen).await.unwrap();
    for _ in 0..20 {
        let read = client.send(Method::GET, "/api/v1/products", &[], "").await.unwrap();
        assert_eq!(read.status, 200);
        let webhook = post(place.listen, "/api/v1/payments/webhooks/test", None).await;
        assert_eq!(webhook.problem(), "401 signature-invalid");
    }
    Clock::system().sleep(wait + Duration::from_millis(10)).await;
    assert_eq!(post(place.listen, CARTS, None).await.status, 201);
    let mut inside = Client::connect(place.internal).await.unwrap();
    let figures = inside.send(Method::GET, "/metrics", &[], "").await.unwrap();
    assert!(figures.text.contains("\nhttp_rate_limited_total 11\n"), "{}", figures.text);
    assert_eq!(running.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_that_is_trusted_each_client_counts_alone() {
    let place = Place::new().await;
    let trusted = ("KONTOR_HTTP__TRUSTED_PROXIES", r#"["127.0.0.0/8", "10.0.0.9"]"#);
    let running = open(&place, &[trusted]).await;
    let begun = Clock::system().now();
    assert!(spend(place.listen, Some("198.51.100.1")).await.0 >= AT_ONCE);
    // The same, who makes up somebody and came by one proxy more.
    let again = spend(place.listen, Some("1.2.3.4, 198.51.100.1, 10.0.0.9")).await.0;
    assert!(again <= back_since(begun), "{again}");
    assert!(spend(place.listen, Some("198.51.100.2")).await.0 >= AT_ONCE);
    // A household has one network of IPv6.
    let begun = Clock::system().now();
    assert!(spend(place.listen, Some("2001:db8:1:2::1")).await.0 >= AT_ONCE);
    let again = spend(place.listen, Some("2001:db8:1:2:3:4:5:6")).await.0;
    assert!(again <= back_since(begun), "{again}");
    assert_eq!(running.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_share_what_they_count_and_a_service_behind_them_counts_nothing() {
    let redis = std::env::var("REDIS_URL");
    let redis = redis.expect("set REDIS_URL, or run this under scripts/with-redis");
    let apart = Apart::new(1).await;
    let prefix = apart.postgres.url.reveal().rsplit_once('/').unwrap().1.to_owned();
    let settings = [
        LIMIT,
        ("KONTOR_REDIS__URL", redis.as_str()),
        ("KONTOR_REDIS__PREFIX", &prefix),
        ("KONTOR_HTTP__TRUSTED_PROXIES", r#"["127.0.0.1"]"#),
    ];
    let other = Ears::free();
    let service = apart.instances[&Source::Order][0];
    let _gateways = [
        apart.begin("gateway", apart.gateway, &settings).await,
        apart.begin("gateway", other, &settings).await,
    ];
    let _service = apart.begin(Source::Order.name(), service, &settings).await;
    let mut client = 0;
    let shared = async {
        loop {
            client += 1;
            let client = format!("198.51.100.{client}");
            // Until both have found Redis: each lets as many through otherwise.
            let mut found = is_shared([apart.gateway.public, other.public], &client).await;
            for gateway in [apart.gateway, other] {
                found &= gateway.figure("redis_reachable").await == Some(1);
            }
            if found {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, shared).await.expect("they do not share");
    for _ in 0..4 * AT_ONCE {
        assert_eq!(post(service.public, CARTS, None).await.status, 201);
    }
}

/// Whether both together let this client through as often as one may.
async fn is_shared(gateways: [SocketAddr; 2], client: &str) -> bool {
    let begun = Clock::system().now();
    let mut taken = 0;
    for gateway in gateways {
        taken += spend(gateway, Some(client)).await.0;
    }
    assert!(taken >= AT_ONCE, "{taken}");
    taken <= AT_ONCE + back_since(begun)
}
