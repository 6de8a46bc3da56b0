-- What only a person can do: to pay out what came by hand, to look at a contradiction, to try again.
ALTER TABLE payments ADD COLUMN needs_person text;
CREATE INDEX payments_for_people ON payments (id) WHERE needs_person IS NOT NULL;
CREATE INDEX payments_by_status ON payments (status, id);
-- What was kept before this column was there. Whatever is said too often here is put right by the
-- payment's next change.
UPDATE payments SET needs_person = 'conflicted' WHERE status = 'conflicted';
UPDATE payments SET needs_person = 'pay_out'
WHERE status = 'captured' AND captured_minor > refunded_minor AND CAST(state AS text) LIKE '%"ended"%';

-- The webhooks that a person has to look at, and those that are old.
CREATE INDEX payment_webhooks_quarantined ON payment_webhooks (received_at, provider, event_id)
    WHERE outcome = 'quarantined';
CREATE INDEX payment_webhooks_received ON payment_webhooks (received_at);

-- The balance of every account up to the beginning of a month, so that nobody has to add up the
-- whole ledger. It follows from the journals.
CREATE TABLE payment_balances (
    until_at timestamptz NOT NULL,
    account text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    PRIMARY KEY (until_at, account, currency)
);
CREATE INDEX payment_journals_booked ON payment_journals (booked_at);
