-- People who bought. One row each, known by their e-mail address in its normal form.
CREATE TABLE customer (
    id uuid PRIMARY KEY,
    email_key text NOT NULL UNIQUE,
    version bigint NOT NULL CHECK (version > 0),
    contact jsonb NOT NULL
);
