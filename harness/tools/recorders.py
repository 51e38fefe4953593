"""The recorders of service managers: a script that answers like a running system, and its log.

A container has no service manager: real ones fail there ("Failed to connect to bus", systemctl(1)).
So each of these commands is replaced by one script, which writes down what it was called with.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The commands that are recorded, with the folder in which each usually is.
RECORDED = {
    "systemctl": "/usr/bin",
    "service": "/usr/sbin",
    "invoke-rc.d": "/usr/sbin",
    "rc-service": "/sbin",
    "deb-systemd-invoke": "/usr/bin",
}
#: Where the recorders and what they write are in the container, besides the usual folders.
FOLDER = "/postfix-matrix-tool"
LOG = f"{FOLDER}/services"

#: The script. Its state of a unit is a file; without one the unit runs and is enabled, as after an
#: installation. What it prints for ``show`` is what ansible.builtin.systemd reads.
SCRIPT = f"""#!/bin/sh
name=${{0##*/}}
state={FOLDER}/state
mkdir -p "$state" 2>/dev/null
printf '%s\\n' "$name $*" >>{LOG} 2>/dev/null
action= unit=
case $name in
    systemctl|deb-systemd-invoke)
        for word; do
            case $word in
                --version) echo 'systemd 252 (252)'; exit 0;;
                -*) ;;
                *) if [ -z "$action" ]; then action=$word; else unit=${{word%.service}}; fi;;
            esac
        done;;
    *)
        for word; do
            case $word in
                --status-all) echo ' [ + ]  postfix'; exit 0;;
                -*) ;;
                *) if [ -z "$unit" ]; then unit=$word; else action=$word; fi;;
            esac
        done;;
esac
file=$state/$(printf '%s' "$unit" | tr -c 'A-Za-z0-9@_-' _)
active=active enabled=enabled
[ -e "$file.stopped" ] && active=inactive
[ -e "$file.disabled" ] && enabled=disabled
case $action in
    stop) : >"$file.stopped";;
    start|restart|reload|try-restart|reload-or-restart|force-reload|condrestart)
        rm -f "$file.stopped";;
    disable|mask) : >"$file.disabled";;
    enable|unmask|preset) rm -f "$file.disabled";;
    is-active) echo $active; [ $active = active ] || exit 3;;
    is-enabled) echo $enabled; [ $enabled = enabled ]; exit;;
    is-failed) echo $active; exit 1;;
    is-system-running) echo running;;
    show)
        sub=running; [ $active = active ] || sub=dead
        printf 'Id=%s.service\\nLoadState=loaded\\nActiveState=%s\\nSubState=%s\\n' \\
            "$unit" $active $sub
        printf 'UnitFileState=%s\\nMainPID=1\\n' $enabled;;
    list-unit-files)
        printf 'postfix.service %s\\n' $enabled;;
    list-units)
        printf 'postfix.service loaded %s running Postfix\\n' $active;;
    cat) printf '# /lib/systemd/system/%s.service\\n[Unit]\\n' "$unit";;
    status)
        [ $active = active ] || {{ echo "$unit is stopped"; exit 3; }}
        echo "$unit is running";;
esac
exit 0
"""
#: Actions that only ask, and change nothing.
_QUESTIONS = frozenset(
    {"is-active", "is-enabled", "is-failed", "is-system-running", "show", "status"}
    | {"list-unit-files", "list-units", "cat", "--version", "--status-all", "get-default"}
)
_UNIT_FIRST = frozenset({"service", "invoke-rc.d", "rc-service"})


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """A call of a service manager: the whole command, what it asked for, and of which unit."""

    command: str
    action: str
    unit: str

    @property
    def is_question(self) -> bool:
        """Whether it only asked for a state."""
        return self.action in _QUESTIONS or not self.action


def parse_calls(log: str) -> tuple[ServiceCall, ...]:
    """The calls in a recorder's log, one line per call."""
    return tuple(_parse_call(line) for line in log.splitlines() if line.strip())


def _parse_call(line: str) -> ServiceCall:
    name, *arguments = line.split()
    plain = [word for word in arguments if not word.startswith("-")]
    if not plain:
        return ServiceCall(line, arguments[0] if arguments else "", "")
    first, second = plain[0], plain[-1] if len(plain) > 1 else ""
    action, unit = (second, first) if name in _UNIT_FIRST else (first, second)
    return ServiceCall(line, action, unit.removesuffix(".service"))
