-- The ledger of kvs: every change of every key is a row.
--
-- Each type of value has a table of its keys and one of the changes that were made to them. A change is named by its
-- revision, its place in the one order of all changes of all types: `id` in every table of transactions. There are no
-- foreign keys between them: txn_server writes both sides in one transaction, and a check of each row would lock, and
-- so write, the row of its key again.
--
-- Never edited once it is released: a later file changes what this one made.

CREATE TYPE transaction_type AS ENUM (
  'put', 'delete', 'expire', 'evict', 'set_expiry', 'increment', 'decrement', 'append', 'add_members', 'remove_members',
  'put_fields', 'remove_fields');
COMMENT ON TYPE transaction_type IS
  'What a change did to its key; expire is the delete of a key whose time has come, evict that of one which made room '
  'for others, set_expiry leaves its value.';

CREATE TABLE ledger (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  log_id uuid NOT NULL DEFAULT gen_random_uuid(),
  epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  writer_id bytea NOT NULL DEFAULT '',
  durable_revision bigint NOT NULL DEFAULT 0 CHECK (durable_revision >= 0),
  compacted_revision bigint NOT NULL DEFAULT 0 CHECK (compacted_revision >= 0),
  confirmations bigint NOT NULL DEFAULT 0,
  importing boolean NOT NULL DEFAULT false
) WITH (fillfactor = 10);
COMMENT ON TABLE ledger IS 'The one row that every group of changes moves on; whoever writes holds its lock.';
COMMENT ON COLUMN ledger.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN ledger.log_id IS 'Names this history.';
COMMENT ON COLUMN ledger.epoch IS 'Counts the writers; only the newest one may write. 0 before the first one.';
COMMENT ON COLUMN ledger.writer_id IS 'The random id of the kvs_server that writes.';
COMMENT ON COLUMN ledger.durable_revision IS 'The revision of the newest change, 0 before the first one.';
COMMENT ON COLUMN ledger.compacted_revision IS
  'Up to here changes of deleted keys may be missing; 0 while all of them are there.';
COMMENT ON COLUMN ledger.confirmations IS 'How often a process made sure of what is durable: that needs a write.';
COMMENT ON COLUMN ledger.importing IS 'Whether a copy of another ledger was begun and not finished.';
INSERT INTO ledger DEFAULT VALUES;

CREATE TABLE replay_windows (last_id bigint PRIMARY KEY);
COMMENT ON TABLE replay_windows IS 'Divides the history into parts that fit into memory, for reading it at a start.';
COMMENT ON COLUMN replay_windows.last_id IS 'The revision of the last change of a part.';

-- What a start reads instead of the history: the state after one revision, as the transactions that make it. Made and
-- read by txn_server alone; parts that no row of snapshots names are of a snapshot that is being made or was given up.
CREATE SEQUENCE snapshot_ids AS bigint;
COMMENT ON SEQUENCE snapshot_ids IS 'Where snapshots.id comes from.';
CREATE TABLE snapshots (
  id bigint PRIMARY KEY,
  revision bigint NOT NULL CHECK (revision >= 0),
  time_micros bigint NOT NULL,
  transactions bigint NOT NULL,
  parts bigint NOT NULL,
  bytes bigint NOT NULL
);
COMMENT ON TABLE snapshots IS 'The state that a start begins with, for txn_server alone; snapshot_parts has it.';
COMMENT ON COLUMN snapshots.id IS 'Names the snapshot.';
COMMENT ON COLUMN snapshots.revision IS 'It is the state after this change.';
COMMENT ON COLUMN snapshots.time_micros IS 'The time of that change, in microseconds since 1970, UTC.';
COMMENT ON COLUMN snapshots.transactions IS 'How many transactions make the state.';
COMMENT ON COLUMN snapshots.parts IS 'How many parts it has.';
COMMENT ON COLUMN snapshots.bytes IS 'How many bytes these have.';

CREATE TABLE snapshot_parts (
  snapshot_id bigint NOT NULL,
  part bigint NOT NULL,
  transactions bytea NOT NULL,
  PRIMARY KEY (snapshot_id, part)
);
COMMENT ON TABLE snapshot_parts IS 'The parts of snapshots, and of those that are being made.';
COMMENT ON COLUMN snapshot_parts.snapshot_id IS 'The snapshot: snapshots.id.';
COMMENT ON COLUMN snapshot_parts.part IS 'The place of the part, from 0.';
COMMENT ON COLUMN snapshot_parts.transactions IS 'A serialized txn.v1.TransactionList.';

-- With retention on-delete a delete hides what was before it; what is hidden is removed later, a few rows at a time.
CREATE TABLE hidden_history (
  type text COLLATE "C" NOT NULL,
  key_id bigint NOT NULL,
  before_id bigint NOT NULL,
  PRIMARY KEY (type, key_id, before_id)
);
COMMENT ON TABLE hidden_history IS 'Deleted keys whose changes are hidden from the views, and are still to be removed.';
COMMENT ON COLUMN hidden_history.type IS 'The type of the key.';
COMMENT ON COLUMN hidden_history.key_id IS 'The key: id in the table of keys of its type.';
COMMENT ON COLUMN hidden_history.before_id IS 'The revision of the delete: what is before it is hidden.';

-- Only the last change of a request has its row here: what a retry of the request is answered. Rows that no retry can
-- ask for any more are removed later, a few at a time.
CREATE TABLE requests (
  id bigint PRIMARY KEY,
  first_id bigint NOT NULL,
  insert_time timestamptz NOT NULL,
  command_hash bigint NOT NULL,
  actor text COLLATE "C",
  request_id text COLLATE "C" NOT NULL,
  answer bytea NOT NULL
);
COMMENT ON TABLE requests IS 'The newest requests that have an id, so that a retry of one takes effect once.';
COMMENT ON COLUMN requests.id IS 'The revision of the last change that the request made.';
COMMENT ON COLUMN requests.first_id IS 'The revision of the first change that it made.';
COMMENT ON COLUMN requests.insert_time IS 'When it made them.';
COMMENT ON COLUMN requests.command_hash IS 'Tells what it asked for from what another request asks for.';
COMMENT ON COLUMN requests.actor IS 'The verified identity of the client; null if it was anonymous.';
COMMENT ON COLUMN requests.request_id IS 'The id that the client gave to it.';
COMMENT ON COLUMN requests.answer IS 'What it was answered: the response of the call, serialized.';

CREATE TABLE int_keys (id bigint PRIMARY KEY, key text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE uint_keys (id bigint PRIMARY KEY, key text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE float_keys (id bigint PRIMARY KEY, key text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE string_keys (id bigint PRIMARY KEY, key text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE set_keys (id bigint PRIMARY KEY, key text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE map_keys (id bigint PRIMARY KEY, key text COLLATE "C" NOT NULL UNIQUE);

-- The widest columns first, so that nothing is lost to alignment.
CREATE TABLE int_transactions (
  id bigint PRIMARY KEY,
  key_id bigint NOT NULL,
  previous_id bigint,
  batch bigint,
  insert_time timestamptz NOT NULL,
  expires_at timestamptz,
  value bigint,
  result bigint,
  transaction_type transaction_type NOT NULL
    CHECK (transaction_type IN ('put', 'delete', 'expire', 'evict', 'set_expiry', 'increment')),
  actor text COLLATE "C",
  request_id text COLLATE "C"
);
CREATE INDEX int_transactions_of_key ON int_transactions (key_id, id);
COMMENT ON COLUMN int_transactions.value IS 'What was put, or added.';

CREATE TABLE uint_transactions (
  id bigint PRIMARY KEY,
  key_id bigint NOT NULL,
  previous_id bigint,
  batch bigint,
  insert_time timestamptz NOT NULL,
  expires_at timestamptz,
  transaction_type transaction_type NOT NULL
    CHECK (transaction_type IN ('put', 'delete', 'expire', 'evict', 'set_expiry', 'increment', 'decrement')),
  value numeric(20, 0) CHECK (value BETWEEN 0 AND 18446744073709551615),
  result numeric(20, 0) CHECK (result BETWEEN 0 AND 18446744073709551615),
  actor text COLLATE "C",
  request_id text COLLATE "C"
);
CREATE INDEX uint_transactions_of_key ON uint_transactions (key_id, id);
COMMENT ON COLUMN uint_transactions.value IS 'What was put, added or subtracted.';

CREATE TABLE float_transactions (
  id bigint PRIMARY KEY,
  key_id bigint NOT NULL,
  previous_id bigint,
  batch bigint,
  insert_time timestamptz NOT NULL,
  expires_at timestamptz,
  value double precision,
  result double precision,
  transaction_type transaction_type NOT NULL
    CHECK (transaction_type IN ('put', 'delete', 'expire', 'evict', 'set_expiry', 'increment')),
  actor text COLLATE "C",
  request_id text COLLATE "C"
);
CREATE INDEX float_transactions_of_key ON float_transactions (key_id, id);
COMMENT ON COLUMN float_transactions.value IS 'What was put, or added.';

CREATE TABLE string_transactions (
  id bigint PRIMARY KEY,
  key_id bigint NOT NULL,
  previous_id bigint,
  batch bigint,
  insert_time timestamptz NOT NULL,
  expires_at timestamptz,
  transaction_type transaction_type NOT NULL
    CHECK (transaction_type IN ('put', 'delete', 'expire', 'evict', 'set_expiry', 'append')),
  value text COLLATE "C",
  actor text COLLATE "C",
  request_id text COLLATE "C"
);
CREATE INDEX string_transactions_of_key ON string_transactions (key_id, id);
COMMENT ON COLUMN string_transactions.value IS 'What was put, or appended.';

CREATE TABLE set_transactions (
  id bigint PRIMARY KEY,
  key_id bigint NOT NULL,
  previous_id bigint,
  batch bigint,
  insert_time timestamptz NOT NULL,
  expires_at timestamptz,
  transaction_type transaction_type NOT NULL
    CHECK (transaction_type IN ('put', 'delete', 'expire', 'evict', 'set_expiry', 'add_members', 'remove_members')),
  actor text COLLATE "C",
  request_id text COLLATE "C"
);
CREATE INDEX set_transactions_of_key ON set_transactions (key_id, id);

CREATE TABLE set_members (
  transaction_id bigint NOT NULL,
  set_key_id bigint NOT NULL,
  member text COLLATE "C" NOT NULL,
  PRIMARY KEY (transaction_id, member)
);
COMMENT ON TABLE set_members IS 'The members that a change of a set put, added or removed.';
COMMENT ON COLUMN set_members.transaction_id IS 'The change: set_transactions.id.';
COMMENT ON COLUMN set_members.set_key_id IS 'The key of the set: set_keys.id.';
COMMENT ON COLUMN set_members.member IS 'The member.';

CREATE TABLE map_transactions (
  id bigint PRIMARY KEY,
  key_id bigint NOT NULL,
  previous_id bigint,
  batch bigint,
  insert_time timestamptz NOT NULL,
  expires_at timestamptz,
  transaction_type transaction_type NOT NULL
    CHECK (transaction_type IN ('put', 'delete', 'expire', 'evict', 'set_expiry', 'put_fields', 'remove_fields')),
  actor text COLLATE "C",
  request_id text COLLATE "C"
);
CREATE INDEX map_transactions_of_key ON map_transactions (key_id, id);

CREATE TABLE map_key_value_pairs (
  transaction_id bigint NOT NULL,
  map_key_id bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  value text COLLATE "C",
  PRIMARY KEY (transaction_id, key)
);
COMMENT ON TABLE map_key_value_pairs IS 'The fields that a change of a map put or removed.';
COMMENT ON COLUMN map_key_value_pairs.transaction_id IS 'The change: map_transactions.id.';
COMMENT ON COLUMN map_key_value_pairs.map_key_id IS 'The key of the map: map_keys.id.';
COMMENT ON COLUMN map_key_value_pairs.key IS 'The name of the field.';
COMMENT ON COLUMN map_key_value_pairs.value IS 'Its value; null where the field was removed.';

DO $$
DECLARE
  kind text;
BEGIN
  FOREACH kind IN ARRAY ARRAY['int', 'uint', 'float', 'string', 'set', 'map'] LOOP
    EXECUTE format('COMMENT ON TABLE %I IS %L', kind || '_keys', format('The keys of type %s that ever were.', kind));
    EXECUTE format('COMMENT ON COLUMN %I.id IS %L', kind || '_keys', 'The revision of the first change of the key.');
    EXECUTE format('COMMENT ON COLUMN %I.key IS %L', kind || '_keys', 'The key.');
    EXECUTE format('COMMENT ON TABLE %I IS %L', kind || '_transactions',
                   format('The changes of keys of type %s.', kind));
    EXECUTE format('COMMENT ON COLUMN %I.id IS %L', kind || '_transactions',
                   'The revision: the place of the change in the order of all changes of all types.');
    EXECUTE format('COMMENT ON COLUMN %I.key_id IS %L', kind || '_transactions',
                   format('The key: %s_keys.id.', kind));
    EXECUTE format('COMMENT ON COLUMN %I.previous_id IS %L', kind || '_transactions',
                   'The revision of the key''s change before; null if the key was absent.');
    EXECUTE format('COMMENT ON COLUMN %I.batch IS %L', kind || '_transactions',
                   'The revision of the last change of the same atomic batch; null if the change stands alone.');
    EXECUTE format('COMMENT ON COLUMN %I.insert_time IS %L', kind || '_transactions',
                   'When the change was made; never before that of a lower revision.');
    EXECUTE format('COMMENT ON COLUMN %I.expires_at IS %L', kind || '_transactions',
                   'When the key expires, as of this change; null if it does not.');
    EXECUTE format('COMMENT ON COLUMN %I.transaction_type IS %L', kind || '_transactions', 'What was done.');
    EXECUTE format('COMMENT ON COLUMN %I.actor IS %L', kind || '_transactions',
                   'The verified identity of the client; null if it was anonymous.');
    EXECUTE format('COMMENT ON COLUMN %I.request_id IS %L', kind || '_transactions',
                   'The id that the client gave to its request; null if it gave none.');
    IF kind IN ('int', 'uint', 'float') THEN
      EXECUTE format('COMMENT ON COLUMN %I.result IS %L', kind || '_transactions',
                     'The value after the change; null if the key was deleted.');
    END IF;
  END LOOP;
END
$$;
