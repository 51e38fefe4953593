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
