//! Two releases on one database, while one takes the place of the other.

use platform::clock::Clock;
use platform::db::{Db, Error, Migration, PostgresConfig, Sqlite};
use platform::ids::Ids;
use platform::testing::fresh_postgres;

use crate::support::{Part, Shop, note, notes};

/// The tables of the next release: what there is, and more.
fn next_release() -> &'static [Migration] {
    const NEXT: Migration = Migration {
        version: 1000,
        name: "next",
        sql: "ALTER TABLE shop_notes ADD COLUMN colour text; CREATE TABLE shop_colours (name text)",
    };
    [Shop::MIGRATIONS, &[NEXT]].concat().leak()
}

async fn open(url: &str, migrations: &'static [Migration]) -> Result<Db, Error> {
    let clock = Clock::system();
    let ids = Ids::from_system(clock.clone());
    Db::on_postgres(&PostgresConfig::new(url, 2), Shop::SOURCE, migrations, clock, ids).await
}

#[tokio::test]
async fn an_old_instance_starts_and_works_on_the_tables_of_the_next_release() {
    let url = fresh_postgres(&Ids::from_system(Clock::system())).await;
    let old = open(&url, Shop::MIGRATIONS).await.unwrap();
    old.write(note::<Shop>("before")).await.unwrap();
    let new = open(&url, next_release()).await.unwrap();
    old.write(note::<Shop>("the old one that ran")).await.unwrap();
    let again = open(&url, Shop::MIGRATIONS).await.unwrap();
    again.write(note::<Shop>("the old one that was started again")).await.unwrap();
    assert_eq!(
        notes::<Shop>(&new).await,
        ["before", "the old one that ran", "the old one that was started again"]
    );
    open(&url, next_release()).await.unwrap();
}

#[tokio::test]
async fn a_program_whose_steps_are_other_ones_does_not_start() {
    let url = fresh_postgres(&Ids::from_system(Clock::system())).await;
    open(&url, Shop::MIGRATIONS).await.unwrap();
    let [first, ..] = Shop::MIGRATIONS else { panic!("there is a step") };
    let other = vec![Migration { sql: "CREATE TABLE shop_other (id uuid)", ..*first }].leak();
    let refused = open(&url, other).await;
    assert!(matches!(refused, Err(Error::Statement { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_file_of_a_newer_release_is_not_opened() {
    let clock = Clock::system();
    let sqlite = Sqlite::in_memory().unwrap();
    let open = |migrations| {
        let ids = Ids::from_system(clock.clone());
        Db::on_sqlite(&sqlite, Shop::SOURCE, migrations, clock.clone(), ids)
    };
    open(next_release()).unwrap();
    let refused = open(Shop::MIGRATIONS);
    assert!(matches!(refused, Err(Error::Statement { .. })), "{refused:?}");
}
