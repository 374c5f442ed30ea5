#!/usr/bin/env bash
# The real programs that the tests talk to. Installs what is missing with apt when it may (root, or sudo
# without a password); otherwise names each missing one and the command that brings it.
set -euo pipefail

missing=()
need() { # package, then the files or commands any of which shows that it is there
  local package=$1
  shift
  local probe
  for probe in "$@"; do
    if compgen -G "$probe" >/dev/null || command -v "$probe" >/dev/null; then return; fi
  done
  missing+=("$package")
}
need mosquitto mosquitto /usr/sbin/mosquitto
need mosquitto-clients mosquitto_pub
need influxdb influxd
need postgresql '/usr/lib/postgresql/*/bin/postgres'
need chromium chromium
need fonts-noto-cjk '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc'
need openssl openssl
need nodejs node
need npm npm

[ ${#missing[@]} -eq 0 ] && exit 0

if command -v apt-get >/dev/null; then
  if [ "$(id -u)" = 0 ]; then as_root=env; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root=; fi
  if [ -n "$as_root" ]; then
    echo "parktwin: installing ${missing[*]} for the tests"
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    exit 0
  fi
fi
echo "parktwin: the tests talk to real programs, and these are missing: ${missing[*]}" >&2
echo "          Install them (Debian, Ubuntu):  sudo apt install ${missing[*]}" >&2
exit 1
