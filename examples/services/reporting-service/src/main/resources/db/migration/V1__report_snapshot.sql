-- compta: expand
CREATE TABLE report_snapshot (
    as_of    date        PRIMARY KEY,
    taken_at timestamptz NOT NULL,
    document jsonb       NOT NULL
);
