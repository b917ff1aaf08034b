# syntax=docker/dockerfile:1
# The provider's image, for amd64 and arm64: docker buildx build --platform linux/amd64,linux/arm64 .
#
# What runs in it is pinned in this repository: Node and the packages by package-lock.json, Notation by tools/notation/go.sum. The images
# below only build; a release names them by digest: --build-arg GO_IMAGE=golang@sha256:…
ARG GO_IMAGE=golang:1.26.8-trixie
ARG NODE_IMAGE=node:26-trixie-slim
ARG SYSTEM_IMAGE=debian:trixie-slim

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS programs
ARG TARGETARCH
ENV CGO_ENABLED=0 GOARCH=$TARGETARCH GOFLAGS="-trimpath -buildvcs=false"
COPY tools/notation /build/notation
RUN cd /build/notation && go build -ldflags="-s -w" -o /programs/notation "$(go list tool)"
COPY tools/reaper /build/reaper
RUN cd /build/reaper && go build -ldflags="-s -w" -o /programs/reaper "$(go list tool)"
COPY tools/signer-launcher /build/signer-launcher
RUN cd /build/signer-launcher && go build -ldflags="-s -w" -o /programs/signer-launcher .

FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS production
ARG TARGETARCH
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY tools/image.sh tools/sbom.ts tools/build-info.ts tools/
COPY --from=programs /programs /programs
RUN case "$TARGETARCH" in amd64) cpu=x64 ;; *) cpu=$TARGETARCH ;; esac \
  && tools/image.sh production "$cpu" /production && tools/image.sh sbom "$cpu" /programs /production

# Of the platform that the image is for: Node's libraries come from here.
FROM ${SYSTEM_IMAGE} AS root
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates curl libatomic1 libstdc++6 unzip
COPY tools/image.sh /build/tools/
# AWS's own plugin in the place of the built-in one, if there is a URL; then its SHA-256 has to be given too. Its version and its licence are AWS's.
ARG AWS_SIGNER_PLUGIN_URL=""
ARG AWS_SIGNER_PLUGIN_SHA256=""
RUN /build/tools/image.sh plugin "$AWS_SIGNER_PLUGIN_URL" "$AWS_SIGNER_PLUGIN_SHA256" /plugins
COPY --from=production /production /production
COPY --from=programs /programs /programs
COPY provider /build/provider
RUN /build/tools/image.sh root /production /programs /plugins /build/provider /image

# No shell, no package manager, nothing that the provider does not use.
FROM scratch
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="notation-gatekeeper-provider" \
  org.opencontainers.image.description="Gatekeeper external-data provider that verifies image signatures with Notation" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="$VERSION" \
  org.opencontainers.image.revision="$REVISION"
COPY --from=root /image/ /
USER 65532:65532
WORKDIR /
EXPOSE 8443 8080
# Two heaps of glibc for all threads, where each would have its own and give little of it back. See docs/configuration.md.
ENV MALLOC_ARENA_MAX=2
# The flags are those of docs/configuration.md, with a heap that leaves room for Notation's runs in the memory of the container.
ENTRYPOINT ["/usr/local/bin/reaper", "/usr/local/bin/node", "--disable-proto=delete", "--disallow-code-generation-from-strings", "--no-addons", "--disable-sigusr1", "--unhandled-rejections=strict", "--report-on-fatalerror", "--report-exclude-env", "--report-exclude-network", "--report-compact", "--report-filename=stderr", "--max-semi-space-size=4", "--max-old-space-size-percentage=40", "/app/provider/main.ts"]
CMD ["serve", "--config", "/etc/notation-provider/provider.yaml"]
