//! Documents: numbers, chain, what they say and what they take back.

use contracts::{Currency, Id, Rate};
use rust_decimal::Decimal;

use super::*;
use crate::domain::tests::bill;
use crate::render;

const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

fn seller() -> Seller {
    Seller {
        name: "Kontor & Sons".to_owned(),
        street: "Dock 1".to_owned(),
        postal_code: "20457".to_owned(),
        city: "Hamburg".to_owned(),
        country: "DE".to_owned(),
        vat_id: "DE123456789".to_owned(),
        registration: None,
        email: None,
    }
}

fn person() -> Person {
    let address = Address {
        name: "Ada <b>Byron</b>".to_owned(),
        company: None,
        street: "High Street 2".to_owned(),
        extra: None,
        postal_code: "1010".to_owned(),
        city: "Wien".to_owned(),
        region: None,
        country: "AT".to_owned(),
        phone: None,
    };
    Person { address: Some(address), email: "ada@example.org".to_owned() }
}

fn taxed(gross_minor: i64, percent: i64) -> Taxed {
    let rate = Rate(Decimal::new(percent, 2));
    let tax_minor = rate.included_in(gross_minor);
    Taxed { net_minor: gross_minor - tax_minor, tax_minor, gross_minor, rate, zero_reason: None }
}

fn draft(number: u128) -> Draft {
    let given = crate::domain::tests::Given::an_order_paid_with(crate::domain::tests::card());
    let bill = bill();
    let charge = bill.whole(&given.payment.removed());
    Draft::invoice(Uuid::from_u128(number), &given.payment, &bill, &charge, None)
}

fn issue(head: &mut SeriesHead, draft: Draft, at: Timestamp) -> Issued {
    let (seller, person) = (seller(), person());
    let parties =
        Parties { seller: &seller, person: &person, salt: "salt", time_zone: "Europe/Berlin" };
    head.issue(draft, parties, at).unwrap()
}

fn link(issued: &Issued) -> Link {
    Link {
        number: issued.document.number.clone(),
        year: issued.year,
        sequence: issued.sequence,
        text: issued.text.clone(),
        hash: issued.hash.clone(),
        person: Some(("salt".to_owned(), person())),
    }
}

fn three() -> Vec<Link> {
    let mut head = SeriesHead::new(Series::Invoice);
    (1..=3).map(|number| link(&issue(&mut head, draft(number), NOON))).collect()
}

#[test]
fn numbers_follow_one_another_and_begin_anew_with_the_shops_own_year() {
    let mut head = SeriesHead::new(Series::Invoice);
    // 23:30 on New Year's Eve in Berlin, and half an hour into the new year there.
    let eve = Timestamp::from_micros(1_798_756_200_000_000);
    let after = eve.plus(std::time::Duration::from_secs(3600));
    let numbers = [eve, eve, after].map(|at| issue(&mut head, draft(1), at).document.number);
    assert_eq!(numbers, ["INV-2026-000001", "INV-2026-000002", "INV-2027-000001"]);
}

#[test]
fn a_clock_that_goes_back_does_not_take_a_series_back() {
    let mut head = SeriesHead::new(Series::Invoice);
    issue(&mut head, draft(1), NOON);
    let hour = std::time::Duration::from_secs(3600);
    assert_eq!(issue(&mut head, draft(2), NOON.minus(hour)).document.issued_at, NOON);
}

#[test]
fn an_untouched_chain_has_no_fault() {
    assert_eq!(verify(&three()), []);
}

#[test]
fn what_is_changed_left_out_or_put_in_is_found() {
    let changed = |change: fn(&mut Vec<Link>)| {
        let mut links = three();
        change(&mut links);
        verify(&links)
    };
    let number = |n: i64| format!("INV-2026-{n:06}");
    let edited = changed(|links| links[1].text = links[1].text.replace("3500", "3400"));
    assert_eq!(edited, [ChainFault::Changed(number(2))]);
    let rehashed = changed(|links| {
        links[1].text = links[1].text.replace("3500", "3400");
        links[1].hash = sha256(&links[1].text);
    });
    assert_eq!(rehashed, [ChainFault::Broken(number(3))]);
    let removed = changed(|links| drop(links.remove(1)));
    assert_eq!(removed, [ChainFault::Broken(number(3)), ChainFault::Gap(number(3))]);
    let renamed = changed(|links| {
        if let Some((_, person)) = &mut links[0].person {
            person.email = "eve@example.org".to_owned();
        }
    });
    assert_eq!(renamed, [ChainFault::PersonChanged(number(1))]);
}

#[test]
fn a_personal_block_can_be_removed_and_the_chain_still_holds() {
    let mut links = three();
    links[1].person = None;
    assert_eq!(verify(&links), []);
}

#[test]
fn an_invoice_adds_up() {
    let issued = issue(&mut SeriesHead::new(Series::Invoice), draft(1), NOON).document;
    assert_eq!(issued.gross_minor, 3_500);
    assert_eq!(issued.net_minor + issued.tax_minor, issued.gross_minor);
    assert_eq!(issued.lines.iter().map(|line| line.amount.gross_minor).sum::<i64>(), 3_500);
}

#[test]
fn the_page_says_all_that_the_law_wants_and_nothing_in_it_is_markup_of_the_buyers() {
    let issued = issue(&mut SeriesHead::new(Series::Invoice), draft(1), NOON).document;
    let page = render::page(&issued, Some(&person())).unwrap();
    for wanted in [
        "INV-2026-000001",
        "2026-11-22",
        "DE123456789",
        "Kontor &amp; Sons",
        "Ada &lt;b&gt;Byron&lt;&#x2f;b&gt;",
        "High Street 2",
        "TEA",
        "19 %",
        "29.41 EUR",
        "5.59 EUR",
        "35.00 EUR",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in {page}");
    }
    assert!(render::page(&issued, None).unwrap().contains("removed after the legal period"));
}

#[test]
fn why_there_is_no_tax_is_mentioned() {
    let mut zero = draft(1);
    for line in &mut zero.lines {
        line.amount.zero_reason = Some(contracts::events::ZeroTaxReason::ReverseCharge);
    }
    let issued = issue(&mut SeriesHead::new(Series::Invoice), zero, NOON).document;
    assert!(render::page(&issued, None).unwrap().contains("Reverse charge"));
}

fn invoice(taxes: Vec<Taxed>) -> Creditable {
    let issued = issue(&mut SeriesHead::new(Series::Invoice), draft(1), NOON).document;
    let left = taxes.clone();
    let invoice = Document {
        taxes,
        currency: Currency::EUR,
        payment_id: Id::from_uuid(Uuid::nil()),
        ..issued
    };
    Creditable { invoice, left }
}

#[test]
fn a_refund_takes_back_the_rate_it_is_for_from_the_latest_invoice_that_has_it() {
    let mut invoices =
        [invoice(vec![taxed(1_000, 19), taxed(500, 7)]), invoice(vec![taxed(300, 19)])];
    let parts = credit(&mut invoices, &[taxed(400, 19)], 400);
    let gross: Vec<(usize, i64)> =
        parts.iter().map(|(index, taxed)| (*index, taxed[0].gross_minor)).collect();
    assert_eq!(gross, [(0, 100), (1, 300)]);
}

#[test]
fn what_goes_back_without_a_reason_by_rate_takes_back_everything_exactly() {
    let mut invoices =
        [invoice(vec![taxed(1_001, 19), taxed(503, 7)]), invoice(vec![taxed(307, 19)])];
    let wanted: Vec<Taxed> = invoices.iter().flat_map(|one| one.left.clone()).collect();
    let parts = credit(&mut invoices, &[], 1_811);
    let back: Vec<Taxed> = by_rate(parts.iter().flat_map(|(_, taxed)| taxed));
    assert_eq!(back, by_rate(&wanted));
    assert_eq!(credit(&mut invoices, &[], 10), []);
}

#[test]
fn a_credit_note_takes_back_the_tax_that_was_stored_with_the_refund() {
    let mut head = SeriesHead::new(Series::Invoice);
    let invoice = issue(&mut head, draft(1), NOON).document;
    // The third of three pieces: its share of the line's tax is not what its own price would bear.
    let stored = Taxed { net_minor: 281, tax_minor: 52, ..taxed(333, 19) };
    assert_ne!(stored, taxed(333, 19));
    let left = invoice.taxes.clone();
    let mut invoices = [Creditable { invoice, left }];
    assert_eq!(credit(&mut invoices, &[stored], 333), [(0, vec![stored])]);
}

#[test]
fn the_lines_of_an_invoice_with_a_discount_reconcile() {
    let given = crate::domain::tests::Given::an_order_paid_with(crate::domain::tests::card());
    let mut bill = bill();
    bill.lines[1].unit_price_minor = 1_190;
    bill.lines[1].discount_minor = 380;
    let charge = bill.whole(&given.payment.removed());
    let draft = Draft::invoice(Uuid::nil(), &given.payment, &bill, &charge, None);
    let line = &draft.lines[1];
    assert_ne!(line.discount_minor, 0);
    let reckoned = line.quantity * line.unit_net_minor - line.discount_minor;
    assert_eq!(reckoned, line.amount.net_minor);
}
