-- Lets a role, which must exist, be the one that txn_server writes with, and nothing else: it owns no table and makes
-- none. Run by the owner of the tables or a superuser, after `txn_server migrate` has made them:
--
--   psql --dbname=kvs --variable=role=kvs --file=sql/roles/writer.sql
--
-- It may be run again, and must be after an upgrade that added tables.
\set ON_ERROR_STOP on
\set QUIET on
\if :{?role}
\else
  \set role kvs
\endif
SELECT relnamespace::regnamespace AS schema FROM pg_class WHERE oid = 'ledger'::regclass \gset
BEGIN;
GRANT USAGE ON SCHEMA :schema TO :"role";
SET LOCAL search_path = :schema;
-- By name, since other tables may live in the same schema.
GRANT SELECT, INSERT, UPDATE, DELETE ON
  ledger, replay_windows, snapshots, snapshot_parts, hidden_history, requests,
  int_keys, int_transactions, uint_keys, uint_transactions, float_keys, float_transactions,
  string_keys, string_transactions, set_keys, set_transactions, set_members,
  map_keys, map_transactions, map_key_value_pairs
  TO :"role";
GRANT USAGE ON SEQUENCE snapshot_ids TO :"role";
-- The records of what was applied are the owner's.
GRANT SELECT ON
  schema_migrations, history, current_values, changes_by_actor,
  visible_int_transactions, visible_uint_transactions, visible_float_transactions,
  visible_string_transactions, visible_set_transactions, visible_map_transactions
  TO :"role";
COMMIT;
\echo :role may write the ledger
