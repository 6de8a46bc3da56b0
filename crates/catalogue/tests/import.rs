//! Import of JSON Lines through HTTP, on both engines.
#![allow(clippy::unwrap_used, reason = "in a test, what cannot be is a failure")]

mod shop;

use axum::body::Body;
use axum::http::Request;
use catalogue::Options;
use contracts::Actor;
use platform::cause::Cause;
use platform::testing;
use serde_json::{Value, json};
use shop::{product, shops};

fn lines(products: &[Value]) -> String {
    products.iter().map(|product| format!("{product}\n")).collect()
}

fn counts(report: &Value) -> [i64; 5] {
    ["lines", "created", "updated", "unchanged", "refused"].map(|key| report[key].as_i64().unwrap())
}

#[tokio::test]
async fn an_import_makes_changes_and_leaves_alone_and_a_repeat_changes_nothing() {
    for shop in shops().await {
        let first = lines(&[product("a", "gifts", 1), product("b", "gifts", 1)]);
        let report = shop.import("", &first).await;
        assert_eq!(report.status, 200, "{}", report.body);
        assert_eq!(counts(&report.body), [3, 2, 0, 0, 0], "the last line is blank");
        assert_eq!(shop.get("/products/a").await.body["state"], "published");
        let second = lines(&[product("a", "gifts", 2), product("b", "gifts", 1)]);
        assert_eq!(counts(&shop.import("", &second).await.body), [3, 0, 1, 1, 0]);
        assert_eq!(counts(&shop.import("", &second).await.body), [3, 0, 0, 2, 0]);
        assert_eq!(testing::said(&shop.db).await, ["product.published.v1"; 3]);
    }
}

#[tokio::test]
async fn a_bad_line_is_told_by_its_number_and_takes_nothing_else_with_it() {
    for shop in shops().await {
        shop.on_sale("owner", "gifts", 1).await;
        let mut thief = product("thief", "gifts", 1);
        thief["variants"][0]["sku"] = json!("OWNER");
        let file = [
            json!({"category": "gifts", "name": "Presents"}).to_string(),
            product("a", "gifts", 1).to_string(),
            "{not json".to_owned(),
            product("Bad Handle", "gifts", -1).to_string(),
            String::new(),
            thief.to_string(),
            product("a", "gifts", 2).to_string(),
            product("b", "gifts", 1).to_string().replace("\"name\"", "\"is_admin\":true,\"name\""),
            product("c", "gifts", 1).to_string(),
        ]
        .join("\r\n");
        let report = shop.import("", &file).await.body;
        assert_eq!(counts(&report), [9, 2, 0, 0, 5], "{report}");
        let told: Vec<(i64, &str)> = report["faults"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| (f["line"].as_i64().unwrap(), f["at"].as_str().unwrap()))
            .collect();
        let expected = [
            (3, ""),
            (4, "/handle"),
            (4, "/variants/0/sku"),
            (4, "/variants/0/prices/0/price/amount_minor"),
            (6, "/variants"),
            (7, "/handle"),
            (7, "/variants/0/sku"),
            (8, "/is_admin"),
        ];
        assert_eq!(told, expected);
        assert_eq!(
            shop.get("/products/a").await.body["variants"][0]["prices"][0]["price"]["amount_minor"],
            1
        );
        assert_eq!(shop.get("/products/c").await.status, 200);
        assert_eq!(shop.get("/categories").await.body["items"][0]["name"], "Presents");
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_would_happen_and_changes_nothing() {
    for shop in shops().await {
        shop.on_sale("a", "gifts", 1).await;
        let file = lines(&[
            product("a", "gifts", 2),
            product("b", "gifts", 1),
            product("b", "gifts", 1),
            json!({"category": "gifts", "name": "Presents"}),
        ]);
        let before = shop.db.work();
        let report = shop.import("?dry_run=true", &file).await.body;
        assert_eq!((counts(&report), &report["dry_run"]), ([5, 1, 1, 0, 1], &json!(true)));
        assert_eq!(shop.db.work().since(before).rows_written, 0);
        assert_eq!(shop.get("/products/b").await.status, 404);
        assert_eq!(shop.get("/categories").await.body["items"][0]["name"], "Gifts");
    }
}

#[tokio::test]
async fn a_long_dry_run_tells_what_the_import_then_does() {
    for shop in shops().await {
        let before = [product("a", "gifts", 1), product("z", "gifts", 1)];
        shop.import("", &lines(&before)).await;
        // The unit that the first line gives up is taken in the last, batches later.
        let mut renewed = product("a", "gifts", 1);
        renewed["variants"][0]["sku"] = json!("A-NEW");
        let mut heir = product("heir", "gifts", 1);
        heir["variants"][0]["sku"] = json!("A");
        let mut thief = product("thief", "gifts", 1);
        thief["variants"][0]["sku"] = json!("Z");
        let mut file = vec![renewed];
        file.extend((0..450).map(|n| product(&format!("p{n}"), "gifts", 1)));
        file.extend([heir, thief]);
        let rehearsed = shop.import("?dry_run=true", &lines(&file)).await.body;
        let done = shop.import("", &lines(&file)).await.body;
        assert_eq!(counts(&done), [454, 451, 1, 0, 1], "{done}");
        assert_eq!(counts(&rehearsed), counts(&done), "{rehearsed}");
        assert_eq!(rehearsed["faults"], done["faults"]);
    }
}

#[tokio::test]
async fn products_can_be_imported_as_drafts() {
    for shop in shops().await {
        let file = lines(&[product("a", "gifts", 1)]);
        assert_eq!(counts(&shop.import("?publish=false", &file).await.body), [2, 1, 0, 0, 0]);
        assert_eq!(shop.get("/products/a").await.status, 404);
        assert_eq!(testing::said(&shop.db).await, [] as [&str; 0]);
        assert_eq!(counts(&shop.import("", &file).await.body), [2, 0, 1, 0, 0]);
        assert_eq!(shop.get("/products/a").await.status, 200);
    }
}

#[tokio::test]
async fn the_body_of_an_import_is_lines_of_json_and_nothing_else() {
    for shop in shops().await {
        for kind in ["application/json", "text/plain", ""] {
            let mut request = Request::post("/products/import")
                .header("authorization", "Bearer kst_test_catalogue");
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            let answer = shop.ask(request.body(Body::from("{}")).unwrap()).await;
            assert_eq!((answer.status, answer.code()), (415, "unsupported-media-type"), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_large_import_goes_in_batches_and_costs_a_bounded_number_of_statements_a_line() {
    for shop in shops().await {
        let cause = Cause {
            causation: None,
            correlation: "import".into(),
            trace: None,
            actor: Actor::Staff("anna".into()),
        };
        let file =
            (0..450).map(|n| Ok(product(&format!("p{n}"), "gifts/x", 1).to_string().into_bytes()));
        let mut seen = Vec::new();
        let before = shop.db.work();
        let report = shop
            .service
            .import(file, Options::default(), &cause, |report| seen.push(report.lines))
            .await
            .unwrap();
        let work = shop.db.work().since(before);
        assert_eq!((report.created, seen), (450, vec![200, 400, 450]));
        assert_eq!(work.commits, 3);
        // A product, its handle, its unit, its two places, who made it, and the event; the categories
        // once.
        assert_eq!(work.rows_written, 450 * 7 + 2);
        // Two of each line are selects; each batch also tries both categories.
        assert_eq!(work.statements, 450 * (7 + 2) + 3 * 2);
        if shop.db.sqlite().is_none() {
            assert!(work.round_trips < 3 * 16, "{work:?}");
        }
        let events = testing::published(&shop.db).await;
        assert!(events.iter().all(|event| event.actor == Actor::Staff("anna".into())));
    }
}
