//! Products through HTTP, on both engines.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

mod shop;

use catalogue::{Config, store};
use contracts::EventData;
use contracts::events::{ProductPublished, ProductWithdrawn};
use futures_util::future::join_all;
use platform::clock::Clock;
use platform::db::Work;
use platform::testing;
use serde_json::{Value, json};
use shop::{Shop, product, shop_on, shops, shops_going_by};

const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

#[tokio::test]
async fn every_statement_is_taken_by_both_engines() {
    for shop in shops().await {
        shop.db.prepare(store::STATEMENTS).await.unwrap();
    }
}

#[tokio::test]
async fn a_draft_is_seen_by_staff_alone_until_it_is_published() {
    for shop in shops().await {
        let made = shop.clerk("POST", "/products", Some(product("candle", "gifts", 499))).await;
        assert_eq!((made.status, &made.body["state"]), (201, &json!("draft")));
        let id = made.body["id"].as_str().unwrap().to_owned();
        let path = format!("/products/{id}");
        assert_eq!(made.header("location"), format!("/api/v1{path}"));
        let missing = shop.get(&format!("/products/{NOBODY}")).await;
        let draft = shop.get(&path).await;
        assert_eq!((draft.status, draft.code()), (404, "not-found"));
        assert_eq!(draft.body["detail"], missing.body["detail"]);
        assert_eq!(shop.clerk("GET", &path, None).await.status, 200);
        assert_eq!(testing::said(&shop.db).await, [] as [&str; 0]);

        assert_eq!(shop.clerk("POST", &format!("{path}/publish"), None).await.status, 200);
        let seen = shop.get("/products/candle").await;
        assert_eq!((seen.status, &seen.body["id"]), (200, &json!(id)));
        assert_eq!(shop.get(&path).await.body, seen.body);
        assert_eq!(testing::said(&shop.db).await, ["product.published.v1"]);
    }
}

#[tokio::test]
async fn others_are_told_the_whole_product_with_every_change() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts/candles", 499).await;
        let path = format!("/products/{id}");
        let dearer = product("candle", "gifts/candles", 599);
        assert_eq!(shop.clerk("PUT", &path, Some(dearer.clone())).await.body["version"], 3);
        // The same again is no change, and nobody's news.
        assert_eq!(shop.clerk("PUT", &path, Some(dearer)).await.body["version"], 3);
        shop.clerk("POST", &format!("{path}/withdraw"), None).await;
        let events = testing::published(&shop.db).await;
        assert_eq!(events.len(), 3);
        let published = ProductPublished::of(&events[1].payload).unwrap();
        assert_eq!((published.version, events[1].version), (3, 3));
        assert_eq!(published.variants[0].prices[0].price.amount_minor, 599);
        assert_eq!(published.categories, ["gifts/candles"]);
        assert_eq!(events[1].actor.to_string(), "staff:catalogue");
        assert_eq!(
            (events[1].subject.as_str(), events[1].correlation.as_str()),
            (id.as_str(), id.as_str())
        );
        let withdrawn = ProductWithdrawn::of(&events[2].payload).unwrap();
        assert_eq!(withdrawn.skus[0].as_str(), "CANDLE");
    }
}

#[tokio::test]
async fn a_change_shows_at_once_although_documents_are_kept_in_memory() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts", 499).await;
        let price = |answer: &shop::Answer| {
            answer.body["variants"][0]["prices"][0]["price"]["amount_minor"].as_i64().unwrap()
        };
        for amount in [499, 599, 699] {
            let body = product("candle", "gifts", amount);
            shop.clerk("PUT", &format!("/products/{id}"), Some(body)).await;
            for name in [&id, "candle"] {
                assert_eq!(price(&shop.get(&format!("/products/{name}")).await), amount);
            }
            let list = shop.get("/products").await;
            assert_eq!(list.body["items"][0]["from"][0]["amount_minor"], amount);
        }
        shop.clerk("POST", &format!("/products/{id}/withdraw"), None).await;
        assert_eq!(shop.get("/products/candle").await.status, 404);
        assert_eq!(shop.get("/products").await.body["items"], json!([]));
    }
}

#[tokio::test]
async fn a_document_read_again_costs_the_database_nothing() {
    for shop in shops().await {
        shop.on_sale("candle", "gifts", 499).await;
        let paths = ["/products/candle", "/products", "/products?category=gifts", "/categories"];
        for path in paths {
            shop.get(path).await;
        }
        let before = shop.db.work();
        for path in paths {
            assert_eq!(shop.get(path).await.status, 200);
        }
        assert_eq!(shop.db.work(), before);
    }
}

#[tokio::test]
async fn without_a_cache_everything_still_reads() {
    for shop in shops().await {
        let shop = shop_on(shop.db, &Config { cache_bytes: 0, cache_ttl_ms: 0 });
        shop.on_sale("candle", "gifts", 499).await;
        for _ in 0..2 {
            assert_eq!(shop.get("/products/candle").await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_client_that_has_the_document_is_not_sent_it_again() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts", 499).await;
        for path in ["/products/candle", "/products", "/categories"] {
            let first = shop.get(path).await;
            let tag = first.header("etag").to_owned();
            assert!(tag.starts_with('"') && first.header("cache-control").starts_with("public"));
            let again = shop.get_with(path, "if-none-match", &tag).await;
            assert_eq!((again.status, again.header("etag")), (304, tag.as_str()), "{path}");
            assert_eq!(shop.get_with(path, "if-none-match", "\"other\"").await.status, 200);
        }
        let tag = shop.get("/products/candle").await.header("etag").to_owned();
        let body = product("candle", "gifts", 500);
        shop.clerk("PUT", &format!("/products/{id}"), Some(body)).await;
        let changed = shop.get_with("/products/candle", "if-none-match", &tag).await;
        assert_eq!(changed.status, 200);
    }
}

#[tokio::test]
async fn what_staff_see_is_never_kept_by_anybody() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts", 499).await;
        let staff = shop.clerk("GET", &format!("/products/{id}"), None).await;
        assert!(!staff.header("cache-control").contains("public"), "{:?}", staff.headers);
        let shared = shop.get(&format!("/products/{id}")).await;
        assert!(shared.header("vary").contains("authorization"));
    }
}

#[tokio::test]
async fn products_are_listed_page_by_page_and_by_category_with_all_below() {
    for shop in shops().await {
        for n in 0..5 {
            let category = if n % 2 == 0 { "gifts/candles" } else { "books" };
            shop.on_sale(&format!("p{n}"), category, 100).await;
        }
        shop.clerk("POST", "/products", Some(product("draft", "gifts/candles", 1))).await;
        let all = async |query: &str| {
            let (mut handles, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = shop.get(&format!("/products?limit=2{query}{cursor}")).await;
                assert_eq!(page.status, 200, "{}", page.body);
                let items = page.body["items"].as_array().unwrap().clone();
                handles.extend(items.iter().map(|p| p["handle"].as_str().unwrap().to_owned()));
                let Some(next) = page.body["next_cursor"].as_str() else { return handles };
                cursor = format!("&cursor={next}");
            }
        };
        assert_eq!(all("").await, ["p0", "p1", "p2", "p3", "p4"]);
        assert_eq!(all("&category=gifts").await, ["p0", "p2", "p4"]);
        assert_eq!(all("&category=gifts/candles").await, ["p0", "p2", "p4"]);
        assert_eq!(all("&category=gift").await, [] as [&str; 0]);
        let drafts = shop.clerk("GET", "/products?state=draft", None).await;
        assert_eq!(drafts.body["items"][0]["handle"], "draft");
        assert_eq!(shop.get("/products?state=draft").await.status, 401);

        let cursor = shop.get("/products?limit=1").await.body["next_cursor"].clone();
        let cursor = cursor.as_str().unwrap();
        let elsewhere = shop.get(&format!("/products?category=books&cursor={cursor}")).await;
        assert_eq!((elsewhere.status, elsewhere.code()), (422, "validation-failed"));
        let tree = shop.get("/categories").await.body;
        assert_eq!(
            tree["items"],
            json!([
                {"path": "books", "name": "Books", "products": 2},
                {"path": "gifts", "name": "Gifts", "products": 3},
                {"path": "gifts/candles", "name": "Candles", "parent": "gifts", "products": 3},
            ])
        );
    }
}

#[tokio::test]
async fn a_product_that_moves_leaves_its_old_category_and_its_old_units() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts/candles", 499).await;
        let mut moved = product("candle", "books", 499);
        moved["variants"][0]["sku"] = json!("OTHER");
        assert_eq!(shop.clerk("PUT", &format!("/products/{id}"), Some(moved)).await.status, 200);
        assert_eq!(shop.get("/products?category=gifts").await.body["items"], json!([]));
        assert_eq!(shop.get("/products?category=books").await.body["items"][0]["handle"], "candle");
        // The unit it gave up is free.
        let mut taker = product("taker", "gifts", 1);
        taker["variants"][0]["sku"] = json!("CANDLE");
        assert_eq!(shop.clerk("POST", "/products", Some(taker)).await.status, 201);
    }
}

#[tokio::test]
async fn two_products_never_share_a_handle_or_a_unit() {
    for shop in shops().await {
        shop.on_sale("candle", "gifts", 499).await;
        let again = shop.clerk("POST", "/products", Some(product("candle", "gifts", 1))).await;
        assert_eq!((again.status, again.code()), (409, "handle-taken"));
        let mut other = product("other", "gifts", 1);
        other["variants"][0]["sku"] = json!("CANDLE");
        let taken = shop.clerk("POST", "/products", Some(other)).await;
        assert_eq!(
            (taken.status, taken.code(), &taken.body["sku"]),
            (409, "sku-taken", &json!("CANDLE"))
        );
        assert_eq!(testing::said(&shop.db).await.len(), 1);
    }
}

#[tokio::test]
async fn of_parallel_claims_to_a_unit_one_wins_and_the_others_are_refused() {
    for shop in shops_going_by(Clock::system()).await {
        let claims = (0..8).map(|n| {
            let mut claim = product(&format!("p{n}"), "gifts", 1);
            claim["variants"][0]["sku"] = json!("SAME");
            shop.clerk("POST", "/products", Some(claim))
        });
        let answers = join_all(claims).await;
        let mut codes: Vec<_> =
            answers.iter().map(|answer| (answer.status, answer.code().to_owned())).collect();
        codes.sort();
        assert_eq!(codes[0], (201, String::new()));
        assert!(codes[1..].iter().all(|c| *c == (409, "sku-taken".to_owned())), "{codes:?}");
    }
}

#[tokio::test]
async fn of_two_who_take_one_handle_at_once_one_gets_it_and_the_other_is_told() {
    for shop in shops_going_by(Clock::system()).await {
        let ids = [shop.on_sale("a", "gifts", 1).await, shop.on_sale("b", "gifts", 1).await];
        for round in 0..20 {
            let rename = |id: &str, sku: &str| {
                let mut renamed = product(&format!("handle-{round}"), "gifts", 1);
                renamed["variants"][0]["sku"] = json!(sku);
                let path = format!("/products/{id}");
                let shop = &shop;
                async move { shop.clerk("PUT", &path, Some(renamed)).await }
            };
            let answers = join_all([rename(&ids[0], "A"), rename(&ids[1], "B")]).await;
            let mut codes: Vec<_> =
                answers.iter().map(|answer| (answer.status, answer.code())).collect();
            codes.sort_unstable();
            assert_eq!(codes, [(200, ""), (409, "handle-taken")], "round {round}");
        }
        // What was given up is free again.
        assert_eq!(shop.get("/products/handle-0").await.status, 404);
        shop.on_sale("handle-0", "gifts", 1).await;
    }
}

#[tokio::test]
async fn nothing_is_served_under_another_name_because_it_was_asked_for_first() {
    for shop in shops().await {
        shop.on_sale("candle", "gifts", 1).await;
        assert_eq!(shop.get("/categories").await.status, 200);
        let page = shop.get("/products").await;
        assert_eq!(page.status, 200);
        for name in
            ["the%20categories", "products:Published::00000000-0000-0000-0000-000000000000:20"]
        {
            assert_eq!(shop.get(&format!("/products/{name}")).await.status, 404, "{name}");
        }
    }
}

#[tokio::test]
async fn a_tree_of_more_than_ten_thousand_categories_is_shown_whole() {
    for shop in shops().await {
        let names: String = (0..10_050)
            .map(|n| format!("{}\n", json!({"category": format!("c{n:05}"), "name": "C"})))
            .collect();
        assert_eq!(shop.import("", &names).await.status, 200);
        let tree = shop.get("/categories").await.body;
        let items = tree["items"].as_array().unwrap();
        assert_eq!(items.len(), 10_050);
        assert!(items.is_sorted_by_key(|item| item["path"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn staff_see_who_changed_a_product_or_a_category_and_when() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts", 1).await;
        let path = format!("/products/{id}");
        shop.clerk("PUT", &path, Some(product("candle", "gifts", 2))).await;
        // What says so already changes nothing.
        shop.clerk("PUT", &path, Some(product("candle", "gifts", 2))).await;
        shop.import("", &product("candle", "gifts", 3).to_string()).await;
        shop.clerk("POST", &format!("{path}/withdraw"), None).await;
        let history = |query: &str| format!("{path}/history{query}");
        let seen = shop.clerk("GET", &history(""), None).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        let told: Vec<_> = seen.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| {
                assert_eq!(change["actor"], "staff:catalogue");
                assert_eq!(change["at"], "2026-11-22T12:00:00.000000Z");
                (change["version"].as_i64().unwrap(), change["what"].as_str().unwrap())
            })
            .collect();
        let expected =
            [(5, "withdrawn"), (4, "revised"), (3, "revised"), (2, "published"), (1, "drafted")];
        assert_eq!(told, expected);
        let first = shop.clerk("GET", &history("?limit=4"), None).await.body;
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = shop.clerk("GET", &history(&format!("?cursor={cursor}")), None).await.body;
        assert_eq!(rest["items"].as_array().unwrap().len(), 1);

        for name in ["Presents", "Presents", "Gifts & more"] {
            let named = json!({"category": "gifts", "name": name});
            assert_eq!(shop.clerk("POST", "/categories", Some(named)).await.status, 204);
        }
        let named = shop.clerk("GET", "/categories/history?category=gifts", None).await.body;
        assert_eq!(named["items"].as_array().unwrap().len(), 2, "{named}");
        assert_eq!(named["items"][0]["what"], "named Gifts & more");
        assert_eq!(named["items"][0]["actor"], "staff:catalogue");

        for path in [history(""), "/categories/history?category=gifts".to_owned()] {
            assert_eq!(shop.get(&path).await.status, 401);
            assert_eq!(shop.as_who("kst_test_support", "GET", &path, None).await.status, 403);
        }
        let nobody = format!("/products/{NOBODY}/history");
        assert_eq!(shop.clerk("GET", &nobody, None).await.status, 404);
    }
}

#[tokio::test]
async fn a_change_of_what_somebody_else_has_changed_is_refused() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts", 499).await;
        let at = |version: i64| format!("/products/{id}?expected_version={version}");
        let body = || Some(product("candle", "gifts", 500));
        let stale = shop.clerk("PUT", &at(1), body()).await;
        assert_eq!(
            (stale.status, stale.code(), &stale.body["version"]),
            (409, "version-differs", &json!(2))
        );
        assert_eq!(shop.clerk("PUT", &at(2), body()).await.status, 200);
        let other = format!("/products/{NOBODY}?expected_version=1");
        assert_eq!(shop.clerk("PUT", &other, body()).await.status, 404);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_product_is_told_field_by_field() {
    for shop in shops().await {
        let mut bad = product("Bad Handle", "gifts//x", -1);
        bad["variants"][0]["sku"] = json!("a b");
        let answer = shop.clerk("POST", "/products", Some(bad)).await;
        assert_eq!((answer.status, answer.code()), (422, "validation-failed"));
        let pointers: Vec<&str> = answer.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["pointer"].as_str().unwrap())
            .collect();
        let expected = [
            "/handle",
            "/categories/0",
            "/variants/0/sku",
            "/variants/0/prices/0/price/amount_minor",
        ];
        assert_eq!(pointers, expected);
        let mut extra = product("candle", "gifts", 1);
        extra["variants"][0]["prices"][0]["price"]["is_admin"] = json!(true);
        let answer = shop.clerk("POST", "/products", Some(extra)).await;
        assert_eq!((answer.status, answer.code()), (422, "unknown-field"));
        assert_eq!(testing::said(&shop.db).await, [] as [&str; 0]);
    }
}

#[tokio::test]
async fn only_staff_of_the_catalogue_change_it() {
    for shop in shops().await {
        let id = shop.on_sale("candle", "gifts", 499).await;
        let guest = format!("kct_{}", "0".repeat(64));
        let calls = [
            ("POST", "/products".to_owned(), Some(product("x", "gifts", 1))),
            ("PUT", format!("/products/{id}"), Some(product("candle", "gifts", 1))),
            ("POST", format!("/products/{id}/publish"), None),
            ("POST", format!("/products/{id}/withdraw"), None),
            ("POST", "/products/import".to_owned(), None),
            ("POST", "/categories".to_owned(), Some(json!({"category": "a", "name": "A"}))),
        ];
        for (method, path, body) in calls {
            for (who, status) in [("", 401), (guest.as_str(), 403), ("kst_test_warehouse", 403)] {
                let answer = shop.as_who(who, method, &path, body.clone()).await;
                assert_eq!(answer.status, status, "{method} {path} {who}");
            }
        }
        assert_eq!(shop.get("/products/candle").await.body["version"], 2);
    }
}

#[tokio::test]
async fn a_category_is_named_by_staff() {
    for shop in shops().await {
        shop.on_sale("candle", "gifts/candles", 1).await;
        let named = json!({"category": "gifts/candles", "name": "Candles & lights"});
        assert_eq!(shop.clerk("POST", "/categories", Some(named)).await.status, 204);
        let tree = shop.get("/categories").await.body;
        assert_eq!(tree["items"][1]["name"], "Candles & lights");
        let bad = json!({"category": "../x", "name": "a\nb"});
        assert_eq!(shop.clerk("POST", "/categories", Some(bad)).await.status, 422);
    }
}

#[tokio::test]
async fn the_present_state_is_said_anew_for_whoever_starts_late() {
    for shop in shops().await {
        shop.on_sale("candle", "gifts", 1).await;
        let gone = shop.on_sale("gone", "gifts", 1).await;
        shop.clerk("POST", &format!("/products/{gone}/withdraw"), None).await;
        shop.clerk("POST", "/products", Some(product("draft", "gifts", 1))).await;
        let before = testing::said(&shop.db).await.len();
        let mut told = Vec::new();
        assert_eq!(shop.service.republish(|count| told.push(count)).await.unwrap(), 3);
        assert_eq!(told, [3]);
        let said = testing::said(&shop.db).await;
        assert_eq!(said[before..], ["product.published.v1", "product.withdrawn.v1"]);
        let events = testing::published(&shop.db).await;
        assert_eq!(events[before].version, 2, "the version is the product's, not a new one");
    }
}

/// Statements, rows written and units committed since.
fn done(shop: &Shop, before: Work) -> (u64, u64, u64) {
    let Work { statements, rows_written, commits, .. } = shop.db.work().since(before);
    (statements, rows_written, commits)
}

#[tokio::test]
async fn each_change_of_a_product_costs_so_many_statements_and_rows() {
    for shop in shops().await {
        let clerk = async |method: &str, path: &str, body: Option<Value>| {
            let before = shop.db.work();
            let answer = shop.clerk(method, path, body).await;
            assert!(answer.status < 300, "{}", answer.body);
            (done(&shop, before), answer.body)
        };
        let candle = |price| Some(product("candle", "gifts", price));
        let (cost, made) = clerk("POST", "/products", candle(499)).await;
        assert_eq!(cost, (8, 6, 1));
        let path = format!("/products/{}", made["id"].as_str().unwrap());
        assert_eq!(clerk("POST", &format!("{path}/publish"), None).await.0, (4, 3, 1));
        assert_eq!(clerk("PUT", &path, candle(599)).await.0, (6, 3, 1));
        assert_eq!(clerk("POST", &format!("{path}/withdraw"), None).await.0, (4, 3, 1));
        assert_eq!(clerk("GET", &path, None).await.0, (1, 0, 0));
        assert_eq!(clerk("GET", &format!("{path}/history"), None).await.0, (2, 0, 0));
    }
}

#[tokio::test]
async fn a_page_of_twenty_products_takes_as_many_statements_as_a_page_of_one() {
    for shop in shops().await {
        for n in 0..20 {
            shop.on_sale(&format!("p{n}"), "gifts", 1).await;
        }
        for list in ["/products?", "/products?category=gifts&"] {
            for items in [1, 20] {
                let before = shop.db.work();
                let page = shop.get(&format!("{list}limit={items}")).await;
                assert_eq!(done(&shop, before), (1, 0, 0), "{list}");
                assert_eq!(page.body["items"].as_array().unwrap().len(), items);
            }
        }
        for (path, statements) in [("/products/p0", 1), ("/categories", 2)] {
            let before = shop.db.work();
            assert_eq!(shop.get(path).await.status, 200);
            assert_eq!(done(&shop, before), (statements, 0, 0), "{path}");
        }
    }
}
