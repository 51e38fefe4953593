#!/bin/sh
# Collect Debian's packages of one OpenSSL below /collected: collect.sh VERSION PACKAGE SUITE
set -eu
version=$1 package=$2 suite=$3
prefix=/opt/openssl-$version
to=/collected$prefix
wanted=/etc/apt/sources.list.d/wanted
. /etc/os-release
own=$VERSION_CODENAME

fail() {
    echo "$1" >&2
    exit 1
}

# The base's own package sources, in both of their formats (sources.list(5)), for the other suite.
name_suite() {
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$list" ] || sed -n -E "s/^(deb (\[[^]]*\] )?[^ ]+ )$own( .*)?\$/\1$suite\3/p" "$list"
    done >"$wanted.list"
    for list in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$list" ] || awk -v RS= -v ORS='\n\n' -v own="$own" -v suite="$suite" '
            match($0, "(^|\n)Suites:[^\n]*") {
                line = substr($0, RSTART, RLENGTH)
                if ((line " ") ~ ("[ \t]" own "[ \t]"))
                    print substr($0, 1, RSTART - 1) (RSTART > 1 ? "\n" : "") "Suites: " suite \
                        substr($0, RSTART + RLENGTH)
            }' "$list"
    done >"$wanted.sources"
}

available() {
    apt-cache madison "$1" | awk -F ' *[|] *' -v suite=" $suite/" 'index($3, suite) { print $2 }'
}

download() {
    for name in "$@"; do
        available "$name" | grep -qxF "$package" || fail \
            "Debian $suite has $name $(available "$name" | paste -sd ' ') now, not $package"
        apt-get -o APT::Sandbox::User=root download "$name=$package"
    done
}

# Each as Debian has it, but for two things: all headers in one folder, and a program that finds the
# libraries next to it. What the libraries look for by an absolute path is there as well.
collect() {
    mkdir -p "$to/bin" "$to/lib" "$to/include" "$to/share"
    cp usr/bin/openssl "$to/bin/"
    patchelf --set-rpath "$prefix/lib" "$to/bin/openssl"
    cp -a usr/lib/*/libssl.so* usr/lib/*/libcrypto.so* usr/lib/*/ossl-modules "$to/lib/"
    cp -a usr/include/openssl "$to/include/"
    cp -a usr/include/*-*/openssl/. "$to/include/openssl/"
    mkdir -p /collected/etc
    cp -a etc/ssl /collected/etc/
    for path in usr/lib/ssl usr/lib/*/ossl-modules; do
        mkdir -p "/collected/${path%/*}"
        cp -a "$path" "/collected/$path"
    done
    sha256sum -- *.deb >"$to/share/packages"
}

[ "$suite" = "$own" ] || name_suite
apt-get update
apt-get install patchelf
mkdir /packages && cd /packages
download openssl libssl-dev
# The libraries' package has their ABI's number in its name; it depends on the legacy provider's.
library=$(dpkg-deb -f libssl-dev_*.deb Depends | grep -o 'libssl[0-9][^ ]*')
download "$library"
! dpkg-deb -f "$library"_*.deb Depends | grep -q openssl-provider-legacy \
    || download openssl-provider-legacy
for deb in *.deb; do
    dpkg-deb -x "$deb" .
done
collect
ln -s "$to" "$prefix"
"$prefix/bin/openssl" version -a | tee "$to/share/version"
case $(head -n 1 "$to/share/version") in
    "OpenSSL $version "*) ;;
    *) fail "openssl $package is not OpenSSL $version" ;;
esac
