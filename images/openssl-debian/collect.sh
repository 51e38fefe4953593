#!/bin/sh
# Unpack Debian's packages of one OpenSSL below /collected: collect.sh VERSION PACKAGE SUITE
set -eu
version=$1 package=$2 suite=$3
prefix=/collected/opt/openssl-$version

fail() {
    echo "$1" >&2
    exit 1
}

# A suite that the base image does not read is read from the same mirror as the base's own.
if ! apt-cache policy | grep -q "n=$suite,\|n=$suite\$\|a=$suite,"; then
    . /etc/os-release
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$list" ] || sed -n "s/^\(deb .*\) $VERSION_CODENAME main.*/\1 $suite main/p" "$list"
    done | sort -u >/tmp/suite.list
    for list in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$list" ] || sed -n "s/^URIs: *\([^ ]*\).*/deb \1 $suite main/p" "$list" | head -n 1
    done >>/tmp/suite.list
    cp /tmp/suite.list /etc/apt/sources.list.d/postfix-matrix-suite.list
    apt-get update
fi

# The library's package has its soname in its name: libssl3t64, libssl4.
library=$(apt-cache show "libssl-dev=$package" 2>/dev/null \
    | sed -n 's/^Depends:.*\(libssl[0-9][a-z0-9]*\) (= .*/\1/p' | head -n 1)
[ -n "$library" ] || fail "Debian $suite has no libssl-dev $package any more; it has: \
$(apt-cache madison libssl-dev | tr -s ' ' | cut -d'|' -f2 | tr '\n' ' ')"

mkdir -p /debs /tree "$prefix/lib" "$prefix/share" && cd /debs
apt-get -o APT::Sandbox::User=root download "openssl=$package" "libssl-dev=$package" "$library=$package"
for one in ./*.deb; do
    dpkg-deb --extract "$one" /tree
done

architecture=$(basename /tree/usr/include/*-linux-*)
cp -a /tree/usr/lib/"$architecture"/lib*.so* "$prefix/lib/"
cp -a /tree/usr/include "$prefix/"
cp -a "$prefix/include/$architecture/openssl/." "$prefix/include/openssl/"
mkdir "$prefix/bin"
cp -a /tree/usr/bin/openssl "$prefix/bin/"
patchelf --set-rpath "/opt/openssl-$version/lib" "$prefix/bin/openssl" "$prefix"/lib/libssl.so.*
# Debian's place of configuration, and what it leads to.
mkdir -p /collected/usr/lib /collected/etc
cp -a /tree/usr/lib/ssl /collected/usr/lib/
cp -a /tree/etc/ssl /collected/etc/
echo "openssl, libssl-dev and $library $package of Debian $suite" >"$prefix/share/packages"

ln -s "$prefix" "/opt/openssl-$version"
"$prefix/bin/openssl" version -a | tee "$prefix/share/version"
case $(head -n 1 "$prefix/share/version") in
    "OpenSSL $version "*) ;;
    *) fail "this is not OpenSSL $version, but $(head -n 1 "$prefix/share/version")" ;;
esac
