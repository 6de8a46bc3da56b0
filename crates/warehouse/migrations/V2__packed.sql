-- Pieces, of those on hand, that are in packed parcels: what another parcel can be packed from is the
-- rest. Parcels that are packed already when this runs are in no count, and leave as they did.
ALTER TABLE warehouse_stock ADD COLUMN packed bigint NOT NULL DEFAULT 0 CHECK (packed >= 0);
