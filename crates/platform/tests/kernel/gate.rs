//! In one file, each service reaches its own tables only.

use platform::clock::Clock;
use platform::db::Error;
use platform::testing::NOON;

use crate::support::{House, Number, Raw, note, notes, one_file};

#[tokio::test]
async fn a_service_does_not_reach_another_services_tables() {
    let (_, shop, house) = one_file(&Clock::standing_at(NOON));
    for sql in [
        "SELECT count(*) FROM shop_notes",
        "SELECT count(*) FROM SHOP_NOTES",
        "SELECT count(*) FROM order_outbox",
        "SELECT count(*) FROM order_inbox",
        "SELECT count(*) FROM order_history",
        "SELECT count(*) FROM house_notes WHERE EXISTS (SELECT 1 FROM shop_notes)",
        "WITH foreign_notes AS (SELECT id FROM shop_notes) SELECT count(*) FROM foreign_notes",
    ] {
        let refused = house.read(Number(sql)).await;
        assert!(matches!(refused, Err(Error::Statement { .. })), "{sql}: {refused:?}");
        assert!(house.prepare(&[sql]).await.is_err(), "{sql}");
        if !sql.contains("house") {
            shop.read(Number(sql)).await.unwrap();
        }
    }
    for sql in [
        "INSERT INTO house_notes (id, what) SELECT id, what FROM shop_notes",
        "UPDATE shop_notes SET what = 'mine'",
        "DELETE FROM shop_notes",
        "DELETE FROM order_positions",
        "DROP TABLE house_notes",
        "CREATE TABLE more (id bigint)",
        "PRAGMA synchronous = OFF",
        "ATTACH DATABASE ':memory:' AS other",
        "COMMIT",
    ] {
        let refused = house.write(Raw(sql, Vec::new())).await;
        assert!(refused.is_err(), "{sql}: {refused:?}");
    }
    house.write(note::<House>("kept")).await.unwrap();
    assert_eq!(notes::<House>(&house).await, ["kept"]);
}

#[tokio::test]
async fn a_services_own_tables_and_names_made_up_on_the_way_are_let_through() {
    let (_, _, house) = one_file(&Clock::standing_at(NOON));
    house.write(note::<House>("one")).await.unwrap();
    for sql in [
        "SELECT count(*) FROM house_notes AS shop_notes",
        "SELECT count(*) + 1 FROM warehouse_inbox",
        "WITH shop_like AS (SELECT id FROM house_notes) SELECT count(*) FROM shop_like",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1) SELECT x FROM n",
        "SELECT count(*) FROM (SELECT rank() OVER (ORDER BY what) FROM house_notes) AS ranked",
    ] {
        assert_eq!(house.read(Number(sql)).await.unwrap(), 1, "{sql}");
    }
}
