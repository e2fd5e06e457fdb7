#!/usr/bin/env bash
# benchmarks/netem.sh [JSON]: the line's tests under Linux's own netem (tests/web/netem.py says how), figures into JSON.
# As root, on a machine with nothing else to do. All processes and networks that it makes end with it.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "needs root, for networks of its own" >&2; exit 3; }
[ -w /dev/net/tun ] || { echo "needs /dev/net/tun, for the router's two ends" >&2; exit 3; }
missing=""
for each in ip:iproute2 tc:iproute2 insmod:kmod linux.uml:user-mode-linux nsenter:util-linux unshare:util-linux \
    chromium:chromium turnserver:coturn; do
    command -v "${each%:*}" > /dev/null || missing+=" ${each#*:}"
done
[ -z "$missing" ] || { echo "not installed:$missing (names of Debian's packages)" >&2; exit 3; }
STYLIZER_NETEM=$(realpath -m "${1:-build/netem.json}")
export STYLIZER_NETEM
mkdir -p "$(dirname "$STYLIZER_NETEM")"
exec unshare --net --pid --fork --kill-child --mount-proc \
    "${PYTHON:-python3}" -m pytest -p no:cacheprovider tests/web/test_netem.py "${@:2}"
