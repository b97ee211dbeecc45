-- What a database holds, one JSON object a line: rows and an order-free hash of every table, owners
-- and privileges, the schema's version. Equal lines mean equal contents, on whatever server they were
-- taken; so nothing that a server or a session may see otherwise goes into them.
SET client_min_messages = warning;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET search_path = pg_catalog;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET lc_monetary = 'C';

-- A sum, not an exclusive or: of that, two equal rows would leave nothing. With .*, as a column may have the
-- row's name.
SELECT format($$SELECT json_build_object('kind', 'table', 'name', %L, 'rows', count(*),
    'hash', coalesce(sum(hashtextextended((compta_row.*)::text, 0)), 0)::text)
    FROM ONLY %I.%I AS compta_row$$, n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname \gexec

SELECT json_build_object('kind', 'table', 'name', '(large objects)', 'rows', count(*),
    'hash', sum(hashtextextended(m.oid::text || ':' || md5(lo_get(m.oid)), 0))::text)
FROM pg_largeobject_metadata AS m HAVING count(*) > 0;

WITH object (name, owner, acl) AS (
    SELECT 'database', datdba, coalesce(datacl, acldefault('d', datdba))
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema ' || nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner))
    FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
    UNION ALL
    SELECT format('%s %s.%s', CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'relation' END, n.nspname, c.relname),
           c.relowner, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    SELECT format('column %s.%s.%s', n.nspname, c.relname, a.attname), c.relowner, a.attacl
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    UNION ALL
    SELECT format('function %s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
           p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    UNION ALL
    SELECT format('default %s in %s', d.defaclobjtype, coalesce(n.nspname, '(all)')), d.defaclrole, d.defaclacl
    FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
)
SELECT json_build_object('kind', 'privilege', 'name', o.name, 'owner', pg_get_userbyid(o.owner), 'granted', (
    SELECT coalesce(json_agg(line ORDER BY line), '[]') FROM (
        SELECT format('%s to %s%s', g.privilege_type,
                      CASE g.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(g.grantee) END,
                      CASE WHEN g.is_grantable THEN ', to pass on' ELSE '' END) AS line
        FROM aclexplode(o.acl) AS g) AS lines))
FROM object AS o ORDER BY o.name, pg_get_userbyid(o.owner);

SELECT to_regclass('public.flyway_schema_history') IS NOT NULL AS has_history \gset
\if :has_history
SELECT json_build_object('kind', 'schema', 'name', 'version', 'value', (
    SELECT version FROM public.flyway_schema_history
    WHERE success AND version IS NOT NULL ORDER BY installed_rank DESC LIMIT 1),
    'failed', count(*) FILTER (WHERE NOT success))
FROM public.flyway_schema_history;
\endif
