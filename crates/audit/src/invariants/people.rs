//! What no service can do by itself, and nobody may forget.

use super::Violation;
use crate::facts::Facts;

/// Money that came by hand and is to go back: only a person can pay it out.
pub(super) fn what_is_to_be_paid_out(facts: &Facts, found: &mut Vec<Violation>) {
    for payment in facts.payments.iter().filter(|payment| !payment.to_pay_out.is_empty()) {
        let kept = payment.captured_minor - payment.refunded_minor;
        let currency = payment.currency.code();
        let what = format!(
            "a person must pay out money that came by hand for order {}: {kept} {currency} (minor units) are kept{}",
            payment.order_id,
            if payment.order_ended {
                ", and the order has ended"
            } else {
                ", and a refund is granted"
            },
        );
        let order = payment.order_id;
        let mend = format!("pay it out, and note it by POST /api/v1/payments/{order}/pay-out");
        found.push(Violation::new("P5", format!("{order} to pay out"), what, mend));
    }
}
