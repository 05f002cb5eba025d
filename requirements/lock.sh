#!/bin/sh
# Renews one of the locked lists: run, dev, ui or bootstrap. Hashes, no addresses, every platform and Python we support.
set -eu
uv=.venv/bin/uv
options="--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url"
case $1 in
run) $uv pip compile $options pyproject.toml --group build -o requirements/run.txt ;;
dev) $uv pip compile $options pyproject.toml --group build --group dev -c requirements/run.txt -o requirements/dev.txt ;;
ui) $uv pip compile $options --group ui -c requirements/run.txt -o requirements/ui.txt ;;
bootstrap) $uv pip compile $options --group bootstrap -o requirements/bootstrap.txt ;;
*) echo "usage: requirements/lock.sh run|dev|ui|bootstrap" >&2; exit 2 ;;
esac
