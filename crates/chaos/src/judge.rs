//! The judgement, once everything has come to rest: what was promised, held against what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bench::client::{Client, Failure};
use bench::told::STAFF;
use contracts::{Source, Timestamp};
use http::Method;
use payment::test_provider::{Bank, Call};
use platform::clock::Clock;
use serde_json::Value;

use crate::people::{FEW, Ledger, Noted, UNITS, sku, text};
use crate::shop::Shop;

/// So long after the last order everything is to have come to rest (P3).
const REST: Duration = Duration::from_secs(60);

/// Something that was held against a promise.
#[derive(Debug)]
pub struct Check {
    /// The promise, by its number.
    pub promise: &'static str,
    /// What was looked at.
    pub what: &'static str,
    /// How many of them.
    pub items: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Promises that were broken, each after the promise's number; there must be none.
    pub violations: Vec<String>,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// How many orders ended how.
    pub orders: BTreeMap<String, usize>,
    /// How long it took until nothing was under way any more.
    pub rest: Duration,
    /// What the provider took and gave back, in minor units.
    pub captured_minor: i64,
    /// Given back.
    pub refunded_minor: i64,
}

impl Verdict {
    /// A promise is broken.
    pub fn broken(&mut self, promise: &str, what: impl Display) {
        self.violations.push(format!("{promise}: {what}"));
    }

    /// So many things were held against a promise.
    pub fn checked(&mut self, promise: &'static str, what: &'static str, items: usize) {
        self.checks.push(Check { promise, what, items: u64::try_from(items).unwrap_or(u64::MAX) });
    }
}

/// Waits until nothing is under way any more, and judges.
///
/// # Errors
/// When the shop cannot be looked at.
pub async fn judge(
    shop: &mut Shop,
    program: &Path,
    ledger: &Ledger,
    limit: Duration,
) -> Result<Verdict, Failure> {
    let mut verdict = Verdict::default();
    let last = *ledger.last.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = last.unwrap_or_else(|| Clock::system().now());
    come_to_rest(shop, program, begun, limit, &mut verdict).await?;
    if verdict.rest > REST {
        verdict
            .broken("P3", format!("at rest {:?} after the last order, not {REST:?}", verdict.rest));
    }
    let orders = all(shop, "orders").await?;
    judge_orders(ledger, &orders, &mut verdict);
    judge_money(shop, &orders, &mut verdict).await?;
    judge_stock(&orders, &mut verdict);
    count_messages(shop, &mut verdict).await?;
    let parked = shop.run(program, &["parked", "list"]).await?;
    let parked = String::from_utf8_lossy(&parked.stdout).into_owned();
    let is_empty = parked.trim() == "Nothing is parked.";
    let count = if is_empty { 0 } else { parked.lines().count() };
    verdict.checked("P10", "lines in the dead-letter list (nobody sends poison here)", count);
    if !is_empty {
        let parked: String = parked.chars().take(2_000).collect();
        verdict.broken("P10", format!("parked: {parked}"));
    }
    let server = shop.postgres.until_answers().await?;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'kontor_%' \
                AND xact_start < clock_timestamp() - interval '2 seconds'";
    let open: i64 = server.query_one(open, &[]).await?.get(0);
    if open > 0 {
        verdict.violations.push(format!("{open} transactions were left open"));
    }
    let surprises = ledger.surprises.lock().unwrap_or_else(PoisonError::into_inner);
    verdict.violations.extend(surprises.iter().cloned());
    Ok(verdict)
}

async fn come_to_rest(
    shop: &mut Shop,
    program: &Path,
    begun: Timestamp,
    limit: Duration,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let clock = Clock::system();
    let mut is_still = false;
    loop {
        shop.tend()?;
        let looked = clock.now();
        let doctor = shop.run(program, &["doctor", "--at-rest"]).await?;
        let was_still = std::mem::replace(&mut is_still, doctor.status.success());
        // Who looks at one database after the other may miss what went from one to the other.
        if was_still && is_still {
            return Ok(());
        }
        if !was_still {
            verdict.rest = looked.since(begun);
        }
        if !is_still && looked.since(begun) > limit {
            let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
            let complaint = String::from_utf8_lossy(&doctor.stderr).into_owned();
            std::fs::write(shop.logs.join("doctor.log"), format!("{said}{complaint}"))?;
            verdict.broken("P3", format!("not at rest after {limit:?}: {complaint}"));
            // The doctor names the promise first.
            let found = said.lines().filter(|line| line.starts_with('P'));
            verdict.violations.extend(found.take(100).map(str::to_owned));
            return Ok(());
        }
        shop.wait(Duration::from_secs(1)).await?;
    }
}

/// Everything that a list of the API holds.
async fn all(shop: &Shop, list: &str) -> Result<Vec<Value>, Failure> {
    let bearer = format!("Bearer {STAFF}");
    let headers = [("authorization", bearer.as_str())];
    let mut client = Client::connect(shop.gateways[1]).await?;
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/{list}?limit=100{cursor}");
        let answer = client.send(Method::GET, &path, &headers, None).await?;
        if answer.status != 200 {
            return Err(format!("{path}: {}", answer.status).into());
        }
        let page = answer.json();
        all.extend(page["items"].as_array().into_iter().flatten().cloned());
        let Some(next) = page["next_cursor"].as_str() else { return Ok(all) };
        cursor = format!("&cursor={next}");
    }
}

fn judge_orders(ledger: &Ledger, orders: &[Value], verdict: &mut Verdict) {
    let there: BTreeMap<String, &Value> =
        orders.iter().map(|order| (text(&order["id"]), order)).collect();
    let acknowledged = ledger.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
    for (key, noted) in acknowledged.iter() {
        let Some(order) = there.get(&noted.order) else {
            verdict.broken("P2", format!("acknowledged under {key}, and lost: {noted:?}"));
            continue;
        };
        if order["cart_id"] != *noted.cart {
            verdict.broken("P2", format!("of another cart than it was ({noted:?}): {order}"));
        }
        if order["money"]["total_minor"].as_i64() != noted.total_minor {
            verdict.broken("P13", format!("another total than was agreed ({noted:?}): {order}"));
        }
        if !is_explained(noted, order) {
            verdict.broken("P3", format!("nothing explains this end of {noted:?}: {order}"));
        }
    }
    verdict.checked("P2", "acknowledged orders, by a ledger outside", acknowledged.len());
    verdict.checked("P13", "totals, as the shopper agreed to them", acknowledged.len());
    let cancelled = ledger.cancelled.lock().unwrap_or_else(PoisonError::into_inner).len();
    verdict.checked("P2", "acknowledged cancellations", cancelled);
    for id in ledger.cancelled.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let status = there.get(id).map(|order| text(&order["status"]));
        if status.as_deref() != Some("cancelled") {
            verdict.broken(
                "P2",
                format!("the cancellation of {id} was acknowledged; it is {status:?}"),
            );
        }
    }
    // Whoever was not answered may have an order all the same; nobody has two.
    let carts: BTreeSet<String> = orders.iter().map(|order| text(&order["cart_id"])).collect();
    if carts.len() != orders.len() {
        verdict.broken("P11", format!("{} carts became {} orders", carts.len(), orders.len()));
    }
    let wishes = usize::try_from(ledger.wishes.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
    if orders.len() > wishes {
        verdict
            .broken("P11", format!("{} orders, and only {wishes} were wished for", orders.len()));
    }
    let agains = usize::try_from(ledger.agains.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
    verdict.checked("P11", "carts, none of which became two orders", carts.len());
    verdict.checked("P11", "orders placed again under their key", agains);
    verdict.checked("P9", "orders, on which the services agree (`kontor doctor`)", orders.len());
    verdict.checked("P3", "orders, each in a state that its wish explains", orders.len());
    for order in orders {
        let (status, waits) = (text(&order["status"]), text(&order["payment_waits_for"]["for"]));
        // What is still pending waits for the shopper, and for nobody else.
        if status == "pending" && waits != "method" && waits != "action" {
            verdict.broken("P3", format!("stuck: {order}"));
        }
        let state =
            if status == "pending" { format!("pending, waits for {waits}") } else { status };
        *verdict.orders.entry(state).or_default() += 1;
    }
}

/// Whether an order came to an end, or waits for a person, that what was asked for explains.
fn is_explained(noted: &Noted, order: &Value) -> bool {
    let waits = text(&order["payment_waits_for"]["for"]);
    match text(&order["status"]).as_str() {
        "confirmed" | "completed" | "cancelled" => true,
        // The provider refused, or the shopper at its page did.
        "pending" => {
            waits == "method" && ["decline", "action"].contains(&noted.token)
                || waits == "action" && noted.token == "action"
        }
        // Paid for when it is packed, and refused then.
        "on_hold" => noted.token == "capture_fails_once",
        "failed" => noted.sku + 1 == UNITS,
        // Who was refused and did nothing for half an hour.
        "expired" => ["decline", "action"].contains(&noted.token),
        _ => false,
    }
}

/// What the provider keeps of a payment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Kept {
    captured_minor: i64,
    refunded_minor: i64,
}

/// By the provider's own account, every order has cost what the shop's ledger says, and not more than
/// it came to.
async fn judge_money(shop: &Shop, orders: &[Value], verdict: &mut Verdict) -> Result<(), Failure> {
    let mut booked: BTreeMap<String, Kept> = BTreeMap::new();
    let journals = all(shop, "ledger").await?;
    verdict.checked("P6", "journals, against the provider's account", journals.len());
    for journal in journals {
        for posting in journal["postings"].as_array().into_iter().flatten() {
            let minor = posting["amount_minor"].as_i64().unwrap_or_default();
            let kept = booked.entry(text(&journal["payment_id"])).or_default();
            if posting["debit"] == "provider" {
                kept.captured_minor += minor;
            } else if posting["credit"] == "provider" {
                kept.refunded_minor += minor;
            }
        }
    }
    let account = account(&shop.journal(), verdict)?;
    let payments: BTreeSet<&String> = account.keys().chain(booked.keys()).collect();
    for payment in payments {
        let taken = account.get(payment).copied().unwrap_or_default();
        let said = booked.get(payment).copied().unwrap_or_default();
        if taken != said {
            verdict
                .broken("P6", format!("{payment}: the provider says {taken:?}, the shop {said:?}"));
        }
        verdict.captured_minor += taken.captured_minor;
        verdict.refunded_minor += taken.refunded_minor;
    }
    verdict.checked(
        "P4",
        "payments at the provider: taken once, no more than the total",
        account.len(),
    );
    let mut over = 0;
    for order in orders {
        let total = order["money"]["total_minor"].as_i64().unwrap_or_default();
        // A payment has the id of its order.
        let kept = account.get(&text(&order["id"])).copied().unwrap_or_default();
        if kept.captured_minor > total {
            verdict.broken("P4", format!("{kept:?} is more than it came to: {order}"));
        }
        let ended = ["cancelled", "failed", "expired"].contains(&text(&order["status"]).as_str());
        over += usize::from(ended);
        if ended && kept.captured_minor != kept.refunded_minor {
            verdict.broken("P5", format!("it has ended, and the provider keeps {kept:?}: {order}"));
        }
    }
    verdict.checked("P5", "orders that ended: nothing is kept of their money", over);
    Ok(())
}

/// The provider's own account of every payment, reckoned from what it was asked.
fn account(journal: &Path, verdict: &mut Verdict) -> Result<BTreeMap<String, Kept>, Failure> {
    let mut bank = Bank::new();
    let mut keys: BTreeMap<String, Value> = BTreeMap::new();
    let mut whose: BTreeMap<String, String> = BTreeMap::new();
    for line in std::fs::read_to_string(journal)?.lines().filter(|line| !line.is_empty()) {
        let entry: Value = serde_json::from_str(line)?;
        let at: Timestamp = serde_json::from_value(entry["at"].clone())?;
        let call: Call = serde_json::from_value(entry["call"].clone())?;
        if let Some(key) = entry["call"]["key"].as_str() {
            let first = keys.entry(key.to_owned()).or_insert_with(|| entry["call"].clone());
            if *first != entry["call"] {
                verdict.broken("P4", format!("the provider's key {key} was used for two things"));
            }
        }
        let answer = bank.call(at, &call);
        if let (Call::Create { shop_payment, .. }, Some(view)) = (call, answer.view) {
            whose.insert(view.payment, shop_payment);
        }
    }
    let mut account: BTreeMap<String, Kept> = BTreeMap::new();
    for view in bank.all() {
        let kept = account.entry(whose.get(&view.payment).cloned().unwrap_or_default());
        let kept = kept.or_default();
        kept.captured_minor += view.captured_minor;
        kept.refunded_minor += view.refunded_minor;
    }
    Ok(account)
}

/// Of the unit of which there are few, no more was promised than there is. (The doctor looks at
/// the shelves and their ledger.)
fn judge_stock(orders: &[Value], verdict: &mut Verdict) {
    let few = sku(UNITS - 1);
    let promised: i64 = orders
        .iter()
        .filter(|order| ["confirmed", "completed"].contains(&text(&order["status"]).as_str()))
        .flat_map(|order| order["lines"].as_array().into_iter().flatten())
        .filter(|line| line["sku"] == *few)
        .filter_map(|line| line["quantity"].as_i64())
        .sum();
    let scarce = usize::try_from(promised).unwrap_or(usize::MAX);
    verdict.checked("P1", "pieces promised of the unit of which there are few", scarce);
    if promised > FEW {
        verdict
            .broken("P1", format!("{promised} pieces of {few} were promised, and there are {FEW}"));
    }
}

/// How many events and messages the doctor looked at.
async fn count_messages(shop: &Shop, verdict: &mut Verdict) -> Result<(), Failure> {
    let (mut events, mut handled) = (0_i64, 0_i64);
    for service in Source::ALL {
        let database = shop.postgres.until_opens(&format!("kontor_{service}")).await?;
        let sql = format!(
            "SELECT (SELECT count(*) FROM {service}_outbox), \
             (SELECT count(*) FROM {service}_inbox WHERE kind = 'event')"
        );
        let counts = database.query_one(&sql, &[]).await?;
        events += counts.get::<_, i64>(0);
        handled += counts.get::<_, i64>(1);
    }
    let items = |count| usize::try_from(count).unwrap_or_default();
    verdict.checked(
        "P7",
        "events in outboxes: published, and heard (`kontor doctor`)",
        items(events),
    );
    verdict.checked("P8", "reactions to events, each recorded once", items(handled));
    Ok(())
}
