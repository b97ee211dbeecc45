#!/usr/bin/python3
# Managed by Ansible.
"""PgBouncer's console as Prometheus metrics, under the names of the community's exporter.

Columns are asked for by name and one that this version lacks is left out: Debian's own exporter
dies on columns that came and went.
"""

import sys
import time

import psycopg2
from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import GaugeMetricFamily, CounterMetricFamily

MICROSECONDS = 1e-6

# command, labels, column -> (kind, metric, factor)
TABLES = [
    (
        "SHOW STATS",
        ["database"],
        {
            "total_xact_count": ("counter", "stats_sql_transactions_pooled", 1),
            "total_query_count": ("counter", "stats_queries_pooled", 1),
            "total_received": ("counter", "stats_received_bytes", 1),
            "total_sent": ("counter", "stats_sent_bytes", 1),
            "total_xact_time": ("counter", "stats_server_in_transaction_seconds", MICROSECONDS),
            "total_query_time": ("counter", "stats_queries_duration_seconds", MICROSECONDS),
            "total_wait_time": ("counter", "stats_client_wait_seconds", MICROSECONDS),
        },
    ),
    (
        "SHOW POOLS",
        ["database", "user"],
        {
            "cl_active": ("gauge", "pools_client_active_connections", 1),
            "cl_waiting": ("gauge", "pools_client_waiting_connections", 1),
            "maxwait": ("gauge", "pools_client_maxwait_seconds", 1),
            "sv_active": ("gauge", "pools_server_active_connections", 1),
            "sv_idle": ("gauge", "pools_server_idle_connections", 1),
            "sv_used": ("gauge", "pools_server_used_connections", 1),
            "sv_tested": ("gauge", "pools_server_testing_connections", 1),
            "sv_login": ("gauge", "pools_server_login_connections", 1),
        },
    ),
    (
        "SHOW DATABASES",
        ["name"],
        {
            "pool_size": ("gauge", "databases_pool_size", 1),
            "reserve_pool": ("gauge", "databases_reserve_pool", 1),
            "reserve_pool_size": ("gauge", "databases_reserve_pool", 1),
            "current_connections": ("gauge", "databases_current_connections", 1),
            "paused": ("gauge", "databases_paused", 1),
            "disabled": ("gauge", "databases_disabled", 1),
        },
    ),
]
KINDS = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class Console:
    """Asks anew at each scrape, so that a restart of PgBouncer is no matter."""

    def __init__(self, dsn):
        self._dsn = dsn

    def collect(self):
        up = GaugeMetricFamily("pgbouncer_up", "Whether the console answers.")
        try:
            metrics = list(self._metrics())
            up.add_metric([], 1)
        except psycopg2.Error as error:
            print(f"the console does not answer: {error}", file=sys.stderr)
            metrics = []
            up.add_metric([], 0)
        return [up, *metrics]

    def _metrics(self):
        connection = psycopg2.connect(self._dsn, connect_timeout=5)
        try:
            # The console knows no transactions.
            connection.autocommit = True
            with connection.cursor() as cursor:
                for command, labels, columns in TABLES:
                    cursor.execute(command)
                    names = [column.name for column in cursor.description]
                    rows = [dict(zip(names, row)) for row in cursor.fetchall()]
                    for column in filter(columns.get, names):
                        yield _family(rows, labels, column, *columns[column])
                cursor.execute("SHOW CONFIG")
                config = {row[0]: row[1] for row in cursor.fetchall()}
        finally:
            connection.close()
        limit = GaugeMetricFamily("pgbouncer_config_max_client_connections", "max_client_conn")
        limit.add_metric([], float(config["max_client_conn"]))
        yield limit


def _family(rows, labels, column, kind, metric, factor):
    family = KINDS[kind](f"pgbouncer_{metric}", column, labels=labels)
    for row in rows:
        family.add_metric([str(row[label]) for label in labels], float(row[column]) * factor)
    return family


if __name__ == "__main__":
    address, port, dsn = sys.argv[1:4]
    REGISTRY.register(Console(dsn))
    start_http_server(int(port), addr=address)
    while True:
        time.sleep(3600)
