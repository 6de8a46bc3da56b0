//! Quantities and amounts that cannot be (security S-23, S-24, S-26), and what is paid twice (S-28).

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::shopper::{address, text};
use crate::support::world::product;
use crate::support::{Answer, Engine, World, everywhere};

everywhere!(
    a_quantity_is_a_whole_number_of_pieces_within_reason,
    a_client_names_no_prices,
    the_dearest_cart_is_reckoned_right_or_refused,
    yen_and_dinar_are_right_to_the_unit,
    paying_twice_at_once_charges_once,
    cancelling_and_paying_at_once_keeps_no_money_of_a_dead_order,
);

fn refused(answer: &Answer, what: &str, text: &str) {
    assert_eq!(answer.problem(), what, "{text}: {answer:?}");
}

async fn a_quantity_is_a_whole_number_of_pieces_within_reason(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let path = format!("/carts/{}/lines/A", ada.cart);
    for quantity in [
        "-1",
        "0",
        "1.5",
        "\"2\"",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1e3",
        "null",
        "true",
        "[1]",
        "10000",
    ] {
        let body = format!("{{\"quantity\":{quantity}}}");
        let json = ("content-type", "application/json");
        let put = world.put(&path).guest(&ada.token).header(json.0, json.1).text(body).send().await;
        refused(&put, "422 validation-failed", quantity);
        assert_eq!(put.pointer(), "/quantity", "{quantity}");
        let body = format!("{{\"lines\":[{{\"sku\":\"A\",\"quantity\":{quantity}}}]}}");
        let open = world.post("/carts").header(json.0, json.1).text(body).send().await;
        refused(&open, "422 validation-failed", quantity);
        assert_eq!(open.pointer(), "/lines/0/quantity", "{quantity}");
        let body = format!("{{\"quantity\":{quantity}}}");
        let receipt = world.post("/stock/A/receipts").staff("warehouse").fresh_key();
        // The warehouse takes in more at once than a shopper buys.
        if quantity != "10000" {
            let receipt = receipt.header(json.0, json.1).text(body).send().await;
            refused(&receipt, "422 validation-failed", quantity);
        }
    }
    assert_eq!(ada.look_at_cart().await["lines"][0]["quantity"], 1);
    assert_eq!(world.stock("A").await, (10, 0));
    world.close().await;
}

async fn a_client_names_no_prices(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let line = format!("/carts/{}/lines/A", ada.cart);
    let cart = format!("/carts/{}", ada.cart);
    let order = format!("/carts/{}/order", ada.cart);
    let fields = [
        "price",
        "unit_price_minor",
        "discount",
        "discount_minor",
        "tax",
        "tax_minor",
        "amount",
        "total_minor",
        "is_admin",
        "status",
        "paid_at",
        "customer_id",
    ];
    for field in fields {
        let with = |mut body: Value| {
            body[field] = json!(1);
            body
        };
        let put = world.put(&line).guest(&ada.token).json(with(json!({ "quantity": 1 })));
        refused(&put.send().await, "422 unknown-field", field);
        let patch = world.patch(&cart).guest(&ada.token).json(with(json!({})));
        refused(&patch.send().await, "422 unknown-field", field);
        let agreement = with(ada.agreement("card", "ok").await);
        let place = world.post(&order).guest(&ada.token).key("k").json(agreement);
        refused(&place.send().await, "422 unknown-field", field);
        let nested = json!({ "lines": [with(json!({ "sku": "A", "quantity": 1 }))] });
        refused(&world.post("/carts").json(nested).send().await, "422 unknown-field", field);
    }
    let mut agreement = ada.agreement("card", "ok").await;
    agreement["expected_total"] = json!({ "amount_minor": 1, "currency": "EUR" });
    let cheap = ada.try_to_place("k", &agreement).await;
    refused(&cheap, "409 price-changed", "cheap");
    agreement["expected_total"] = json!({ "amount_minor": 1_490, "currency": "JPY" });
    let foreign = ada.try_to_place("k", &agreement).await;
    assert!(foreign.status == 409 || foreign.status == 422, "{foreign:?}");
    world.close().await;
}

async fn the_dearest_cart_is_reckoned_right_or_refused(engine: Engine) {
    let world = World::open(engine).await;
    let most = 100_000_000_000;
    let lines = (0..100).map(|n| product(&format!("GOLD{n}"), "Gold", most, "standard", false));
    world.import(lines).await;
    let skus: Vec<String> = (0..100).map(|n| format!("GOLD{n}")).collect();
    world.until_on_sale(&skus, "EUR").await;
    let lines: Vec<Value> =
        skus.iter().map(|sku| json!({ "sku": sku, "quantity": 9_999 })).collect();
    let cart = world.post("/carts").json(json!({ "lines": lines })).send().await.expect(201);
    let total: i64 = 100 * 9_999 * most;
    assert_eq!(cart["totals"]["total_minor"], total);
    let net = cart["totals"]["taxes"][0]["net_minor"].as_i64().unwrap();
    let tax = cart["totals"]["taxes"][0]["tax_minor"].as_i64().unwrap();
    assert_eq!(net + tax, total);
    world.close().await;
}

async fn yen_and_dinar_are_right_to_the_unit(engine: Engine) {
    use order::config::{ShippingPrice, ShippingTariff};
    let world = World::open_with(engine, |config| {
        for code in ["JPY", "KWD"] {
            let currency = serde_json::from_value(json!(code)).unwrap();
            config.order.currencies.push(currency);
            let by = ShippingTariff::Flat { price_minor: 100 };
            let price = ShippingPrice { currency, by, free_from_minor: None };
            config.order.shipping_methods[0].prices.push(price);
        }
    })
    .await;
    let mut lamp = product("LAMP", "Lamp", 1_000, "standard", true);
    lamp["variants"][0]["prices"] = json!([
        { "price": { "amount_minor": 1_500, "currency": "JPY" } },
        { "price": { "amount_minor": 1_234, "currency": "KWD" } },
    ]);
    world.import([lamp]).await;
    world.receive("LAMP", 10).await;
    for (currency, price, shown) in [("JPY", 1_500, "4600 JPY"), ("KWD", 1_234, "3.802 KWD")] {
        world.until_on_sale(&["LAMP"], currency).await;
        let body = json!({
            "currency": currency, "lines": [{ "sku": "LAMP", "quantity": 3 }],
            "email": "ada@example.org", "shipping_address": address(),
            "shipping_method": "standard",
        });
        let cart = world.post("/carts").json(body).send().await.expect(201);
        let total = 3 * price + 100;
        assert_eq!(cart["totals"]["total_minor"], total);
        let token = text(&cart["token"]);
        let id = text(&cart["id"]);
        let agreement = json!({
            "expected_total": { "amount_minor": total, "currency": currency },
            "payment_method": { "code": "card_auto", "token": "ok" },
            "terms_version": cart["terms_version"],
        });
        let place = world.post(&format!("/carts/{id}/order")).guest(&token).key(currency);
        let placed = place.json(agreement).send().await;
        let order = text(&placed.json()["id"]);
        let charged = json!({ "status": "confirmed", "money": { "captured_minor": total } });
        world.until_order(async || world.order(&order).await, &charged).await;
        let amount = world.asked_of_provider("create").pop().unwrap()["amount"].clone();
        assert_eq!(amount, json!({ "amount_minor": total, "currency": currency }));
        let path = format!("/orders/{order}/timeline");
        let timeline = world.get(&path).guest(&token).send().await.expect(200);
        let detail = timeline["entries"][0]["detail"].as_str().unwrap();
        assert!(detail.ends_with(shown), "{detail}");
    }
    world.close().await;
}

async fn paying_twice_at_once_charges_once(engine: Engine) {
    let world = World::open(engine).await;
    let ada = world.shopper(&[("A", 1)]).await;
    let id = ada.place("card", "decline").await;
    ada.waits_until(&id, &json!({ "payment_waits_for": { "for": "method" } })).await;
    let all = join_all((0..10).map(|_| ada.pays_by(&id, "card_auto", "ok"))).await;
    let taken = all.iter().filter(|answer| answer.status.is_success()).count();
    assert!(taken >= 1, "{all:#?}");
    for answer in all.iter().filter(|answer| !answer.status.is_success()) {
        assert_eq!(answer.problem(), "409 state-conflict");
    }
    ada.waits_for(&id, "confirmed").await;
    world.rests().await;
    assert_eq!(ada.order(&id).await["money"]["captured_minor"], 1_490);
    assert_eq!(world.asked_of_provider("create").len(), 2, "the declined one and one more");
    assert_eq!(world.ledger_in_balance().await, 1_490);
    world.close().await;
}

async fn cancelling_and_paying_at_once_keeps_no_money_of_a_dead_order(engine: Engine) {
    let world = World::open(engine).await;
    for _ in 0..5 {
        let ada = world.shopper(&[("A", 1)]).await;
        let id = ada.place("card", "decline").await;
        ada.waits_until(&id, &json!({ "payment_waits_for": { "for": "method" } })).await;
        let pay = ada.pays_by(&id, "card_auto", "ok");
        let (cancelled, paid) = futures_util::future::join(ada.cancel(&id), pay).await;
        assert!(cancelled.status.is_success(), "{cancelled:?}");
        assert!(paid.status.is_success() || paid.problem() == "409 state-conflict", "{paid:?}");
        world.rests().await;
        let order = ada.order(&id).await;
        let money = &order["money"];
        assert_eq!(order["status"], "cancelled", "{paid:?}");
        assert_eq!(money["captured_minor"], money["refunded_minor"]);
    }
    assert_eq!(world.ledger_in_balance().await, 0);
    assert_eq!(world.stock("A").await, (10, 0));
    world.close().await;
}
