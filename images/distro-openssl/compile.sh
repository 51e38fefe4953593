#!/bin/bash
# Compile the OpenSSL of a distribution's build: ../openssl/build.sh, with two more words for ./config.
#
#   --openssldir      the folder of the package's OpenSSL: the new library reads the same openssl.cnf
#   --version-script  only for releases before 1.1.0, whose libraries have no symbol versions, while
#                     each distribution gives them some: without these, ld.so says "no version
#                     information available" at each start of a program. They are read from the
#                     package's own library. A symbol that it does not have gets none.
#
# The environment is that of build.sh: VERSION CONFIGURE SWITCHES SUBDIR.
set -euo pipefail

# print_versions LIBRARY...: a line "VERSION SYMBOL" for each symbol that the libraries define.
print_versions() {
    readelf -W --dyn-syms "$@" | awk '
        $7 != "UND" && $7 != "ABS" && split($8, name, "@@") == 2 { print name[2], name[1] }' | sort -u
}

# write_version_script FILE: one node per version, each of which depends on the one before (ld, VERSION).
write_version_script() {
    local before='' version
    print_versions /package/libssl /package/libcrypto >/tmp/symbols
    for version in $(cut -d ' ' -f 1 /tmp/symbols | sort -u -V); do
        echo "$version { global:"
        awk -v version="$version" '$1 == version { print "    " $2 ";" }' /tmp/symbols
        echo "}${before:+ $before};"
        before=$version
    done >"$1"
}

# From 1.1.0 on the source has a version script of its own.
has_version_script() {
    mkdir -p /tmp/source
    tar --warning=no-unknown-keyword --no-same-owner -xf /src/source.tar -C /tmp/source "$SUBDIR"
    (cd "/tmp/source/$SUBDIR" && grep -rqs -e '--version-script' Configure Configurations Makefile.shared util)
}

[ ! -e /src/adapt.sh ] || bash /src/adapt.sh
CONFIGURE="--openssldir=$(cat /package/openssldir) $CONFIGURE"
if ! has_version_script; then
    write_version_script /src/versions.ld
    [ ! -s /src/versions.ld ] || CONFIGURE="-Wl,--version-script=/src/versions.ld $CONFIGURE"
fi
rm -rf /tmp/source
export CONFIGURE
bash /src/build.sh
