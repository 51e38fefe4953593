# shellcheck shell=bash disable=SC2154 # root, state, venv: set by scripts/setup
# The virtual environment, from the locks. Sourced by scripts/setup.

python_fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Debian leaves ensurepip out of python3; it comes with python3-venv.
python_makes_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 /usr/bin/python3}; do
        if python_fits "$name" && python_makes_venvs "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

ensure_python() {
    if python=$(find_python); then return; fi
    if [ -z "${PYTHON:-}" ] && can_install; then
        install_packages "no Python >= 3.11 that can make virtual environments" python3 python3-venv
        if python=$(find_python); then return; fi
        die 3 "this release of Debian or Ubuntu has no Python >= 3.11" \
            "install one, then: make ... PYTHON=/path/to/python3.11"
    fi
    die 3 "no Python >= 3.11 that can make virtual environments (tried ${PYTHON:-python3})" \
        "install Python 3.11 or newer with its venv module (Debian, Ubuntu: python3-venv)" \
        "or name one: make ... PYTHON=/path/to/python3.11"
}

# A virtual environment has its own path inside it: a copied or moved checkout needs a new one.
ensure_venv() {
    if stamped venv "$root" && "$venv/bin/python" -c '' 2>/dev/null; then return; fi
    ensure_python
    say "making the virtual environment .venv with $("$python" --version) ($python)"
    rm -rf "$venv" "$state"/*.stamp
    "$python" -m venv "$venv" >&2 || die 3 "$python could not make a virtual environment in $venv"
    stamp venv "$root"
}

# ensure_locked run|dev: what requirements/NAME.txt says, to the hash.
ensure_locked() {
    local lock=requirements/$1.txt key started=$SECONDS
    key=$(digest "$root/$lock")
    if stamped "$1" "$key"; then return; fi
    say "installing the packages of $lock"
    if ! "$venv/bin/python" -m pip install -qq --disable-pip-version-check --retries 5 \
        --require-hashes -r "$root/$lock" >&2; then
        die 3 "pip could not install $lock" \
            "see pip's output above: a network that is down, or a proxy, is the usual cause; run again"
    fi
    stamp "$1" "$key"
    say "installed in $((SECONDS - started)) s"
}

ensure_project() {
    local key
    key=$(digest "$root/pyproject.toml" "$root/harness/__init__.py")
    if stamped project "$key"; then return; fi
    say "installing postfix-matrix itself into .venv (editable)"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-index \
        --no-deps --no-build-isolation --editable "$root" >&2 ||
        die 3 "pip could not install the project itself" "see pip's output above"
    stamp project "$key"
}

digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

# A stamp says that a step is done for this content.
stamped() { [ -f "$state/$1.stamp" ] && [ "$(<"$state/$1.stamp")" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$state/$1.stamp"; }
