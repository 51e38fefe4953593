# shellcheck shell=bash disable=SC2154 # root, state, venv: set by scripts/setup
# The Docker engine, and what base images are made with. Sourced by scripts/setup.

# Whether an engine answers; the reason why not is left in $engine_words.
# 0 it answers, 1 nothing answers, 2 it is there but this user may not use it.
probe_engine() {
    engine_words=$("$venv/bin/python" "$root/scripts/lib/probe_engine.py" "$@" 2>&1)
}

ensure_engine() {
    local code=0
    probe_engine || code=$?
    if [ "$code" -eq 0 ]; then return; fi
    if [ "$code" -eq 2 ]; then
        die 3 "this user may not use the Docker engine: $engine_words" \
            "run as root, or join the group 'docker' (usermod -aG docker $(id -un)) and log in again"
    fi
    if [ -n "${DOCKER_HOST:-}" ]; then
        die 3 "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST: $engine_words" \
            "start it, correct DOCKER_HOST, or unset it to use this machine's own engine"
    fi
    if ! can_install; then
        die 3 "no Docker engine answers on this machine: $engine_words" \
            "install and start one (Debian, Ubuntu: apt-get install docker.io; others: docs.docker.com/engine/install)" \
            "or set DOCKER_HOST to one that runs (rootless: unix://\$XDG_RUNTIME_DIR/docker.sock)" \
            "or run this as root on Debian or Ubuntu, which installs docker.io"
    fi
    install_engine
    start_engine
}

install_engine() {
    local missing=()
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v iptables >/dev/null || missing+=(iptables)
    if [ ${#missing[@]} -eq 0 ]; then return; fi
    # In one go with what ensure_bootstrap may want a moment later.
    has_bootstrap || missing+=("${bootstrap_packages[@]}")
    install_packages "no Docker engine answers" "${missing[@]}"
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        say "starting the Docker engine (systemctl start docker)"
        systemctl start docker >&2 9>&- || say "systemctl failed: see 'journalctl -u docker'"
        wait_for_engine "" "look at: journalctl -u docker"
        return
    fi
    forget_dead /var/run/docker.pid dockerd
    forget_dead /var/run/docker/containerd/containerd.pid containerd
    local log=$state/dockerd.log arguments=()
    read -r -a arguments <<<"${POSTFIX_MATRIX_DOCKERD_ARGS:-}"
    say "starting dockerd in the background (no systemd here; log: $log)"
    # In a session of its own, so that Ctrl-C on make does not end it under a run.
    setsid dockerd ${arguments[@]+"${arguments[@]}"} </dev/null >"$log" 2>&1 9>&- &
    wait_for_engine $! "correct what the log complains of, or give dockerd more arguments in POSTFIX_MATRIX_DOCKERD_ARGS (a common one: --storage-driver=vfs)"
}

# wait_for_engine PID-OR-EMPTY NEXT-STEP: up to 60 s.
wait_for_engine() {
    local pid=$1 next=$2 started=$SECONDS
    while ! probe_engine; do
        if [ $((SECONDS - started)) -ge 60 ] || { [ -n "$pid" ] && ! alive "$pid"; }; then
            if [ -n "$pid" ]; then show_tail "$state/dockerd.log"; fi
            die 3 "the Docker engine did not start: $engine_words" "$next"
        fi
        sleep 0.5
    done
    say "the Docker engine answers after $((SECONDS - started)) s ($engine_words)"
}

# forget_dead FILE PROGRAM: a killed daemon leaves its pid file behind, and the next one will not start
# while that number is some other process's.
forget_dead() {
    local file=$1 program=$2 pid
    [ -s "$file" ] || return 0
    pid=$(cat "$file")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$program" ]; then
        say "removing $file, which a $program that is gone left behind"
        rm -f "$file"
    fi
}

# Ours, or one that the package's own start script launched first (then ours gives up at once).
alive() {
    kill -0 "$1" 2>/dev/null ||
        { [ -s /var/run/docker.pid ] && kill -0 "$(cat /var/run/docker.pid)" 2>/dev/null; }
}

bootstrap_packages=(mmdebstrap debian-archive-keyring)
has_bootstrap() {
    command -v mmdebstrap >/dev/null && [ -e /usr/share/keyrings/debian-archive-keyring.gpg ]
}

# Base images are pulled where the engine reaches a registry, else bootstrapped with mmdebstrap.
ensure_bootstrap() {
    if has_bootstrap || [ -e "$state/registry.stamp" ]; then return; fi
    if probe_engine --registry; then
        stamp registry "$engine_words"
    elif can_install; then
        install_packages "the engine reaches no image registry, so base images are bootstrapped" \
            "${bootstrap_packages[@]}"
    else
        say "note: the engine reaches no image registry ($engine_words), and mmdebstrap is not installed:"
        say "note: base images that are not already there cannot be made (Debian, Ubuntu: apt-get install ${bootstrap_packages[*]})"
    fi
}
