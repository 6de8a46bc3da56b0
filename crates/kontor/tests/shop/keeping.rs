//! A shop that is kept and moved: taken while it is busy, from either engine to either, it is whole
//! afterwards; and whatever is not as it should be is refused.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform::clock::Clock;
use platform::tasks::Tasks;

use crate::kill::{Ledger, all, open_provider, people, settled, stocked};
use crate::support::Engine;
use crate::support::program::{Place, Running, Said};
use crate::support::shopper::text;

/// A place on an engine; and the address of its databases, if it has any.
async fn place_on(engine: Engine) -> (Place, Option<String>) {
    let place = Place::new().await;
    match engine {
        Engine::Sqlite => (place, None),
        Engine::Postgres | Engine::PostgresApart | Engine::Processes => {
            let url = place.on_servers().await;
            (place, Some(url))
        }
    }
}

/// A shop with people in it.
struct Busy {
    place: Place,
    provider: Tasks,
    running: Running,
    ledger: Arc<Ledger>,
    over: Arc<AtomicBool>,
    people: Vec<tokio::task::JoinHandle<()>>,
    url: Option<String>,
}

impl Busy {
    async fn open(engine: Engine) -> Self {
        let (place, url) = place_on(engine).await;
        let provider = open_provider(&place).await;
        stocked(&place).await;
        let (running, _) = place.start().await;
        let (ledger, over) = (Arc::new(Ledger::default()), Arc::new(AtomicBool::new(false)));
        let people = people(&place, &ledger, &over);
        Self { place, provider, running, ledger, over, people, url }
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        let acknowledged = self.ledger.acknowledged.lock().unwrap();
        acknowledged.values().map(|(order, _)| order.clone()).collect()
    }

    /// Waits until so many orders are acknowledged; answers which.
    async fn until(&self, count: usize) -> BTreeSet<String> {
        let real = Clock::system();
        let limit = real.now().plus(Duration::from_secs(60));
        loop {
            let acknowledged = self.acknowledged();
            if acknowledged.len() >= count {
                return acknowledged;
            }
            assert!(real.now() < limit, "only {} orders: {}", acknowledged.len(), self.place.log());
            real.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Everybody goes home, and the shop is killed where it stands.
    async fn end(self) -> (Place, Tasks, BTreeSet<String>) {
        self.over.store(true, Ordering::Relaxed);
        self.running.kill();
        for person in self.people {
            person.await.unwrap();
        }
        let acknowledged = self.ledger.acknowledged.lock().unwrap();
        let orders = acknowledged.values().map(|(order, _)| order.clone()).collect();
        drop(acknowledged);
        (self.place, self.provider, orders)
    }
}

/// The other place asks the same payment provider.
fn share_provider(place: &Place, other: &Place) {
    let config = std::fs::read_to_string(other.config()).unwrap();
    let [mine, theirs] = [place, other].map(|place| place.provider.to_string());
    std::fs::write(other.config(), config.replace(&theirs, &mine)).unwrap();
}

/// The shop there opens, comes to rest with all promises kept, and has these orders.
async fn is_whole(place: &Place, orders: &BTreeSet<String>) {
    let (running, _) = place.start().await;
    settled(place).await;
    let there: BTreeSet<String> =
        all(place, "orders").await.iter().map(|order| text(&order["id"])).collect();
    let lost: Vec<&String> = orders.difference(&there).collect();
    assert!(lost.is_empty(), "{lost:?} are lost, {} are there", there.len());
    assert!(running.stop().await.success(), "{}", place.log());
}

fn path(place: &Place, name: &str) -> (PathBuf, String) {
    let path = place.folder.path().join(name);
    let text = path.display().to_string();
    (path, text)
}

async fn a_backup_of_a_busy_shop_is_whole(from: Engine, to: Engine) {
    let busy = Busy::open(from).await;
    let before = busy.until(20).await;
    let (file, name) = path(&busy.place, "shop.backup");
    let made = busy.place.run(&["backup", &name]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(made.out.contains("keep it like them"), "{made:?}");
    // The shop goes on.
    busy.until(before.len() + 10).await;
    let (place, provider, _) = busy.end().await;
    let (other, _) = place_on(to).await;
    share_provider(&place, &other);
    let restored = other.run(&["restore", &name]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(restored.out.contains("all promises hold"), "{restored:?}");
    is_whole(&other, &before).await;
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_shop_in_a_file_is_backed_up_and_restored_to_a_file() {
    a_backup_of_a_busy_shop_is_whole(Engine::Sqlite, Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_shop_on_servers_is_backed_up_and_restored_to_servers() {
    a_backup_of_a_busy_shop_is_whole(Engine::PostgresApart, Engine::PostgresApart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_shop_in_a_file_is_backed_up_and_restored_to_servers() {
    a_backup_of_a_busy_shop_is_whole(Engine::Sqlite, Engine::PostgresApart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_shop_on_servers_is_backed_up_and_restored_to_a_file() {
    a_backup_of_a_busy_shop_is_whole(Engine::PostgresApart, Engine::Sqlite).await;
}

/// Where a shop is, as `kontor migrate` is told.
fn address(place: &Place, url: Option<&String>) -> String {
    url.cloned().unwrap_or_else(|| format!("sqlite:{}", place.data().display()))
}

async fn a_shop_killed_in_its_work_goes_on_elsewhere(from: Engine, to: Engine) {
    let busy = Busy::open(from).await;
    busy.until(20).await;
    let (other, url) = place_on(to).await;
    let (from, to) = (address(&busy.place, busy.url.as_ref()), address(&other, url.as_ref()));
    let arguments = ["migrate", "--from", &from, "--to", &to];
    let too_early = other.run(&arguments);
    assert_eq!(too_early.code, 1, "{too_early:?}");
    assert!(too_early.err.contains("stop"), "{too_early:?}");
    let (place, provider, orders) = busy.end().await;
    share_provider(&place, &other);
    let moved = other.run(&arguments);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(moved.out.contains("all promises hold"), "{moved:?}");
    let again = other.run(&arguments);
    assert_eq!(again.code, 1, "{again:?}");
    is_whole(&other, &orders).await;
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_killed_in_its_work_moves_from_a_file_to_servers_and_goes_on() {
    a_shop_killed_in_its_work_goes_on_elsewhere(Engine::Sqlite, Engine::PostgresApart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_killed_in_its_work_moves_from_servers_to_a_file_and_goes_on() {
    a_shop_killed_in_its_work_goes_on_elsewhere(Engine::PostgresApart, Engine::Sqlite).await;
}

/// A shop that is stopped, with products, and its backup.
async fn backed_up() -> (Place, String) {
    let place = Place::new().await;
    stocked(&place).await;
    let (_, name) = path(&place, "shop.backup");
    let made = place.run(&["backup", &name]);
    assert_eq!(made.code, 0, "{made:?}");
    (place, name)
}

fn refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, 1, "{said:?}");
    for word in words {
        assert!(said.err.contains(word), "{word} is not in {}", said.err);
    }
    assert!(!said.err.contains("Unavailable("), "for people: {}", said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_overwritten_and_what_is_no_backup_is_refused() {
    let (place, name) = backed_up().await;
    let bytes = std::fs::read(&name).unwrap();
    refused(&place.run(&["backup", &name]), &["is there already", "--force"]);
    assert_eq!(std::fs::read(&name).unwrap(), bytes);
    assert_eq!(place.run(&["backup", &name, "--force"]).code, 0);
    refused(&place.run(&["restore", &name]), &["there is a shop", "already", "--data"]);

    let empty = Place::new().await;
    refused(&empty.run(&["backup", "x"]), &["there is no shop"]);
    let nothing = empty.folder.path().join("nothing.db");
    refused(&empty.run(&["restore", "nowhere.backup"]), &["nowhere.backup"]);
    for content in ["", "no database at all, but long enough to be looked at as one, for once"] {
        std::fs::write(&nothing, content).unwrap();
        let said = empty.run(&["restore", &nothing.display().to_string()]);
        refused(&said, &["no shop and no backup of one"]);
    }
    // One that was damaged on the way.
    let middle = bytes.len() / 2;
    let mut damaged = bytes.clone();
    damaged[middle..middle + 8192].fill(0x55);
    std::fs::write(&nothing, damaged).unwrap();
    let said = empty.run(&["restore", &nothing.display().to_string()]);
    assert_eq!(said.code, 1, "{said:?}");
    let left: Vec<PathBuf> =
        empty.data().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [empty.data().join("lock")], "nothing is left of what failed");
    let one = empty.run(&["restore", &name, "--service", "order"]);
    refused(&one, &["restored whole", "data.postgres"]);
    assert_eq!(empty.run(&["restore", &name]).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_newer_release_is_refused_by_name() {
    let (place, name) = backed_up().await;
    let file = rusqlite::Connection::open(&name).unwrap();
    let newer = "INSERT INTO order_history SELECT 99, 'later', applied_on, checksum FROM order_history \
                 WHERE version = 1";
    assert_eq!(file.execute(newer, []).unwrap(), 1);
    drop(file);
    let empty = Place::new().await;
    refused(&empty.run(&["restore", &name]), &["newer release", "order_history"]);
    assert!(!empty.data().join("shop.db").exists());
    drop(place);
}

/// A connection to the database of a service.
async fn database(url: &str, service: &str) -> tokio_postgres::Client {
    let url = url.replace("{service}", service);
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    platform::tasks::spawn("test connection", async move { drop(connection.await) });
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_changes_on_the_way_is_found_and_nothing_is_kept() {
    let (_place, name) = backed_up().await;
    let (other, url) = place_on(Engine::PostgresApart).await;
    let url = url.unwrap();
    // The tables are there, and one of them falsifies what is put into it.
    assert_eq!(other.run(&["doctor"]).code, 0);
    let catalogue = database(&url, "catalogue").await;
    catalogue
        .batch_execute(
            "CREATE FUNCTION falsify() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF NEW.handle = 's7' THEN NEW.handle = 's777'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER falsify BEFORE INSERT ON product_handle FOR EACH ROW EXECUTE FUNCTION falsify();",
        )
        .await
        .unwrap();
    let said = other.run(&["restore", &name]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.out.contains("product_handle: of 20 rows some are not the same"), "{said:?}");
    assert!(said.out.contains("Nothing was restored"), "{said:?}");
    let rows = async |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        catalogue.query_one(&sql, &[]).await.unwrap().get(0)
    };
    assert_eq!((rows("product").await, rows("product_handle").await), (0, 0));
    catalogue.batch_execute("DROP TRIGGER falsify ON product_handle").await.unwrap();
    let said = other.run(&["restore", &name]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(rows("product_handle").await, 20);
    // Now they are not empty.
    refused(&other.run(&["restore", &name]), &["not empty", "has rows"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_shop_starts_on_databases_whose_restore_did_not_finish() {
    let (_place, name) = backed_up().await;
    let (other, url) = place_on(Engine::PostgresApart).await;
    let url = url.unwrap();
    let order = database(&url, "order").await;
    // As a restore leaves them that is killed before it has written.
    order.batch_execute("CREATE TABLE kontor_unfinished (why text NOT NULL)").await.unwrap();
    refused(&other.run(&["run", "--no-demo"]), &["order", "did not finish", "drop it"]);
    let said = other.run(&["restore", &name]);
    assert_eq!(said.code, 0, "nothing was written yet: {said:?}");
    order.batch_execute("CREATE TABLE kontor_unfinished (why text NOT NULL)").await.unwrap();
    refused(&other.run(&["restore", &name]), &["not empty"]);
    refused(&other.run(&["doctor"]), &["did not finish"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_that_are_at_work_are_not_written_over() {
    let (_place, name) = backed_up().await;
    let (other, _) = place_on(Engine::PostgresApart).await;
    let (running, _) = other.start().await;
    refused(&other.run(&["restore", &name]), &["still work", "stop them"]);
    assert!(running.stop().await.success());
    assert_eq!(other.run(&["restore", &name]).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_is_in_use_is_said_to_be_and_by_which_folder() {
    let place = Place::new().await;
    let (running, _) = place.start().await;
    let folder = place.data().display().to_string();
    let products = place.folder.path().join("products.jsonl");
    std::fs::write(&products, "").unwrap();
    let file = products.display().to_string();
    for arguments in [&["run", "--no-demo"][..], &["import", &file], &["republish"]] {
        let said = place.run(arguments);
        refused(&said, &["another kontor is using the shop in", &folder, "--data"]);
        assert!(!said.err.contains("listen"), "not of its port: {said:?}");
    }
    for command in ["import", "republish"] {
        assert!(place.run(&[command, "--help"]).out.contains("must be stopped"), "{command}");
    }
    let unusable = place.run(&["run", "--no-demo", "--data", &file]);
    refused(&unusable, &[&file, "cannot be used"]);
    let below = format!("{file}/below");
    refused(&place.run(&["run", "--no-demo", "--data", &below]), &[&below]);
    assert!(running.stop().await.success());
    // A port that is taken is no crash of the shop.
    let _taken = tokio::net::TcpListener::bind(place.listen).await.unwrap();
    refused(&place.run(&["run", "--no-demo"]), &["http.listen"]);
    assert_eq!(std::fs::read(Path::new(&folder).join("lock")).unwrap(), b"");
}
