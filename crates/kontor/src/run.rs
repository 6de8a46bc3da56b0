//! `kontor run`: starts the shop and keeps it going until it is asked to stop.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use contracts::Source;
use platform::bus::Bus;
use platform::config::Secret;
use platform::http::{HttpContext, HttpSettings, Readiness, internal, serve};
use platform::service::{Host, Runtime, RuntimeConfig};
use platform::tasks::Tasks;
use platform::telemetry;
use tokio::net::TcpListener;

use crate::cli::Run;
use crate::config::Config;
use crate::shop::{Shop, kept_secret};
use crate::{Failure, Outcome, demo, site};

/// Starts the shop, and ends when the process is told to.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config, asked: &Run, out: &mut impl Write) -> Result<Outcome, Failure> {
    telemetry::init(config.log.format, &config.log.filter)?;
    let metrics = telemetry::metrics()?;
    services_are_all(&asked.services)?;
    let (public, inside) = (
        TcpListener::bind(config.http.listen).await,
        TcpListener::bind(config.http.internal).await,
    );
    let public = public.map_err(|error| taken("http.listen", config.http.listen, &error))?;
    let inside = inside.map_err(|error| taken("http.internal", config.http.internal, &error))?;

    let tasks = Tasks::new();
    let (shop, settings, demo) = open(config, asked, &tasks, out).await?;
    let readiness = Readiness::new();
    let services = readiness.part("services");
    let runtime = RuntimeConfig {
        previous_run_crashed: shop.sqlite.as_ref().is_some_and(|file| file.previous_run_crashed()),
        ..RuntimeConfig::default()
    };
    Runtime::start(shop.hosts(), &Bus::Inside, runtime, &tasks);
    tasks.spawn("gauges", gauges(shop.hosts().to_vec(), shop.clock.clone(), tasks.clone()));
    let stopping = tasks.stopping().clone();
    tasks.spawn("internal listener", {
        let (routes, limits) = (internal(readiness, metrics.clone()), settings.limits.clone());
        let stopping = stopping.clone();
        async move {
            serve(inside, routes, &limits, stopping).await;
        }
    });
    tasks.spawn("metrics", {
        let stopping = stopping.clone();
        async move {
            tokio::select! {
                () = telemetry::keep_up(metrics) => {}
                () = stopping.cancelled() => {}
            }
        }
    });
    let limits = settings.limits.clone();
    let context =
        HttpContext::new(settings, shop.ids.clone(), shop.clock.clone(), stopping.clone());
    let app = site::site(shop.routes(), context, &shop.config.http.public_url)?;
    if let Some(token) = &demo {
        demo::load(&shop, &app, token, out).await?;
    }
    tasks.spawn("signals", stop_on_signal(tasks.clone())?);
    services.set(true);
    greet(&shop, demo.as_deref(), out)?;

    serve(public, app, &limits, stopping).await;
    tasks.stop().await;
    shop.close();
    writeln!(out, "Stopped.")?;
    Ok(Outcome::Well)
}

/// The shop with what its HTTP side is told; and the token of the demo's member of staff, if it
/// is a demo shop.
async fn open(
    mut config: Config,
    asked: &Run,
    tasks: &Tasks,
    out: &mut impl Write,
) -> Result<(Shop, HttpSettings, Option<String>), Failure> {
    let folder = config.data.folder.clone();
    let is_demo = demo::is_demo(&folder) || demo::wanted(&config, asked, out)?;
    if is_demo {
        demo::configure(&mut config)?;
    } else if let Err(why) = config.payment.check_seller() {
        tracing::warn!("payment.{why}");
    }
    let shop = Shop::open(config).await?;
    let mut staff = shop.config.staff.clone();
    let mut token = None;
    if is_demo {
        demo::start_test_provider(&shop, tasks).await?;
        token = Some(demo::clerk(&shop, &mut staff)?);
    }
    let cursor_key: Secret = kept_secret(&folder, "cursor-key", &shop.ids)?;
    let http = &shop.config.http;
    let settings = HttpSettings { staff, cursor_key, limits: http.limits.clone(), hsts: http.hsts };
    Ok((shop, settings, token))
}

/// On the embedded default one process runs everything.
fn services_are_all(named: &[Source]) -> Result<(), Failure> {
    let missing: Vec<&str> = Source::ALL
        .iter()
        .filter(|service| !named.contains(service))
        .map(|service| service.name())
        .collect();
    if named.is_empty() || missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "one file is run by one process: {} would be missing. Running services apart needs \
         PostgreSQL and NATS, and is not built yet; `kontor run` runs them all",
        missing.join(", ")
    )
    .into())
}

fn taken(key: &str, address: std::net::SocketAddr, error: &std::io::Error) -> Failure {
    format!("cannot listen on {address} ({error}): set {key} to another address").into()
}

fn greet(shop: &Shop, token: Option<&str>, out: &mut impl Write) -> Result<(), Failure> {
    let url = &shop.config.http.public_url;
    writeln!(out, "\nKontor is open.\n")?;
    writeln!(out, "  The API, to browse       {url}/api")?;
    writeln!(out, "  Products                 {url}/api/v1/products")?;
    writeln!(out, "  Health and metrics       http://{}/metrics", shop.config.http.internal)?;
    let methods: Vec<&str> =
        shop.config.order.payment_methods.iter().map(|method| method.code.as_str()).collect();
    writeln!(out, "  Ways to pay              {}", methods.join(", "))?;
    if let Some(provider) = &shop.config.payment.test_provider {
        writeln!(out, "  Test payment provider    {}", provider.url)?;
    }
    if let Some(token) = token {
        writeln!(out, "  The demo clerk's token   {token}")?;
    }
    writeln!(out, "\nCtrl-C stops it.")?;
    Ok(out.flush()?)
}

/// Heard from now on, even if nobody waits for them yet: SIGTERM and Ctrl-C stop the shop.
fn stop_on_signal(tasks: Tasks) -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = tasks.stopping().cancelled() => {}
        }
        tasks.stopping().cancel();
    })
}

/// Keeps the business gauges fresh: what waits, what is parked, how much work was done.
async fn gauges(hosts: Vec<Arc<dyn Host>>, clock: platform::clock::Clock, tasks: Tasks) {
    use platform::kernel::parked::Count;
    while !tasks.stopping().is_cancelled() {
        for host in &hosts {
            let service = host.source().name();
            crate::run::work(service, host.db().work());
            if let Ok(counts) = host.db().read(Count).await {
                for (kind, state, count) in counts {
                    let labels =
                        [("service", service.to_owned()), ("kind", kind), ("state", state)];
                    metrics::gauge!("inbox_rows", &labels).set(lossless(count));
                }
            }
        }
        tokio::select! {
            () = clock.sleep(Duration::from_secs(1)) => {}
            () = tasks.stopping().cancelled() => {}
        }
    }
}

fn work(service: &'static str, work: platform::db::Work) {
    metrics::counter!("db_statements_total", "service" => service).absolute(work.statements);
    metrics::counter!("db_rows_written_total", "service" => service).absolute(work.rows_written);
    metrics::counter!("db_commits_total", "service" => service).absolute(work.commits);
}

/// Gauges are floats; a count beyond 2^53 would be rounded.
#[expect(clippy::cast_precision_loss, reason = "a count of rows stays far below 2^53")]
fn lossless(count: i64) -> f64 {
    count as f64
}

/// Whether somebody can be asked.
pub fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}
