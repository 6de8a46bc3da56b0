//! What a document will say, before it has a number.

use contracts::ShipmentId;
use contracts::events::{TaxMode, Taxed};
use uuid::Uuid;

use super::{Corrected, Document, DocumentLine, Draft, LineKind, Series};
use crate::domain::bill::Charge;
use crate::domain::{Bill, Payment};

impl Draft {
    /// An invoice for what was charged.
    pub fn invoice(
        id: Uuid,
        payment: &Payment,
        bill: &Bill,
        charge: &Charge,
        shipment_id: Option<ShipmentId>,
    ) -> Self {
        Self {
            id,
            series: Series::Invoice,
            payment_id: payment.id,
            order_id: payment.order_id,
            order_number: bill.order_number.clone(),
            shipment_id,
            currency: bill.currency,
            tax_mode: bill.tax_mode,
            lines: invoice_lines(bill, charge),
            corrects: None,
            reason: None,
        }
    }

    /// A credit note that takes back `amounts` of an invoice.
    pub fn credit_note(id: Uuid, invoice: &Document, amounts: &[Taxed], reason: &str) -> Self {
        let line = |amount: &Taxed| DocumentLine {
            kind: LineKind::Adjustment,
            description: format!("Credit on invoice {}", invoice.number),
            sku: None,
            quantity: 1,
            unit_net_minor: amount.net_minor,
            discount_minor: 0,
            amount: *amount,
        };
        Self {
            id,
            series: Series::CreditNote,
            payment_id: invoice.payment_id,
            order_id: invoice.order_id,
            order_number: invoice.order_number.clone(),
            shipment_id: invoice.shipment_id,
            currency: invoice.currency,
            tax_mode: invoice.tax_mode,
            lines: amounts.iter().map(line).collect(),
            corrects: Some(Corrected { invoice_id: invoice.id, number: invoice.number.clone() }),
            reason: Some(reason.to_owned()),
        }
    }
}

fn invoice_lines(bill: &Bill, charge: &Charge) -> Vec<DocumentLine> {
    let net_of = |price_minor: i64, amount: &Taxed| match bill.tax_mode {
        TaxMode::Included => price_minor - amount.rate.included_in(price_minor),
        TaxMode::Added => price_minor,
    };
    let goods = charge.lines.iter().filter_map(|charged| {
        let line = bill.lines.get(charged.index)?;
        let unit_net_minor = net_of(line.unit_price_minor, &line.amount);
        Some(DocumentLine {
            kind: LineKind::Goods,
            description: line.name.clone(),
            sku: Some(line.sku.to_string()),
            quantity: charged.quantity,
            unit_net_minor,
            // Without tax, so that quantity times price less this is the line.
            discount_minor: if charged.discount_minor == 0 {
                0
            } else {
                charged.quantity * unit_net_minor - charged.amount.net_minor
            },
            amount: charged.amount,
        })
    });
    let single = |kind, description: &str, amount: &Taxed| DocumentLine {
        kind,
        description: description.to_owned(),
        sku: None,
        quantity: 1,
        unit_net_minor: amount.net_minor,
        discount_minor: 0,
        amount: *amount,
    };
    let name = bill.shipping_name.as_deref().unwrap_or("Shipping");
    let shipping = charge.shipping.iter().map(|amount| single(LineKind::Shipping, name, amount));
    let rest = charge.adjustments.iter();
    let rest = rest.map(|amount| single(LineKind::Adjustment, "Balance", amount));
    goods
        .chain(shipping)
        .chain(rest)
        .filter(|line| {
            let Taxed { gross_minor, tax_minor, .. } = line.amount;
            line.kind == LineKind::Goods || gross_minor != 0 || tax_minor != 0
        })
        .collect()
}
