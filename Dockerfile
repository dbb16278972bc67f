# One image with kvs_server, txn_server and kvs: built with the scripts of `make build`, then only the programs and the
# packages that hold their libraries, without compilers. docker-compose.yaml runs it.
#
# BASE_IMAGE may be any Debian 12 or 13.
ARG BASE_IMAGE=debian:13-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /src
COPY deploy/dev/install_packages.sh deploy/dev/
RUN YES=1 deploy/dev/install_packages.sh build
COPY . .
RUN --mount=type=cache,target=/root/.cache/ccache deploy/dev/build.sh release kvs_server txn_server kvs
RUN cmake --install build/release --prefix /out --strip \
    && deploy/docker/library_packages.sh /out/bin/* >/packages

FROM ${BASE_IMAGE}
RUN --mount=type=bind,from=build,source=/packages,target=/packages \
    apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive xargs apt-get install -y -qq --no-install-recommends </packages \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
# New volumes that are mounted at these directories take over their owner.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kvs \
    && install -d -o kvs -g kvs -m 0700 /etc/kvs /var/lib/kvs
COPY --from=build /out/bin/ /usr/local/bin/
COPY deploy/docker/init.sh deploy/docker/usage.sh /usr/local/lib/kvs/
USER kvs
WORKDIR /var/lib/kvs
EXPOSE 5050 5051
CMD ["kvs", "--help"]
