//! What is old is deleted, and only what nobody needs.

use std::sync::Arc;

use platform::clock::Clock;
use platform::db::Db;
use platform::kernel::idempotency::{Known, Request};
use platform::service::{Host, RuntimeConfig, relay_once, retain_once};
use platform::testing::{NOON, on_postgres, published};

use crate::support::{
    House, Number, Probe, Shop, drain, houses, later, notes, one_file, resumed, say,
};

const DAY: u64 = 24 * 3600;

async fn retain(host: &dyn Host, all: &[Arc<dyn Host>]) {
    while retain_once(host, all, RuntimeConfig::default()).await.unwrap() > 0 {}
}

async fn kept(db: &Db) -> Vec<String> {
    published(db).await.iter().map(|event| event.subject.clone()).collect()
}

#[tokio::test]
async fn an_outbox_keeps_what_a_consumer_has_not_read_and_always_its_last_row() {
    let clock = Clock::standing_at(NOON);
    let (_, shop, house) = one_file(&clock);
    let (shop_host, house_host) = (Probe::<Shop>::on(&shop).1, Probe::<House>::on(&house).1);
    let all: Vec<Arc<dyn Host>> = vec![shop_host.clone(), house_host.clone()];
    shop.write(say::<Shop>(["old 1", "old 2"])).await.unwrap();
    drain(&house_host).await;
    shop.write(say::<Shop>(["unread"])).await.unwrap();
    retain(shop_host.as_ref(), &all).await;
    assert_eq!(kept(&shop).await.len(), 3, "nothing is old");
    later(&clock, 8 * DAY);
    retain(shop_host.as_ref(), &all).await;
    assert_eq!(kept(&shop).await, ["unread"]);
    drain(&house_host).await;
    retain(shop_host.as_ref(), &all).await;
    assert_eq!(kept(&shop).await, ["unread"], "positions go on from the last row");
    shop.write(say::<Shop>(["new"])).await.unwrap();
    drain(&house_host).await;
    retain(shop_host.as_ref(), &all).await;
    assert_eq!(kept(&shop).await, ["new"]);
    assert_eq!(notes::<House>(&house).await, ["old 1", "old 2", "unread", "new"]);
}

#[tokio::test]
async fn an_outbox_keeps_what_is_not_yet_published() {
    let clock = Clock::standing_at(NOON);
    let shop = on_postgres::<Probe<Shop>>(&clock).await;
    let house = on_postgres::<Probe<House>>(&clock).await;
    let (shop_host, house_host) = (Probe::<Shop>::on(&shop).1, Probe::<House>::on(&house).1);
    let all: Vec<Arc<dyn Host>> = vec![shop_host.clone(), house_host.clone()];
    shop.write(say::<Shop>(["published"])).await.unwrap();
    relay_once(shop_host.as_ref(), &all).await.unwrap();
    shop.write(say::<Shop>(["not published", "last"])).await.unwrap();
    later(&clock, 8 * DAY);
    retain(shop_host.as_ref(), &all).await;
    assert_eq!(kept(&shop).await, ["not published", "last"]);
    relay_once(shop_host.as_ref(), &all).await.unwrap();
    retain(shop_host.as_ref(), &all).await;
    assert_eq!(kept(&shop).await, ["last"]);
    assert_eq!(notes::<House>(&house).await, ["published", "not published", "last"]);
}

#[tokio::test]
async fn what_was_handled_is_remembered_for_thirty_days_and_what_waits_for_ever() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        let (once, waits) = (resumed(&db, "once"), resumed(&db, "not-yet"));
        host.deliver(vec![once.clone(), waits]).await.unwrap();
        let rows = || db.read(Number("SELECT CAST(count(*) AS bigint) FROM warehouse_inbox"));
        later(&clock, 29 * DAY);
        retain(host.as_ref(), &[]).await;
        assert_eq!(rows().await.unwrap(), 2);
        host.deliver(vec![once]).await.unwrap();
        later(&clock, 2 * DAY);
        retain(host.as_ref(), &[]).await;
        assert_eq!(rows().await.unwrap(), 1);
        let seen = notes::<House>(&db).await;
        assert_eq!(seen.iter().filter(|what| *what == "once").count(), 1);
    }
}

struct Answered(Request, bool);

impl platform::db::Unit for Answered {
    type Out = bool;

    async fn run(&self, tx: &mut platform::db::Tx<'_>) -> platform::db::Result<bool> {
        if self.1 {
            tx.remember(&self.0, &"answer").await?;
        }
        Ok(matches!(tx.known::<String>(&self.0).await?, Known::Made(_)))
    }
}

#[tokio::test]
async fn an_answer_is_kept_for_seven_days() {
    let clock = Clock::standing_at(NOON);
    for db in houses(&clock).await {
        let (_, host) = Probe::<House>::on(&db);
        let request = Request::new("anna", "key", "POST /notes", &"body");
        assert!(db.write(Answered(request.clone(), true)).await.unwrap());
        later(&clock, 7 * DAY - 1);
        retain(host.as_ref(), &[]).await;
        assert!(db.read(Answered(request.clone(), false)).await.unwrap());
        later(&clock, 2);
        retain(host.as_ref(), &[]).await;
        assert!(!db.read(Answered(request, false)).await.unwrap());
    }
}
