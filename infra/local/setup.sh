#!/usr/bin/env bash
# Brings this machine to the point where the platform runs: Python packages in .venv, RabbitMQ, libraries for mongod.
#
#   infra/local/setup.sh run    what the platform needs
#   infra/local/setup.sh dev    that and the tools for tests and checks
#
# Says nothing when nothing is missing, mends what an interrupted set-up left, and two at once wait for each other.
# Variables: MONGO_URL, AMQP_URL (a server of your own: nothing is installed for it), HUITOU_PYTHON (a Python 3.11).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

VENV=.venv
PYTHON=$VENV/bin/python
LOCKS=infra/locks
STAMP=$VENV/huitou-lock           # which lock is fully installed, and where .venv was made
UNDER_WAY=$VENV/huitou-installing # exists while packages are being installed
LOG=.state/setup.log
RABBITMQ=/usr/lib/rabbitmq/bin/rabbitmq-server

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Runs a command that takes a while: its output goes to the log, whose end is shown when it fails.
quietly() {
    local began=$SECONDS what=$1
    shift
    say "$what …"
    if ! "$@" >>"$LOG" 2>&1 9>&-; then
        tail -n 20 "$LOG" >&2
        fail "$what failed; the whole story is in $LOG. Mend it and run this again."
    fi
    say "$what: done in $((SECONDS - began)) s"
}

# ---- system packages ------------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_install() { # names of packages; $WHY says what for and what else would do
    command -v apt-get >/dev/null || fail "$* is missing: $WHY."
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        fail "$* is missing: $WHY. Installing it takes root: apt-get install $*"
    fi
    local options=(-y -q --no-install-recommends -o DPkg::Lock::Timeout=300)
    if [ -n "$(dpkg --audit 2>/dev/null)" ]; then
        quietly "Finishing an interrupted installation of packages" \
            as_root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a --force-confold
    fi
    quietly "Reading the list of system packages" as_root apt-get -q -o DPkg::Lock::Timeout=300 update
    quietly "Installing $*" as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@"
}

installed() { # is the package there and configured? Where there is no dpkg, its files must do.
    ! command -v dpkg-query >/dev/null || [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# ---- Python ---------------------------------------------------------------------------------------------------------

is_python_3_11() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${HUITOU_PYTHON:+"$HUITOU_PYTHON"} python3.11 python3 /usr/bin/python3.11; do
        if is_python_3_11 "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    ! command -v uv >/dev/null || uv python find 3.11 2>/dev/null
}

make_venv() {
    local python
    python=$(find_python || true)
    if [ -z "$python" ]; then
        WHY="Huitou runs on Python 3.11; set HUITOU_PYTHON to one" apt_install python3.11 python3.11-venv
        python=$(find_python) || fail "No Python 3.11 found; set HUITOU_PYTHON to one."
    fi
    rm -rf "$VENV"
    if command -v uv >/dev/null; then
        quietly "Making $VENV" uv venv --quiet --python "$python" "$VENV"
        return
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then # Debian keeps these in a package of their own
        WHY="this Python cannot make virtual environments" apt_install python3.11-venv
    fi
    quietly "Making $VENV" "$python" -m venv "$VENV"
}

lock_hash() {
    local sum
    sum=$(sha256sum "$LOCKS/$1.txt")
    printf '%s' "${sum%% *}"
}

read_stamp() { # sets installed_hash and made_in; both empty when nothing was ever installed completely
    installed_hash='' made_in=''
    [ ! -e "$STAMP" ] || { read -r installed_hash && read -r made_in; } <"$STAMP" || true
}

venv_works() { # one that was moved does not: its programs name the old folder
    is_python_3_11 "$PYTHON" && [ ! -e "$UNDER_WAY" ] && [ "${made_in:-$PWD}" = "$PWD" ] &&
        { command -v uv >/dev/null || [ -x "$VENV/bin/pip" ]; }
}

packages_are_there() { # dev holds all of run
    [ "$installed_hash" = "$(lock_hash "$1")" ] || [ "$installed_hash" = "$(lock_hash dev)" ]
}

install_packages() {
    local lock=$LOCKS/$1.txt
    : >"$UNDER_WAY"
    rm -f "$STAMP"
    if command -v uv >/dev/null; then
        quietly "Installing the Python packages of $lock" \
            uv pip install --quiet --python "$PYTHON" --require-hashes -r "$lock"
    else
        quietly "Installing the Python packages of $lock" \
            "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock"
    fi
    printf '%s\n%s\n' "$(lock_hash "$1")" "$PWD" >"$STAMP"
    rm -f "$UNDER_WAY"
}

set_up_python() {
    read_stamp
    venv_works || make_venv
    read_stamp
    packages_are_there "$1" || install_packages "$1"
}

# ---- servers --------------------------------------------------------------------------------------------------------

set_up_rabbitmq() {
    if [ -n "${AMQP_URL:-}" ] || { [ -x "$RABBITMQ" ] && command -v epmd >/dev/null && installed rabbitmq-server; }; then
        return
    fi
    WHY="set AMQP_URL to a RabbitMQ with the plugin rabbitmq_consistent_hash_exchange" apt_install rabbitmq-server
    # Ours is run by the user; the one that the package may have started as a service only takes ports and memory.
    if [ -d /run/systemd/system ]; then
        quietly "Leaving the system's own RabbitMQ off" \
            as_root systemctl disable --now rabbitmq-server.service epmd.service epmd.socket
    fi
}

set_up_mongodb() {
    [ -z "${MONGO_URL:-}" ] || return 0
    local mongod=$VENV/lib/python3.11/site-packages/fiftyone/db/bin/mongod
    [ -e "$mongod" ] || fail "$mongod is missing: remove $VENV and run this again."
    chmod +x "$mongod"
    "$mongod" --version >/dev/null 2>&1 || WHY="mongod needs it; or set MONGO_URL" apt_install libcurl4 libssl3
    "$mongod" --version >/dev/null || fail "mongod does not run on this machine: set MONGO_URL to a replica set."
}

# ---------------------------------------------------------------------------------------------------------------------

case ${1:-} in
    run | dev) ;;
    *) fail "usage: infra/local/setup.sh run|dev" ;;
esac
for lock in run dev; do
    [ -e "$LOCKS/$lock.txt" ] || fail "$LOCKS/$lock.txt is missing: is this a whole checkout?"
done
mkdir -p .state
if command -v flock >/dev/null; then
    exec 9>.state/setup.lock
    flock -n 9 || { say "Another set-up is under way here; waiting for it."; flock 9; }
fi
: >"$LOG"
set_up_python "$1"
set_up_rabbitmq
set_up_mongodb
