//! The data of every release opens under this one, in a file and on servers, and what was on its way
//! then comes to its end.
//!
//! `tests/data` has a backup that each release made of a small shop, with orders in every state, and
//! a list of these states. With `KONTOR_OLD_DATA` naming that folder, the first test here adds what
//! the present release makes (`make old-data`). What is kept there is never replaced: a shop that is
//! made anew shows nothing of what the release left to those who ran it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use contracts::Timestamp;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rusqlite::Connection;
use serde_json::json;

use crate::support::program::{Said, bare, said};
use crate::support::shopper::text;
use crate::support::world::databases;
use crate::support::{Engine, World};

/// The state of each order, by id.
type States = BTreeMap<String, String>;

fn kontor(folder: &Path, url: Option<&str>, arguments: &[&str]) -> Said {
    let mut command = bare(arguments);
    command.arg("--data").arg(folder).current_dir(folder);
    if let Some(url) = url {
        command.env("KONTOR_DATA__POSTGRES__URL", url);
    }
    said(command.output().unwrap())
}

async fn states(world: &World) -> States {
    let orders = world.get("/orders?limit=100").staff("support").send().await.expect(200);
    let orders = orders["items"].as_array().unwrap();
    orders.iter().map(|order| (text(&order["id"]), text(&order["status"]))).collect()
}

/// A dozen orders, each at another point of its life; the last is on its way.
async fn a_dozen_orders(world: &World) {
    world.receive("A", 40).await;
    let place = async |method: &str, token: &str, status: &str| {
        let shopper = world.shopper(&[("A", 1), ("B", 1)]).await;
        let id = shopper.place(method, token).await;
        shopper.waits_for(&id, status).await;
        (id, shopper)
    };
    let (completed, shopper) = place("card", "ok", "confirmed").await;
    world.fulfil(&completed).await;
    shopper.waits_for(&completed, "completed").await;
    let (sent, _) = place("card", "ok", "confirmed").await;
    let parcel = world.first_parcel(&sent).await.id;
    world.pack(&parcel).await;
    world.dispatch(&parcel).await;
    let (packed, shopper) = place("card", "ok", "confirmed").await;
    world.pack(&world.first_parcel(&packed).await.id).await;
    shopper.waits_until(&packed, &json!({ "payment_status": "charged" })).await;
    let (held, shopper) = place("card", "capture_fails_once", "confirmed").await;
    world.pack(&world.first_parcel(&held).await.id).await;
    shopper.waits_for(&held, "on_hold").await;
    place("card", "ok", "confirmed").await;
    place("on_delivery", "none", "confirmed").await;
    let (acting, shopper) = place("card", "action", "pending").await;
    shopper.is_sent_to(&acting).await;
    place("card", "decline", "pending").await;
    for method in ["card", "card_auto"] {
        let (off, shopper) = place(method, "ok", "confirmed").await;
        let cancel = world.post(&format!("/orders/{off}/cancel")).guest(&shopper.token);
        assert!(cancel.json(json!({})).send().await.status.is_success());
        shopper.waits_for(&off, "cancelled").await;
    }
    let shopper = world.shopper(&[("C", 50)]).await;
    let failed = shopper.place("card", "ok").await;
    shopper.waits_for(&failed, "failed").await;
    // A cart that is no order yet, and an order that is on its way when the shop stops.
    world.shopper(&[("A", 2)]).await;
    world.shopper(&[("A", 1)]).await.place("card", "slow").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_with_orders_in_every_state_is_kept_for_later_releases() {
    let world = World::open(Engine::Sqlite).await;
    a_dozen_orders(&world).await;
    let (states, at) = (states(&world).await, world.time.now());
    for state in ["pending", "confirmed", "on_hold", "failed", "cancelled", "completed"] {
        assert!(states.values().any(|one| one == state), "none is {state}: {states:?}");
    }
    assert_eq!(states.len(), 12);
    let folder = world.stop().await;
    let file = folder.path().join("old.backup");
    let made = kontor(folder.path(), None, &["backup", &file.display().to_string()]);
    assert_eq!(made.code, 0, "{made:?}");
    // By the clock of that shop.
    let backup = Connection::open(&file).unwrap();
    let sql = "UPDATE kontor_backup SET value = ?1 WHERE name = 'made_at_micros'";
    assert_eq!(backup.execute(sql, [at.micros().to_string()]).unwrap(), 1);
    backup.close().unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&std::fs::read(&file).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 300_000, "{} bytes are much to keep for ever", packed.len());
    let states = serde_json::to_string_pretty(&states).unwrap() + "\n";
    // Kept where it is asked for; and it opens today.
    let keep = std::env::var_os("KONTOR_OLD_DATA").map(|folder| {
        // Tests run in the folder of their crate.
        Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..").join(folder)
    });
    let keep = keep.unwrap_or_else(|| folder.path().to_owned());
    let kept = keep_in(&keep, env!("CARGO_PKG_VERSION"), &packed, &states);
    opens(&kept.unwrap_or_else(|refusal| panic!("{refusal}")), Engine::Sqlite).await;
}

/// Keeps a shop of this release in a folder, beside those of the others; answers where.
fn keep_in(folder: &Path, release: &str, packed: &[u8], states: &str) -> Result<PathBuf, String> {
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join(format!("shop-{release}.db.gz"));
    if file.exists() {
        return Err(format!(
            "{} is kept already and is not replaced: give the next release its version first",
            file.display()
        ));
    }
    std::fs::write(&file, packed).unwrap();
    std::fs::write(folder.join(format!("shop-{release}.json")), states).unwrap();
    Ok(file)
}

#[test]
fn what_a_release_has_left_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let kept = keep_in(folder.path(), "1.0.0", b"then", "{}").unwrap();
    let refusal = keep_in(folder.path(), "1.0.0", b"now", "[]").unwrap_err();
    assert!(refusal.contains("shop-1.0.0.db.gz is kept already"), "{refusal}");
    assert_eq!(std::fs::read(&kept).unwrap(), b"then");
    assert_eq!(std::fs::read(folder.path().join("shop-1.0.0.json")).unwrap(), b"{}");
    keep_in(folder.path(), "1.0.1", b"now", "[]").unwrap();
}

/// What earlier releases have left.
fn kept() -> Vec<PathBuf> {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/data");
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    assert!(!files.is_empty(), "there is no old data in {}", folder.display());
    files
}

/// A copy of this becomes a shop on an engine, has its orders as they were, and comes to rest.
async fn opens(packed: &Path, engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.backup");
    let mut unpacked = Vec::new();
    let packed_bytes = std::fs::File::open(packed).unwrap();
    GzDecoder::new(packed_bytes).read_to_end(&mut unpacked).unwrap();
    std::fs::write(&file, unpacked).unwrap();
    let list = packed.with_extension("").with_extension("json");
    let before: States = serde_json::from_slice(&std::fs::read(list).unwrap()).unwrap();
    let postgres = match engine {
        Engine::Sqlite => None,
        Engine::Postgres | Engine::PostgresApart | Engine::Processes => {
            Some(databases("_{service}").await)
        }
    };
    let url = postgres.as_ref().map(|postgres| postgres.url.reveal());
    let restored = kontor(folder.path(), url, &["restore", &file.display().to_string()]);
    assert_eq!(restored.code, 0, "{}: {restored:?}", packed.display());
    let backup = Connection::open(&file).unwrap();
    let sql = "SELECT CAST(value AS integer) FROM kontor_backup WHERE name = 'made_at_micros'";
    let at: i64 = backup.query_row(sql, [], |row| row.get(0)).unwrap();

    let world = World::reopen(folder, postgres, Timestamp::from_micros(at)).await;
    let now = states(&world).await;
    assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (order, state) in before.iter().filter(|(_, state)| *state != "pending") {
        assert_eq!(now[order], *state, "{order}");
    }
    world.time.pass(Duration::from_secs(3600));
    world.rests().await;
    assert!(!states(&world).await.values().any(|state| state == "pending"));
    // It goes on as a shop does.
    let ada = world.shopper(&[("A", 1)]).await;
    let order = ada.place("card", "ok").await;
    ada.waits_for(&order, "confirmed").await;
    world.fulfil(&order).await;
    ada.waits_for(&order, "completed").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_every_earlier_release_opens_in_a_file_and_comes_to_rest() {
    for packed in kept() {
        opens(&packed, Engine::Sqlite).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_every_earlier_release_opens_on_servers_and_comes_to_rest() {
    for packed in kept() {
        opens(&packed, Engine::PostgresApart).await;
    }
}
