#!/bin/sh
# Make .venv hold exactly what requirements/dev.txt locks.
#
# PYTHON  the interpreter to build on; left out: the first of python3, python3.13 ... that will do
# UV      the uv to build with; empty: Python's own venv and pip
set -eu
cd "$(dirname "$0")/.."

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.14 python3.13 python3.12 python3.11
fi
python=
for candidate; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        # the file itself, so that a shim or a search path cannot make it another one later
        # or make it the .venv that is built anew here, if that is active
        python=$("$candidate" -c 'import sys; print(sys._base_executable)')
        break
    fi
done
if [ -z "$python" ]; then
    echo "Trailcourier needs Python 3.11 or newer; none of these is: $*." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi

case "${UV:-}" in "$PWD"/.venv/* | .venv/*) UV= ;; esac  # it would delete itself
echo "Building .venv from requirements/dev.txt, once; this takes a minute or two." >&2
if [ -n "${UV:-}" ]; then
    "$UV" venv --quiet --no-project --clear --python "$python" .venv
    # the tests start hundreds of programs, each of which would compile all that it imports
    "$UV" pip install --quiet --compile-bytecode --python .venv/bin/python \
        --no-deps --require-hashes -r requirements/dev.txt
elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --no-deps --require-hashes -r requirements/dev.txt
else
    echo "$python cannot make virtual environments: it has no ensurepip." >&2
    echo "Debian, Ubuntu: apt-get install python3-venv. Elsewhere: install uv." >&2
    exit 1
fi
