-- Views that answer: who changed this key, when, from what to what.

-- With retention on-delete the changes of a key before its last delete are out of sight at once.
CREATE VIEW visible_int_transactions AS
  SELECT * FROM int_transactions AS t
  WHERE NOT EXISTS (
    SELECT FROM hidden_history AS h WHERE h.type = 'int' AND h.key_id = t.key_id AND h.before_id > t.id);
CREATE VIEW visible_uint_transactions AS
  SELECT * FROM uint_transactions AS t
  WHERE NOT EXISTS (
    SELECT FROM hidden_history AS h WHERE h.type = 'uint' AND h.key_id = t.key_id AND h.before_id > t.id);
CREATE VIEW visible_float_transactions AS
  SELECT * FROM float_transactions AS t
  WHERE NOT EXISTS (
    SELECT FROM hidden_history AS h WHERE h.type = 'float' AND h.key_id = t.key_id AND h.before_id > t.id);
CREATE VIEW visible_string_transactions AS
  SELECT * FROM string_transactions AS t
  WHERE NOT EXISTS (
    SELECT FROM hidden_history AS h WHERE h.type = 'string' AND h.key_id = t.key_id AND h.before_id > t.id);
CREATE VIEW visible_set_transactions AS
  SELECT * FROM set_transactions AS t
  WHERE NOT EXISTS (
    SELECT FROM hidden_history AS h WHERE h.type = 'set' AND h.key_id = t.key_id AND h.before_id > t.id);
CREATE VIEW visible_map_transactions AS
  SELECT * FROM map_transactions AS t
  WHERE NOT EXISTS (
    SELECT FROM hidden_history AS h WHERE h.type = 'map' AND h.key_id = t.key_id AND h.before_id > t.id);

DO $$
DECLARE
  kind text;
  name text;
BEGIN
  FOREACH kind IN ARRAY ARRAY['int', 'uint', 'float', 'string', 'set', 'map'] LOOP
    EXECUTE format('COMMENT ON VIEW %I IS %L', 'visible_' || kind || '_transactions',
                   format('The changes of keys of type %s that are not hidden by a delete.', kind));
    FOR name IN SELECT attname FROM pg_attribute
                WHERE attrelid = format('%I', kind || '_transactions')::regclass AND attnum > 0 LOOP
      EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', 'visible_' || kind || '_transactions', name,
                     format('As in %s_transactions.', kind));
    END LOOP;
  END LOOP;
END
$$;

-- The functions give the value of a key after one of its changes, null where it was absent: what was put last, and what
-- followed.

CREATE FUNCTION string_value_at(of_key_id bigint, at_id bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
  WITH base AS (
    SELECT id, transaction_type FROM visible_string_transactions
    WHERE key_id = of_key_id AND id <= at_id AND transaction_type IN ('put', 'delete', 'expire', 'evict')
    ORDER BY id DESC LIMIT 1)
  SELECT string_agg(value, '' ORDER BY id) FROM visible_string_transactions
  WHERE key_id = of_key_id AND id <= at_id AND transaction_type NOT IN ('delete', 'expire', 'evict')
    AND id >= coalesce((SELECT id FROM base), 0)
$$;
COMMENT ON FUNCTION string_value_at IS 'The string of a key after one of its changes; null if it was absent.';

CREATE FUNCTION set_value_at(of_key_id bigint, at_id bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
  WITH base AS (
    SELECT id FROM visible_set_transactions
    WHERE key_id = of_key_id AND id <= at_id AND transaction_type IN ('put', 'delete', 'expire', 'evict')
    ORDER BY id DESC LIMIT 1),
  changes AS (
    SELECT id, transaction_type FROM visible_set_transactions
    WHERE key_id = of_key_id AND id <= at_id AND transaction_type NOT IN ('delete', 'expire', 'evict')
      AND id >= coalesce((SELECT id FROM base), 0)),
  newest AS (
    SELECT DISTINCT ON (m.member) m.member, c.transaction_type
    FROM changes c JOIN set_members m ON m.transaction_id = c.id
    ORDER BY m.member, c.id DESC)
  SELECT CASE WHEN EXISTS (SELECT FROM changes) THEN coalesce(
    (SELECT jsonb_agg(member ORDER BY member) FROM newest WHERE transaction_type <> 'remove_members'), '[]') END
$$;
COMMENT ON FUNCTION set_value_at IS 'The members of a set after one of its changes; null if it was absent.';

CREATE FUNCTION map_value_at(of_key_id bigint, at_id bigint) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
  WITH base AS (
    SELECT id FROM visible_map_transactions
    WHERE key_id = of_key_id AND id <= at_id AND transaction_type IN ('put', 'delete', 'expire', 'evict')
    ORDER BY id DESC LIMIT 1),
  changes AS (
    SELECT id, transaction_type FROM visible_map_transactions
    WHERE key_id = of_key_id AND id <= at_id AND transaction_type NOT IN ('delete', 'expire', 'evict')
      AND id >= coalesce((SELECT id FROM base), 0)),
  newest AS (
    SELECT DISTINCT ON (p.key) p.key, p.value, c.transaction_type
    FROM changes c JOIN map_key_value_pairs p ON p.transaction_id = c.id
    ORDER BY p.key, c.id DESC)
  SELECT CASE WHEN EXISTS (SELECT FROM changes) THEN coalesce(
    (SELECT jsonb_object_agg(key, value) FROM newest WHERE transaction_type <> 'remove_fields'), '{}') END
$$;
COMMENT ON FUNCTION map_value_at IS 'The fields of a map after one of its changes; null if it was absent.';

-- The functions are called above the union: there PostgreSQL calls them after it sorted, for the rows of a LIMIT alone.
CREATE VIEW history AS
  SELECT revision, time, actor, type, key, operation,
         CASE type
           WHEN 'string' THEN string_value_at(key_id, previous_id)
           WHEN 'set' THEN set_value_at(key_id, previous_id)::text
           WHEN 'map' THEN map_value_at(key_id, previous_id)::text
           ELSE old_number
         END AS old_value,
         CASE type
           WHEN 'string' THEN string_value_at(key_id, revision)
           WHEN 'set' THEN set_value_at(key_id, revision)::text
           WHEN 'map' THEN map_value_at(key_id, revision)::text
           ELSE new_number
         END AS new_value,
         batch, request_id
  FROM (
    SELECT t.id AS revision, t.insert_time AS time, t.actor, 'int' AS type, k.key, t.transaction_type AS operation,
           t.key_id, t.previous_id, p.result::text AS old_number, t.result::text AS new_number, t.batch, t.request_id
    FROM visible_int_transactions t JOIN int_keys k ON k.id = t.key_id
    LEFT JOIN visible_int_transactions p ON p.id = t.previous_id
    UNION ALL
    SELECT t.id, t.insert_time, t.actor, 'uint', k.key, t.transaction_type, t.key_id, t.previous_id, p.result::text,
           t.result::text, t.batch, t.request_id
    FROM visible_uint_transactions t JOIN uint_keys k ON k.id = t.key_id
    LEFT JOIN visible_uint_transactions p ON p.id = t.previous_id
    UNION ALL
    SELECT t.id, t.insert_time, t.actor, 'float', k.key, t.transaction_type, t.key_id, t.previous_id, p.result::text,
           t.result::text, t.batch, t.request_id
    FROM visible_float_transactions t JOIN float_keys k ON k.id = t.key_id
    LEFT JOIN visible_float_transactions p ON p.id = t.previous_id
    UNION ALL
    SELECT t.id, t.insert_time, t.actor, 'string', k.key, t.transaction_type, t.key_id, t.previous_id, NULL::text,
           NULL::text, t.batch, t.request_id
    FROM visible_string_transactions t JOIN string_keys k ON k.id = t.key_id
    UNION ALL
    SELECT t.id, t.insert_time, t.actor, 'set', k.key, t.transaction_type, t.key_id, t.previous_id, NULL::text,
           NULL::text, t.batch, t.request_id
    FROM visible_set_transactions t JOIN set_keys k ON k.id = t.key_id
    UNION ALL
    SELECT t.id, t.insert_time, t.actor, 'map', k.key, t.transaction_type, t.key_id, t.previous_id, NULL::text,
           NULL::text, t.batch, t.request_id
    FROM visible_map_transactions t JOIN map_keys k ON k.id = t.key_id) AS changes;
COMMENT ON VIEW history IS 'Every change of every key.';
COMMENT ON COLUMN history.revision IS 'The place of the change in the order of all changes.';
COMMENT ON COLUMN history.time IS 'When it was made.';
COMMENT ON COLUMN history.actor IS 'The verified identity of the client; null if it was anonymous.';
COMMENT ON COLUMN history.type IS 'The type of the key: int, uint, float, string, set or map.';
COMMENT ON COLUMN history.key IS 'The key; each type has its own key space.';
COMMENT ON COLUMN history.operation IS 'What was done.';
COMMENT ON COLUMN history.old_value IS 'The value before, sets and maps as JSON; null if the key was absent.';
COMMENT ON COLUMN history.new_value IS
  'The value after, sets and maps as JSON; null if the key was deleted, expired or evicted.';
COMMENT ON COLUMN history.batch IS
  'The same number for all changes of one atomic batch; null if the change stands alone.';
COMMENT ON COLUMN history.request_id IS 'The id that the client gave to its request; null if it gave none.';

CREATE VIEW current_values AS
  SELECT 'int' AS type, k.key, t.result::text AS value, t.id AS revision, t.insert_time AS time, t.actor,
         t.expires_at
  FROM int_keys k CROSS JOIN LATERAL (
    SELECT * FROM int_transactions WHERE key_id = k.id ORDER BY id DESC LIMIT 1) t
  WHERE t.transaction_type NOT IN ('delete', 'expire', 'evict')
UNION ALL
  SELECT 'uint', k.key, t.result::text, t.id, t.insert_time, t.actor, t.expires_at
  FROM uint_keys k CROSS JOIN LATERAL (
    SELECT * FROM uint_transactions WHERE key_id = k.id ORDER BY id DESC LIMIT 1) t
  WHERE t.transaction_type NOT IN ('delete', 'expire', 'evict')
UNION ALL
  SELECT 'float', k.key, t.result::text, t.id, t.insert_time, t.actor, t.expires_at
  FROM float_keys k CROSS JOIN LATERAL (
    SELECT * FROM float_transactions WHERE key_id = k.id ORDER BY id DESC LIMIT 1) t
  WHERE t.transaction_type NOT IN ('delete', 'expire', 'evict')
UNION ALL
  SELECT 'string', k.key, string_value_at(k.id, t.id), t.id, t.insert_time, t.actor, t.expires_at
  FROM string_keys k CROSS JOIN LATERAL (
    SELECT * FROM string_transactions WHERE key_id = k.id ORDER BY id DESC LIMIT 1) t
  WHERE t.transaction_type NOT IN ('delete', 'expire', 'evict')
UNION ALL
  SELECT 'set', k.key, set_value_at(k.id, t.id)::text, t.id, t.insert_time, t.actor, t.expires_at
  FROM set_keys k CROSS JOIN LATERAL (
    SELECT * FROM set_transactions WHERE key_id = k.id ORDER BY id DESC LIMIT 1) t
  WHERE t.transaction_type NOT IN ('delete', 'expire', 'evict')
UNION ALL
  SELECT 'map', k.key, map_value_at(k.id, t.id)::text, t.id, t.insert_time, t.actor, t.expires_at
  FROM map_keys k CROSS JOIN LATERAL (
    SELECT * FROM map_transactions WHERE key_id = k.id ORDER BY id DESC LIMIT 1) t
  WHERE t.transaction_type NOT IN ('delete', 'expire', 'evict');
COMMENT ON VIEW current_values IS 'Every key that is present, with its value.';
COMMENT ON COLUMN current_values.type IS 'The type of the key: int, uint, float, string, set or map.';
COMMENT ON COLUMN current_values.key IS 'The key; each type has its own key space.';
COMMENT ON COLUMN current_values.value IS 'The value, sets and maps as JSON.';
COMMENT ON COLUMN current_values.revision IS 'The revision of its last change.';
COMMENT ON COLUMN current_values.time IS 'When that was.';
COMMENT ON COLUMN current_values.actor IS 'Who made it; null if it was anonymous.';
COMMENT ON COLUMN current_values.expires_at IS 'When the key expires; null if it does not.';

CREATE VIEW changes_by_actor AS
  SELECT actor, type, operation, count(*) AS changes, min(time) AS first_time, max(time) AS last_time,
         max(revision) AS last_revision
  FROM (
    SELECT id AS revision, insert_time AS time, actor, 'int' AS type, transaction_type AS operation
    FROM visible_int_transactions
    UNION ALL SELECT id, insert_time, actor, 'uint', transaction_type FROM visible_uint_transactions
    UNION ALL SELECT id, insert_time, actor, 'float', transaction_type FROM visible_float_transactions
    UNION ALL SELECT id, insert_time, actor, 'string', transaction_type FROM visible_string_transactions
    UNION ALL SELECT id, insert_time, actor, 'set', transaction_type FROM visible_set_transactions
    UNION ALL SELECT id, insert_time, actor, 'map', transaction_type FROM visible_map_transactions) AS changes
  GROUP BY actor, type, operation;
COMMENT ON VIEW changes_by_actor IS 'How often each client made each kind of change.';
COMMENT ON COLUMN changes_by_actor.actor IS 'The verified identity of the client; null for all anonymous ones.';
COMMENT ON COLUMN changes_by_actor.type IS 'The type of the keys.';
COMMENT ON COLUMN changes_by_actor.operation IS 'What was done.';
COMMENT ON COLUMN changes_by_actor.changes IS 'How often.';
COMMENT ON COLUMN changes_by_actor.first_time IS 'When it was done first.';
COMMENT ON COLUMN changes_by_actor.last_time IS 'When it was done last.';
COMMENT ON COLUMN changes_by_actor.last_revision IS 'The revision of the last one.';
