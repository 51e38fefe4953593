# shellcheck shell=bash disable=SC2154 # root, state, venv: set by scripts/setup
# An image registry for tests/docker/test_registry.py, which starts it. Sourced by scripts/setup.

registry_folder=$state/docker-registry

has_registry() {
    command -v docker-registry >/dev/null || [ -x "$registry_folder/usr/bin/docker-registry" ]
}

# Unpacked, not installed: the package starts a registry on port 5000 of all addresses.
ensure_registry() {
    if has_registry; then return; fi
    if ! on_debian_family || ! command -v apt-get >/dev/null ||
        [ "${POSTFIX_MATRIX_INSTALL:-yes}" = no ]; then
        say "note: no docker-registry on PATH: tests/docker/test_registry.py will fail (Debian, Ubuntu: apt-get install docker-registry)"
        return
    fi
    say "no docker-registry (for tests/docker): unpacking Debian's package into .setup"
    rm -rf "$registry_folder"
    mkdir -p "$registry_folder"
    : >"$state/apt.log"
    if can_install; then apt_quietly update || true; fi
    if ! (cd "$registry_folder" && apt_quietly download docker-registry) ||
        ! dpkg-deb -x "$registry_folder"/docker-registry_*.deb "$registry_folder"; then
        show_tail "$state/apt.log"
        rm -rf "$registry_folder"
        die 3 "apt-get could not download docker-registry" \
            "look at the lines above (network? apt sources?), then run the same command again" \
            "or install it by hand, so that docker-registry is on PATH"
    fi
    rm "$registry_folder"/docker-registry_*.deb
}
