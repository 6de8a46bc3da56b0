-- Lists of orders: by state, and by buyer whether in capitals or not.
CREATE INDEX orders_status ON orders (status, id);
DROP INDEX orders_on_hold;
DROP INDEX orders_email;
CREATE INDEX orders_buyer ON orders (lower(email), id);

-- A cart that has been an order is kept as long as the order; the others are swept when nobody has
-- touched them for long.
ALTER TABLE carts ADD COLUMN ordered boolean NOT NULL DEFAULT false;
UPDATE carts SET ordered = true WHERE id IN (SELECT cart_id FROM orders);
CREATE INDEX orders_cart ON orders (cart_id);
CREATE INDEX carts_untouched ON carts (changed_at, id) WHERE NOT ordered;
