#!/usr/bin/env bash
# Installs what the provider tests need (pinned) into a cache outside the tree. Prints that folder, then the node to use.
# Needs npm and, once, the network. Running it again costs nothing.
set -euo pipefail
cache=${TRACKFS_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trackfs-tests}
packages="emulate@0.12.2 graphql@16.11.0"
node=$(command -v node)
# emulate needs Node 22.15 or newer; where there is none, npm has the binary too.
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 15) ? 0 : 1)'; then
  binary=$(node -p '`node-${process.platform}-${process.arch}`')
  packages="$packages $binary@24.11.0"
  node=$cache/node_modules/$binary/bin/node
fi
mkdir -p "$cache"
exec 9>"$cache/lock"
if command -v flock >/dev/null; then flock 9; fi
if [ "$(cat "$cache/installed" 2>/dev/null)" != "$packages" ]; then
  [ -f "$cache/package.json" ] || echo '{"private": true}' >"$cache/package.json"
  # shellcheck disable=SC2086 # one word a package
  npm install --prefix "$cache" --no-audit --no-fund --loglevel=error $packages >&2
  echo "$packages" >"$cache/installed"
fi
printf '%s\n' "$cache" "$node"
