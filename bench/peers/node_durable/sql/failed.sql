-- Note a row's own failure ($1: its number, $2: the error): again later, or dead after $3 attempts.
-- The pause doubles with each attempt, from $4 seconds on, and is drawn between half of it and the whole.
UPDATE notifications SET
  attempts = attempts + 1,
  error = $2,
  state = CASE WHEN attempts + 1 >= $3::integer THEN 'dead' ELSE 'accepted' END,
  due_at = clock_timestamp() + make_interval(secs => $4::float8 * power(2, attempts) * (0.5 + random() / 2))
WHERE number = $1 AND state = 'accepted'
