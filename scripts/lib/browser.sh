# shellcheck shell=bash disable=SC2154 # root, state, venv: set by scripts/setup
# A browser and its driver for tests/browser. Sourced by scripts/setup.

has_browser() {
    command -v chromedriver >/dev/null &&
        { command -v chromium >/dev/null || command -v google-chrome >/dev/null; }
}

ensure_browser() {
    if has_browser; then return; fi
    # Ubuntu's chromium package is a pointer to a snap, which has no driver on PATH.
    if can_install && ! on_ubuntu; then
        install_packages "no Chromium with its driver (for tests/browser)" chromium chromium-driver
        return
    fi
    die 3 "no Chromium with its driver on PATH (tests/browser needs both)" \
        "install chromium and chromedriver (Debian: apt-get install chromium chromium-driver)" \
        "or on Ubuntu: Google Chrome and the chromedriver of the same version"
}

browser_packages=$state/browser-packages

# axe-core and html-validate, by the lock beside the tests that use them.
ensure_browser_packages() {
    local lock=$root/tests/browser/package-lock.json
    if cmp -s "$lock" "$browser_packages/installed.json"; then return; fi
    command -v npm >/dev/null ||
        die 3 "no npm on PATH (tests/browser checks the site's pages with axe-core and html-validate)" \
            "install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm)"
    say "installing the packages of tests/browser/package-lock.json (npm)"
    mkdir -p "$browser_packages"
    cp "$root/tests/browser/package.json" "$lock" "$browser_packages/"
    if ! (cd "$browser_packages" && npm ci --ignore-scripts --no-audit --no-fund --silent) >&2 9>&-; then
        die 3 "npm could not install the packages of tests/browser/package-lock.json" \
            "see npm's output above: a network that is down, or a proxy, is the usual cause; run again"
    fi
    cp "$lock" "$browser_packages/installed.json"
}
