//! The staff: packs what is to be packed, lets leave what may leave, delivers, counts, cancels,
//! holds, gives money back, and tries again what a provider refused.

use std::collections::BTreeMap;

use audit::Facts;
use audit::facts::{MoneyState, OrderState, ParcelState};
use serde_json::json;

use super::shopper::UNITS;
use crate::chance::Chance;
use crate::request::{Answer, Request};

/// The token of somebody who may do everything.
pub const ADMIN: &str = "kst_test_admin";

/// What the staff remembers: what was asked for and not answered for good.
#[derive(Debug, Default)]
pub struct Staff {
    unsure: Vec<Request>,
    under_way: BTreeMap<u64, Request>,
    keys: u64,
    asked: u64,
}

/// How inventive the staff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Anything may come to their minds.
    Lively,
    /// They bring to an end what was begun, and nothing else.
    Finishing,
}

impl Staff {
    /// The shop is gone: no answer will come.
    pub fn cut_off(&mut self) {
        self.unsure.extend(std::mem::take(&mut self.under_way).into_values());
    }

    /// The answer to one of their requests came.
    pub fn hear(&mut self, number: u64, answer: &Answer) {
        if let Some(asked) = self.under_way.remove(&number)
            && answer.is_unsure()
            && asked.key.is_some()
        {
            self.unsure.push(asked);
        }
    }

    /// What they do next, given the books.
    pub fn next(
        &mut self,
        facts: &Facts,
        chance: &mut Chance,
        mood: Mood,
    ) -> Option<(u64, Request)> {
        let request = match self.unsure.pop() {
            Some(request) => request,
            None => self.decide(facts, chance, mood)?.by(ADMIN),
        };
        self.asked += 1;
        self.under_way.insert(self.asked, request.clone());
        Some((self.asked, request))
    }

    fn decide(&mut self, facts: &Facts, chance: &mut Chance, mood: Mood) -> Option<Request> {
        let mut choices = self.parcels(facts, chance, mood);
        choices.extend(self.payments(facts));
        choices.extend(self.orders(facts, chance, mood));
        if mood == Mood::Lively {
            choices.extend(self.goods(chance));
        }
        let which = chance.below(choices.len());
        (which < choices.len()).then(|| choices.swap_remove(which))
    }

    fn parcels(&mut self, facts: &Facts, chance: &mut Chance, mood: Mood) -> Vec<Request> {
        let standing: BTreeMap<_, _> =
            facts.orders.iter().map(|order| (order.id, order.state)).collect();
        let mut choices = Vec::new();
        for parcel in &facts.parcels {
            let on_hold = standing.get(&parcel.order_id) == Some(&OrderState::OnHold);
            let path = format!("/shipments/{}", parcel.id);
            let first = parcel.lines.first();
            choices.push(match parcel.state {
                ParcelState::Created => {
                    if let (Some((line, _)), true) =
                        (first, mood == Mood::Lively && chance.happens(150))
                    {
                        let missing = json!([{ "line_id": line, "quantity": 1 }]);
                        let body = json!({ "missing": missing });
                        Request::post(format!("{path}/pack"), body).keyed(self.key())
                    } else if let (Some((line, pieces)), true) =
                        (first, mood == Mood::Lively && chance.happens(200))
                    {
                        let quantity = (pieces / 2).max(1);
                        let body = json!({ "lines": [{ "line_id": line, "quantity": quantity }] });
                        Request::post(format!("{path}/split"), body).keyed(self.key())
                    } else {
                        let body = json!({ "missing": [] });
                        Request::post(format!("{path}/pack"), body).keyed(self.key())
                    }
                }
                ParcelState::Ready if on_hold && mood == Mood::Finishing => continue,
                ParcelState::Ready => {
                    let body = json!({ "carrier": "Bote", "tracking": parcel.id.to_string() });
                    Request::post(format!("{path}/dispatch"), body).keyed(self.key())
                }
                ParcelState::Dispatched => {
                    Request::new(http::Method::POST, format!("{path}/deliver")).keyed(self.key())
                }
                ParcelState::Packed | ParcelState::Delivered | ParcelState::Cancelled => continue,
            });
        }
        choices
    }

    fn payments(&mut self, facts: &Facts) -> Vec<Request> {
        let confirmed = |order| {
            let order = facts.orders.iter().find(|one| one.id == order);
            order.is_some_and(|order| order.state == OrderState::Confirmed)
        };
        let delivered = |order| {
            facts
                .parcels
                .iter()
                .any(|parcel| parcel.order_id == order && parcel.state == ParcelState::Delivered)
        };
        let mut choices = Vec::new();
        for payment in &facts.payments {
            if payment.is_stuck {
                let path = format!("/payments/{}/retry", payment.order_id);
                choices.push(Request::new(http::Method::POST, path).keyed(self.key()));
            }
            for refund in &payment.to_pay_out {
                let path = format!("/payments/{}/pay-out", payment.id);
                let body = json!({ "refund_id": refund });
                choices.push(Request::post(path, body).keyed(self.key()));
            }
            let unpaid = payment.state == MoneyState::Later && payment.owed_minor > 0;
            let at_the_door = unpaid && confirmed(payment.order_id) && delivered(payment.order_id);
            if at_the_door || payment.awaits_transfer {
                let amount = json!({
                    "amount_minor": payment.owed_minor, "currency": payment.currency.code(),
                });
                let body = json!({ "amount": amount, "reference": "receipt" });
                let path = format!("/payments/{}/collect", payment.order_id);
                choices.push(Request::post(path, body).keyed(self.key()));
            }
        }
        choices
    }

    fn orders(&mut self, facts: &Facts, chance: &mut Chance, mood: Mood) -> Vec<Request> {
        let mut choices = Vec::new();
        for order in &facts.orders {
            let path = format!("/orders/{}", order.id);
            match order.state {
                OrderState::OnHold => {
                    choices.push(Request::new(http::Method::POST, format!("{path}/resume")));
                }
                OrderState::Confirmed if mood == Mood::Lively && chance.happens(200) => {
                    choices.push(match chance.below(3) {
                        0 => Request::post(format!("{path}/hold"), json!({ "reason": "look" })),
                        1 => Request::post(format!("{path}/cancel"), json!({ "reason": "shop" })),
                        _ => {
                            let body = json!({ "amount_minor": 50, "reason": "goodwill" });
                            Request::post(format!("{path}/refunds"), body).keyed(self.key())
                        }
                    });
                }
                OrderState::Pending
                | OrderState::Confirmed
                | OrderState::Failed
                | OrderState::Expired
                | OrderState::Cancelled
                | OrderState::Completed => {}
            }
        }
        choices
    }

    fn goods(&mut self, chance: &mut Chance) -> Option<Request> {
        if !chance.happens(300) {
            return None;
        }
        let sku = chance.pick(&UNITS[..crate::plan::STOCKED]).copied()?;
        let path = format!("/stock/{sku}");
        Some(if chance.happens(700) {
            let body = json!({ "quantity": chance.between(1, 3), "note": "delivery" });
            Request::post(format!("{path}/receipts"), body).keyed(self.key())
        } else {
            let body = json!({ "delta": -1, "reason": "counted" });
            Request::post(format!("{path}/adjustments"), body).keyed(self.key())
        })
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("staff-{}", self.keys)
    }
}
