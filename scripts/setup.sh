#!/bin/sh
# Everything that `make` needs, from a bare Python 3.11 or newer: .venv with pinned packages, then what the
# packages do not bring (Supabase Lite, a Redis, a browser). One line a stage; details in .qa/setup.log.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p .qa
log=.qa/setup.log
: >"$log"

fail() {
  echo "  the end of $log:" >&2
  tail -n 15 "$log" | sed 's/^/    /' >&2
  echo "setup stopped: $1" >&2
  exit 3
}

# stage NAME FIX COMMAND...: run the command, its output into the log
stage() {
  name=$1
  fix=$2
  shift 2
  begun=$(date +%s)
  echo "\$ $*" >>"$log"
  "$@" >>"$log" 2>&1 || fail "$name failed. $fix"
  printf '  %-14s ready  (%s s)\n' "$name" "$(($(date +%s) - begun))"
}

find_python() {
  for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>>"$log"; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed. Install it, or name it: make setup PYTHON=/path/to/python3.12"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  else
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

# Debian and Ubuntu split ensurepip, which venv needs, off into a package of its own.
ensure_venv_module() {
  "$1" -c 'import ensurepip, venv' && return
  command -v apt-get || return 1
  package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  as_root apt-get install -y "$package" || { as_root apt-get update && as_root apt-get install -y "$package"; }
}

make_venv() {
  rm -rf .venv
  "$1" -m venv .venv || { rm -rf .venv; return 1; }
}

pip_install() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

echo "Setting up (details in $log)"
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
  python=$(find_python)
  stage "venv module" "Run: sudo apt-get install -y python3-venv" ensure_venv_module "$python"
  stage ".venv" "Is the folder writable and the disk not full?" make_venv "$python"
fi
stage "packages" "Is a Python package index reachable?" pip_install --require-hashes -r requirements-dev.txt
stage "qa-queue" "Is pyproject.toml whole?" pip_install --no-deps --no-build-isolation -e .
.venv/bin/python -m qa_queue.local.install
