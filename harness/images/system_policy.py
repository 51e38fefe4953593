"""What a system's configuration of OpenSSL sets for every program: ``system_default`` of config(5).

Debian's openssl.cnf sets a security level there, Red Hat's includes the file that
update-crypto-policies(8) writes. It is what an administrator changed, not what is in effect:
Postfix replaces some of it with settings of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: Shell functions that print the configuration, a line each after "conf=", with the files that it
#: includes in their places; and the name of the crypto policy, after "crypto-policy=".
#: ``say NAME VALUE`` must print NAME=VALUE.
READ_POLICY = r"""
conf() {
    [ -f "$1" ] && [ "$2" -lt 6 ] || return 0
    while read -r line || [ "$line" ]; do
        case $line in
            .include*)
                line=$(echo "$line" | sed 's/^\.include[[:space:]=]*//; s/[[:space:]]*$//')
                if [ -d "$line" ]; then
                    for file in "$line"/*.cnf "$line"/*.conf; do conf "$file" $(($2 + 1)); done
                else
                    conf "$line" $(($2 + 1))
                fi;;
            *) say conf "$line";;
        esac
    done <"$1"
}
conf "$(openssl version -d 2>/dev/null | sed -n 's/.*"\(.*\)".*/\1/p')/openssl.cnf" 0
say crypto-policy "$(cat /etc/crypto-policies/state/current 2>/dev/null)"
"""

_Sections = dict[str, dict[str, str]]


def describe_system_policy(lines: Iterable[str], crypto_policy: str) -> str:
    """``crypto policy LEGACY; MinProtocol = TLSv1; ...``, "" where nothing is set.

    ``lines`` are those of the configuration, with included files in their places; ``crypto_policy``
    is the name of the system's policy, "" if it has none.
    """
    sections = parse_sections(lines)
    modules = _find_section(sections, sections[""], "openssl_conf")
    library = _find_section(sections, modules, "ssl_conf")
    settings = {
        **_find_section(sections, library, "system_default"),
        **_find_section(sections, modules, "alg_section"),
    }
    named = [f"crypto policy {crypto_policy}"] if crypto_policy else []
    return "; ".join([*named, *(f"{name} = {value}" for name, value in settings.items())])


def parse_sections(lines: Iterable[str]) -> _Sections:
    """The settings of an OpenSSL configuration by section; "" is the one before the first name.

    A section may be given in parts, and of a setting that is given twice the last counts.
    """
    sections: _Sections = {"": {}}
    section = sections[""]
    for line in lines:
        text = line.partition("#")[0].strip()
        if text.startswith("["):
            section = sections.setdefault(text.strip("[] \t"), {})
        elif "=" in text and not text.startswith("."):
            name, _, value = text.partition("=")
            section[name.strip()] = value.strip()
    return sections


def _find_section(sections: _Sections, section: Mapping[str, str], name: str) -> Mapping[str, str]:
    """The section that a setting names; empty where there is no such setting or section."""
    return sections.get(section.get(name) or "\n", {})
