# What stands around the replicas in compose.yaml, each a target of its own, from Debian's packages. Nothing here is needed where the
# ministry has a database, a mail server or a Prometheus: it is a rehearsal that fits on one machine.
FROM debian:trixie-slim AS base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates openssl \
    && rm -rf /var/lib/apt/lists/*

FROM base AS prepare
COPY prepare.sh /usr/local/bin/prepare
ENTRYPOINT ["/usr/local/bin/prepare"]

FROM base AS database
# The user has the same number in every container, so that it owns what `prepare` made for it.
# hadolint ignore=DL3008
RUN groupadd --gid 5432 postgres \
    && useradd --uid 5432 --gid 5432 --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-common \
    && sed -i 's/^#create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
    && apt-get install --yes --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner postgres --group postgres --mode 0700 /var/lib/postgresql/data
COPY database.sh /usr/local/bin/database
COPY promote.sh /usr/local/bin/promote
USER 5432:5432
# PostgreSQL's fast shutdown.
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/database"]

FROM base AS balancer
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/*
# hadolint ignore=DL3066
USER haproxy
# HAProxy's soft stop: connections end by themselves.
STOPSIGNAL SIGUSR1
ENTRYPOINT ["/usr/sbin/haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg", "-f", "/etc/haproxy/stats.cfg"]

FROM base AS postfix
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update \
    && echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends postfix \
    && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/usr/sbin/postfix", "start-fg"]

FROM base AS dovecot
# hadolint ignore=DL3008
RUN groupadd --gid 5000 mails \
    && useradd --uid 5000 --gid 5000 --no-create-home --home-dir /mails mails \
    && apt-get update \
    && apt-get install --yes --no-install-recommends dovecot-core dovecot-pop3d dovecot-lmtpd \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner mails --group mails --mode 0700 /mails
ENTRYPOINT ["/usr/sbin/dovecot", "-F"]

FROM base AS prometheus
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends prometheus \
    && rm -rf /var/lib/apt/lists/*
# hadolint ignore=DL3066
USER prometheus
ENTRYPOINT ["/usr/bin/prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/var/lib/prometheus/metrics2"]
