//! Requests that nobody should send (security S-1 to S-6, S-37, S-45), against the whole shop.

use std::time::Duration;

use platform::clock::Clock;
use serde_json::{Value, json};

use crate::support::shopper::address;
use crate::support::{Engine, World, everywhere};

everywhere!(
    what_looks_like_sql_is_only_text,
    bodies_that_are_not_json_change_nothing,
    lists_are_read_within_their_bounds,
    nobody_sends_more_than_is_taken,
    no_line_break_gets_into_a_mail,
    every_problem_has_its_page,
);

const SQL: &[&str] = &[
    "' OR '1'='1",
    "'; DROP TABLE orders; --",
    "\" OR \"\"=\"",
    "1); DELETE FROM carts; --",
    "$1",
    "%27%20OR%201=1",
    "\\'; SELECT pg_sleep(5); --",
    "x' UNION SELECT 1,2,3 --",
];

/// Percent-encodes everything but letters and digits.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Something to read, as the shop's own document describes it.
struct Reading {
    path: String,
    /// Name and place (`path` or `query`) of each.
    parameters: Vec<(String, String)>,
}

impl Reading {
    fn takes(&self, name: &str) -> bool {
        self.parameters.iter().any(|(parameter, _)| parameter == name)
    }

    /// With `text` where this parameter goes, and elsewhere in the path the unit A or `product`.
    fn with(&self, product: &str, name: &str, place: &str, text: &str) -> String {
        let mut path = self.path.clone();
        let in_path = self.parameters.iter().filter(|(_, place)| place == "path");
        for (parameter, _) in in_path {
            let usual = if parameter == "sku" { "A" } else { product };
            let value = if place == "path" && parameter == name { text } else { usual };
            path = path.replace(&format!("{{{parameter}}}"), &encoded(value));
        }
        if place == "query" { format!("{path}?{name}={}", encoded(text)) } else { path }
    }
}

/// Everything that can be read.
async fn readings(world: &World) -> Vec<Reading> {
    let document = world.get("/api/openapi.json").send().await.expect(200);
    let paths = document["paths"].as_object().unwrap().iter();
    let readings: Vec<Reading> = paths
        .filter(|(_, operations)| operations["get"].is_object())
        .map(|(path, operations)| {
            let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let named = parameters.map(|one| (text(&one["name"]), text(&one["in"])));
            let parameters = named.filter(|(_, place)| place != "header").collect();
            Reading { path: path.clone(), parameters }
        })
        .collect();
    assert!(readings.len() >= 31, "{} paths can be read", readings.len());
    readings
}

/// The id of a product.
async fn a_product(world: &World) -> String {
    let page = world.get("/products?limit=1").send().await.expect(200);
    page["items"][0]["id"].as_str().unwrap().to_owned()
}

async fn what_looks_like_sql_is_only_text(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let (readings, product) = (readings(&world).await, a_product(&world).await);
    for text in SQL {
        for reading in &readings {
            for (name, place) in &reading.parameters {
                let path = reading.with(&product, name, place, text);
                let begun = Clock::system().now();
                let answer = world.get(&path).staff("admin").send().await;
                // Nobody has slept for five seconds.
                let took = Clock::system().now().since(begun);
                assert!(took < Duration::from_secs(4), "{path}: {answer:?}");
                let status = answer.status.as_u16();
                assert!([200, 400, 404, 422].contains(&status), "{path}: {answer:?}");
                // Where any text is a question, the answer is that there is nothing.
                let found = answer.text.contains("\"items\":[{");
                assert!(!found, "{path}: {answer:?}");
            }
        }
        let webhook = format!("/payments/webhooks/{}", encoded(text));
        let answer = world.post(&webhook).json(json!({})).send().await;
        assert_eq!(answer.status, 404, "{webhook}: {answer:?}");
        let body = json!({ "lines": [{ "sku": text, "quantity": 1 }] });
        let cart = world.post("/carts").json(body).send().await;
        assert_eq!(cart.problem(), "422 validation-failed", "{text}");
        let mut home = address();
        home["name"] = json!(text);
        let path = format!("/carts/{}", ada.cart);
        let body = json!({ "shipping_address": home });
        let kept = world.patch(&path).guest(&ada.token).json(body).send().await.expect(200);
        assert_eq!(kept["shipping_address"]["name"], *text, "a name is kept as it is");
    }
    assert_eq!(ada.look_at_cart().await["lines"][0]["sku"], "A");
    world.close().await;
}

async fn bodies_that_are_not_json_change_nothing(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let path = format!("/carts/{}/lines/A", ada.cart);
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let malformed = [
        "",
        "{",
        "{\"quantity\":2",
        "{\"quantity\":2}}",
        "{\"quantity\":2,\"quantity\":3}",
        "{\"quantity\":1e309}",
        "{\"quantity\":NaN}",
        "{'quantity':2}",
        "quantity=2",
        "{\"quantity\":2}\u{0}",
        &deep,
    ];
    for body in malformed {
        let put = world.put(&path).guest(&ada.token).header("content-type", "application/json");
        let answer = put.text(body).send().await;
        assert_eq!(answer.problem(), "400 malformed", "{body}: {answer:?}");
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""] {
        let put = world.put(&path).guest(&ada.token).header("content-type", kind);
        let answer = put.text("{\"quantity\":2}").send().await;
        assert_eq!(answer.problem(), "415 unsupported-media-type", "{kind}");
    }
    let nul = json!({ "email": "a\u{0}@example.org" });
    let cart = format!("/carts/{}", ada.cart);
    let answer = world.patch(&cart).guest(&ada.token).json(nul).send().await;
    assert_eq!(answer.problem(), "400 malformed");
    let lone = "{\"email\":\"\\ud800@example.org\"}";
    let patch = world.patch(&cart).guest(&ada.token).header("content-type", "application/json");
    assert_eq!(patch.text(lone).send().await.problem(), "400 malformed");
    let deleted = world.ask(http::Method::DELETE, &cart).guest(&ada.token).send().await;
    assert_eq!(deleted.problem(), "405 method-not-allowed");
    assert!(deleted.header("allow").contains("PATCH"), "{deleted:?}");
    let trace = world.ask(http::Method::TRACE, &cart).send().await;
    assert_eq!(trace.status, 405);
    for query in ["?limit=1&limit=2", "?limit[]=1"] {
        let answer = world.get(&format!("/products{query}")).send().await;
        assert_eq!(answer.problem(), "400 malformed", "{query}");
    }
    assert_eq!(world.get("/products?admin=1").send().await.problem(), "422 unknown-field");
    assert_eq!(ada.look_at_cart().await["lines"][0]["quantity"], 1);
    world.close().await;
}

async fn lists_are_read_within_their_bounds(engine: Engine) {
    let world = World::open(engine).await;
    let (mut lists, product) = (readings(&world).await, a_product(&world).await);
    lists.retain(|list| list.takes("limit"));
    assert!(lists.len() >= 14, "{} lists", lists.len());
    for list in lists {
        for limit in ["0", "-1", "101", "1000000000", "99999999999999999999", "x", "1.5", ""] {
            let path = list.with(&product, "limit", "query", limit);
            let answer = world.get(&path).staff("admin").send().await;
            assert_eq!(answer.problem(), "422 validation-failed", "{path}");
        }
        for cursor in ["x", "AAAA", "eyJhIjoxfQ", "../../etc/passwd"] {
            let path = list.with(&product, "cursor", "query", cursor);
            let answer = world.get(&path).staff("admin").send().await;
            assert_eq!(answer.problem(), "422 validation-failed", "{path}");
        }
    }
    // A cursor opens the list it was made for, and only as it was made.
    let first = world.get("/products?limit=2").send().await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    let second = world.get(&format!("/products?limit=2&cursor={cursor}")).send().await.expect(200);
    let handles = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["handle"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!([handles(&first), handles(&second)].concat(), ["a", "b", "c", "free"]);
    let elsewhere = world.get(&format!("/orders?cursor={cursor}")).staff("admin").send().await;
    assert_eq!(elsewhere.problem(), "422 validation-failed");
    let mut tampered = cursor.into_bytes();
    let last = tampered.last_mut().unwrap();
    *last = if *last == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let answer = world.get(&format!("/products?limit=2&cursor={tampered}")).send().await;
    assert_eq!(answer.problem(), "422 validation-failed");
    world.close().await;
}

async fn nobody_sends_more_than_is_taken(engine: Engine) {
    let world = World::open(engine).await;
    let large = json!({ "email": "a".repeat(2 * 1024 * 1024) });
    assert_eq!(world.post("/carts").json(large).send().await.problem(), "413 payload-too-large");
    let long = format!("/products?category={}", "a".repeat(20_000));
    assert_eq!(world.get(&long).send().await.problem(), "414 uri-too-long");
    let header = world.get("/products").header("x-long", &"a".repeat(40_000)).send().await;
    assert_eq!(header.problem(), "431 headers-too-large");
    let lines: Vec<Value> =
        (0..200).map(|n| json!({ "sku": format!("S{n}"), "quantity": 1 })).collect();
    let many = world.post("/carts").json(json!({ "lines": lines })).send().await;
    assert_eq!(many.problem(), "422 validation-failed");
    let items: Vec<Value> = (0..501).map(|_| json!({ "sku": "A", "quantity": 1 })).collect();
    let receipts = world.post("/stock/receipts").staff("warehouse").fresh_key();
    let receipts = receipts.json(json!({ "items": items })).send().await;
    assert_eq!(
        (receipts.problem().as_str(), receipts.pointer().as_str()),
        ("422 validation-failed", "/items")
    );
    assert_eq!(world.stock("A").await, (10, 0));
    world.close().await;
}

async fn no_line_break_gets_into_a_mail(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let cart = format!("/carts/{}", ada.cart);
    for email in [
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org\nBcc: eve@example.org",
        "ada@example.org,eve@example.org",
        "ada@example.org;eve@example.org",
        "Ada <ada@example.org>",
        "ada@example.org eve@example.org",
        "\"ada\"@example.org",
    ] {
        let body = json!({ "email": email });
        let answer = world.patch(&cart).guest(&ada.token).json(body).send().await;
        assert_eq!(answer.problem(), "422 validation-failed", "{email:?}");
        assert_eq!(answer.pointer(), "/email");
    }
    for field in ["name", "street", "city", "postal_code", "company", "extra", "region", "phone"] {
        let mut home = address();
        home[field] = json!("x\r\nBcc: eve@example.org");
        let body = json!({ "shipping_address": home });
        let answer = world.patch(&cart).guest(&ada.token).json(body).send().await;
        assert_eq!(answer.problem(), "422 validation-failed", "{field}");
        assert_eq!(answer.pointer(), format!("/shipping_address/{field}"));
    }
    let id = ada.place("card", "ok").await;
    ada.waits_for(&id, "confirmed").await;
    let cancel = world.post(&format!("/orders/{id}/cancel")).guest(&ada.token);
    let answer = cancel.json(json!({ "reason": "no\r\nSubject: x" })).send().await;
    assert_eq!(answer.problem(), "422 validation-failed");
    let parcel = world.first_parcel(&id).await.id;
    let path = format!("/shipments/{parcel}/dispatch");
    let body = json!({ "carrier": "DHL\r\nX: y", "tracking": "1" });
    let answer = world.post(&path).staff("warehouse").fresh_key().json(body).send().await;
    assert_eq!(answer.problem(), "422 validation-failed");
    world.rests().await;
    for mail in world.mails() {
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        let to: Vec<&str> = head.lines().filter(|line| line.starts_with("To:")).collect();
        assert_eq!(to, [format!("To: {}", ada.email)], "{head}");
        assert!(!head.to_lowercase().contains("\nbcc:"), "{head}");
    }
    world.close().await;
}

/// Every code that an error answers with: `cargo xtask check` sees that each has a file.
fn problems() -> Vec<String> {
    // Where it runs, not where it was built: checkouts share what is built.
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let pages = std::fs::read_dir(std::path::Path::new(&here).join("../../docs/problems")).unwrap();
    let names = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let slugs = names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned));
    let problems: Vec<String> = slugs.filter(|slug| slug != "README").collect();
    assert!(problems.len() > 30, "{problems:?}");
    problems
}

async fn every_problem_has_its_page(engine: Engine) {
    let world = World::open(engine).await;
    let document = world.get("/api/openapi.json").send().await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    for problem in problems() {
        let path = format!("http://shop.example/problems/{problem}");
        let page = world.get(&path).send().await;
        assert_eq!(page.status, 200, "{problem}: {page:?}");
        assert!(page.text.contains(&problem), "{page:?}");
    }
    let nothing = world.get("http://shop.example/problems/no-such-thing").send().await;
    assert_eq!(nothing.problem(), "404 not-found");
    world.close().await;
}
