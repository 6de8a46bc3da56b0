//! Parcels: packed, paid for, on their way; split, short, held back, taken back.

use axum::http::StatusCode;
use contracts::events::{
    CancelRefused, OrderCancelRequested, OrderPutOnHold, OrderReduced, OrderResumed,
    PaymentNotRequired, PaymentTerms, ReleaseReason, ShipmentCreated, ShipmentDispatched,
    ShipmentPacked, ShipmentShortPicked, StockReleased,
};
use serde_json::json;
use warehouse::Config;
use warehouse::domain::Place;

use super::shop::{Order, Shop, eur, payment};

fn cancel(order: &Order) -> OrderCancelRequested {
    OrderCancelRequested { order_id: order.id, reason: "changed their mind".into() }
}

#[tokio::test]
async fn a_parcel_is_packed_paid_for_dispatched_and_delivered() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5), ("B", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 2), ("B", 1)]).await;
        let by = json!({ "carrier": "DHL", "tracking": "00340" });
        let (status, _) = shop.work(parcel, "dispatch", by.clone()).await;
        assert_eq!(status, StatusCode::CONFLICT);
        let (status, body) = shop.work(parcel, "pack", json!({})).await;
        assert_eq!((status, body["status"].as_str()), (StatusCode::OK, Some("packed")));
        let (status, body) = shop.work(parcel, "dispatch", by.clone()).await;
        assert_eq!(status, StatusCode::CONFLICT, "no parcel leaves before its money: {body}");
        shop.hears(&order, order.captured(100, Some(parcel))).await;
        let (status, body) = shop.work(parcel, "dispatch", by.clone()).await;
        assert_eq!((status, body["status"].as_str()), (StatusCode::OK, Some("dispatched")));
        assert_eq!((shop.shelf("A").await, shop.shelf("B").await), ((3, 0), (4, 0)));
        let (_, body) = shop.work(parcel, "deliver", json!(null)).await;
        assert_eq!(
            (body["status"].as_str(), body["tracking"].as_str()),
            (Some("delivered"), Some("00340"))
        );
        assert_eq!(
            shop.work(parcel, "dispatch", by).await.0,
            StatusCode::OK,
            "a repeat is no fault"
        );
        let said = [
            "stock.reserved",
            "stock.allocated",
            "shipment.created",
            "shipment.packed",
            "shipment.ready",
            "shipment.dispatched",
            "shipment.delivered",
        ];
        assert_eq!(shop.said(&order).await, said);
        let dispatched = shop.payloads::<ShipmentDispatched>().await;
        assert_eq!(dispatched[0].lines.len(), 2);
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn what_happens_to_an_order_is_told_in_rising_versions_and_names_who_did_it() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 2)]).await;
        shop.hears(&order, order.captured(100, None)).await;
        shop.work(parcel, "pack", json!({})).await;
        let events = platform::testing::published(&shop.db).await;
        let about: Vec<_> =
            events.iter().filter(|event| event.subject == order.id.to_string()).collect();
        assert!(about.windows(2).all(|pair| pair[0].version < pair[1].version));
        let packed = about.iter().find(|e| e.payload.kind().name == "shipment.packed.v1").unwrap();
        assert_eq!(packed.actor.to_string(), "staff:warehouse");
        assert_eq!(packed.correlation, order.id.to_string());
        assert_eq!(about[0].actor.to_string(), "service:warehouse");
    }
}

#[tokio::test]
async fn an_order_leaves_in_two_parcels_each_with_its_own_money() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5), ("B", 5)]).await;
        let (order, first) = shop.confirmed(&[("A", 2), ("B", 2)]).await;
        let part = json!({ "lines": [{ "line_id": order.line(1), "quantity": 1 }] });
        let (status, body) = shop.work(first, "split", part).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let second = body["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(shop.payloads::<ShipmentCreated>().await.len(), 2);
        shop.work(second, "pack", json!({})).await;
        shop.hears(&order, order.captured(30, Some(second))).await;
        let by = json!({ "carrier": "DHL", "tracking": "1" });
        assert_eq!(shop.work(second, "dispatch", by.clone()).await.0, StatusCode::OK);
        shop.work(first, "pack", json!({})).await;
        assert_eq!(shop.work(first, "dispatch", by.clone()).await.0, StatusCode::CONFLICT);
        assert_eq!((shop.shelf("A").await, shop.shelf("B").await), ((5, 2), (4, 1)));
        shop.hears(&order, order.captured(100, Some(first))).await;
        assert_eq!(shop.work(first, "dispatch", by).await.0, StatusCode::OK);
        assert_eq!((shop.shelf("A").await, shop.shelf("B").await), ((3, 0), (3, 0)));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn what_is_missing_at_packing_is_written_off_once_and_the_rest_is_sent() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 3)]).await;
        let missing = json!({ "missing": [{ "line_id": order.line(0), "quantity": 2 }] });
        let (status, body) = shop.work(parcel, "pack", missing).await;
        assert_eq!((status, body["lines"][0]["quantity"].as_i64()), (StatusCode::OK, Some(1)));
        assert_eq!(shop.shelf("A").await, (3, 1));
        let packed = shop.payloads::<ShipmentPacked>().await;
        assert_eq!(packed[0].lines[0].quantity, 1);
        let reduced = OrderReduced {
            order_id: order.id,
            lines: shop.payloads::<ShipmentShortPicked>().await[0].missing.clone(),
            amounts: vec![],
            owed: eur(40),
            reason: "short pick".into(),
        };
        shop.hears(&order, order.captured(40, None)).await;
        shop.hears(&order, reduced).await;
        assert_eq!(shop.shelf("A").await, (3, 1), "our own echo has no second effect");
        let by = json!({ "carrier": "DHL", "tracking": "1" });
        assert_eq!(shop.work(parcel, "dispatch", by).await.0, StatusCode::OK);
        assert_eq!(shop.shelf("A").await, (2, 0));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn a_parcel_with_nothing_found_is_cancelled() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 3)]).await;
        let missing = json!({ "missing": [{ "line_id": order.line(0), "quantity": 3 }] });
        let (_, body) = shop.work(parcel, "pack", missing).await;
        assert_eq!(body["status"].as_str(), Some("cancelled"));
        let short = shop.payloads::<ShipmentShortPicked>().await;
        assert!(short[0].shipment_cancelled);
        assert_eq!(shop.shelf("A").await, (2, 0));
        assert_eq!(shop.work(parcel, "pack", json!({})).await.0, StatusCode::CONFLICT);
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn nothing_leaves_while_the_order_is_on_hold() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 3)]).await;
        shop.work(parcel, "pack", json!({})).await;
        let reason = "fraud check".to_owned();
        shop.hears(&order, OrderPutOnHold { order_id: order.id, reason }).await;
        shop.hears(&order, order.captured(100, None)).await;
        let by = json!({ "carrier": "DHL", "tracking": "1" });
        let (status, body) = shop.work(parcel, "dispatch", by.clone()).await;
        assert_eq!((status, body["code"].as_str()), (StatusCode::CONFLICT, None));
        assert_eq!(body["detail"].as_str(), Some("The order is on hold."));
        shop.hears(&order, OrderResumed { order_id: order.id }).await;
        assert_eq!(shop.work(parcel, "dispatch", by).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_parcel_to_be_paid_on_delivery_is_ready_as_soon_as_it_is_packed() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let order = shop.order(&[("A", 1)]);
        shop.hears(&order, order.placed(&shop)).await;
        let later = PaymentNotRequired {
            payment_id: payment(),
            order_id: order.id,
            owed: eur(100),
            terms: PaymentTerms::OnDelivery,
        };
        shop.hears(&order, later).await;
        shop.hears(&order, order.confirmed()).await;
        let parcel = shop.parcels(&order).await[0]["id"].as_str().unwrap().parse().unwrap();
        let (_, body) = shop.work(parcel, "pack", json!({})).await;
        assert_eq!(body["status"].as_str(), Some("ready"));
    }
}

#[tokio::test]
async fn an_order_that_has_not_left_is_taken_back() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 3)]).await;
        shop.work(parcel, "pack", json!({})).await;
        shop.hears(&order, cancel(&order)).await;
        let said = shop.said(&order).await;
        assert_eq!(said[said.len() - 2..], ["shipment.cancelled", "stock.released"]);
        let released = shop.payloads::<StockReleased>().await;
        assert_eq!(released[0].reason, ReleaseReason::Cancelled);
        assert_eq!(shop.shelf("A").await, (5, 0));
        assert_eq!(shop.parcels(&order).await[0]["status"].as_str(), Some("cancelled"));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn an_order_of_which_something_has_left_is_not_taken_back() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let (order, parcel) = shop.confirmed(&[("A", 3)]).await;
        let part = json!({ "lines": [{ "line_id": order.line(0), "quantity": 1 }] });
        shop.work(parcel, "split", part).await;
        shop.hears(&order, order.captured(100, None)).await;
        shop.work(parcel, "pack", json!({})).await;
        shop.work(parcel, "dispatch", json!({ "carrier": "DHL", "tracking": "1" })).await;
        shop.hears(&order, cancel(&order)).await;
        assert_eq!(shop.payloads::<CancelRefused>().await.len(), 1);
        assert_eq!(shop.shelf("A").await, (3, 1));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn a_cancellation_racing_the_carrier_ends_one_way_or_the_other() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 50)]).await;
        for _ in 0..10 {
            let (order, parcel) = shop.confirmed(&[("A", 1)]).await;
            shop.hears(&order, order.captured(100, None)).await;
            shop.work(parcel, "pack", json!({})).await;
            let by = json!({ "carrier": "DHL", "tracking": "1" });
            let race = (shop.work(parcel, "dispatch", by), shop.hears(&order, cancel(&order)));
            let ((status, _), ()) = futures_util::future::join(race.0, race.1).await;
            let said = shop.said(&order).await;
            let gone = said.contains(&"shipment.dispatched");
            assert_eq!(status == StatusCode::OK, gone);
            assert_eq!(said.contains(&"cancel.refused"), gone);
            assert_eq!(said.contains(&"stock.released"), !gone);
        }
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn what_needs_no_parcel_is_handed_out_on_confirmation() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("licence", 5)]).await;
        let order = Order { ships: false, ..shop.order(&[("licence", 2), ("service", 1)]) };
        shop.hears(&order, order.placed(&shop)).await;
        assert_eq!(shop.shelf("licence").await, (5, 2));
        shop.hears(&order, order.authorised()).await;
        shop.hears(&order, order.confirmed()).await;
        assert_eq!(shop.shelf("licence").await, (3, 0));
        assert_eq!(shop.said(&order).await, ["stock.reserved", "stock.allocated"]);
        shop.hears(&order, cancel(&order)).await;
        assert_eq!(shop.payloads::<CancelRefused>().await.len(), 1);
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn goods_of_two_places_make_two_parcels() {
    let north: Place = "north".parse().unwrap();
    let config = Config { places: vec![Place::main(), north], ..Config::default() };
    for shop in Shop::everywhere_with(config).await {
        let items = json!({ "items": [
            { "sku": "A", "quantity": 3 },
            { "sku": "B", "quantity": 3, "place": "north" },
        ]});
        assert_eq!(shop.post("/stock/receipts", items).await.0, StatusCode::CREATED);
        let (order, _) = shop.confirmed(&[("A", 2), ("B", 2)]).await;
        let parcels = shop.parcels(&order).await;
        let places: Vec<_> =
            parcels.iter().map(|parcel| parcel["place"].as_str().unwrap()).collect();
        assert_eq!(
            (parcels.len(), places.contains(&"main"), places.contains(&"north")),
            (2, true, true)
        );
        assert_eq!(shop.announced("B").await.map(|changed| changed.available), Some(1));
        shop.is_sound().await;
    }
}
