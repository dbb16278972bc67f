-- Makes a role that may read all of the ledger and change nothing. Run by a superuser:
--
--   psql --dbname=kvs --variable=role=analyst --file=sql/roles/analyst.sql
--
-- It may be run again. The role can log in once it has a password (\password analyst), or where pg_hba.conf asks for
-- none.
\set ON_ERROR_STOP on
\set QUIET on
\if :{?role}
\else
  \set role analyst
\endif
SELECT relnamespace::regnamespace AS schema, relowner::regrole AS owner FROM pg_class
WHERE oid = 'ledger'::regclass \gset
BEGIN;
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
-- What it leaves open must not keep old rows from being cleaned up for ever.
ALTER ROLE :"role" SET default_transaction_read_only = on;
ALTER ROLE :"role" SET statement_timeout = '5min';
ALTER ROLE :"role" SET idle_in_transaction_session_timeout = '1min';
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec
GRANT USAGE ON SCHEMA :schema TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA :schema TO :"role";
-- Also on what later versions of kvs add.
ALTER DEFAULT PRIVILEGES FOR ROLE :owner IN SCHEMA :schema GRANT SELECT ON TABLES TO :"role";
-- Before PostgreSQL 15 everybody may make tables in the schema public.
REVOKE CREATE ON SCHEMA :schema FROM PUBLIC;
-- Temporary tables fill the same disk. The owner may still make them.
SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()) \gexec
COMMIT;
\echo :role may read all of the ledger and change nothing
