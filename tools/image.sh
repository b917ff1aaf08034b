#!/bin/sh
# The steps that make the image's file system, for the Dockerfile and for the test that runs the provider in it.
#
#   image.sh production <x64|arm64> <folder>            production packages and Node, from the lock file
#   image.sh sbom <x64|arm64> <programs> <folder>       what is in it, as CycloneDX, beside the packages
#   image.sh plugin <url> <sha256> <folder>             AWS's Signer plugin, or nothing if the URL is empty
#   image.sh root <production> <programs> <plugins> <provider> <folder>   the file system itself
set -eu

# Node comes from its npm package, because that is pinned by the lock file, with its hash, as everything else is.
production() {
  cpu=$1 folder=$2
  mkdir -p "$folder"
  cp package.json package-lock.json .npmrc "$folder/"
  # Install scripts are off in .npmrc. Not `npm ci`, for the reason that the Makefile gives; the lock file is followed all the same.
  (cd "$folder" && npm install --omit=dev --no-save --os=linux --cpu="$cpu" --libc=glibc --prefer-offline --no-progress --loglevel=error)
  mv "$folder/node_modules/node-linux-$cpu/bin/node" "$folder/node"
  rm -rf "$folder"/node_modules/node-linux-* "$folder/node_modules/.bin" "$folder/node_modules/.package-lock.json"
}

sbom() {
  cpu=$1 programs=$2 folder=$3
  node tools/sbom.ts --programs="$programs" --cpu="$cpu" "$folder/sbom.cdx.json"
}

plugin() {
  url=$1 sha256=$2 folder=$3
  mkdir -p "$folder"
  test -n "$url" || return 0
  test -n "$sha256" || { echo "the Signer plugin needs the SHA-256 of what $url answers" >&2; exit 1; }
  archive=$(mktemp)
  curl --fail --silent --show-error --location --output "$archive" "$url"
  echo "$sha256  $archive" | sha256sum --check --status || { echo "$url does not have the SHA-256 $sha256" >&2; exit 1; }
  name=com.amazonaws.signer.notation.plugin
  mkdir -p "$folder/plugins/$name"
  unzip -q -o -j "$archive" "notation-$name" -d "$folder/plugins/$name"
  rm "$archive"
  chmod 755 "$folder/plugins/$name/notation-$name"
}

root() {
  production=$1 programs=$2 plugins=$3 provider=$4 folder=$5
  umask 022
  mkdir -p "$folder/usr/local/bin" "$folder/usr/local/lib/notation" "$folder/app" "$folder/etc/ssl/certs"
  # Where things are mounted: on a read-only root nothing can be made later.
  mkdir -p "$folder/etc/notation-provider" "$folder/trust" "$folder/tls" "$folder/gatekeeper" "$folder/files" \
    "$folder/run/notation-provider" "$folder/tmp" "$folder/proc" "$folder/sys" "$folder/dev"
  cp "$production/node" "$programs/notation" "$programs/reaper" "$programs/signer-launcher" "$folder/usr/local/bin/"
  # Node alone is linked to libraries; what is Go is not.
  ldd "$production/node" | awk '{ path = $2 == "=>" ? $3 : $1; if (path ~ /^\//) print path }' | while read -r library; do
    mkdir -p "$folder$(dirname "$library")"
    cp --dereference "$library" "$folder$library"
  done
  # Where scanners look for it, by its ending.
  mkdir -p "$folder/usr/local/share/sbom"
  cp "$production/sbom.cdx.json" "$folder/usr/local/share/sbom/notation-gatekeeper-provider.cdx.json"
  cp -R "$plugins/." "$folder/usr/local/lib/notation/"
  cp -R "$production/node_modules" "$production/package.json" "$folder/app/"
  cp -R "$provider" "$folder/app/provider"
  find "$folder/app/provider" \( -name '*.test.ts' -o -name testing \) -prune -exec rm -r {} +
  # What packages bring and nobody runs: tests, pages, and TypeScript, which Node does not read from packages.
  find "$folder/app/node_modules" -type d \( -name test -o -name tests -o -name __tests__ \) -prune -exec rm -r {} +
  find "$folder/app/node_modules" -type f \( -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -name '*.map' -o -name '*.md' \) -delete
  # Of plugins and of Notation, which are Go; Node brings its own.
  cp --dereference /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
  printf 'root:x:0:0::/:\nprovider:x:65532:65532::/:\n' >"$folder/etc/passwd"
  printf 'root:x:0:\nprovider:x:65532:\n' >"$folder/etc/group"
  printf 'hosts: files dns\n' >"$folder/etc/nsswitch.conf"
  # Nothing is the runtime's own, and nothing may be changed by it.
  chmod -R u=rwX,go=rX "$folder"
  chmod 755 "$folder"
  chmod 1777 "$folder/tmp"
}

step=$1
shift
"$step" "$@"
