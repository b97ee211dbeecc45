#!/bin/sh
# Turns the report of playbooks/restore-drill.yml into Markdown, for a job's summary.
# Usage: drill-summary.sh REPORT.json
set -eu
[ "${1:-}" != --help ] || { sed -n '2,3s/^# //p' "$0"; exit; }
report=${1:?"give the report"}
[ -s "$report" ] || { echo '### ❌ Restore drill: no report, so nothing is proven'; exit 1; }
jq --raw-output '
  "### " + (if .proven then "✅" else "❌" end) + " Restore drill of " + .environment, "",
  "| database | backup | rows | measured RTO | age of the backup (RPO without WAL) |", "|---|---|--:|--:|--:|",
  (.databases[] | "| \(.database) | \(.name) | \(.rows) | \(.rto_seconds) s | \(.age_seconds / 3600 * 10 | round / 10) h |"), "",
  (if .moment.moment then
     "The cluster at \(.moment.moment): RTO \(.moment.rto_seconds) s, RPO \(.moment.rpo_seconds) s (last beat \(.moment.last_beat))."
   else "The cluster was not brought to a moment in this run." end),
  (.problems[] | "", "    " + .)' "$report"
