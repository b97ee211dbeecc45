-- The next value of every sequence, one JSON object a line. Sequences stand outside of snapshots, so a
-- backup takes them before and after its dump: what was dumped lies between.
SELECT format($$SELECT json_build_object('kind', 'sequence', 'name', %L, 'cycle', %L::boolean,
    'next', (CASE WHEN is_called THEN last_value::numeric + %s ELSE last_value END)::text) FROM %I.%I$$,
    n.nspname || '.' || c.relname, s.seqcycle, s.seqincrement, n.nspname, c.relname)
FROM pg_catalog.pg_sequence AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' -- a session's own, which nobody else can read
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname \gexec
