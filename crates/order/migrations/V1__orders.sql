-- What the catalogue offers: the order service's own copy.
CREATE TABLE offer_products (
    product_id uuid PRIMARY KEY,
    version bigint NOT NULL
);

CREATE TABLE offers (
    sku text PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES offer_products (product_id),
    offer jsonb NOT NULL
);

CREATE INDEX offers_product ON offers (product_id);

-- A cart is one row: what is in it and who buys is its document.
CREATE TABLE carts (
    id uuid PRIMARY KEY,
    access_hash text NOT NULL CHECK (length(access_hash) = 64),
    version bigint NOT NULL CHECK (version > 0),
    document jsonb NOT NULL,
    changed_at timestamptz NOT NULL
);

-- `placed` is the order as it was said when it was placed, and never changes; `standing` is how it
-- stands now, and the columns beside it are copies of what lists and invariants ask for.
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    number text NOT NULL UNIQUE,
    cart_id uuid NOT NULL REFERENCES carts (id),
    access_hash text NOT NULL CHECK (length(access_hash) = 64),
    version bigint NOT NULL CHECK (version > 0),
    events bigint NOT NULL CHECK (events > 0),
    status text NOT NULL CHECK (status IN
        ('pending', 'confirmed', 'on_hold', 'failed', 'expired', 'cancelled', 'completed')),
    payment_status text NOT NULL,
    fulfilment_status text NOT NULL,
    email text NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    due_minor bigint NOT NULL CHECK (due_minor >= 0 AND due_minor <= total_minor),
    captured_minor bigint NOT NULL CHECK (captured_minor >= 0),
    refunded_minor bigint NOT NULL CHECK (refunded_minor >= 0 AND refunded_minor <= captured_minor),
    deadline timestamptz NOT NULL,
    placed jsonb NOT NULL,
    standing jsonb NOT NULL
);

-- A cart has one living order at most: placing twice is placing once.
CREATE UNIQUE INDEX orders_live_cart ON orders (cart_id)
    WHERE status IN ('pending', 'confirmed', 'on_hold', 'completed');

CREATE INDEX orders_waiting ON orders (deadline, id) WHERE status = 'pending';

CREATE INDEX orders_on_hold ON orders (id) WHERE status = 'on_hold';

CREATE INDEX orders_email ON orders (email, id);

-- What was said about an order, by whom, when and why. A row holds the entries of one commit;
-- `first` and `last` are the positions of the first and the last of them. Append-only. The key is
-- where they begin: two commits that append behind the same entry cannot both succeed, however
-- many entries each has.
CREATE TABLE order_timeline (
    order_id uuid NOT NULL REFERENCES orders (id),
    first bigint NOT NULL CHECK (first > 0),
    last bigint NOT NULL CHECK (last >= first),
    entries jsonb NOT NULL,
    PRIMARY KEY (order_id, first)
);
