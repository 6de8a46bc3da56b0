-- One row per product. What it says is the content; the rest is what the shop asks by.
CREATE TABLE product (
    id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('draft', 'published', 'withdrawn')),
    version bigint NOT NULL CHECK (version > 0),
    content jsonb NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX product_by_state ON product (state, id);

-- Which product a unit belongs to: one, in the whole shop.
CREATE TABLE product_sku (
    sku text PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES product (id)
);

-- Where products stand: the categories they name and all above these.
CREATE TABLE product_place (
    path text NOT NULL,
    product_id uuid NOT NULL REFERENCES product (id),
    PRIMARY KEY (path, product_id)
);

-- The category tree, by path.
CREATE TABLE category (
    path text PRIMARY KEY,
    name text NOT NULL
);
