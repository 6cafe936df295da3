#!/usr/bin/env bash
# Make .state/venv from requirements.txt; nothing when it was made from the same requirements before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=.state/venv
stamp=$venv/installed

wanted=$(cat requirements.txt pyproject.toml | cksum)
# A virtual environment has absolute paths in it: one of a moved checkout is of no use.
wanted="$wanted $PWD"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

find_python() {
    local candidate
    for candidate in ${PYTHON_COMMAND:-python3 python python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "error: no Python 3.11 or newer with venv found (on Debian and Ubuntu: apt install python3 python3-venv)." >&2
    echo "       If it has another name, say so: make setup PYTHON_COMMAND=/path/to/python" >&2
    return 1
}

python=$(find_python)
echo "Setting up $venv with $("$python" --version), the first time takes a minute or two ..." >&2
if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
rm -f "$stamp"

# uv is many times faster than pip, but does not read pip's configuration: where it fails, pip may still get through.
if ! { "$venv/bin/python" -m pip install --quiet uv \
    && "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" -r requirements.txt --no-deps -e .; }; then
    echo "uv could not install everything; trying pip, which is slower ..." >&2
    "$venv/bin/python" -m pip install --quiet -r requirements.txt
    "$venv/bin/python" -m pip install --quiet --no-deps -e .
fi
echo "$wanted" >"$stamp"
