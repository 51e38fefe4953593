# Install packages with the package manager that the system has.
#
# install.sh PACKAGE...
#
# postfix-lmdb is installed where there is such a package: from Red Hat 10 on and in openSUSE, LMDB is
# the default type of tables; elsewhere it is one more type.
set -eu
here=${0%/*}

if command -v zypper >/dev/null; then
    zypper --non-interactive refresh
    add() { zypper --non-interactive install --no-recommends "$@"; }
    offers() { zypper --non-interactive search --match-exact "$1" >/dev/null 2>&1; }
    clean() { zypper clean --all; }
elif command -v dnf >/dev/null; then
    add() { dnf -y --setopt=install_weak_deps=False --setopt=tsflags=nodocs install "$@"; }
    offers() { dnf -q list --available "$1" >/dev/null 2>&1; }
    clean() { dnf clean all; }
elif command -v yum >/dev/null; then
    sh "$here/move-repositories.sh"
    add() { yum -y --setopt=tsflags=nodocs install "$@"; }
    offers() { yum -q list available "$1" >/dev/null 2>&1; }
    clean() { yum clean all; }
else
    echo "no package manager that this script knows: zypper, dnf or yum" >&2
    exit 1
fi

add "$@"
if offers postfix-lmdb; then add postfix-lmdb; fi
clean
rm -rf /var/cache/dnf /var/cache/yum /var/log/dnf* /var/log/yum.log /var/log/zypp
