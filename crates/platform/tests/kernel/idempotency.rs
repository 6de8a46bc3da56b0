//! The same request made twice is answered once.

use futures_util::future::join_all;
use platform::clock::Clock;
use platform::db::{Db, Expect, Result, Tx, Unit};
use platform::kernel::idempotency::{Known, Request};
use platform::params;
use platform::testing::NOON;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::{House, Part, houses, notes};

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Made(Uuid),
    OtherBody,
    Refused,
}

#[derive(Serialize, Deserialize)]
struct Made {
    id: Uuid,
}

/// Makes a note, unless it is refused.
struct Make {
    request: Request,
    refused: bool,
}

impl Unit for Make {
    type Out = Answer;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Answer> {
        match tx.known::<Made>(&self.request).await? {
            Known::Made(made) => return Ok(Answer::Made(made.id)),
            Known::OtherBody => return Ok(Answer::OtherBody),
            Known::New => {}
        }
        if self.refused {
            return Ok(Answer::Refused);
        }
        let id = tx.id::<()>().uuid();
        tx.execute(House::NOTE, &params![id, "made"], Expect::One).await?;
        tx.remember(&self.request, &Made { id }).await?;
        Ok(Answer::Made(id))
    }
}

async fn ask(db: &Db, caller: &str, key: &str, body: &str) -> Answer {
    let request = Request::new(caller, key, "POST /notes", &body);
    db.write(Make { request, refused: false }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_identical_requests_at_once_make_one_thing() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let asked: Vec<_> = (0..50)
            .map(|_| {
                let db = db.clone();
                let asking = async move { ask(&db, "anna", "key", "body").await };
                platform::tasks::spawn("client", asking)
            })
            .collect();
        let answers: Vec<Answer> =
            join_all(asked).await.into_iter().map(|answer| answer.unwrap()).collect();
        let first = answers.first().unwrap();
        assert!(matches!(first, Answer::Made(_)), "{first:?}");
        assert!(answers.iter().all(|answer| answer == first));
        assert_eq!(notes::<House>(&db).await, ["made"]);
    }
}

#[tokio::test]
async fn a_key_is_the_callers_own_and_for_one_request_only() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let first = ask(&db, "anna", "key", "body").await;
        assert_eq!(ask(&db, "anna", "key", "body").await, first);
        assert_eq!(ask(&db, "anna", "key", "other body").await, Answer::OtherBody);
        assert_ne!(ask(&db, "berta", "key", "other body").await, first);
        assert_ne!(ask(&db, "anna", "another key", "body").await, first);
        let elsewhere = Request::new("anna", "key", "POST /elsewhere", &"body");
        let other = db.write(Make { request: elsewhere, refused: false }).await.unwrap();
        assert_eq!(other, Answer::OtherBody);
        assert_eq!(notes::<House>(&db).await.len(), 3);
    }
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    for db in houses(&Clock::standing_at(NOON)).await {
        let request = Request::new("anna", "key", "POST /notes", &"body");
        let refused = db.write(Make { request, refused: true }).await.unwrap();
        assert_eq!(refused, Answer::Refused);
        assert!(matches!(ask(&db, "anna", "key", "body").await, Answer::Made(_)));
        assert!(matches!(ask(&db, "berta", "key", "other body").await, Answer::Made(_)));
    }
}
