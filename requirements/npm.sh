#!/bin/sh
# Installs the npm packages that contract tests use: npm.sh FOLDER
# Without node, or without a registry, nothing is installed and those tests are skipped, unless
# WAYMARK_CONTRACT_TOOLS=required says that this is a failure.
set -eu
folder=$1
source=$(dirname "$0")/../tests/contract/npm
missing() {
    echo "$1; contract tests that need it are skipped." >&2
    [ "${WAYMARK_CONTRACT_TOOLS:-}" = required ] && exit 1
    exit 0
}
command -v node >/dev/null && command -v npm >/dev/null || missing "node and npm are not installed"
if [ -e "$folder/.ready" ] && cmp -s "$source/package-lock.json" "$folder/package-lock.json"; then exit 0; fi
mkdir -p "$folder"
rm -f "$folder/.ready"
cp "$source/package.json" "$source/package-lock.json" "$folder/"
echo "Installing npm packages ..."
npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts --loglevel=error || missing "npm could not install its packages"
touch "$folder/.ready"
