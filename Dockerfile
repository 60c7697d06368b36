# syntax=docker/dockerfile:1
# Builds ./streamer in one stage a concern, and runs it in a slim image: `docker build -t streamer .`
# For several architectures: `docker buildx build --platform linux/amd64,linux/arm64 .`; each is built on its own kind.

# The version of package.json, as a test makes sure.
ARG BUN_VERSION=1.4.5

FROM oven/bun:${BUN_VERSION} AS bun

# The C compiler works where the program will run, so that both have the same C library.
FROM debian:bookworm-slim AS compiler
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
COPY --from=bun /usr/local/bin/bun /usr/local/bin/bun
WORKDIR /source

FROM compiler AS build
# Given by the builder: the architecture that the image is for.
ARG TARGETARCH
RUN case "${TARGETARCH:-amd64}" in amd64|arm64) ;; *) echo "Streamer runs on amd64 and arm64, not on ${TARGETARCH}" >&2; exit 1 ;; esac
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production --ignore-scripts
COPY tsconfig.json ./
COPY native ./native
COPY scripts ./scripts
COPY src ./src
RUN bun scripts/build.ts

FROM debian:bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Streamer" \
      org.opencontainers.image.description="A blocking audio model behind a bidirectional streaming API" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=build /source/streamer ./streamer
COPY LICENSE ./
# A number, so that Kubernetes can tell that it is not root. Nothing of the image belongs to it.
USER 10001:10001
ENV STREAMER__SERVER__HOST=0.0.0.0 \
    STREAMER__SERVER__PORT=8080
# For models that need a temporary folder; Streamer itself writes no files.
VOLUME ["/tmp"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["./streamer", "health"]
ENTRYPOINT ["./streamer"]
CMD ["serve"]
