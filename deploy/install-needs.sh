#!/bin/sh
# install-needs.sh run|test VENV: makes the virtual environment VENV with this package in it (editable), and installs the
# Debian packages that `make run` or `make test` need. Without root or sudo it says what is missing and goes on.
# install-needs.sh peers VENV: installs the Debian packages that `make bench-peers` needs, and nothing else.
set -eu

purpose=$1
venv=$2
python=${BASE_PYTHON:-python3}

say() { printf '%s\n' "mailward: $*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else return 1
    fi
}

# A package whose service would be started by its installation is kept from it by policy-rc.d, for as long as we install.
guard=/usr/sbin/policy-rc.d
guarded=
unguard() { [ -z "$guarded" ] || as_root rm -f "$guard"; guarded=; }
trap unguard EXIT
trap 'exit 130' INT TERM HUP
guard_services() {
    [ ! -e "$guard" ] || return 0
    guarded=1
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' > $guard && chmod 755 $guard"
}

# debian PROGRAM PACKAGE...: install the packages unless the program is there. Services are not started.
debian() {
    program=$1; shift
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null 2>&1 && return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        say "$program is missing and this is no Debian or Ubuntu: install it by hand"
        return 1
    fi
    say "installing $*"
    [ -n "${updated:-}" ] || { as_root apt-get update -qq || return 1; updated=1; }
    guard_services
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

if [ "$purpose" = peers ]; then
    debian cc gcc libc6-dev
    debian unbound unbound
    debian postconf postfix
    debian rspamd rspamd
    debian opendkim opendkim
    debian opendmarc opendmarc
    debian pyspf-milter pyspf-milter
    debian dkimpy-milter dkimpy-milter
    debian ip iproute2
    debian npm nodejs npm
    exit
fi

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    debian python3.11 python3 || { say "Python 3.11 or newer is needed"; exit 1; }
    python=python3
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 or newer is needed"; exit 1; }
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    debian no-such-program python3-venv || { say "Python's venv module is needed: apt-get install python3-venv"; exit 1; }
fi

debian spamd spamd spamassassin || say "spamd could not be installed: mail will be delivered unscored, and tagged so"
if [ "$purpose" = test ]; then
    debian postconf postfix
    debian spamc spamc
    perl -MMail::SPF -e 1 2>/dev/null || debian no-such-program libmail-spf-perl
    debian swaks swaks
    debian strace strace
    debian dovecot dovecot-core dovecot-lmtpd dovecot-sieve
    debian systemd-analyze systemd
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || debian no-such-program postgresql
    [ -x /bin/kill ] || debian no-such-program procps
fi

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
extras=
[ "$purpose" = test ] && extras='[test,dev]'
unguard
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".$extras"
