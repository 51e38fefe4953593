"""Systems with RPM packages, made here: a real rpm database, real dnf or zypper, a repository.

Registries and repositories of RPM distributions are not reached by every machine, so the packages
are made of a pair that was compiled here: Postfix 3.7.11 with its daemons in /usr/libexec/postfix,
and OpenSSL 1.1.1w, the release of Red Hat Enterprise Linux 8. update-crypto-policies(8) is not in
Debian: a few lines that write and show the same files take its place.
"""

from __future__ import annotations

#: What the crypto policies of Red Hat's systems hand to OpenSSL (opensslcnf.config), as far as a
#: server's handshake shows it.
POLICIES = {
    "DEFAULT": (
        "CipherString = @SECLEVEL=2:kEECDH:kRSA:kEDH:-3DES:!RC4:!eNULL:!aNULL:!MD5",
        "Ciphersuites = TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
        "TLS.MinProtocol = TLSv1.2",
    ),
    "LEGACY": (
        "CipherString = @SECLEVEL=1:kEECDH:kRSA:kEDH:!RC4:!eNULL:!aNULL:!MD5",
        "Ciphersuites = TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
        "TLS.MinProtocol = TLSv1",
    ),
    "FUTURE": (
        "CipherString = @SECLEVEL=3:kEECDH:kEDH:-kRSA:-AES128:-SHA256:-CBC:-SHA1:!aNULL:!MD5",
        "Ciphersuites = TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
        "TLS.MinProtocol = TLSv1.2",
    ),
}

_OPENSSL_CNF = (
    "openssl_conf = default_modules",
    "[ default_modules ]",
    "ssl_conf = ssl_module",
    "[ ssl_module ]",
    "system_default = crypto_policy",
    "[ crypto_policy ]",
    ".include /etc/crypto-policies/back-ends/opensslcnf.config",
)

_UPDATE_CRYPTO_POLICIES = r"""#!/bin/sh
[ "$1" = --no-reload ] && shift
case $1 in
    --show) cat /etc/crypto-policies/state/current;;
    --set)
        [ -d "/usr/share/crypto-policies/$2" ] || exit 1
        echo "$2" >/etc/crypto-policies/state/current
        ln -sf "/usr/share/crypto-policies/$2/opensslcnf.txt" \
            /etc/crypto-policies/back-ends/opensslcnf.config;;
esac
"""

# The spec of one package; AutoReqProv finds what Debian's packages have, which rpm does not know.
_SPEC = r"""
Name: @name@
Version: @version@
Release: 1.test
Summary: @name@, of files that were made here
License: IPL-1.0
AutoReqProv: no
@provides@
%description
@name@
%files
@files@
"""

#: Makes a package of files that exist: package.sh NAME VERSION PROVIDES FILE...
_PACKAGE = r"""set -eu
name=$1 version=$2 provides=$3
shift 3
root=/root/rpmbuild/BUILDROOT/$name-$version-1.test.x86_64
mkdir -p "$root"
for file in "$@"; do (cd / && tar -cf - ".$file") | tar -C "$root" -xf -; done
{ sed "s/@name@/$name/; s/@version@/$version/" /srv/package.spec | sed '/^@/d; /^%files/q'
  for file in "$@"; do echo "$file"; done
} >"/srv/$name.spec"
[ -z "$provides" ] || sed -i "s,^AutoReqProv,Provides: $provides\n&," "/srv/$name.spec"
rpmbuild -bb --target x86_64 --define '__spec_install_pre %{nil}' --define 'debug_package %{nil}' \
    --define '__os_install_post %{nil}' --buildroot "$root" "/srv/$name.spec" \
    >"/srv/$name.log" 2>&1 \
    || { cat "/srv/$name.log" >&2; exit 1; }
mkdir -p /srv/repository
cp /root/rpmbuild/RPMS/x86_64/"$name"-*.rpm /srv/repository/
"""


def _write(path: str, lines: tuple[str, ...] | str) -> str:
    """A line of a Dockerfile that writes a file."""
    text = lines if isinstance(lines, str) else "\n".join((*lines, ""))
    escaped = text.replace("\\", "\\\\").replace("'", "'\\''").replace("%", "%%")
    escaped = escaped.replace("\n", "\\n")
    return f"mkdir -p {path.rpartition('/')[0]} && printf '{escaped}' >{path}"


def _run(*commands: str) -> str:
    return "RUN " + " \\\n && ".join(commands) + "\n"


_POSTFIX_FILES = (
    "/usr/libexec/postfix /usr/sbin/post* /usr/sbin/sendmail /etc/postfix /usr/lib/postfix"
)


def dockerfile(manager: str) -> str:
    """A Dockerfile of a system with RPM packages; ``manager`` is dnf or zypper.

    With zypper it is laid out like openSUSE: the daemons are not where Postfix's built-in default
    has them, their folder and the queue's group are in its main.cf, and /etc has no services.
    """
    zypper = manager == "zypper"
    repository = "/etc/zypp/repos.d" if zypper else "/etc/yum.repos.d"
    policies = [
        _write(f"/usr/share/crypto-policies/{name}/opensslcnf.txt", lines)
        for name, lines in POLICIES.items()
    ]
    openssl = "/opt/openssl-1.1.1w"
    return "".join((
        "ARG POSTFIX\nFROM ${POSTFIX}\n",
        # Debian's rpm has its database in the user's home.
        _run(
            "apt-get update",
            f"apt-get install rpm {manager} createrepo-c gawk",
            "mkdir -p /etc/rpm && echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros",
        ),
        _run(
            *policies,
            _write("/srv/package.spec", _SPEC),
            _write("/srv/package.sh", _PACKAGE),
            _write("/usr/bin/update-crypto-policies", _UPDATE_CRYPTO_POLICIES),
            _write(f"{openssl}/openssl.cnf", _OPENSSL_CNF),
            "chmod 755 /usr/bin/update-crypto-policies",
            "mkdir -p /etc/crypto-policies/back-ends /etc/crypto-policies/state",
            "update-crypto-policies --set DEFAULT",
        ),
        _like_opensuse() if zypper else "",
        _run(
            f"sh /srv/package.sh postfix 3.7.11 '' $(ls -d {_POSTFIX_FILES} 2>/dev/null)",
            f"sh /srv/package.sh openssl 1.1.1w '' {openssl}",
            "sh /srv/package.sh crypto-policies 20260101 '' /usr/share/crypto-policies",
            "sh /srv/package.sh crypto-policies-scripts 20260101 '' "
            "/usr/bin/update-crypto-policies",
            # Perl itself is Debian's.
            "touch /srv/perl-is-debians",
            "sh /srv/package.sh perl 5.36.0 '/usr/bin/perl\\nProvides: perl(POSIX)\\nProvides: "
            "perl(Socket)' /srv/perl-is-debians",
            "sh /srv/package.sh gawk 5.2.1 '' /usr/bin/gawk",
            "createrepo_c -q /srv/repository",
            _write(
                f"{repository}/made-here.repo",
                ("[made-here]", "name=made here", "baseurl=file:///srv/repository", "enabled=1",
                 "gpgcheck=0", "type=rpm-md"),
            ),
            # From now on all of it is in the repository only; Debian's own database is of no use.
            f"rm -rf $(ls -d {_POSTFIX_FILES} 2>/dev/null) /usr/bin/update-crypto-policies",
            "mv /usr/bin/dpkg-query /usr/bin/dpkg-query.debian",
            "rpm --initdb && rpm -i --nodeps /srv/repository/crypto-policies-2026*.rpm",
        ),
    ))  # fmt: skip


def _like_opensuse() -> str:
    return _run(
        "mkdir -p /usr/lib/postfix /usr/etc",
        "mv /usr/libexec/postfix /usr/lib/postfix/bin",
        "printf 'daemon_directory = /usr/lib/postfix/bin/\\nsetgid_group = maildrop\\n' "
        ">/etc/postfix/main.cf",
        "groupmod -n maildrop postdrop",
        "mv /etc/services /usr/etc/services",
    )
