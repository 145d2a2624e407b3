#!/bin/sh
# Makes .venv from the lock file on a machine that has only python3 (>= 3.11) and make. Run again, it does nothing.
#
#   sh scripts/setup.sh            the switch, `cc`, the development tools
#   sh scripts/setup.sh --demo     and espeak-ng, which speaks the demo's prompts
#   sh scripts/setup.sh --test     and the programs that the tests call: SIPp, baresip, linphone, espeak-ng,
#                                  sox, Chromium, Firefox and npm
#   sh scripts/setup.sh --bench    and what the benchmarks compare with: rtpengine, spandsp, speexdsp, SIPp; prompts
#   sh scripts/setup.sh --tools    only uv, for `make lock`
#
# Python packages come from uv.lock with their hashes. Debian packages are installed only when a program is missing,
# as root or through `sudo -n`; otherwise one line says what to run.
set -eu
cd "$(dirname "$0")/.."
VENV=.venv
# Two hours of speech in which no key may be heard. The packages are not needed to run the switch.
SOUNDS=/usr/share/asterisk/sounds

fail() {
    echo "setup: $1" >&2
    exit 1
}

# ----- Debian packages

# missing_packages "check=package" ...: prints the packages whose check finds nothing. A check that begins with / is a
# file, one with `.so` in its name a library, any other one a program.
missing_packages() {
    for pair in "$@"; do
        probe=${pair%%=*}
        case $probe in
            /*) [ -e "$probe" ] ;;
            *.so*) find /usr/lib /usr/local/lib -maxdepth 2 -name "$probe" 2>/dev/null | grep -q . ;;
            *) PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$probe" >/dev/null 2>&1 ;;
        esac || echo "${pair#*=}"
    done
}

need_packages() {
    packages=$(missing_packages "$@" | sort -u | tr '\n' ' ')
    packages=${packages% }
    if [ -n "$packages" ]; then
        install_packages "$packages"
    fi
}

install_packages() {
    remedy="apt-get update && apt-get install -y --no-install-recommends $1"
    command -v apt-get >/dev/null 2>&1 || fail "missing: $1 (Debian's names); install them with this system's package manager"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        fail "missing: $1; run as root: $remedy"
    fi
    echo "setup: installing $1"
    log=$(mktemp)
    # RUNLEVEL=1: a package's service (rtpengine's) must not start by itself.
    # shellcheck disable=SC2086
    if $as_root apt-get update -qq >"$log" 2>&1 &&
        $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
            apt-get install -y -qq --no-install-recommends $1 >>"$log" 2>&1; then
        rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "could not install $1; see above, then run: $remedy"
    fi
}

# ----- the Python environment

system_python() {
    for candidate in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "needs Python 3.11 or newer as python3; Debian 12 and later have it: apt-get install python3"
}

make_venv() {
    python=$(system_python)
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        install_packages "python3-venv"
        "$python" -c 'import venv, ensurepip' 2>/dev/null ||
            fail "$(command -v "$python") lacks the modules venv and ensurepip; put a complete Python 3.11 or newer first in PATH"
    fi
    # --copies would break the link to the library of a relocatable build; --clear ends a half-made environment.
    "$python" -m venv --clear "$VENV"
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes -r scripts/bootstrap.txt
}

sync_packages() {
    stamp="$VENV/.setup-stamp"
    wanted=$(cksum pyproject.toml uv.lock scripts/bootstrap.txt)
    if [ -x "$VENV/bin/cc" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    if ! "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || [ ! -x "$VENV/bin/uv" ]; then
        echo "setup: making $VENV"
        make_venv
    fi
    if [ "$1" = tools ]; then
        return
    fi
    echo "setup: installing the packages of uv.lock"
    # UV_PROJECT_ENVIRONMENT and UV_PYTHON pin this environment, whatever pyenv, VIRTUAL_ENV or .python-version say.
    env -u VIRTUAL_ENV UV_PROJECT_ENVIRONMENT="$VENV" UV_PYTHON="$VENV/bin/python" UV_PYTHON_DOWNLOADS=never \
        UV_LINK_MODE="${UV_LINK_MODE:-copy}" \
        "$VENV/bin/uv" sync --frozen --quiet --no-progress --extra phone ||
        fail "uv could not install the packages of uv.lock; see above (a proxy that signs for others needs SSL_CERT_FILE set)"
    echo "$wanted" >"$stamp"
}

mode=all
for option in "$@"; do
    case $option in
        --tools) mode=tools ;;
        --demo) need_packages espeak-ng=espeak-ng ;;
        --test)
            need_packages sipp=sip-tester baresip=baresip-core linphonec=linphone-cli espeak-ng=espeak-ng sox=sox \
                libspandsp.so.2=libspandsp2 chromium=chromium firefox-esr=firefox-esr node=nodejs npm=npm \
                "$SOUNDS/it_IT_m_Carlo=asterisk-core-sounds-it-wav"
            ;;
        --bench)
            need_packages sipp=sip-tester espeak-ng=espeak-ng rtpengine=rtpengine-daemon \
                libspandsp.so.2=libspandsp2 libspeexdsp.so.1=libspeexdsp1 \
                "$SOUNDS/en_US_f_Allison=asterisk-core-sounds-en-wav" \
                "$SOUNDS/es_MX_f_Allison=asterisk-core-sounds-es-wav" \
                "$SOUNDS/fr_CA_f_June=asterisk-core-sounds-fr-wav" \
                "$SOUNDS/it_IT_m_Carlo=asterisk-core-sounds-it-wav" \
                "$SOUNDS/ru_RU_f_IvrvoiceRU=asterisk-core-sounds-ru-wav"
            ;;
        *) fail "unknown option $option; known: --demo --test --bench --tools" ;;
    esac
done
sync_packages "$mode"
