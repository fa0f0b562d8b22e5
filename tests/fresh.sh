#!/usr/bin/env bash
# A fresh clone on a machine with nothing installed: a debootstrap of Debian 12, entered in its own mount and pid namespace.
# usage: tests/fresh.sh [COMMAND…]   default: scripts/up leads to a page that works, again in under 20 s, and down --purge leaves nothing.
# Needs root, debootstrap, and a package mirror that apt, pip and npm of this machine reach; their settings are carried over.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "tests/fresh.sh must run as root, for debootstrap and chroot"; exit 1; }
command -v debootstrap >/dev/null || apt-get install -q -y --no-install-recommends debootstrap
base=${LONGSHORE_FRESH_BASE:-}
root=$(mktemp -d /var/tmp/longshore-fresh.XXXXXX)
cleanup() { ! grep -q " $root/" /proc/mounts || { echo "mounts left below $root"; exit 1; }; rm -rf --one-file-system "$root"; }
trap cleanup EXIT

if [ -n "$base" ] && [ -d "$base/etc" ]; then
    cp -a "$base/." "$root"
else
    mirror=$(grep -rhoE 'https?://[^ ]*debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/ 2>/dev/null | head -n 1 | tr -d ' ' || true)
    debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log"; exit 1; }
    rm -f "$root.log"
    [ -z "$base" ] || { mkdir -p "$base" && cp -a "$root/." "$base"; }
fi

# How this machine reaches its registries: proxies and certificates, not packages.
for file in /etc/pip.conf /etc/npmrc /root/.npmrc /etc/ssl/certs/ca-certificates.crt /etc/resolv.conf /etc/hosts /etc/apt/apt.conf.d/*prox*; do
    [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -L "$file" "$root$file"; }
done
git clone -q --no-hardlinks . "$root/opt/longshore"

cat >"$root/opt/inside.sh" <<'INSIDE'
set -euo pipefail
mount -t proc proc /proc
umount -l /.former
cd /opt/longshore
if [ $# -gt 0 ]; then exec "$@"; fi
say() { printf '== %s\n' "$*"; }
port=$((20000 + RANDOM % 10000))
say "first run"
time scripts/up --detach --hosts 1 --port $port
page() { .venv/bin/python -c 'import sys, urllib.request as u; sys.stdout.write(u.urlopen(f"http://127.0.0.1:{sys.argv[2]}{sys.argv[1]}", timeout=10).read().decode())' "$1" $port; }
page / | grep -q '<div id="root"' && say "the page is there"
page /api/ready/ && echo
say "second run"
before=$(date +%s)
scripts/up --detach --port $port
took=$(($(date +%s) - before))
say "second run took $took s"
[ $took -lt 20 ]
say "down"
time scripts/down --purge
left=$(for pid in /proc/[0-9]*; do tr '\0' ' ' 2>/dev/null <"$pid/cmdline" | grep -a '/opt/longshore/\.venv\|conmon\|redis-server' || true; done)
[ -z "$left" ] || { echo "processes left: $left"; exit 1; }
[ ! -e data ] || { echo "data left"; exit 1; }
! grep /opt/longshore/data /proc/mounts
say "a fresh machine passes"
INSIDE

keep=()
for name in $(compgen -e | grep -E '^(SSL_CERT_FILE|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS|PIP_CERT|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)$'); do keep+=("$name=${!name}"); done
# pivot_root and no mere chroot: whoever enters a mount namespace made inside lands at its root, which must be ours.
unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    root=$1; shift
    mount --rbind "$root" "$root"; mount --rbind /dev "$root/dev"; mount --rbind /sys "$root/sys"; mount -t tmpfs tmpfs "$root/run"
    cd "$root"; mkdir -p .former; pivot_root . .former
    exec chroot . /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
' bash "$root" ${keep[@]+"${keep[@]}"} bash /opt/inside.sh "$@" </dev/null
