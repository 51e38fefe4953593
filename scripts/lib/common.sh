# shellcheck shell=bash disable=SC2154 # root, state, venv: set by scripts/setup
# What the steps of scripts/setup share: messages, system packages. Sourced, not run.

# Standard output belongs to the command that `make` runs after the set-up.
say() { printf 'setup: %s\n' "$*" >&2; }

# die CODE WHAT [NEXT-STEP...]
die() {
    local code=$1 what=$2
    shift 2
    printf 'setup: error: %s\n' "$what" >&2
    if [ $# -gt 0 ]; then printf '  next step: %s\n' "$@" >&2; fi
    exit "$code"
}

# The last lines of a log that explains a failure.
show_tail() {
    if [ -s "$1" ]; then
        printf '  last lines of %s:\n' "$1" >&2
        tail -n 15 "$1" | sed 's/^/    /' >&2
    fi
}

on_debian_family() {
    [ -r /etc/os-release ] || return 1
    local ids
    ids=$(. /etc/os-release && echo " ${ID:-} ${ID_LIKE:-} ")
    case $ids in *" debian "* | *" ubuntu "*) return 0 ;; *) return 1 ;; esac
}

on_ubuntu() { (. /etc/os-release 2>/dev/null && [ "${ID:-}" = ubuntu ]); }

# Whether this script may and can install system packages.
can_install() {
    [ "${POSTFIX_MATRIX_INSTALL:-yes}" != no ] && [ "$(id -u)" -eq 0 ] && on_debian_family &&
        command -v apt-get >/dev/null
}

apt_quietly() {
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300 \
        "$@" </dev/null >>"$state/apt.log" 2>&1 9>&-
}

# install_packages WHY PACKAGE...
install_packages() {
    local why=$1 started=$SECONDS
    shift
    say "$why: installing $* (apt-get)"
    : >"$state/apt.log"
    if ! apt_quietly update || ! apt_quietly install -y --no-install-recommends "$@"; then
        show_tail "$state/apt.log"
        die 3 "apt-get could not install $*" \
            "look at the lines above (network? apt sources?), then run the same command again"
    fi
    hash -r
    say "installed in $((SECONDS - started)) s"
}
