-- What is set for a database and for roles (ALTER DATABASE … SET, ALTER ROLE … [IN DATABASE …] SET), one JSON
-- object a line; `here` is what holds in this database alone. Superusers' own settings belong to the server, those of
-- a migration's login to its run. A value may be a secret: what is written down in clear has its hash.
SELECT json_build_object('role', r.rolname, 'here', s.setdatabase <> 0, 'parameter', split_part(c.entry, '=', 1),
    'hash', encode(sha256(convert_to(v.value, 'UTF8')), 'hex'), 'value', v.value,
    'connects', r.oid IS NULL OR has_database_privilege(r.oid, current_database(), 'CONNECT'))
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS c (entry)
CROSS JOIN LATERAL (SELECT substr(c.entry, strpos(c.entry, '=') + 1)) AS v (value)
WHERE s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
   OR s.setdatabase = 0 AND NOT r.rolsuper AND r.rolname !~ '^compta_migration_'
ORDER BY s.setdatabase = 0, r.rolname NULLS FIRST, c.entry;
