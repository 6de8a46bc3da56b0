//! Carts over HTTP.

use std::time::Duration;

use contracts::events::{Price, ProductWithdrawn};
use contracts::{Currency, Money};
use http::StatusCode;
use order::Config;
use platform::clock::Clock;
use platform::testing;
use serde_json::{Value, json};

use super::shop::{BOOK, CANDLE, OpenCart, SONG, address, product, shops, shops_at};

fn codes(answer: &Value) -> (&str, Vec<&str>) {
    let kind = answer["type"].as_str().unwrap_or("").trim_start_matches("/problems/");
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    (kind, errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect())
}

#[tokio::test]
async fn a_cart_is_filled_step_by_step_and_priced_each_time() {
    for shop in shops().await {
        let opened = shop.post("/carts", "", json!({})).await;
        assert_eq!(opened.status, StatusCode::CREATED);
        let id = opened.json["id"].as_str().unwrap();
        assert_eq!(opened.headers["location"], format!("/api/v1/carts/{id}"));
        let token = opened.json["token"].as_str().unwrap();
        assert!(token.starts_with("kct_") && token.len() >= 47);
        let cart = format!("/carts/{id}");

        let line = format!("{cart}/lines/{CANDLE}");
        let filled = shop.put(&line, token, json!({ "quantity": 2 })).await;
        assert_eq!(filled.status, StatusCode::OK, "{:?}", filled.json);
        assert_eq!(filled.json["totals"]["total_minor"], 2_000);
        assert_eq!(filled.json["lines"][0]["name"], "The CANDLE");
        assert!(filled.json.get("token").is_none());
        shop.put(&line, token, json!({ "quantity": 3 })).await;
        shop.put(&format!("{cart}/lines/{BOOK}"), token, json!({ "quantity": 1 })).await;

        let contact = json!({
            "email": "ada@example.org",
            "shipping_address": address(),
            "shipping_method": "standard",
        });
        let ready = shop.patch(&cart, token, contact).await;
        assert_eq!(ready.json["needs"], json!([]));
        assert_eq!(ready.json["totals"]["subtotal_minor"], 5_140);
        assert_eq!(ready.json["totals"]["shipping_minor"], 490);
        assert_eq!(ready.json["totals"]["total_minor"], 5_630);
        let offered = ready.json["shipping_methods"].as_array().unwrap();
        let offered: Vec<_> = offered.iter().map(|method| method["code"].as_str()).collect();
        assert_eq!(offered, [Some("standard"), Some("express")]);

        let shown = shop.get(&cart, token).await;
        assert_eq!(shown.json, ready.json);
        let without = shop.delete(&format!("{cart}/lines/{BOOK}"), token).await;
        assert_eq!(without.json["totals"]["total_minor"], 3_490);
        let again = shop.delete(&format!("{cart}/lines/{BOOK}"), token).await;
        assert_eq!(again.json, without.json);
        let no_email = shop.patch(&cart, token, json!({ "email": null })).await;
        assert_eq!(no_email.json["needs"], json!(["email"]));
    }
}

#[tokio::test]
async fn nobody_sees_a_cart_that_is_not_theirs() {
    for shop in shops().await {
        let (mine, other) = (shop.cart().await, shop.cart().await);
        let (path, line) = (format!("/carts/{}", mine.id), format!("/carts/{}/lines/X", mine.id));
        let mut missing =
            shop.get("/carts/00000000-0000-7000-8000-000000000000", &mine.token).await.json;
        missing["trace_id"].take();
        for token in ["", other.token.as_str(), "kst_test_admin"] {
            for mut answer in [
                shop.get(&path, token).await,
                shop.patch(&path, token, json!({})).await,
                shop.delete(&line, token).await,
                shop.put(&line, token, json!({ "quantity": 1 })).await,
            ] {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{token}");
                answer.json["trace_id"].take();
                assert_eq!(answer.json, missing);
            }
        }
        assert_eq!(shop.get("/carts/not-an-id", &mine.token).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn prices_and_states_are_not_taken_from_the_client() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let path = format!("/carts/{}", cart.id);
        for field in ["price", "total_minor", "currency", "customer_id", "status", "discount"] {
            let answer = shop.patch(&path, &cart.token, json!({ field: 1 })).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(codes(&answer.json).0, "unknown-field", "{field}");
        }
        let line = format!("{path}/lines/{CANDLE}");
        let answer = shop.put(&line, &cart.token, json!({ "quantity": 1, "price": 1 })).await;
        assert_eq!(codes(&answer.json), ("unknown-field", vec!["/price"]));
    }
}

#[tokio::test]
async fn a_quantity_is_a_whole_number_that_fits() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let line = format!("/carts/{}/lines/{CANDLE}", cart.id);
        for bad in
            [json!(-1), json!(0), json!(1.5), json!("2"), json!(2_147_483_648_i64), json!(1e3)]
        {
            let answer = shop.put(&line, &cart.token, json!({ "quantity": bad })).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
            assert_eq!(codes(&answer.json), ("validation-failed", vec!["/quantity"]), "{bad}");
        }
        let two = json!({ "lines": [{ "sku": CANDLE, "quantity": 1 }, { "sku": CANDLE, "quantity": 1 }] });
        assert_eq!(codes(&shop.post("/carts", "", two).await.json).1, ["/lines/1/sku"]);
        let none = json!({ "lines": [{ "sku": CANDLE, "quantity": 0 }] });
        assert_eq!(codes(&shop.post("/carts", "", none).await.json).1, ["/lines/0/quantity"]);
    }
}

#[tokio::test]
async fn what_could_become_a_header_or_a_label_is_refused() {
    for shop in shops().await {
        let mut bad = address();
        bad["name"] = json!("Ada\r\nBcc: eve@example.org");
        bad["country"] = json!("Germany");
        let body = json!({
            "email": "ada@example.org\r\nBcc: eve@example.org",
            "language": "en\r\n",
            "shipping_method": "pigeon",
            "shipping_address": bad,
        });
        let answer = shop.post("/carts", "", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let (code, pointers) = codes(&answer.json);
        assert_eq!(code, "validation-failed");
        assert_eq!(
            pointers,
            [
                "/email",
                "/language",
                "/shipping_method",
                "/shipping_address/name",
                "/shipping_address/country"
            ]
        );
    }
}

#[tokio::test]
async fn only_what_is_on_sale_goes_into_a_cart() {
    for shop in shops().await {
        let body = json!({ "lines": [{ "sku": CANDLE, "quantity": 1 }, { "sku": "GONE", "quantity": 1 }] });
        assert_eq!(codes(&shop.post("/carts", "", body).await.json).1, ["/lines/1/sku"]);
        let cart = shop.cart().await;
        let path = format!("/carts/{}/lines/GONE", cart.id);
        let answer = shop.put(&path, &cart.token, json!({ "quantity": 1 })).await;
        assert_eq!(codes(&answer.json).0, "not-on-sale");
        let dollars = shop.post("/carts", "", json!({ "currency": "USD" })).await;
        assert_eq!(codes(&dollars.json).1, ["/currency"]);
    }
}

#[tokio::test]
async fn a_cart_shows_what_stands_against_its_price() {
    for shop in shops().await {
        let cart = shop.cart().await;
        let path = format!("/carts/{}", cart.id);
        let problem = async || shop.get(&path, &cart.token).await.json["problem"]["code"].clone();
        let mut far = address();
        far["country"] = json!("US");
        shop.patch(&path, &cart.token, json!({ "shipping_address": far })).await;
        assert_eq!(problem().await, "tax-undetermined");
        far["country"] = json!("PT");
        let body = json!({ "shipping_address": far, "shipping_method": "express" });
        let shown = shop.patch(&path, &cart.token, body).await.json;
        assert_eq!(shown["problem"]["code"], "shipping-unavailable");
        assert_eq!(shown["totals"]["total_minor"], 5_140);

        let product = product(1, CANDLE, "standard", 1_000, true);
        let withdrawn = ProductWithdrawn {
            product_id: product.product_id,
            version: 2,
            skus: vec![CANDLE.parse().unwrap()],
        };
        shop.hear("p", 2, withdrawn).await;
        assert_eq!(problem().await, "not-on-sale");
    }
}

#[tokio::test]
async fn an_older_version_of_a_product_never_overwrites_a_newer_one() {
    for shop in shops().await {
        let at = |version, price| contracts::events::ProductPublished {
            version,
            ..product(1, CANDLE, "standard", price, true)
        };
        shop.publish_product(at(5, 900)).await;
        shop.publish_product(at(4, 1)).await;
        assert_eq!(shop.cart().await.total_minor, 2_700 + 2_140 + 490);
        let gone = ProductWithdrawn {
            product_id: at(1, 1).product_id,
            version: 7,
            skus: vec![CANDLE.parse().unwrap()],
        };
        shop.hear("p", 7, gone).await;
        shop.publish_product(at(6, 1)).await;
        let body = json!({ "lines": [{ "sku": CANDLE, "quantity": 1 }] });
        assert_eq!(shop.post("/carts", "", body).await.status, StatusCode::UNPROCESSABLE_ENTITY);
        // A variant that the newest version no longer has is not on sale either.
        let mut other = at(8, 900);
        other.variants[0].sku = "CANDLE-2".parse().unwrap();
        shop.publish_product(other).await;
        let body = json!({ "lines": [{ "sku": "CANDLE-2", "quantity": 1 }, { "sku": SONG, "quantity": 1 }] });
        assert_eq!(shop.post("/carts", "", body).await.json["totals"]["total_minor"], 1_000);
    }
}

#[tokio::test]
async fn a_cart_that_nobody_touches_goes_after_thirty_days_and_an_order_keeps_its_own() {
    for shop in shops().await {
        let day = Duration::from_secs(24 * 3600);
        let (left, touched, ordered) = (shop.cart().await, shop.cart().await, shop.cart().await);
        shop.placed_from(&ordered).await;
        let look = async |cart: &OpenCart| {
            shop.get(&format!("/carts/{}", cart.id), &cart.token).await.status
        };
        for _ in 0..29 {
            shop.pass(day).await;
        }
        let body = json!({ "language": "de" });
        shop.patch(&format!("/carts/{}", touched.id), &touched.token, body).await;
        assert_eq!(look(&left).await, StatusCode::OK);
        shop.pass(day * 2).await;
        assert_eq!(look(&left).await, StatusCode::NOT_FOUND);
        assert_eq!(look(&touched).await, StatusCode::OK);
        assert_eq!(look(&ordered).await, StatusCode::OK);
        shop.pass(day * 30).await;
        assert_eq!(look(&touched).await, StatusCode::NOT_FOUND);
        assert_eq!(look(&ordered).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_refused_and_does_not_wrap() {
    for shop in shops().await {
        shop.publish(9, "DEAR", "standard", i64::MAX / 2, true).await;
        let cart = shop.cart_of(json!([{ "sku": "DEAR", "quantity": 3 }])).await;
        let shown = shop.get(&format!("/carts/{}", cart.id), &cart.token).await.json;
        assert_eq!(shown["totals"], Value::Null);
        assert_eq!(shown["problem"]["code"], "validation-failed");
        let placed = shop.place(&cart, "k").await;
        assert_eq!(placed.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(codes(&placed.json).0, "validation-failed");
    }
}

#[tokio::test]
async fn yen_and_dinar_are_priced_in_their_own_units() {
    let (yen, dinar) = (Currency::JPY, Currency::KWD);
    let config = Config { currencies: vec![yen, dinar], ..Config::default() };
    for shop in shops_at(Clock::standing_at(testing::NOON), config).await {
        let mut ticket = product(9, "TICKET/1", "standard", 0, false);
        let price =
            |amount, currency| Price { price: Money::new(amount, currency), was_minor: None };
        ticket.variants[0].prices = vec![price(1_190, yen), price(1_234, dinar)];
        shop.publish_product(ticket).await;
        for (currency, total, tax) in [("JPY", 3_570, 570), ("KWD", 3_702, 591)] {
            let opened = shop.post("/carts", "", json!({ "currency": currency })).await.json;
            let path = format!("/carts/{}/lines/TICKET%2F1", opened["id"].as_str().unwrap());
            let token = opened["token"].as_str().unwrap();
            let filled = shop.put(&path, token, json!({ "quantity": 3 })).await.json;
            let totals = [&filled["totals"]["total_minor"], &filled["totals"]["tax_minor"]];
            assert_eq!(totals, [&json!(total), &json!(tax)], "{filled}");
        }
    }
}

#[tokio::test]
async fn what_it_would_cost_elsewhere_is_told_before_there_is_an_address() {
    for shop in shops().await {
        let cart = json!({ "lines": [{ "sku": BOOK, "quantity": 1 }] });
        let opened = shop.post("/carts", "", cart).await;
        let token = opened.json["token"].as_str().unwrap();
        let cart = format!("/carts/{}", opened.json["id"].as_str().unwrap());
        let codes = |answer: &Value| -> Vec<String> {
            let methods = answer["shipping_methods"].as_array().unwrap().iter();
            methods.map(|method| method["code"].as_str().unwrap().to_owned()).collect()
        };
        let home = shop.get(&cart, token).await.json;
        assert_eq!(codes(&home), ["standard", "express"]);
        assert_eq!(home["shipping_methods"][0]["days"], json!({ "from": 2, "to": 4 }));
        assert_eq!(home["lines"][0]["handle"], BOOK.to_lowercase());
        let there = shop.get(&format!("{cart}?country=FR"), token).await.json;
        assert_eq!(codes(&there), ["standard"]);
        assert_ne!(there["totals"]["tax_minor"], home["totals"]["tax_minor"]);
        let nowhere = shop.get(&format!("{cart}?country=QQ"), token).await.json;
        assert_eq!(nowhere["problem"]["code"], "tax-undetermined");
        let wrong = shop.get(&format!("{cart}?country=France"), token).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        shop.patch(&cart, token, json!({ "shipping_address": address() })).await;
        let addressed = shop.get(&format!("{cart}?country=FR"), token).await.json;
        assert_eq!(codes(&addressed), ["standard", "express"], "its address says where it goes");
    }
}

#[tokio::test]
async fn anybody_is_told_where_the_shop_delivers_to_and_how_long_that_takes() {
    for shop in shops().await {
        let told = shop.get("/delivery", "").await;
        assert_eq!(told.status, StatusCode::OK);
        assert_eq!(told.json["home_country"], "DE");
        assert_eq!(told.json["tax_mode"], "included");
        let countries = told.json["countries"].as_array().unwrap();
        assert!(countries.iter().any(|country| country == "FR"), "{countries:?}");
        let standard = &told.json["methods"][0];
        assert_eq!(standard["prices"][0]["from_minor"], 490);
        assert_eq!(standard["prices"][0]["free_from_minor"], 10_000);
        assert_eq!(standard["countries"].as_array().unwrap(), countries);
        assert_eq!(told.json["methods"][1]["days"], json!({ "from": 1, "to": 2 }));
    }
}
