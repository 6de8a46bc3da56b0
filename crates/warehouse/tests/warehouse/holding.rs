//! Holding, extending, lapsing, allocating, releasing.

use std::time::Duration;

use contracts::Payload;
use contracts::events::{
    OrderCancelled, OrderExpired, OrderFailed, PaymentActionRequired, PaymentNotRequired,
    PaymentTerms, StockRejected, StockReleased, StockReserved,
};
use futures_util::future::join_all;
use platform::testing;
use warehouse::store::STATEMENTS;

use super::shop::{Order, Shop, eur, payment};

const MINUTE: Duration = Duration::from_secs(60);

fn cancelled(order: &Order) -> OrderCancelled {
    let cart_id = contracts::Id::from_uuid(uuid::Uuid::nil());
    OrderCancelled { order_id: order.id, cart_id, reason: "changed their mind".into() }
}

fn expired(order: &Order) -> OrderExpired {
    let cart_id = contracts::Id::from_uuid(uuid::Uuid::nil());
    OrderExpired { order_id: order.id, cart_id }
}

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    for shop in Shop::everywhere().await {
        shop.db.prepare(STATEMENTS).await.unwrap();
    }
}

#[tokio::test]
async fn an_order_is_held_then_allocated_when_its_money_is_guaranteed() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5), ("B", 5)]).await;
        let order = shop.order(&[("A", 2), ("B", 3)]);
        shop.hears(&order, order.placed(&shop)).await;
        assert_eq!((shop.shelf("A").await, shop.shelf("B").await), ((5, 2), (5, 3)));
        shop.hears(&order, order.authorised()).await;
        assert_eq!(shop.said(&order).await, ["stock.reserved", "stock.allocated"]);
        let reserved = shop.payloads::<StockReserved>().await;
        assert_eq!(reserved[0].expires_at, testing::NOON.plus(15 * MINUTE));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_served_whole_holds_nothing_and_says_what_is_missing() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5), ("B", 2)]).await;
        let order = shop.order(&[("A", 2), ("B", 2), ("B", 1), ("unknown", 1)]);
        shop.hears(&order, order.placed(&shop)).await;
        assert_eq!(shop.said(&order).await, ["stock.rejected"]);
        let rejected = shop.payloads::<StockRejected>().await;
        let missing: Vec<(&str, i64)> =
            rejected[0].missing.iter().map(|m| (m.sku.as_str(), m.quantity)).collect();
        assert_eq!(missing, [("B", 2), ("unknown", 0)]);
        assert_eq!(shop.shelf("A").await, (5, 0));
        shop.hears(&order, order.authorised()).await;
        assert_eq!(shop.said(&order).await, ["stock.rejected"]);
    }
}

#[tokio::test]
async fn messages_that_come_twice_change_nothing() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let order = shop.order(&[("A", 2)]);
        for _ in 0..2 {
            shop.hears_all(vec![
                (&order, order.placed(&shop).into()),
                (&order, order.placed(&shop).into()),
            ])
            .await;
            shop.hears(&order, order.authorised()).await;
            shop.hears(&order, order.confirmed()).await;
        }
        let said = shop.said(&order).await;
        assert_eq!(said, ["stock.reserved", "stock.allocated", "shipment.created"]);
        assert_eq!(shop.shelf("A").await, (5, 2));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn money_that_is_heard_of_before_the_order_waits_for_it() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let order = shop.order(&[("A", 2)]);
        shop.hears(&order, order.authorised()).await;
        assert_eq!(shop.said(&order).await, Vec::<&str>::new());
        shop.hears(&order, order.placed(&shop)).await;
        shop.wait(MINUTE).await;
        assert_eq!(shop.said(&order).await, ["stock.reserved", "stock.allocated"]);
    }
}

#[tokio::test]
async fn an_order_that_ended_before_it_was_heard_of_holds_nothing() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let order = shop.order(&[("A", 2)]);
        shop.hears(&order, cancelled(&order)).await;
        shop.hears(&order, order.placed(&shop)).await;
        shop.hears(&order, order.authorised()).await;
        assert_eq!(shop.said(&order).await, Vec::<&str>::new());
        assert_eq!((shop.state_of(&order).await, shop.shelf("A").await), ("void", (5, 0)));
    }
}

#[tokio::test]
async fn a_hold_nobody_pays_for_lapses_and_the_next_order_gets_the_goods() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 2)]).await;
        let (first, second) = (shop.order(&[("A", 2)]), shop.order(&[("A", 2)]));
        shop.hears(&first, first.placed(&shop)).await;
        // At the very moment the hold ends, before any sweeper comes.
        shop.clock.set(testing::NOON.plus(15 * MINUTE));
        shop.hears(&second, second.placed(&shop)).await;
        assert_eq!(shop.said(&first).await, ["stock.reserved", "stock.released"]);
        assert_eq!(shop.said(&second).await, ["stock.reserved"]);
        assert_eq!(shop.shelf("A").await, (2, 2));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn a_hold_is_not_given_away_a_moment_too_early() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 2)]).await;
        let (first, second) = (shop.order(&[("A", 2)]), shop.order(&[("A", 1)]));
        shop.hears(&first, first.placed(&shop)).await;
        shop.clock.set(testing::NOON.plus(15 * MINUTE).minus(Duration::from_micros(1)));
        shop.hears(&second, second.placed(&shop)).await;
        assert_eq!(shop.said(&second).await, ["stock.rejected"]);
    }
}

#[tokio::test]
async fn goods_of_a_lapsed_hold_are_found_behind_hundreds_of_others() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 1), ("B", 1000), ("C", 1)]).await;
        let others: Vec<Order> = (0..600).map(|_| shop.order(&[("B", 1)])).collect();
        let placed = others.iter().map(|order| (order, Payload::from(order.placed(&shop))));
        shop.hears_all(placed.collect()).await;
        shop.clock.set(testing::NOON.plus(MINUTE));
        let (first, second) = (shop.order(&[("A", 1)]), shop.order(&[("A", 1), ("B", 600)]));
        shop.hears(&first, first.placed(&shop)).await;
        shop.clock.set(testing::NOON.plus(20 * MINUTE));
        shop.hears(&second, second.placed(&shop)).await;
        assert_eq!(shop.said(&first).await, ["stock.reserved", "stock.released"]);
        assert_eq!(shop.said(&second).await, ["stock.reserved"]);
        shop.is_sound().await;
        shop.wait(Duration::from_secs(10)).await;
        assert_eq!(shop.payloads::<StockReleased>().await.len(), 601);
        assert_eq!((shop.shelf("A").await, shop.shelf("B").await), ((1, 1), (1000, 600)));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn the_sweeper_gives_back_what_nobody_asked_for_meanwhile() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 2)]).await;
        let order = shop.order(&[("A", 2)]);
        shop.hears(&order, order.placed(&shop)).await;
        shop.wait(14 * MINUTE).await;
        assert_eq!(shop.state_of(&order).await, "held");
        shop.wait(3 * MINUTE).await;
        assert_eq!(shop.state_of(&order).await, "lapsed");
        assert_eq!(shop.said(&order).await, ["stock.reserved", "stock.released"]);
        assert_eq!(shop.announced("A").await.map(|changed| changed.available), Some(2));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn late_money_holds_again_if_the_goods_are_there_and_is_rejected_if_not() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 2), ("B", 2)]).await;
        let (lucky, late) = (shop.order(&[("A", 2)]), shop.order(&[("B", 2)]));
        let other = shop.order(&[("B", 1)]);
        shop.hears(&lucky, lucky.placed(&shop)).await;
        shop.hears(&late, late.placed(&shop)).await;
        shop.wait(17 * MINUTE).await;
        shop.hears(&other, other.placed(&shop)).await;
        shop.hears(&lucky, lucky.authorised()).await;
        shop.hears(&late, late.authorised()).await;
        let said = shop.said(&lucky).await;
        assert_eq!(said, ["stock.reserved", "stock.released", "stock.allocated"]);
        let said = shop.said(&late).await;
        assert_eq!(said, ["stock.reserved", "stock.released", "stock.rejected"]);
        assert_eq!((shop.shelf("A").await, shop.shelf("B").await), ((2, 2), (2, 1)));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn a_hold_is_extended_while_the_shopper_is_asked_for_something() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 2)]).await;
        let order = shop.order(&[("A", 2)]);
        shop.hears(&order, order.placed(&shop)).await;
        let action = PaymentActionRequired {
            payment_id: payment(),
            order_id: order.id,
            url: String::new(),
            expires_at: testing::NOON.plus(120 * MINUTE),
        };
        shop.hears(&order, action).await;
        shop.wait(29 * MINUTE).await;
        assert_eq!(shop.state_of(&order).await, "held");
        shop.wait(3 * MINUTE).await;
        assert_eq!(shop.state_of(&order).await, "lapsed");
    }
}

#[tokio::test]
async fn a_transfer_is_held_for_days() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 2)]).await;
        let order = Order { method: "transfer", ..shop.order(&[("A", 2)]) };
        shop.hears(&order, order.placed(&shop)).await;
        shop.wait(6 * 24 * 60 * MINUTE).await;
        assert_eq!(shop.state_of(&order).await, "held");
        shop.wait(2 * 24 * 60 * MINUTE).await;
        assert_eq!(shop.state_of(&order).await, "lapsed");
    }
}

#[tokio::test]
async fn an_order_that_ends_gives_back_what_it_had() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 9)]).await;
        for (paid, index) in [(false, 0), (true, 1), (false, 2)] {
            let order = shop.order(&[("A", 2)]);
            shop.hears(&order, order.placed(&shop)).await;
            if paid {
                shop.hears(&order, order.authorised()).await;
            }
            let cart_id = shop.db.ids().id();
            let end: Payload = match index {
                0 => expired(&order).into(),
                1 => cancelled(&order).into(),
                _ => OrderFailed { order_id: order.id, cart_id, reason: "no".into() }.into(),
            };
            shop.hears(&order, end).await;
            shop.hears(&order, order.captured(100, None)).await;
            assert_eq!(shop.shelf("A").await, (9, 0));
            assert_eq!(shop.state_of(&order).await, "released");
        }
        assert_eq!(shop.payloads::<StockReleased>().await.len(), 3);
    }
}

#[tokio::test]
async fn an_order_on_delivery_is_allocated_without_money() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 2)]).await;
        let order = shop.order(&[("A", 2)]);
        shop.hears(&order, order.placed(&shop)).await;
        let later = PaymentNotRequired {
            payment_id: payment(),
            order_id: order.id,
            owed: eur(100),
            terms: PaymentTerms::OnDelivery,
        };
        shop.hears(&order, later).await;
        assert_eq!(shop.said(&order).await, ["stock.reserved", "stock.allocated"]);
    }
}

#[tokio::test]
async fn of_five_hundred_buyers_of_a_hundred_pieces_exactly_a_hundred_get_one() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("hot", 100)]).await;
        let orders: Vec<Order> = (0..500).map(|_| shop.order(&[("hot", 1)])).collect();
        // Batches side by side, as several instances would have them.
        let batches = orders.chunks(100).map(|chunk| {
            let placed = chunk.iter().map(|order| (order, Payload::from(order.placed(&shop))));
            shop.hears_all(placed.collect())
        });
        join_all(batches).await;
        let held = shop.payloads::<StockReserved>().await.len();
        let rejected = shop.payloads::<StockRejected>().await.len();
        assert_eq!((held, rejected), (100, 400));
        assert_eq!(shop.shelf("hot").await, (100, 100));
        shop.is_sound().await;
    }
}

#[tokio::test]
async fn a_line_that_occurs_twice_is_not_held_and_not_lost() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 5)]).await;
        let mut order = shop.order(&[("A", 1), ("A", 1)]);
        order.lines[1].0 = order.lines[0].0;
        let good = shop.order(&[("A", 1)]);
        shop.hears_all(vec![
            (&order, order.placed(&shop).into()),
            (&good, good.placed(&shop).into()),
        ])
        .await;
        assert_eq!(shop.state_of(&order).await, "unheard");
        assert_eq!(shop.state_of(&good).await, "held");
    }
}

#[tokio::test]
async fn stock_is_announced_once_however_often_it_changed() {
    for shop in Shop::everywhere().await {
        shop.stock(&[("A", 50), ("B", 1)]).await;
        let first = shop.announced("A").await.unwrap();
        assert_eq!(first.available, 50);
        for _ in 0..5 {
            let order = shop.order(&[("A", 2)]);
            shop.hears(&order, order.placed(&shop)).await;
        }
        let then = shop.announced("A").await.unwrap();
        assert_eq!(then.available, 40);
        assert!(then.version > first.version);
        let all = shop.payloads::<contracts::events::StockChanged>().await;
        assert_eq!(all.iter().filter(|changed| changed.sku.as_str() == "A").count(), 2);
        assert_eq!(all.iter().filter(|changed| changed.sku.as_str() == "B").count(), 1);
    }
}
