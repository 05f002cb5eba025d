#!/bin/sh
# Installs a locked, hashed list of requirements and Waymark itself (editable) into the environment of $1.
set -eu
bin=$1
locked=$2
echo "Installing $locked ..."
"$bin/python" -m pip install --quiet --require-hashes --no-deps -r requirements/bootstrap.txt
"$bin/uv" pip install --quiet --python "$bin/python" --require-hashes --no-deps --only-binary :all: -r "$locked" 2>/dev/null ||
    "$bin/python" -m pip install --quiet --require-hashes --no-deps -r "$locked"
"$bin/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
