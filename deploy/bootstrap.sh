#!/usr/bin/env bash
# Make a virtual environment and install one locked set of packages into it, hash-checked.
#   deploy/bootstrap.sh VENV LOCKFILE
# Needs python3 >= 3.11 only; installs uv into the environment when the machine has none.
set -euo pipefail
venv=$1
lock=$2
python=${PYTHON:-python3}
say() { printf 'parktwin: %s\n' "$*"; }
stop() { printf 'parktwin: %s\n' "$*" >&2; exit 1; }

command -v "$python" >/dev/null || stop "python3 is not installed. Install Python 3.11 or newer, then run make again."
"$python" - <<'PY' || stop "Python 3.11 or newer is needed; $("$python" --version 2>&1) is $(command -v "$python"). Set PYTHON=/path/to/python3.11 and run make again."
import sys
sys.exit(sys.version_info < (3, 11))
PY

if [ ! -x "$venv/bin/python" ]; then
  say "making $venv"
  if ! "$python" -m venv "$venv" >/tmp/parktwin-venv.$$ 2>&1; then
    rm -rf "$venv"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
      say "python3 has no venv module; installing python${version}-venv"
      as_root=$([ "$(id -u)" = 0 ] && echo env || echo sudo)
      $as_root apt-get update -qq && $as_root apt-get install -y -qq "python${version}-venv" >/dev/null
      "$python" -m venv "$venv"
    else
      cat "/tmp/parktwin-venv.$$" >&2
      rm -f "/tmp/parktwin-venv.$$"
      stop "python3 cannot make a virtual environment. Run: apt install python${version}-venv   and then make again."
    fi
  fi
  rm -f "/tmp/parktwin-venv.$$"
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  uv=$venv/bin/uv
  if [ ! -x "$uv" ]; then
    say "installing uv into $venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
  fi
fi

say "installing the packages of $lock (hash-checked)"
"$uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r "$lock"
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps -e .
"$venv/bin/python" -m compileall -q edge ingest twin api dashboards parktwin
say "ready"
