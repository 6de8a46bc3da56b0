//! The shop of a test as separate processes: two instances of each service behind two gateways, on
//! PostgreSQL, NATS and Redis. The test asks the gateways in turn over HTTP, and cannot tell, but for the
//! time: it is the machine's, and nobody moves it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use bench::ports::free_address;
use contracts::Source;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kontor::config::{Config, Redis};
use kontor::shop::{Place, Shop};
use platform::bus::NatsConfig;
use platform::clock::Clock;
use platform::config::Credential;
use platform::http::{HttpContext, Limits};
use platform::tasks::Tasks;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::program::{Running, bare};
use super::provider::{API_KEY, WEBHOOK_SECRET};
use super::world::{PATIENCE, Time, World};

/// How many instances of each service there are, and how many gateways.
const INSTANCES: usize = 2;
const CURSOR_KEY: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// Where a process listens: for everybody, and for operators.
type Ears = (SocketAddr, SocketAddr);

fn ears(public: Option<SocketAddr>) -> Ears {
    let public = match public {
        Some(public) => public,
        None => free_address(),
    };
    (public, free_address())
}

impl World {
    /// Starts a shop apart, with the first of its gateways at `address`.
    pub(super) async fn apart(
        folder: TempDir,
        mut config: Config,
        address: SocketAddr,
        provider: SocketAddr,
    ) -> Self {
        let servers = config.data.postgres.clone().unwrap();
        let (_, names) = servers.url.reveal().rsplit_once('/').unwrap();
        // Tests share a server and are not to hear each other.
        let prefix = names.split_once("_{service}").unwrap().0.to_owned();
        let nats = std::env::var("NATS_URL");
        let nats = nats.expect("set NATS_URL, or run this under scripts/with-nats");
        let redis = std::env::var("REDIS_URL");
        let redis = redis.expect("set REDIS_URL, or run this under scripts/with-redis");
        let (url, ca) = (Credential::new(redis.as_str()), None);
        config.redis = Some(Redis { url, prefix: prefix.clone(), ca });
        config.nats = Some(NatsConfig { servers: vec![nats], prefix, ..NatsConfig::default() });
        config.staff = HttpContext::test_settings(Limits::default()).staff;
        config.log.filter = "error".to_owned();
        config.http.limits.writes_per_minute = 0;
        config.data.postgres.as_mut().unwrap().connections = 4;
        let file = platform::config::effective(&config).unwrap();
        std::fs::write(folder.path().join("kontor.toml"), file).unwrap();

        let at_provider = Mutex::new(Some(TcpListener::bind(provider).await.unwrap()));
        let gateways = [address, free_address()];
        let processes = start(folder.path(), servers.url.reveal(), &redis, gateways).await;
        // Nothing of it runs here: it is for who looks at the databases.
        let clock = Clock::system();
        let shop = Shop::assemble(Place::Servers(servers), config, clock.clone()).await.unwrap();
        Self {
            shop: Arc::new(shop),
            app: forward(gateways),
            address,
            provider,
            time: Time::of(clock),
            at_provider,
            folder,
            tasks: Tasks::new(),
            processes,
        }
    }
}

/// Starts everything, and waits until all of it is ready; the gateways are the last.
async fn start(
    folder: &Path,
    postgres: &str,
    redis: &str,
    gateways: [SocketAddr; INSTANCES],
) -> Vec<Running> {
    let mut parts = Vec::new();
    let mut addresses = Vec::new();
    for service in Source::ALL {
        let mut urls = Vec::new();
        for _ in 0..INSTANCES {
            let ears = ears(None);
            urls.push(format!("http://{}", ears.0));
            parts.push((service.name(), ears));
        }
        addresses.push(format!("{service} = {urls:?}"));
    }
    parts.extend(gateways.map(|address| ("gateway", ears(Some(address)))));
    let addresses = format!("{{ {} }}", addresses.join(", "));
    let log = folder.join("program.log");
    let mut started = Vec::new();
    for (part, (public, inside)) in &parts {
        let mut command: Command = bare(&["run", part]);
        command.arg("--config").arg(folder.join("kontor.toml")).current_dir(folder);
        for (name, value) in [
            ("DATA__POSTGRES__URL", postgres),
            ("REDIS__URL", redis),
            ("GATEWAY__SERVICES", &addresses),
            ("HTTP__CURSOR_KEY", CURSOR_KEY),
            ("HTTP__LISTEN", &public.to_string()),
            ("HTTP__INTERNAL", &inside.to_string()),
            ("PAYMENT__TEST_PROVIDER__API_KEY", API_KEY),
            ("PAYMENT__TEST_PROVIDER__WEBHOOK_SECRET", WEBHOOK_SECRET),
        ] {
            command.env(format!("KONTOR_{name}"), value);
        }
        command.env("TOKIO_WORKER_THREADS", "2");
        started.push(Running::begin(command, &log));
    }
    for (running, (part, (_, inside))) in started.iter().zip(&parts) {
        let ready = running.until(*inside, "/readyz", |answer| answer.status == 200);
        let is_ready = tokio::time::timeout(2 * PATIENCE, ready).await.is_ok();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(is_ready, "{part} is not ready: {said}");
    }
    started
}

/// Asks these over HTTP, in turn, whatever is asked here.
fn forward(gateways: [SocketAddr; INSTANCES]) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let asked = Arc::new(AtomicUsize::new(0));
    Router::new().fallback(move |mut request: Request| {
        let client = client.clone();
        let to = gateways[asked.fetch_add(1, Ordering::Relaxed) % INSTANCES];
        async move {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let uri = Uri::builder().scheme("http").authority(to.to_string()).path_and_query(path);
            *request.uri_mut() = uri.build().unwrap();
            client.request(request).await.unwrap().map(Body::new)
        }
    })
}
