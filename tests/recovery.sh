#!/usr/bin/env bash
# Break the engine in every way that is promised to do no harm, and print the figures: every failpoint by kill, full disk and
# error, a power cut at every failpoint, 100 kills at random under load, 300 containers at once, 1,000 cycles without a leak.
# About half an hour. Arguments go to pytest: tests/recovery.sh -k power
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "tests/recovery.sh: it needs root" >&2; exit 1; }
export LONGSHORE_TEST_RECOVERY=all LONGSHORE_TEST_KILLS=100 LONGSHORE_TEST_CONTAINERS=300 LONGSHORE_TEST_CYCLES=1000
exec "${PYTHON:-.venv/bin/python}" -m pytest -q -s --timeout 1800 tests/agent/engine/recovery \
    tests/agent/engine/containers/test_chaos.py "$@"
