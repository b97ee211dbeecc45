-- Sets for a database and its roles what settings.sql found. psql variables: found (file of its lines), database,
-- and scope: "here" for what holds in the database alone, "roles" for what holds for a role everywhere. Of the
-- latter this server's own word stays, as other databases share the role; what differs comes out as text.
\set VERBOSITY terse
SET client_min_messages = warning;
SET log_statement = none;
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
\set settings `jq --slurp . :'found'`

CREATE TEMPORARY TABLE due AS
SELECT w.role, w.here, w.parameter, w.value, r.oid IS NOT NULL AS known, (
        SELECT substr(c.entry, strpos(c.entry, '=') + 1)
        FROM pg_catalog.pg_db_role_setting AS s, unnest(s.setconfig) AS c (entry)
        WHERE s.setdatabase = 0 AND s.setrole = r.oid AND split_part(c.entry, '=', 1) = w.parameter
    ) AS own
FROM json_to_recordset(:'settings') AS w (role text, here boolean, parameter text, value text)
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = w.role
WHERE w.here = (:'scope' = 'here');

SELECT format('the role %s has another %s on this server than it had, and keeps it', role, parameter)
FROM due WHERE NOT here AND own <> value
UNION ALL
SELECT format('there is no role %s on this server that could have its %s', role, parameter)
FROM due WHERE NOT here AND NOT known;

-- A list of names is kept with each of them quoted, and is told one by one.
SELECT format('ALTER %s SET %I TO %s',
    CASE WHEN role IS NULL THEN format('DATABASE %I', :'database')
         WHEN here THEN format('ROLE %I IN DATABASE %I', role, :'database')
         ELSE format('ROLE %I', role) END,
    parameter,
    CASE WHEN parameter IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'temp_tablespaces') THEN (
        SELECT coalesce(string_agg(quote_literal(coalesce(replace(n.parts[1], '""', '"'), n.parts[2])), ', ' ORDER BY n.place), '''''')
        FROM regexp_matches(value, '"((?:[^"]|"")*)"|([^,\s"]+)', 'g') WITH ORDINALITY AS n (parts, place)
    ) ELSE quote_literal(value) END)
FROM due WHERE here OR known AND own IS NULL \gexec
