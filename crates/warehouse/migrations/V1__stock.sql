-- One row for each unit at each place. The counters are moved by conditional updates only; the
-- checks behind them refuse whatever a bug would oversell.
CREATE TABLE warehouse_stock (
    sku text NOT NULL,
    place text NOT NULL,
    on_hand bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL CHECK (reserved >= 0),
    backorder_limit bigint NOT NULL CHECK (backorder_limit >= 0),
    -- How often what can be promised has changed, and which of these changes was announced.
    version bigint NOT NULL CHECK (version >= 1),
    announced bigint NOT NULL CHECK (announced <= version),
    PRIMARY KEY (sku, place),
    CHECK (reserved <= on_hand + backorder_limit)
);
CREATE INDEX warehouse_stock_unannounced ON warehouse_stock (sku, place) WHERE announced <> version;

-- One row for each order: what is held for it or allocated to it. One row and not one for each line,
-- because an order is held whole or not at all; the key makes a second hold impossible.
CREATE TABLE warehouse_claims (
    order_id uuid PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    state text NOT NULL CHECK (state IN
        ('void', 'held', 'lapsed', 'allocated', 'fulfilling', 'rejected', 'released')),
    expires_at timestamptz,
    document jsonb NOT NULL,
    CHECK ((state = 'held') = (expires_at IS NOT NULL))
);
CREATE INDEX warehouse_claims_expiry ON warehouse_claims (expires_at, order_id) WHERE state = 'held';

CREATE TABLE warehouse_shipments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES warehouse_claims (order_id),
    status text NOT NULL CHECK (status IN
        ('created', 'packed', 'ready', 'dispatched', 'delivered', 'cancelled')),
    document jsonb NOT NULL
);
CREATE INDEX warehouse_shipments_order ON warehouse_shipments (order_id, id);
CREATE INDEX warehouse_shipments_status ON warehouse_shipments (status, id);

-- The ledger: append-only. The sum of a shelf's rows is what it has on hand.
CREATE TABLE warehouse_movements (
    id uuid PRIMARY KEY,
    sku text NOT NULL,
    place text NOT NULL,
    kind text NOT NULL CHECK (kind IN
        ('received', 'shipped', 'handed_out', 'adjusted', 'short_picked')),
    quantity bigint NOT NULL CHECK (quantity <> 0),
    -- What it was for: an order's goods, or the event that led to it; else the note says it.
    order_id uuid,
    causation uuid,
    note text,
    actor text NOT NULL,
    moved_at timestamptz NOT NULL,
    FOREIGN KEY (sku, place) REFERENCES warehouse_stock (sku, place),
    CHECK ((kind IN ('shipped', 'handed_out', 'short_picked')) = (order_id IS NOT NULL)),
    CHECK (CASE kind WHEN 'received' THEN quantity > 0 WHEN 'adjusted' THEN true ELSE quantity < 0 END)
);
CREATE INDEX warehouse_movements_sku ON warehouse_movements (sku, id);
