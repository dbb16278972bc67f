-- Makes a role that may read all of the ledger and change nothing. Run by a superuser:
--
--   psql --dbname=kvs --variable=role=analyst --file=sql/roles/analyst.sql
--
-- It may be run again, and must be after an upgrade that added tables. The role can log in once it has a password
-- (\password analyst), or where pg_hba.conf asks for none.
\set ON_ERROR_STOP on
\set QUIET on
\if :{?role}
\else
  \set role analyst
\endif
SELECT relnamespace::regnamespace AS schema FROM pg_class WHERE oid = 'ledger'::regclass \gset
BEGIN;
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
-- What it leaves open must not keep old rows from being cleaned up for ever.
ALTER ROLE :"role" SET default_transaction_read_only = on;
ALTER ROLE :"role" SET statement_timeout = '5min';
ALTER ROLE :"role" SET idle_in_transaction_session_timeout = '1min';
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec
GRANT USAGE ON SCHEMA :schema TO :"role";
SET LOCAL search_path = :schema;
-- By name, since other tables may live in the same schema.
GRANT SELECT ON
  schema_migrations, ledger, replay_windows, snapshots, snapshot_parts, hidden_history, requests,
  int_keys, int_transactions, uint_keys, uint_transactions, float_keys, float_transactions,
  string_keys, string_transactions, set_keys, set_transactions, set_members,
  map_keys, map_transactions, map_key_value_pairs,
  history, current_values, changes_by_actor,
  visible_int_transactions, visible_uint_transactions, visible_float_transactions,
  visible_string_transactions, visible_set_transactions, visible_map_transactions
  TO :"role";
-- Temporary tables fill the same disk. The owner may still make them.
SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()) \gexec
COMMIT;
\echo :role may read all of the ledger and change nothing
