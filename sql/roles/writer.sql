-- Lets a role, which must exist, be the one that txn_server writes with, and nothing else: it owns no table and makes
-- none. Run by the owner of the tables or a superuser, after `txn_server migrate` has made them:
--
--   psql --dbname=kvs --variable=role=kvs --file=sql/roles/writer.sql
--
-- It may be run again.
\set ON_ERROR_STOP on
\set QUIET on
\if :{?role}
\else
  \set role kvs
\endif
SELECT relnamespace::regnamespace AS schema, relowner::regrole AS owner FROM pg_class
WHERE oid = 'ledger'::regclass \gset
BEGIN;
GRANT USAGE ON SCHEMA :schema TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :schema TO :"role";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA :schema TO :"role";
-- The records of what was applied are the owner's.
REVOKE INSERT, UPDATE, DELETE ON :schema.schema_migrations FROM :"role";
-- Also on what later versions of kvs add.
ALTER DEFAULT PRIVILEGES FOR ROLE :owner IN SCHEMA :schema GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"role";
ALTER DEFAULT PRIVILEGES FOR ROLE :owner IN SCHEMA :schema GRANT USAGE ON SEQUENCES TO :"role";
COMMIT;
\echo :role may write the ledger
