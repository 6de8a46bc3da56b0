//! What a broker can do to the events of services: lose its disk, be set back, be gone, forget who
//! listens. Nothing is lost, nothing happens twice, and nobody has to do anything.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::stream;
use contracts::{Actor, Envelope, EventId};
use futures_util::future::Either;
use platform::bus::{Bus, NatsConfig};
use platform::clock::Clock;
use platform::db::{Db, PostgresConfig, Result, Tx, Unit};
use platform::ids::Ids;
use platform::service::{Host, Runtime, RuntimeConfig};
use platform::tasks::Tasks;
use platform::testing::{fresh_nats, fresh_postgres, on_postgres};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::{House, Part, Probe, Shop, eventually, forged, notes, parked, say};

/// A broker of the test's own, which it may harm.
struct Broker {
    folder: TempDir,
    address: SocketAddr,
    server: Child,
    /// Listened on for as long as the broker's own port is its, also while it is dead.
    _guard: TcpListener,
}

impl Broker {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Below what outgoing connections are given, and what other tests take.
        for port in (9_000_u16..9_999).rev().step_by(7) {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let Ok(guard) = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)) else { continue };
            if TcpListener::bind(address).is_err() {
                continue;
            }
            let mut server = serve(address, &folder.path().join("streams"));
            if answers(address, &mut server).await {
                return Self { folder, address, server, _guard: guard };
            }
        }
        panic!("no broker could be started: is nats-server there? scripts/install-tools nats");
    }

    fn config(&self) -> NatsConfig {
        NatsConfig { servers: vec![format!("nats://{}", self.address)], ..NatsConfig::default() }
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// It neither answers nor hangs up.
    fn freeze(&self) {
        let stopped = Command::new("kill").args(["-STOP", &self.server.id().to_string()]).status();
        assert!(stopped.unwrap().success());
    }

    async fn start_again(&mut self) {
        self.server = serve(self.address, &self.folder.path().join("streams"));
        assert!(answers(self.address, &mut self.server).await, "the broker does not start again");
    }

    /// Copies the streams from `from` to `to`, both in its folder.
    fn copy(&self, from: &str, to: &str) {
        let at = |name: &str| self.folder.path().join(name);
        std::fs::remove_dir_all(at(to)).ok();
        let copied = Command::new("cp").arg("-r").arg(at(from)).arg(at(to)).status().unwrap();
        assert!(copied.success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

fn serve(address: SocketAddr, streams: &Path) -> Child {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut server = Command::new("nats-server");
    server.args(["--jetstream", "--addr", &host, "--port", &port, "--store_dir"]).arg(streams);
    server.stdout(Stdio::null()).stderr(Stdio::null());
    server.spawn().expect("nats-server cannot be run: scripts/install-tools nats")
}

async fn answers(address: SocketAddr, server: &mut Child) -> bool {
    for _ in 0..500 {
        if server.try_wait().unwrap().is_some() {
            return false;
        }
        let client = async_nats::connect(format!("nats://{address}")).await;
        if let Ok(client) = client
            && jetstream::new(client).query_account().await.is_ok()
        {
            return true;
        }
        Clock::system().sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Shop and house, each with a database of its own and the broker between them.
struct Pair {
    shop: Db,
    at_shop: PostgresConfig,
    house: Db,
    config: NatsConfig,
}

/// The shop's database as one process sees it.
async fn view(at_shop: &PostgresConfig) -> Db {
    let clock = Clock::system();
    let ids = Ids::from_system(clock.clone());
    Db::on_postgres(at_shop, Shop::SOURCE, Shop::MIGRATIONS, clock, ids).await.unwrap()
}

/// An instance of some.
struct Instance {
    tasks: Tasks,
}

impl Pair {
    async fn on(config: NatsConfig) -> Self {
        let clock = Clock::system();
        let ids = Ids::from_system(clock.clone());
        let at_shop = PostgresConfig::new(fresh_postgres(&ids).await, 4);
        let house = on_postgres::<Probe<House>>(&clock).await;
        Self { shop: view(&at_shop).await, at_shop, house, config }
    }

    async fn run(&self, hosts: Vec<Arc<dyn Host>>) -> Instance {
        let bus = Bus::connect(&self.config, hosts.iter().map(|host| host.source())).await.unwrap();
        let tasks = Tasks::new();
        Runtime::start(&hosts, &bus, RuntimeConfig::default(), &tasks);
        Instance { tasks }
    }

    async fn run_both(&self) -> Instance {
        let (shop, house) = (Probe::<Shop>::on(&self.shop).1, Probe::<House>::on(&self.house).1);
        self.run(vec![shop, house]).await
    }

    async fn say(&self, from: usize, to: usize) {
        self.shop.write(say::<Shop>((from..to).map(|n| format!("n{n:04}")))).await.unwrap();
    }

    async fn heard(&self, count: usize) {
        let what = format!("{count} events");
        eventually(&what, || async { notes::<House>(&self.house).await.len() >= count }).await;
        let mut seen = notes::<House>(&self.house).await;
        seen.sort();
        seen.dedup();
        let all: Vec<String> = (0..count).map(|n| format!("n{n:04}")).collect();
        assert_eq!(seen, all);
        assert_eq!(notes::<House>(&self.house).await.len(), count, "something happened twice");
    }

    async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(&self.config.servers).await.unwrap())
    }

    fn stream(&self) -> String {
        format!("{}_{}", self.config.prefix, Shop::SOURCE)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_has_lost_its_disk_is_filled_again() {
    let mut broker = Broker::start().await;
    let pair = Pair::on(broker.config()).await;
    let running = pair.run_both().await;
    pair.say(0, 50).await;
    pair.heard(50).await;
    broker.kill();
    // Accepted while there is no broker at all.
    pair.say(50, 80).await;
    std::fs::remove_dir_all(broker.folder.path().join("streams")).unwrap();
    broker.start_again().await;
    pair.say(80, 100).await;
    pair.heard(100).await;
    running.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_a_stream_has_lost_the_newest_is_sent_first_and_does_not_keep_what_is_new_waiting()
{
    let pair = Pair::on(fresh_nats()).await;
    let shop = pair.run(vec![Probe::<Shop>::on(&pair.shop).1]).await;
    pair.say(0, 1_200).await;
    let jetstream = pair.jetstream().await;
    let messages = async || match jetstream.get_stream(pair.stream()).await {
        Ok(stream) => stream.cached_info().state.messages,
        Err(_) => 0,
    };
    eventually("all events in the stream", || async { messages().await == 1_200 }).await;
    jetstream.delete_stream(pair.stream()).await.unwrap();
    pair.say(1_200, 1_201).await;
    eventually("all events in the stream", || async { messages().await == 1_201 }).await;
    let stream = jetstream.get_stream(pair.stream()).await.unwrap();
    let mut texts = Vec::new();
    for sequence in 1..=1_201 {
        let message = stream.get_raw_message(sequence).await.unwrap();
        texts.push(String::from_utf8_lossy(&message.payload).into_owned());
    }
    let place = |name| texts.iter().position(|text| text.contains(name)).unwrap();
    let (new, newest, older) = (place("n1200"), place("n1199"), place("n0701"));
    assert!(new.max(newest).max(older) <= 500, "{new}, {newest}, {older}");
    let (old, oldest) = (place("n0200"), place("n0000"));
    assert!(oldest >= 1_000 && old > oldest, "{oldest}, {old}");
    let house = pair.run(vec![Probe::<House>::on(&pair.house).1]).await;
    pair.heard(1_201).await;
    shop.tasks.stop().await;
    house.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_a_dead_broker_owes_is_not_waited_for() {
    let mut broker = Broker::start().await;
    let pair = Pair::on(broker.config()).await;
    let running = pair.run_both().await;
    pair.say(0, 50).await;
    pair.heard(50).await;
    broker.freeze();
    pair.say(50, 80).await;
    // Long enough for the relay to have asked.
    Clock::system().sleep(Duration::from_millis(300)).await;
    broker.kill();
    broker.start_again().await;
    let back = Clock::system().now();
    pair.heard(80).await;
    let took = Clock::system().now().since(back);
    assert!(took < Duration::from_secs(3), "heard {took:?} after the broker was back");
    running.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_had_heard_of_a_stream_that_is_deleted_is_sent_again_though_nothing_more_is_said()
 {
    let pair = Pair::on(fresh_nats()).await;
    let shop = pair.run(vec![Probe::<Shop>::on(&pair.shop).1]).await;
    pair.say(0, 50).await;
    let jetstream = pair.jetstream().await;
    let messages = async || match jetstream.get_stream(pair.stream()).await {
        Ok(stream) => stream.cached_info().state.messages,
        Err(_) => 0,
    };
    eventually("fifty events in the stream", || async { messages().await == 50 }).await;
    jetstream.delete_stream(pair.stream()).await.unwrap();
    eventually("fifty events in the stream", || async { messages().await == 50 }).await;
    let house = pair.run(vec![Probe::<House>::on(&pair.house).1]).await;
    pair.heard(50).await;
    shop.tasks.stop().await;
    house.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_comes_back_as_it_was_before_is_sent_what_it_lost() {
    let mut broker = Broker::start().await;
    let pair = Pair::on(broker.config()).await;
    let shop = pair.run(vec![Probe::<Shop>::on(&pair.shop).1]).await;
    pair.say(0, 50).await;
    let last = async || {
        let stream = pair.jetstream().await.get_stream(pair.stream()).await;
        stream.map_or(0, |stream| stream.cached_info().state.last_sequence)
    };
    eventually("fifty events in the stream", || async { last().await == 50 }).await;
    broker.kill();
    broker.copy("streams", "as it was");
    broker.start_again().await;
    pair.say(50, 80).await;
    eventually("eighty events in the stream", || async { last().await == 80 }).await;
    broker.kill();
    broker.copy("as it was", "streams");
    broker.start_again().await;
    // It is the same stream, and thirty events are missing from its end.
    let house = pair.run(vec![Probe::<House>::on(&pair.house).1]).await;
    pair.say(80, 100).await;
    pair.heard(100).await;
    shop.tasks.stop().await;
    house.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_starts_before_its_broker_takes_orders_and_says_them_later() {
    let mut broker = Broker::start().await;
    broker.kill();
    let pair = Pair::on(broker.config()).await;
    let running = pair.run_both().await;
    pair.say(0, 20).await;
    broker.start_again().await;
    pair.heard(20).await;
    running.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_somebody_deleted_is_made_again_and_misses_nothing() {
    let pair = Pair::on(fresh_nats()).await;
    let running = pair.run_both().await;
    pair.say(0, 20).await;
    pair.heard(20).await;
    let stream = pair.jetstream().await.get_stream(pair.stream()).await.unwrap();
    stream.delete_consumer(House::SOURCE.name()).await.unwrap();
    pair.say(20, 40).await;
    pair.heard(40).await;
    running.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_the_second_is_heard_as_soon_as_the_first_and_takes_over_when_it_goes() {
    let pair = Pair::on(fresh_nats()).await;
    let first = pair.run_both().await;
    pair.say(0, 1).await;
    pair.heard(1).await;
    // Says things without leading.
    let other = view(&pair.at_shop).await;
    let helper = Probe::<Shop>::on(&other).1;
    let second = pair.run(vec![helper, Probe::<House>::on(&pair.house).1]).await;
    let clock = Clock::system();
    clock.sleep(Duration::from_millis(500)).await;
    let begun = clock.now();
    for n in 1..11 {
        other.write(say::<Shop>([format!("n{n:04}")])).await.unwrap();
        pair.heard(n + 1).await;
    }
    // Ten times the fallback would be ten seconds.
    assert!(clock.now().since(begun) < Duration::from_secs(4));
    first.tasks.stop().await;
    other.write(say::<Shop>(["n0011"])).await.unwrap();
    pair.heard(12).await;
    second.tasks.stop().await;
}

/// Something that somebody may be watching changes.
struct Touch(Uuid);

impl Unit for Touch {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<()> {
        tx.changed(self.0);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_at_one_instance_is_woken_by_what_changes_at_another() {
    let pair = Pair::on(fresh_nats()).await;
    let elsewhere = view(&pair.at_shop).await;
    let first = pair.run(vec![Probe::<Shop>::on(&pair.shop).1]).await;
    let second = pair.run(vec![Probe::<Shop>::on(&elsewhere).1]).await;
    let (clock, order) = (Clock::system(), Uuid::from_u128(7));
    let mut watch = elsewhere.watch(order, Duration::from_secs(3600));
    let far = clock.now().plus(Duration::from_secs(3600));
    let woken = tokio::time::timeout(Duration::from_secs(20), watch.changed(far));
    let touching = async {
        // Until they hear each other.
        loop {
            pair.shop.write(Touch(order)).await.unwrap();
            clock.sleep(Duration::from_millis(50)).await;
        }
    };
    match futures_util::future::select(Box::pin(woken), Box::pin(touching)).await {
        Either::Left((woken, _)) => woken.expect("nobody told it"),
        Either::Right((never, _)) => never,
    }
    first.tasks.stop().await;
    second.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_another_version_of_a_service_reacts_to_waits_for_it() {
    let pair = Pair::on(fresh_nats()).await;
    let shop = pair.run(vec![Probe::<Shop>::on(&pair.shop).1]).await;
    pair.shop.write(say::<Shop>(["unheard"])).await.unwrap();
    let jetstream = pair.jetstream().await;
    eventually("the stream", || async { jetstream.get_stream(pair.stream()).await.is_ok() }).await;
    // A newer version has run, which reacts to what this one does not know.
    let stream = jetstream.get_stream(pair.stream()).await.unwrap();
    let heard = pull::Config {
        durable_name: Some(House::SOURCE.name().to_owned()),
        filter_subjects: vec![format!("{}.order.completed.v1", pair.config.prefix)],
        ..pull::Config::default()
    };
    let mut consumer = stream.create_consumer(heard).await.unwrap();
    let house = pair.run(vec![Probe::<House>::on(&pair.house).1]).await;
    pair.say(0, 3).await;
    pair.heard(3).await;
    let info = consumer.info().await.unwrap();
    assert_eq!(info.config.filter_subjects.len(), 2, "{info:?}");
    assert_eq!(info.num_ack_pending, 1, "{info:?}");
    house.tasks.stop().await;
    shop.tasks.stop().await;
}

/// What the shop would say, said by somebody else.
fn as_the_shop(id: Uuid, subject: &str) -> Envelope {
    Envelope {
        id: EventId::from_uuid(id),
        subject: subject.to_owned(),
        version: 1,
        time: Clock::system().now(),
        causation: None,
        correlation: subject.to_owned(),
        trace: None,
        actor: Actor::Customer,
        payload: Shop::word(subject),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_is_made_to_copy_into_a_stream_is_parked_and_not_believed() {
    let pair = Pair::on(fresh_nats()).await;
    let running = pair.run_both().await;
    pair.say(0, 1).await;
    pair.heard(1).await;
    // Whoever may say nothing but gossip may still tell the broker what to do with it.
    let (jetstream, prefix) = (pair.jetstream().await, &pair.config.prefix);
    let gossip = stream::Config {
        name: format!("{prefix}_gossip"),
        subjects: vec![format!("{prefix}-gossip")],
        republish: Some(stream::Republish {
            source: format!("{prefix}-gossip"),
            destination: format!("{prefix}.{}", Shop::word("").kind().name),
            headers_only: false,
        }),
        ..stream::Config::default()
    };
    jetstream.create_stream(gossip).await.unwrap();
    let id = pair.shop.ids().uuid();
    let text = as_the_shop(id, "forged").to_json();
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id.to_string());
    let said = jetstream.publish_with_headers(format!("{prefix}-gossip"), headers, text.into());
    said.await.unwrap().await.unwrap();
    eventually("it to be parked", || async { !parked(&pair.house).await.is_empty() }).await;
    let list = parked(&pair.house).await;
    let why = format!("copied from the stream {prefix}_gossip, not said here");
    assert_eq!((list.len(), list[0].id, list[0].error.as_deref()), (1, id, Some(why.as_str())));
    pair.say(1, 2).await;
    pair.heard(2).await;
    running.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_of_another_type_than_it_was_sent_as_is_parked_and_not_believed() {
    let clock = Clock::system();
    let pair = Pair::on(fresh_nats()).await;
    let running = pair.run_both().await;
    let id = pair.shop.ids().uuid();
    let disguised = Envelope { payload: House::word(""), ..as_the_shop(id, "disguised") };
    let sent_as = Shop::word("").kind().name;
    pair.shop.write(forged(sent_as, &disguised.to_json(), &clock, id)).await.unwrap();
    pair.say(0, 2).await;
    pair.heard(2).await;
    eventually("it to be parked", || async { !parked(&pair.house).await.is_empty() }).await;
    let list = parked(&pair.house).await;
    let why = format!("sent as {sent_as}, and says that it is {}", House::word("").kind().name);
    assert_eq!((list.len(), list[0].id, list[0].error.as_deref()), (1, id, Some(why.as_str())));
    running.tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_parked_by_who_reacts_to_it() {
    let clock = Clock::system();
    let pair = Pair::on(fresh_nats()).await;
    let running = pair.run_both().await;
    let id = pair.shop.ids().uuid();
    pair.shop.write(forged("order.resumed.v1", "no event at all", &clock, id)).await.unwrap();
    let unknown = pair.shop.ids().uuid();
    pair.shop
        .write(forged("order.resumed.v999", "from the future", &clock, unknown))
        .await
        .unwrap();
    pair.say(0, 2).await;
    pair.heard(2).await;
    eventually("one parked", || async { parked(&pair.house).await.len() == 1 }).await;
    let list = parked(&pair.house).await;
    assert_eq!((list[0].id, list[0].body.as_str()), (id, "no event at all"));
    running.tasks.stop().await;
}
