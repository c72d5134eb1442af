#!/bin/bash
# PostgreSQL in a container of compose.yaml: XM_NAME is db1, the first primary, or db2, its standby. After a failover the former primary
# comes back as a standby once its volume is emptied (docs/DEPLOY.md).
set -euo pipefail
data=/var/lib/postgresql/data
binaries=$(echo /usr/lib/postgresql/*/bin)
secrets=/run/secrets/database

settings() {
    cat <<EOF
listen_addresses = '*'
unix_socket_directories = '/tmp'
ssl = on
ssl_cert_file = '$secrets/server.crt'
ssl_key_file = '$secrets/server.key'
password_encryption = 'scram-sha-256'
wal_log_hints = on
max_connections = 200
# A commit waits for the other server, whichever of the two it is.
synchronous_standby_names = 'ANY 1 (db1, db2)'
EOF
}

if [ ! -s "$data/PG_VERSION" ]; then
    if [ "$XM_NAME" = db1 ]; then
        "$binaries/initdb" --pgdata "$data" --username postgres --encoding UTF8 --locale C.UTF-8 --data-checksums \
            --auth-local peer --auth-host scram-sha-256 >/dev/null
        settings >>"$data/postgresql.conf"
        cat >>"$data/pg_hba.conf" <<EOF
hostssl replication replicator samenet scram-sha-256
hostssl xmserver xmserver samenet scram-sha-256
EOF
        # Before there is a standby no commit waits for one.
        "$binaries/pg_ctl" --pgdata "$data" --wait --options "-c listen_addresses='' -c synchronous_standby_names=''" start >/dev/null
        "$binaries/psql" --host /tmp --username postgres --set ON_ERROR_STOP=1 --quiet <<EOF
CREATE ROLE replicator LOGIN REPLICATION PASSWORD '$(cat $secrets/replication-password)';
CREATE ROLE xmserver LOGIN PASSWORD '$(cat $secrets/centre-password)';
GRANT pg_read_all_stats TO xmserver;
CREATE DATABASE xmserver OWNER xmserver;
EOF
        "$binaries/pg_ctl" --pgdata "$data" --wait --mode fast stop >/dev/null
    else
        other=db1.example.org
        source="host=$other user=replicator password=$(cat $secrets/replication-password) sslmode=verify-full"
        source="$source sslrootcert=$secrets/ca.crt application_name=$XM_NAME"
        until "$binaries/pg_basebackup" --pgdata "$data" --dbname "$source" --write-recovery-conf --checkpoint fast; do
            rm -rf "${data:?}"/*
            sleep 1
        done
    fi
fi
exec "$binaries/postgres" -D "$data"
