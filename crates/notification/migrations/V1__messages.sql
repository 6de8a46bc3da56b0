-- What is kept of an order in order to write about it.
CREATE TABLE message_order (
    order_id uuid PRIMARY KEY,
    brief jsonb NOT NULL
);

-- One row per message. A stage of an order is told once; staff may send further copies.
CREATE TABLE message (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES message_order (order_id),
    stage text NOT NULL,
    part text NOT NULL,
    copy bigint NOT NULL CHECK (copy >= 0),
    facts jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'sent', 'undeliverable')),
    reason text,
    -- On whose behalf: a service for what an event made, a member of staff for a further copy.
    actor text NOT NULL,
    created_at timestamptz NOT NULL,
    settled_at timestamptz,
    UNIQUE (order_id, stage, part, copy),
    CHECK ((status = 'pending') = (settled_at IS NULL)),
    CHECK ((status = 'undeliverable') = (reason IS NOT NULL))
);
