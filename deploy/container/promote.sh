#!/bin/bash
# Makes the standby in this container the primary. Run it only when the old primary is gone and stays gone (deploy/postgresql/README.md).
# No commit waits for a standby from then on, until one is there and is named again.
set -euo pipefail
sql() { psql --host /tmp --username postgres --no-psqlrc --tuples-only --command "$1"; }
sql "SELECT pg_promote(wait_seconds => 60)" | grep -q t
sql "ALTER SYSTEM SET synchronous_standby_names = ''"
sql "SELECT pg_reload_conf()" >/dev/null
