-- Whose a handle is. A table of its own, so that of two who want one at once the second is told by the
-- row that is there already, and not by a refused statement.
CREATE TABLE product_handle (
    handle text PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES product (id)
);
INSERT INTO product_handle (handle, product_id) SELECT handle, id FROM product;

-- Who changed what, and when: a product, by its id, or a category, by its path. Append-only.
CREATE TABLE catalogue_change (
    id uuid PRIMARY KEY,
    subject text NOT NULL,
    -- Which version of the product it made; a category has none.
    version bigint,
    what text NOT NULL,
    actor text NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX catalogue_change_subject ON catalogue_change (subject, id);
