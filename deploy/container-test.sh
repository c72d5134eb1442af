#!/bin/bash
# Where there is a Docker engine: builds the image, brings compose.yaml up with NATS, posts and mails letters through the balancer, kills a
# replica and the primary, rolls the replicas over to another version, counts, and takes everything down. Elsewhere one line says that it
# was skipped. No registry is asked: bases are made by debootstrap, and imported under their names where these are not there yet; the
# toolchain is this machine's, and crates are vendored. Half an hour, most of it a release build; `--image NAME` takes an image that is there
# instead. `--keep` leaves all up.
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
if ! docker info >/dev/null 2>&1; then
    echo "container-test: skipped: no Docker engine"
    exit 0
fi
cargo=${CARGO:-cargo}
image=''
keep=''
while [ $# -gt 0 ]; do
    case $1 in
    --image) image=$2; shift ;;
    --keep) keep=yes ;;
    *) echo "container-test: what is $1?" >&2; exit 2 ;;
    esac
    shift
done
project=xmcontainertest
place=$(mktemp -d -t xm-container-test-XXXXXX)
export COMPOSE_PROJECT_NAME=$project
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
compose+=(--file "$root/deploy/compose.yaml" --profile nats)

say() { echo "container-test: $*"; }
finish() {
    local status=$?
    [ -z "${sender:-}" ] || kill "$sender" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        "${compose[@]}" ps || true
        "${compose[@]}" logs --tail 15 2>/dev/null | cut -c 1-240 || true
        say "failed; files in $place"
    else
        rm -rf "$place"
    fi
    [ -n "$keep" ] || "${compose[@]}" down --volumes --timeout 60 >/dev/null 2>&1 || true
}
trap finish EXIT

# --- Images. ---------------------------------------------------------------------------------------------------------------------
there() { docker image inspect "$1" >/dev/null 2>&1; }
mirror=$(awk '$1 == "URIs:" { print $2; exit } $1 == "deb" { print $2; exit }' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)
mirror=${mirror:-http://deb.debian.org/debian}
if ! there debian:trixie-slim; then
    say "making debian:trixie-slim by debootstrap"
    command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >&2
    debootstrap --variant=minbase trixie "$place/trixie" "$mirror" >"$place/debootstrap.log" 2>&1
    printf 'deb %s trixie main\ndeb %s trixie-updates main\ndeb %s-security trixie-security main\n' "$mirror" "$mirror" "$mirror" \
        >"$place/trixie/etc/apt/sources.list"
    tar -C "$place/trixie" -c . | docker import --change 'CMD ["/bin/bash"]' - debian:trixie-slim >/dev/null
    rm -rf "$place/trixie"
fi
if [ -z "$image" ] && ! there rust:1.95-trixie; then
    say "making rust:1.95-trixie of it and of this machine's toolchain"
    mkdir -p "$place/rust/usr/local"
    cp -a "$(rustc --print sysroot)/." "$place/rust/usr/local/"
    rm -rf "$place/rust/usr/local/share/doc"
    printf 'FROM debian:trixie-slim\nCOPY usr /usr\n' >"$place/rust/Dockerfile"
    docker build --quiet --tag rust:1.95-trixie "$place/rust" >/dev/null
    rm -rf "$place/rust"
fi
if ! there nats:2.15.1; then
    mkdir -p "$place/nats"
    cp "$root/target/checkers/bin/nats-server" "$place/nats/"
    printf 'FROM scratch\nCOPY nats-server /nats-server\nENTRYPOINT ["/nats-server"]\n' >"$place/nats/Dockerfile"
    docker build --quiet --tag nats:2.15.1 "$place/nats" >/dev/null
fi
if [ -n "$image" ]; then
    docker tag "$image" xmserver:0.1.0
else
    say "building the image of the sources (a release build)"
    mkdir "$place/context"
    git -C "$root" archive HEAD | tar -x -C "$place/context"
    (cd "$place/context" && $cargo vendor --locked --quiet vendor >"$place/vendored.toml")
    cat "$place/vendored.toml" >>"$place/context/.cargo/config.toml"
    began=$SECONDS
    docker build --network host --quiet --tag xmserver:0.1.0 "$place/context" >/dev/null
    rm -rf "$place/context"
    say "built in $((SECONDS - began)) s, $(docker image inspect --format '{{.Size}}' xmserver:0.1.0 | awk '{ printf "%.0f MB", $1 / 1e6 }')"
fi
for target in prepare database balancer postfix dovecot prometheus; do
    docker build --network host --quiet --tag "xmserver-$target:0.1.0" --target "$target" \
        --file "$root/deploy/container/services.Dockerfile" "$root/deploy/container" >/dev/null
done
# Another version by name: what is shown is that replicas are exchanged under letters.
printf 'FROM xmserver:0.1.0\nLABEL version=next\n' | docker build --quiet --tag xmserver:next - >/dev/null
say "the program runs with $(docker run --rm --entrypoint /bin/sh xmserver:0.1.0 -c 'dpkg-query -W -f "\${Package} \${Version}" libssl3t64')"

# --- Up. -------------------------------------------------------------------------------------------------------------------------
"${compose[@]}" down --volumes --timeout 5 >/dev/null 2>&1 || true
"${compose[@]}" up --detach --no-build >"$place/up.log" 2>&1 || { cat "$place/up.log"; exit 1; }
# wait_for SECONDS WORDS COMMAND...: waits until a command succeeds.
wait_for() {
    local seconds=$1 words=$2 began=$SECONDS
    shift 2
    until "$@" >"$place/said" 2>&1; do
        if [ $((SECONDS - began)) -ge "$seconds" ]; then
            cat "$place/said"
            say "in vain: $words"
            exit 1
        fi
        sleep 0.5
    done
    say "$words (after $((SECONDS - began)) s)"
}
inside() { "${compose[@]}" exec -T "$@"; }
command_of() { inside "$1" xmserver --config /etc/xmserver/xmserver.toml "${@:2}"; }
accepts() { inside "$1" /bin/bash -c "exec 3<>/dev/tcp/127.0.0.1/9464; printf 'GET /accept/http HTTP/1.0\r\n\r\n' >&3; head -n 1 <&3 | grep -q ' 200 '"; }
for replica in 1 2 3; do wait_for 180 "replica-$replica accepts" accepts "replica-$replica"; done
for nats in 1 2 3; do
    healthy() { inside prometheus /bin/bash -c "exec 3<>/dev/tcp/nats-$nats/8222; printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3; grep -q '\"ok\"' <&3"; }
    wait_for 60 "nats-$nats is healthy, and of its cluster" healthy
done

# --- A centre and an office. -----------------------------------------------------------------------------------------------------
command_of replica-1 sample restore ecr >/dev/null
command_of replica-1 tariff set export --per-act 100 >/dev/null
command_of replica-1 agency add --matricule 42 --name "Mairie" --email mairie@offices.example.org >/dev/null
command_of replica-1 agency grant 42 CentreCode C01 >/dev/null
office=$place/office
mkdir "$office"
inside replica-1 cat /centre/keys/centre-p256.crt >"$office/centre.crt"
inside replica-1 cat /run/secrets/centre/ca.crt >"$office/ca.crt"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$office/office.key"
openssl req -x509 -key "$office/office.key" -days 30 -subj "/CN=000042" -out "$office/office.crt"
fingerprint=$(openssl x509 -in "$office/office.crt" -noout -fingerprint -sha256 | cut -d= -f2)
inside replica-1 /bin/bash -c 'cat >/tmp/office.crt' <"$office/office.crt"
command_of replica-1 cert register 42 /tmp/office.crt --fingerprint "$fingerprint" >/dev/null

# letter NUMBER: writes, signs and encrypts one act of birth (FORMAT.md, Worked example).
letter() {
    local file=$office/$1 id
    id=$(cat /proc/sys/kernel/random/uuid)
    cat >"$file.json" <<EOF
{"sdc":1,"id":"${id:0:14}7${id:15}","from":{"agency":42,"installation":"main"},"to":"centre-x","sequence":$1,
 "time":"$(date -u +%Y-%m-%dT%H:%M:%SZ)","mode":"test","service":"export","body":{"application":"ecr","tables":[{"table":"ActeNaissance",
 "columns":["Numero","Status","NumeroActe","AnneeRegistre","CentreCode","DateActe","NomEnfant","Sexe","DateNaissance","LieuNaissance",
 "Officier","ActeUid"],"values":[[$1],[2],[$1],[2026],["C01"],["2026-11-02"],["Ngo $1"],["F"],["2026-11-01"],["Édéa"],["Mbome"],
 ["$(cat /proc/sys/kernel/random/uuid)"]]}]}}
EOF
    openssl cms -sign -binary -nodetach -nocerts -keyid -nosmimecap -in "$file.json" -signer "$office/office.crt" \
        -inkey "$office/office.key" -outform DER -out "$file.signed"
    openssl cms -encrypt -binary -aes-256-gcm -keyid -in "$file.signed" -outform PEM -out "$file.pem" "$office/centre.crt"
    { echo 'SDC 1 agency=000042'; cat "$file.pem"; } >"$file.sdc"
}
# post NUMBER: posts a letter once, and prints the status.
post() {
    curl --silent --show-error --max-time 100 --output "$office/$1.answer" --write-out '%{http_code}' --cacert "$office/ca.crt" \
        --connect-to balancer.example.org:443:127.0.0.1:8443 --data-binary "@$office/$1.sdc" \
        --header 'Content-Type: text/plain' https://balancer.example.org/v1/letters 2>>"$place/curl.log" || true
}
letter 1
[ "$(post 1)" = 200 ] || { say "the first letter has no receipt"; exit 1; }
openssl cms -decrypt -binary -inform PEM -in "$office/1.answer" -recip "$office/office.crt" -inkey "$office/office.key" |
    openssl cms -verify -binary -inform DER -nointern -certfile "$office/centre.crt" -noverify 2>/dev/null | grep -q '"verdict":"accepted"'
say "the office has its first receipt by HTTPS, opened and verified with openssl"

# --- Letters go on, from here to the end: odd ones are mailed, even ones posted until they have their receipt. -----------------------
send() {
    local number=2
    trap 'echo "$number" >"$place/last"; exit 0' TERM
    while :; do
        letter "$number"
        if [ $((number % 2)) -eq 0 ]; then
            until [ "$(post "$number")" = 200 ]; do echo "$number" >>"$place/again"; sleep 1; done
        else
            { printf '%s\n' 'From: mairie@offices.example.org' 'To: centre@example.org' 'Subject: SDC 1 agency=000042' ''
                cat "$office/$number.sdc"; } >"$office/$number.eml"
            until curl --silent --crlf --max-time 60 --mail-from mairie@offices.example.org --mail-rcpt centre@example.org \
                -T "$office/$number.eml" smtp://127.0.0.1:2525; do sleep 1; done
        fi
        echo "$number" >"$place/acknowledged"
        number=$((number + 1))
        [ ! -e "$place/stop" ] || exit 0
    done
}
send &
sender=$!
acknowledged() { cat "$place/acknowledged" 2>/dev/null || echo 1; }
# further LETTERS: whether so many letters were acknowledged since the last strike.
further() { [ $(($(acknowledged) - struck)) -ge "$1" ]; }
struck=1
wait_for 60 "letters are acknowledged" further 10

struck=$(acknowledged)
docker kill "$("${compose[@]}" ps -q replica-2)" >/dev/null
wait_for 60 "replica-2 was killed: letters go on" further 20
"${compose[@]}" up --detach --no-build --no-deps replica-2 >>"$place/up.log" 2>&1
wait_for 60 "replica-2 is back" accepts replica-2

struck=$(acknowledged)
docker update --restart=no "$("${compose[@]}" ps -q database-1)" >/dev/null
docker kill "$("${compose[@]}" ps -q database-1)" >/dev/null
inside database-2 promote
wait_for 120 "the primary was killed and its standby promoted: letters go on" further 20

sed "s/xmserver:0.1.0/xmserver:next/" "$root/deploy/compose.yaml" >"$root/deploy/.compose-next.yaml"
next=("${compose[@]}")
for at in "${!next[@]}"; do [ "${next[at]}" != "$root/deploy/compose.yaml" ] || next[at]=$root/deploy/.compose-next.yaml; done
for replica in 1 2 3; do
    struck=$(acknowledged)
    "${next[@]}" up --detach --no-build --no-deps "replica-$replica" >>"$place/up.log" 2>&1
    wait_for 60 "replica-$replica runs another version" accepts "replica-$replica"
    wait_for 60 "letters go on" further 5
done
rm "$root/deploy/.compose-next.yaml"
[ "$(docker inspect --format '{{.Config.Image}}' "$("${compose[@]}" ps -q replica-3)")" = xmserver:next ]

# --- Counted. --------------------------------------------------------------------------------------------------------------------
touch "$place/stop"
wait "$sender"
sender=
sent=$(acknowledged)
ask() { inside database-2 psql --host /tmp --username postgres --dbname xmserver --no-psqlrc --tuples-only --no-align --command "$1" | tr -d '\r'; }
settled() { [ "$(ask 'SELECT count(*) FROM ecr."ActeNaissance"')" -ge "$sent" ]; }
wait_for 120 "all $sent letters are settled" settled
rows=$(ask 'SELECT count(*) || $$ $$ || count(DISTINCT "Numero") FROM ecr."ActeNaissance"')
letters=$(ask "SELECT count(*) || ' ' || count(DISTINCT letter_id) FROM xm.letters WHERE verdict = 'accepted'")
balance=$(ask "SELECT balance FROM xm.accounts WHERE agency = 42 AND kind = 'agency'")
say "$sent acknowledged; rows and their numbers: $rows; letters: $letters; balance $balance"
[ "$rows" = "$sent $sent" ] && [ "$letters" = "$sent $sent" ] && [ "$balance" = "-$((sent * 100))" ]
watched() { inside prometheus /bin/bash -c "exec 3<>/dev/tcp/127.0.0.1/9090; printf 'GET /api/v1/query?query=sum(up{job=\"xmserver\"}) HTTP/1.0\r\n\r\n' >&3; grep -q '\"3\"' <&3"; }
wait_for 60 "Prometheus sees three replicas" watched
say "0 lost, 0 doubled, 0 cents off; $(sort -u "$place/again" 2>/dev/null | wc -l) letters were posted again"
