# The image of a replica: Debian 13 with its own OpenSSL 3.5, one program, no shell scripts, no private PostgreSQL. Build it with
# `docker build --tag xmserver:0.1.0 .`; it runs as user 10001, with a read-only root where /var/lib/xmserver and /tmp can be written.
# The base images are not named by digest: rebuild for each security update of Debian.
FROM rust:1.95-trixie AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev libssl-dev make pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
ARG XMSERVER_COMMIT=unknown
# Without the simulator of `xmserver demo`.
RUN cargo build --release --locked --package engine --bin xmserver --no-default-features \
    && strip --strip-debug target/release/xmserver

FROM debian:trixie-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3t64 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 xmserver \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/xmserver --shell /usr/sbin/nologin xmserver \
    && install --directory --owner xmserver --group xmserver --mode 0700 /var/lib/xmserver \
    && install --directory --owner xmserver --group xmserver --mode 0700 /centre
COPY --from=build /build/target/release/xmserver /usr/bin/xmserver
USER 10001:10001
# Metrics and health, pushed mail, letters over HTTPS.
EXPOSE 9464 2424 8443
# Drains: no more mail is taken, what is in hand is settled. Let `docker stop --time 60` wait for it.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/bin/bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /live HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["/usr/bin/xmserver"]
CMD ["run"]
