#!/bin/sh
# Installs the Debian packages the tests need and the machine lacks: as root at once, else says what to install.
# Arguments: command=package pairs. Starts no service: nginx is run by the tests, on their own ports.
set -eu
PATH="$PATH:/usr/sbin:/sbin"

missing=""
for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing programs: install the Debian packages$missing (as root: apt-get install$missing) and run this again." >&2
    exit 1
fi

# 101 tells Debian's maintainer scripts to start nothing.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
echo "installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
# shellcheck disable=SC2086 # the list is words
apt-get install -y -qq --no-install-recommends $missing >&2
