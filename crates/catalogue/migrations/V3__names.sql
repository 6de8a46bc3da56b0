-- What products are called, in small letters, to be searched by name. What the version before saves meanwhile
-- is found once it is saved again.
ALTER TABLE product ADD COLUMN name text NOT NULL DEFAULT '';
UPDATE product SET name = lower(content ->> 'name');
