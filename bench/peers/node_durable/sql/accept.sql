-- Store the calls that share this statement ($1: a JSON array of them).
-- Returned are the ids that are new; a call whose key was used before is missing.
INSERT INTO notifications (id, idempotency_key, body_hash, user_ids, data)
SELECT id, key, hash, ARRAY(SELECT jsonb_array_elements_text(user_ids)), data
FROM jsonb_to_recordset($1::jsonb) AS call (id uuid, key text, hash text, user_ids jsonb, data jsonb)
ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id
