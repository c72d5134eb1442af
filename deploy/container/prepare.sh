#!/bin/bash
# Makes, once, what the services of compose.yaml trust each other by: an authority, a certificate for each name, passwords. Each service
# gets a folder of its own in its own volume and sees no other. What is there is kept.
set -euo pipefail
umask 077

authority=/prepared/authority
mkdir -p "$authority"
if [ ! -s "$authority/ca.crt" ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 -subj '/CN=xmserver rehearsal' \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
        -keyout "$authority/ca.key" -out "$authority/ca.crt" 2>/dev/null
fi

# certificate FOLDER OWNER NAME...: a certificate for these names, with its key and the authority, for one service.
certificate() {
    local folder=/prepared/$1 owner=$2 names
    shift 2
    names=$(printf ',DNS:%s' "$@")
    mkdir -p "$folder"
    if [ ! -s "$folder/server.crt" ]; then
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
            -keyout "$folder/server.key" -out "$folder/server.csr" 2>/dev/null
        printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n' "${names#,}" >"$folder/extensions"
        openssl x509 -req -in "$folder/server.csr" -CA "$authority/ca.crt" -CAkey "$authority/ca.key" -CAcreateserial -days 825 \
            -extfile "$folder/extensions" -out "$folder/server.crt" 2>/dev/null
        rm "$folder/server.csr" "$folder/extensions"
    fi
    cp "$authority/ca.crt" "$folder/ca.crt"
    chown -R "$owner" "$folder"
}

# password NAME: prints the password of this name, made at the first call.
password() {
    mkdir -p "$authority/passwords"
    [ -s "$authority/passwords/$1" ] || openssl rand -hex 24 >"$authority/passwords/$1"
    cat "$authority/passwords/$1"
}

# give FOLDER OWNER NAME TEXT: writes a secret for one service.
give() {
    printf '%s\n' "$4" >"/prepared/$1/$3"
    chown "$2" "/prepared/$1" "/prepared/$1/$3"
}

certificate database 5432:5432 db1.example.org db2.example.org
certificate centre 10001:10001 balancer.example.org centre.example.org
certificate mail 0:0 mail.example.org
certificate nats 0:0 nats-1 nats-2 nats-3
give database 5432:5432 centre-password "$(password database)"
give database 5432:5432 replication-password "$(password replication)"
give centre 10001:10001 database-url "postgresql://xmserver:$(password database)@db1.example.org,db2.example.org/xmserver"
give centre 10001:10001 relay-password "$(password relay)"
give mail 0:0 users "centre@example.org:{PLAIN}$(password relay)"
# Offices of a rehearsal share one password.
give mail 0:0 offices.conf "passdb static {
  password = $(password offices)
}"
mkdir -p /prepared/offices
give offices 0:0 password "$(password offices)"
chmod 755 /prepared/offices
echo "prepared"
