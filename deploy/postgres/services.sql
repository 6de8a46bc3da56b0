-- A role and a database for each service, and for each role nothing but its own database. Can be run
-- again at any time: what is there stays, and passwords become what they are said to be.
--
-- For psql as a superuser, with variables catalogue_password, customer_password, order_password,
-- warehouse_password, payment_password and notification_password. Feed them and this through standard
-- input, where no other user of the machine sees them:
--
--   { echo "\set order_password '...'"; ...; cat services.sql; } | psql -X -v ON_ERROR_STOP=1

SET client_min_messages = warning;
-- Were one of these to fail, the log would have the password.
SET log_min_error_statement = panic;

CREATE TEMPORARY TABLE service AS
SELECT 'kontor_' || name AS role, password
FROM (VALUES
    ('catalogue', :'catalogue_password'),
    ('customer', :'customer_password'),
    ('order', :'order_password'),
    ('warehouse', :'warehouse_password'),
    ('payment', :'payment_password'),
    ('notification', :'notification_password')
) AS named (name, password);

SELECT format('CREATE ROLE %I', role) FROM service
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD %L', role, password)
FROM service \gexec

SELECT format('CREATE DATABASE %I OWNER %I', role, role) FROM service
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = role) \gexec

-- By default every role may connect to every database.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', role) FROM service \gexec
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
