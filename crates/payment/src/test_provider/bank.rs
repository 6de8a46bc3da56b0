//! The test provider's mind: payments in memory, moved by calls at times. No I/O, no clock.
//!
//! Money is guaranteed, taken and given back for real here: it refuses what exceeds, so that a bug
//! in the shop shows as a refusal and not as free money.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use contracts::{Money, Timestamp};

use super::wire::{Answer, Call, Fault, OperationKind, Outcome, State, View, Webhook};

/// How long a key is known.
const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a shopper may think.
const ACTION_LIFE: Duration = Duration::from_secs(15 * 60);

/// The provider's memory.
#[derive(Debug, Clone, Default)]
pub struct Bank {
    payments: BTreeMap<String, Payment>,
    /// What was answered under a key, and when.
    keys: BTreeMap<String, (Timestamp, Call, Answer)>,
    /// Keys whose first call was lost on its way.
    lost: BTreeMap<String, Timestamp>,
    /// The keys of both in the order of their times, so that forgetting looks at none twice.
    remembered: VecDeque<(Timestamp, String)>,
    operations: BTreeMap<String, (String, Outcome)>,
    webhooks: Vec<Webhook>,
    said: u64,
}

#[derive(Debug, Clone)]
struct Payment {
    shop_payment: String,
    token: String,
    return_url: String,
    automatic: bool,
    state: State,
    amount: Money,
    captured_minor: i64,
    refunded_minor: i64,
    decline: Option<String>,
    expires_at: Timestamp,
    refusals: u32,
}

impl Bank {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries out a call.
    pub fn call(&mut self, now: Timestamp, call: &Call) -> Answer {
        self.forget(now);
        if let Some(key) = call.key() {
            if let Some((_, before, answer)) = self.keys.get(key) {
                return if before == call {
                    Answer { fault: None, ..answer.clone() }
                } else {
                    refused(409, "key_reused")
                };
            }
            if let Call::Create { token, .. } = call
                && token == "timeout_before"
                && self.lost.insert(key.to_owned(), now).is_none()
            {
                self.remembered.push_back((now, key.to_owned()));
                return Answer { fault: Some(Fault::NoAnswer), ..refused(504, "lost") };
            }
        }
        let answer = match call {
            Call::Create { key, amount, token, automatic, return_url, shop_payment } => {
                let payment = Payment {
                    shop_payment: shop_payment.clone(),
                    token: token.clone(),
                    return_url: return_url.clone(),
                    automatic: *automatic,
                    state: State::Declined,
                    amount: *amount,
                    captured_minor: 0,
                    refunded_minor: 0,
                    decline: None,
                    expires_at: now.plus(ACTION_LIFE),
                    refusals: 0,
                };
                self.create(now, key, payment)
            }
            Call::Capture { key, payment, amount } => {
                self.act(now, key, payment, OperationKind::Capture, *amount)
            }
            Call::Void { key, payment } => {
                let amount = self.payments.get(payment).map(|payment| payment.amount);
                match amount {
                    Some(amount) => self.act(now, key, payment, OperationKind::Void, amount),
                    None => refused(404, "no_such_payment"),
                }
            }
            Call::Refund { key, payment, amount } => {
                self.act(now, key, payment, OperationKind::Refund, *amount)
            }
            Call::Confirm { payment } => self.decide(now, payment, true),
            Call::Refuse { payment } => self.decide(now, payment, false),
        };
        if let Some(key) = call.key() {
            self.keys.insert(key.to_owned(), (now, call.clone(), answer.clone()));
            self.remembered.push_back((now, key.to_owned()));
        }
        answer
    }

    /// A payment.
    pub fn payment(&mut self, now: Timestamp, payment: &str) -> Option<View> {
        self.expire(now, payment);
        self.payments.get(payment).map(|found| found.view(payment, None))
    }

    /// An operation by its key. Never forgotten.
    pub fn operation(&mut self, now: Timestamp, key: &str) -> Option<View> {
        let (payment, outcome) = self.operations.get(key).cloned()?;
        self.expire(now, &payment);
        let found = self.payments.get(&payment)?;
        Some(found.view(&payment, Some(outcome)))
    }

    /// Where a payment's shopper goes afterwards.
    pub fn return_url(&self, payment: &str) -> Option<String> {
        self.payments.get(payment).map(|payment| payment.return_url.clone())
    }

    /// The webhooks to send since this was last asked, in the order in which to send them.
    pub fn take_webhooks(&mut self) -> Vec<Webhook> {
        std::mem::take(&mut self.webhooks)
    }

    /// Everything there is, for whoever checks the shop's account against the provider's.
    pub fn all(&self) -> Vec<View> {
        self.payments.iter().map(|(id, payment)| payment.view(id, None)).collect()
    }

    fn create(&mut self, now: Timestamp, key: &str, mut payment: Payment) -> Answer {
        let id = format!("tp_{}", key.replace('-', ""));
        // A key that was forgotten while its payment lives on: a real provider would charge twice.
        if self.payments.contains_key(&id) {
            return refused(409, "payment_exists");
        }
        let token = payment.token.clone();
        let decline = match token.as_str() {
            "decline" => Some("card_declined"),
            "decline_insufficient_funds" => Some("insufficient_funds"),
            known if is_token(known) => None,
            _ => Some("token_unknown"),
        };
        payment.decline = decline.map(str::to_owned);
        payment.amount.amount_minor -= i64::from(token == "wrong_amount");
        payment.state = match decline {
            Some(_) => State::Declined,
            None if token == "action" => State::RequiresAction,
            None if payment.automatic => State::Captured,
            None => State::Authorised,
        };
        if payment.state == State::Captured {
            payment.captured_minor = payment.amount.amount_minor;
        }
        let outcome = Outcome {
            key: key.to_owned(),
            kind: OperationKind::Create,
            reference: id.clone(),
            amount: payment.amount,
            declined: payment.decline.clone(),
        };
        let view = payment.view(&id, Some(outcome.clone()));
        self.payments.insert(id.clone(), payment);
        self.operations.insert(key.to_owned(), (id.clone(), outcome));
        self.tell_of_creation(now, &id, &token);
        let fault = match token.as_str() {
            "timeout_after" => Some(Fault::NoAnswer),
            "error_after" => Some(Fault::ServerError),
            "slow" => Some(Fault::Slow),
            _ => None,
        };
        let status = if decline.is_some() { 402 } else { 200 };
        Answer { status, view: Some(view), error: None, fault }
    }

    /// What the shop hears anyway is not told again, unless the token wants it told.
    fn tell_of_creation(&mut self, now: Timestamp, id: &str, token: &str) {
        match token {
            "timeout_after" | "error_after" | "wrong_amount" => self.tell(now, id),
            "webhook_repeat" => {
                self.tell(now, id);
                let last = self.webhooks.last().cloned();
                self.webhooks.extend(last.into_iter().cycle().take(4));
            }
            "webhook_reorder" => {
                self.tell(now, id);
                self.tell_as(now, id, "payment.created");
            }
            _ => {}
        }
    }

    fn act(
        &mut self,
        now: Timestamp,
        key: &str,
        id: &str,
        kind: OperationKind,
        amount: Money,
    ) -> Answer {
        self.expire(now, id);
        let Some(payment) = self.payments.get_mut(id) else {
            return refused(404, "no_such_payment");
        };
        let refusal = if amount.currency == payment.amount.currency {
            payment.refuses(kind, amount.amount_minor).map(str::to_owned)
        } else {
            Some("currency".to_owned())
        };
        let prefix = match kind {
            OperationKind::Create => "tp",
            OperationKind::Capture => "tc",
            OperationKind::Void => "tv",
            OperationKind::Refund => "tr",
        };
        if refusal.is_none() {
            payment.carry_out(kind, amount.amount_minor);
        }
        let outcome = Outcome {
            key: key.to_owned(),
            kind,
            reference: format!("{prefix}_{}", key.replace('-', "")),
            amount,
            declined: refusal.clone(),
        };
        let view = payment.view(id, Some(outcome.clone()));
        self.operations.insert(key.to_owned(), (id.to_owned(), outcome));
        let status = if refusal.is_some() { 402 } else { 200 };
        Answer { status, view: Some(view), error: refusal, fault: None }
    }

    fn decide(&mut self, now: Timestamp, id: &str, agreed: bool) -> Answer {
        self.expire(now, id);
        let Some(payment) = self.payments.get_mut(id) else {
            return refused(404, "no_such_payment");
        };
        if payment.state == State::RequiresAction {
            if agreed {
                payment.state = if payment.automatic { State::Captured } else { State::Authorised };
                if payment.automatic {
                    payment.captured_minor = payment.amount.amount_minor;
                }
            } else {
                payment.state = State::Declined;
                payment.decline = Some("refused_by_shopper".to_owned());
            }
            self.tell(now, id);
        }
        let view = self.payments.get(id).map(|payment| payment.view(id, None));
        Answer { status: 200, view, error: None, fault: None }
    }

    fn expire(&mut self, now: Timestamp, id: &str) {
        if let Some(payment) = self.payments.get_mut(id)
            && payment.state == State::RequiresAction
            && now >= payment.expires_at
        {
            payment.state = State::Declined;
            payment.decline = Some("action_expired".to_owned());
        }
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((_, key)) =
            self.remembered.pop_front_if(|(at, _)| now.since(*at) >= KEY_LIFE)
        {
            // A key that was lost first and then heard is there twice: the later time counts.
            if self.keys.get(&key).is_some_and(|(at, ..)| now.since(*at) >= KEY_LIFE) {
                self.keys.remove(&key);
            }
            if self.lost.get(&key).is_some_and(|at| now.since(*at) >= KEY_LIFE) {
                self.lost.remove(&key);
            }
        }
    }

    fn tell(&mut self, now: Timestamp, id: &str) {
        let kind = match self.payments.get(id).map(|payment| payment.state) {
            None => return,
            Some(State::RequiresAction) => "payment.requires_action",
            Some(State::Authorised) => "payment.authorised",
            Some(State::Captured) => "payment.captured",
            Some(State::Voided) => "payment.voided",
            Some(State::Declined) => "payment.declined",
        };
        self.tell_as(now, id, kind);
    }

    fn tell_as(&mut self, now: Timestamp, id: &str, kind: &str) {
        if let Some(payment) = self.payments.get(id) {
            self.said += 1;
            self.webhooks.push(Webhook {
                id: format!("evt_{}_{}", id.trim_start_matches("tp_"), self.said),
                r#type: kind.to_owned(),
                created_at: now,
                payment: id.to_owned(),
                shop_payment: payment.shop_payment.clone(),
                amount: payment.amount,
            });
        }
    }
}

impl Payment {
    fn refuses(&mut self, kind: OperationKind, amount_minor: i64) -> Option<&'static str> {
        let twice = |once: &str, always: &str, token: &str, refusals: &mut u32| {
            *refusals += 1;
            token == always || (token == once && *refusals == 1)
        };
        match kind {
            OperationKind::Create => None,
            OperationKind::Capture => match self.state {
                State::Authorised | State::Captured => {
                    if twice("capture_fails_once", "capture_fails", &self.token, &mut self.refusals)
                    {
                        Some("capture_declined")
                    } else if amount_minor <= 0
                        || amount_minor > self.amount.amount_minor - self.captured_minor
                    {
                        Some("amount_too_large")
                    } else {
                        None
                    }
                }
                State::RequiresAction | State::Voided | State::Declined => Some("not_authorised"),
            },
            OperationKind::Void => match self.state {
                State::RequiresAction | State::Authorised | State::Voided => None,
                // What is taken stays taken; only the rest of a partly taken payment is let go.
                State::Captured if self.captured_minor < self.amount.amount_minor => None,
                State::Captured => Some("already_captured"),
                State::Declined => None,
            },
            OperationKind::Refund => {
                if twice("refund_fails_once", "refund_fails", &self.token, &mut self.refusals) {
                    Some("refund_declined")
                } else if amount_minor <= 0
                    || amount_minor > self.captured_minor - self.refunded_minor
                {
                    Some("amount_too_large")
                } else {
                    None
                }
            }
        }
    }

    fn carry_out(&mut self, kind: OperationKind, amount_minor: i64) {
        match kind {
            OperationKind::Create => {}
            OperationKind::Capture => {
                self.captured_minor += amount_minor;
                self.state = State::Captured;
            }
            OperationKind::Void => {
                if self.state == State::Captured {
                    self.amount.amount_minor = self.captured_minor;
                } else {
                    self.state = State::Voided;
                }
            }
            OperationKind::Refund => self.refunded_minor += amount_minor,
        }
    }

    fn view(&self, id: &str, operation: Option<Outcome>) -> View {
        let waits = self.state == State::RequiresAction;
        View {
            payment: id.to_owned(),
            state: self.state,
            amount: self.amount,
            automatic: self.automatic,
            captured_minor: self.captured_minor,
            refunded_minor: self.refunded_minor,
            decline: self.decline.clone(),
            url: waits.then(|| format!("/pay/{id}")),
            expires_at: waits.then_some(self.expires_at),
            operation,
        }
    }
}

fn refused(status: u16, error: &str) -> Answer {
    Answer { status, view: None, error: Some(error.to_owned()), fault: None }
}

fn is_token(token: &str) -> bool {
    const TOKENS: [&str; 14] = [
        "ok",
        "action",
        "timeout_before",
        "timeout_after",
        "error_after",
        "capture_fails",
        "capture_fails_once",
        "refund_fails",
        "refund_fails_once",
        "webhook_repeat",
        "webhook_reorder",
        "wrong_amount",
        "slow",
        "",
    ];
    TOKENS.contains(&token)
}

#[cfg(test)]
mod tests {
    use contracts::Currency;

    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_795_348_800_000_000);

    fn eur(amount_minor: i64) -> Money {
        Money::new(amount_minor, Currency::EUR)
    }

    fn create(key: &str, token: &str) -> Call {
        Call::Create {
            key: key.to_owned(),
            amount: eur(100),
            token: token.to_owned(),
            automatic: false,
            return_url: "http://shop.example".to_owned(),
            shop_payment: "ours".to_owned(),
        }
    }

    fn capture(key: &str, payment: &str, amount_minor: i64) -> Call {
        Call::Capture {
            key: key.to_owned(),
            payment: payment.to_owned(),
            amount: eur(amount_minor),
        }
    }

    #[test]
    fn the_same_key_is_the_same_payment_and_other_content_under_it_is_refused() {
        let mut bank = Bank::new();
        let first = bank.call(NOON, &create("k", "ok"));
        assert_eq!(bank.call(NOON, &create("k", "ok")), first);
        assert_eq!(bank.call(NOON, &create("k", "action")).status, 409);
        assert_eq!(bank.all().len(), 1);
    }

    #[test]
    fn a_call_lost_before_it_was_heard_leaves_nothing_and_succeeds_under_its_key() {
        let mut bank = Bank::new();
        assert_eq!(bank.call(NOON, &create("k", "timeout_before")).fault, Some(Fault::NoAnswer));
        assert_eq!(bank.operation(NOON, "k"), None);
        assert_eq!(bank.call(NOON, &create("k", "timeout_before")).status, 200);
    }

    #[test]
    fn an_answer_lost_after_success_is_found_by_its_key() {
        let mut bank = Bank::new();
        assert_eq!(bank.call(NOON, &create("k", "timeout_after")).fault, Some(Fault::NoAnswer));
        assert_eq!(bank.operation(NOON, "k").unwrap().state, State::Authorised);
    }

    #[test]
    fn more_than_is_guaranteed_is_never_taken() {
        let mut bank = Bank::new();
        bank.call(NOON, &create("k", "ok"));
        assert_eq!(bank.call(NOON, &capture("a", "tp_k", 60)).status, 200);
        assert_eq!(bank.call(NOON, &capture("b", "tp_k", 41)).status, 402);
        assert_eq!(bank.call(NOON, &capture("a", "tp_k", 60)).status, 200);
        assert_eq!(bank.payment(NOON, "tp_k").unwrap().captured_minor, 60);
    }

    #[test]
    fn a_shopper_who_thinks_too_long_has_not_agreed() {
        let mut bank = Bank::new();
        bank.call(NOON, &create("k", "action"));
        let late = NOON.plus(ACTION_LIFE);
        bank.call(late, &Call::Confirm { payment: "tp_k".to_owned() });
        assert_eq!(bank.payment(late, "tp_k").unwrap().state, State::Declined);
    }

    #[test]
    fn keys_are_forgotten_after_a_day_and_payments_are_not() {
        let mut bank = Bank::new();
        bank.call(NOON, &create("k", "ok"));
        let tomorrow = NOON.plus(KEY_LIFE);
        assert_eq!(bank.call(tomorrow, &create("k", "ok")).status, 409);
        assert_eq!(bank.operation(tomorrow, "k").unwrap().state, State::Authorised);
    }

    #[test]
    fn forgetting_looks_only_at_what_is_old() {
        let mut bank = Bank::new();
        for (minute, key) in ["a", "b", "c"].iter().enumerate() {
            let at = NOON.plus(Duration::from_secs(60 * u64::try_from(minute).unwrap()));
            bank.call(at, &create(key, "timeout_before"));
        }
        bank.call(NOON.plus(Duration::from_secs(180)), &create("a", "timeout_before"));
        assert_eq!((bank.keys.len(), bank.lost.len(), bank.remembered.len()), (1, 3, 4));
        bank.call(NOON.plus(KEY_LIFE + Duration::from_secs(60)), &create("d", "ok"));
        // `b` is forgotten; `a` was heard later than it was lost, and is not.
        assert_eq!((bank.keys.len(), bank.lost.len(), bank.remembered.len()), (2, 2, 3));
    }

    #[test]
    fn webhooks_repeat_and_change_places_as_told() {
        let mut bank = Bank::new();
        bank.call(NOON, &create("k", "webhook_repeat"));
        let told = bank.take_webhooks();
        assert_eq!((told.len(), told.iter().all(|w| w.id == told[0].id)), (5, true));
        bank.call(NOON, &create("l", "webhook_reorder"));
        let told = bank.take_webhooks();
        let kinds: Vec<&str> = told.iter().map(|webhook| webhook.r#type.as_str()).collect();
        assert_eq!(kinds, ["payment.authorised", "payment.created"]);
    }
}
