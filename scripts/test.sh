#!/usr/bin/env bash
# Everything that must hold: style, types, tests. Arguments go to pytest.
EXTRAS="[dev]" source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

say "ruff"
ruff check .
ruff format --check .
say "mypy"
mypy
say "pytest"
python -m pytest "$@"
