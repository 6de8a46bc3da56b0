-- What is owed and what has become of it. A payment has the id of its order: there is exactly one.
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0),
    status text NOT NULL,
    order_number text NOT NULL,
    access_hash text NOT NULL,
    currency text NOT NULL,
    owed_minor bigint NOT NULL CHECK (owed_minor >= 0),
    authorised_minor bigint NOT NULL CHECK (authorised_minor >= 0),
    captured_minor bigint NOT NULL CHECK (captured_minor >= 0),
    refunded_minor bigint NOT NULL CHECK (refunded_minor >= 0),
    unknown boolean NOT NULL,
    -- Since when an operation is under way; how long the authorisation lives.
    waits_since timestamptz,
    ends_at timestamptz,
    state jsonb NOT NULL,
    bill jsonb NOT NULL,
    person jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (captured_minor <= authorised_minor),
    CHECK (refunded_minor <= captured_minor)
);
CREATE INDEX payments_waiting ON payments (waits_since, id) WHERE waits_since IS NOT NULL;
CREATE INDEX payments_ending ON payments (ends_at, id) WHERE ends_at IS NOT NULL;

-- Operations that are settled. The one under way, with its key, is part of its payment's state:
-- it was committed before the provider was called. Append-only.
CREATE TABLE payment_operations (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    kind text NOT NULL CHECK (kind IN ('authorise', 'capture', 'void', 'refund')),
    provider text NOT NULL,
    status text NOT NULL CHECK (status IN ('succeeded', 'failed')),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    about uuid,
    reference text,
    code text,
    requested_at timestamptz NOT NULL,
    settled_at timestamptz NOT NULL
);
CREATE INDEX payment_operations_of ON payment_operations (payment_id);
CREATE UNIQUE INDEX payment_operations_reference ON payment_operations (provider, reference, kind)
    WHERE reference IS NOT NULL AND status = 'succeeded';

-- What providers' webhooks said, word for word.
CREATE TABLE payment_webhooks (
    provider text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL,
    payment_id uuid,
    outcome text NOT NULL CHECK (outcome IN ('asked', 'nothing_new', 'quarantined')),
    why text,
    body text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id)
);

-- The books. A posting moves an amount from one account to another, so that every journal
-- balances by its form. Append-only.
CREATE TABLE payment_journals (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id),
    kind text NOT NULL CHECK (kind IN ('captured', 'collected', 'refunded', 'paid_out', 'invoiced', 'credited')),
    currency text NOT NULL,
    operation_id uuid,
    document_id uuid,
    booked_at timestamptz NOT NULL
);
CREATE INDEX payment_journals_of ON payment_journals (payment_id);
CREATE UNIQUE INDEX payment_journals_operation ON payment_journals (operation_id) WHERE operation_id IS NOT NULL;
CREATE UNIQUE INDEX payment_journals_document ON payment_journals (document_id) WHERE document_id IS NOT NULL;
CREATE TABLE payment_postings (
    journal_id uuid NOT NULL REFERENCES payment_journals (id),
    position bigint NOT NULL,
    debit text NOT NULL CHECK (debit IN ('receivable', 'provider', 'cash', 'revenue', 'shipping_revenue', 'vat', 'refunds')),
    credit text NOT NULL CHECK (credit IN ('receivable', 'provider', 'cash', 'revenue', 'shipping_revenue', 'vat', 'refunds')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    CHECK (debit <> credit),
    PRIMARY KEY (journal_id, position)
);

-- Invoices and credit notes. The text is what was hashed; a chain cannot fork. Append-only, but
-- for the personal blocks, which may be removed when the law no longer wants them kept.
CREATE TABLE payment_documents (
    id uuid PRIMARY KEY,
    series text NOT NULL CHECK (series IN ('INV', 'CRN')),
    year bigint NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    number text NOT NULL UNIQUE,
    payment_id uuid NOT NULL REFERENCES payments (id),
    corrects uuid REFERENCES payment_documents (id),
    document text NOT NULL,
    hash text NOT NULL,
    previous_hash text NOT NULL,
    issued_at timestamptz NOT NULL,
    UNIQUE (series, year, sequence),
    UNIQUE (series, previous_hash)
);
CREATE INDEX payment_documents_of ON payment_documents (payment_id);
CREATE TABLE payment_document_persons (
    document_id uuid PRIMARY KEY REFERENCES payment_documents (id),
    salt text NOT NULL,
    person jsonb NOT NULL
);
-- Where each series stands: the row is locked by whoever issues.
CREATE TABLE payment_series (
    series text PRIMARY KEY,
    year bigint NOT NULL,
    last_number bigint NOT NULL,
    last_hash text NOT NULL,
    last_issued_micros bigint NOT NULL
);
INSERT INTO payment_series (series, year, last_number, last_hash, last_issued_micros)
VALUES ('INV', 0, 0, '', 0), ('CRN', 0, 0, '', 0);
