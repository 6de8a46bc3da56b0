//! `kontor run`: starts the shop, or parts of it, and keeps it going until it is asked to stop.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use contracts::Source;
use platform::bus::Bus;
use platform::clock::Clock;
use platform::config::Secret;
use platform::db::{self, Db};
use platform::http::{HttpContext, HttpSettings, Limits, Readiness, internal, serve};
use platform::service::{Host, Runtime, RuntimeConfig};
use platform::tasks::{CancellationToken, Tasks};
use platform::telemetry;
use tokio::net::TcpListener;

use crate::cli::Run;
use crate::config::{Config, Http};
use crate::parts::Parts;
use crate::shop::{Shop, database_of, kept_secret};
use crate::{Failure, Outcome, demo, gateway, gauges, site};

/// How often the time is compared with that of the database.
const AGREE_EVERY: Duration = Duration::from_secs(5);

/// How long to wait for the server of a database: longer than one takes to start, or to recover.
const DATABASE_AWAITED: Duration = Duration::from_secs(120);

/// The server of a service's database was not reached, or refused us.
#[derive(Debug, thiserror::Error)]
#[error("the database of {service} cannot be used: see that its server runs, and data.postgres")]
struct NoDatabase {
    service: Source,
    #[source]
    why: db::Error,
}

/// Starts what is asked for, and ends when the process is told to.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config, asked: &Run, out: &mut impl Write) -> Result<Outcome, Failure> {
    telemetry::init(config.log.format, &config.log.filter)?;
    // Before anything is opened: figures that are set earlier are lost.
    telemetry::metrics()?;
    let parts = Parts::of(&asked.parts);
    parts.check(&config)?;
    let tasks = Tasks::new();
    // The shop first: who starts it twice is told so, and not that a port is taken.
    let (shop, settings, demo) = open(config, asked, &parts, &tasks, out).await?;
    let listening = listeners(&shop.config.http).await;
    let (public, inside) = match listening {
        Ok(both) => both,
        Err(taken) => {
            tasks.stop().await;
            shop.close();
            return Err(taken);
        }
    };
    let readiness = Readiness::new();
    let (services, databases) = (readiness.part("services"), readiness.part("databases"));
    let runtime = RuntimeConfig {
        previous_run_crashed: shop.sqlite.as_ref().is_some_and(|file| file.previous_run_crashed()),
        ..RuntimeConfig::default()
    };
    let bus = match &shop.config.nats {
        Some(nats) => Bus::connect(nats, parts.services.iter().copied()).await?,
        None => Bus::Inside,
    };
    Runtime::start(shop.hosts(), &bus, runtime, &tasks);
    let gauges = gauges::keep(shop.hosts().to_vec(), shop.clock.clone(), databases, tasks.clone());
    tasks.spawn("gauges", gauges);
    tasks.spawn("clock", agree_on_time(shop.hosts().to_vec(), tasks.stopping().clone()));
    let limits = settings.limits.clone();
    // Operators are answered until the last request is.
    let drained = CancellationToken::new();
    answer_operators(inside, readiness, &limits, &drained, &tasks)?;

    let stopping = tasks.stopping().clone();
    let (ids, clock) = (shop.ids.clone(), shop.clock.clone());
    let context = HttpContext::new(settings, ids, clock, stopping.clone());
    let app = if parts.gateway {
        gateway::site(&shop, context, &stopping).await?
    } else {
        site::site(shop.routes(), context, &shop.config)?
    };
    if let Some(token) = &demo {
        demo::load(&shop, &app, token, out).await?;
    }
    tasks.spawn("signals", stop_on_signal(tasks.clone())?);
    services.set(true);
    tasks.spawn("farewell", {
        let stopping = stopping.clone();
        async move {
            stopping.cancelled().await;
            services.set(false);
        }
    });
    greet(&shop, &parts, demo.as_deref(), out)?;

    serve(public, app, &limits, stopping).await;
    drained.cancel();
    tasks.stop().await;
    shop.close();
    writeln!(out, "Stopped.")?;
    Ok(Outcome::Well)
}

/// The public listener and the internal one.
async fn listeners(http: &Http) -> Result<(TcpListener, TcpListener), Failure> {
    let public = TcpListener::bind(http.listen).await;
    let inside = TcpListener::bind(http.internal).await;
    let public = public.map_err(|error| taken("http.listen", http.listen, &error))?;
    let inside = inside.map_err(|error| taken("http.internal", http.internal, &error))?;
    Ok((public, inside))
}

/// Keeps the services' clock to the time of their databases.
async fn agree_on_time(hosts: Vec<Arc<dyn Host>>, stopping: CancellationToken) {
    let pause = Clock::system();
    loop {
        // They share a clock, and servers that differ would pull it to and fro: the first one has it.
        if let Some(host) = hosts.first()
            && let Err(error) = host.db().agree_on_time().await
        {
            tracing::debug!(?error, "what time it is cannot be asked");
        }
        tokio::select! {
            () = pause.sleep(AGREE_EVERY) => {}
            () = stopping.cancelled() => return,
        }
    }
}

/// Serves `/livez`, `/readyz` and `/metrics`, until the public listener is `drained`.
fn answer_operators(
    listener: TcpListener,
    readiness: Readiness,
    limits: &Limits,
    drained: &CancellationToken,
    tasks: &Tasks,
) -> Result<(), Failure> {
    let metrics = telemetry::metrics()?;
    let (routes, limits) = (internal(readiness, metrics.clone()), limits.clone());
    let drained = drained.clone();
    tasks.spawn("internal listener", async move {
        serve(listener, routes, &limits, drained).await;
    });
    let stopping = tasks.stopping().clone();
    tasks.spawn("metrics", async move {
        tokio::select! {
            () = telemetry::keep_up(metrics) => {}
            () = stopping.cancelled() => {}
        }
    });
    Ok(())
}

/// The services that run here, with what the HTTP side is told; and the token of the demo's member of
/// staff, if it is a demo shop.
async fn open(
    mut config: Config,
    asked: &Run,
    parts: &Parts,
    tasks: &Tasks,
    out: &mut impl Write,
) -> Result<(Shop, HttpSettings, Option<String>), Failure> {
    let folder = config.data.folder.clone();
    let is_apart = parts.are_apart(&config);
    if is_apart && asked.demo {
        return Err("--demo is for a shop in one process: `kontor run --demo`".into());
    }
    let is_demo = !is_apart && (demo::is_demo(&folder) || demo::wanted(&config, asked, out)?);
    if is_demo {
        demo::configure(&mut config)?;
    } else if let Err(why) = config.payment.check_seller() {
        tracing::warn!("payment.{why}");
    }
    if let Some(postgres) = &config.data.postgres {
        for service in parts.services.iter().copied() {
            let database = database_of(postgres, service);
            let there = Db::await_postgres(&database, service, DATABASE_AWAITED).await;
            there.map_err(|why| NoDatabase { service, why })?;
        }
    }
    let shop = Shop::open_part(config, &parts.services).await?;
    let mut staff = shop.config.staff.clone();
    let mut token = None;
    if is_demo {
        demo::start_test_provider(&shop, tasks).await?;
        token = Some(demo::clerk(&shop, &mut staff)?);
    }
    let http = &shop.config.http;
    let cursor_key = match &http.cursor_key {
        Some(key) => key.clone(),
        // A gateway alone opens no cursors.
        None if shop.hosts().is_empty() => Secret::fresh(&shop.ids),
        None => kept_secret(&folder, "cursor-key", &shop.ids)?,
    };
    let writes = if parts.face_clients() { site::write_limit(&shop.config)? } else { None };
    let (limits, hsts) = (http.limits.clone(), http.hsts);
    let settings = HttpSettings { staff, cursor_key, limits, hsts, writes };
    Ok((shop, settings, token))
}

fn taken(key: &str, address: SocketAddr, error: &std::io::Error) -> Failure {
    format!("cannot listen on {address} ({error}): set {key} to another address").into()
}

fn greet(
    shop: &Shop,
    parts: &Parts,
    token: Option<&str>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let http = &shop.config.http;
    if parts.are_apart(&shop.config) {
        writeln!(out, "{parts}: on http://{}, metrics on http://{}", http.listen, http.internal)?;
        return Ok(out.flush()?);
    }
    let url = http.url();
    writeln!(out, "\nKontor is open.\n")?;
    writeln!(out, "  The API, to browse       {url}/api")?;
    writeln!(out, "  Products                 {url}/api/v1/products")?;
    writeln!(out, "  Health and metrics       http://{}/metrics", http.internal)?;
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

/// Whether somebody can be asked.
pub fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}
