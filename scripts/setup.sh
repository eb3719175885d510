# Sourced by the other scripts: makes .venv in the checkout, installs latprof into it, and puts it
# on the PATH. Does nothing the second time unless pyproject.toml or constraints.txt has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*" >&2; }

python=""
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "latprof needs Python 3.11 or newer; on Debian: apt-get install python3 python3-venv" >&2
    exit 1
fi

# EXTRAS, set by the caller: "[dev]" for what the tests need, empty for latprof alone.
stamp=.venv/.installed$EXTRAS-$(cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
if [ ! -f "$stamp" ]; then
    say "installing into .venv (about a minute)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        else
            echo "Python's venv is missing; on Debian: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable ".$EXTRAS"
    touch "$stamp"
fi
PATH="$PWD/.venv/bin:$PATH"
