#!/bin/bash
# Build one OpenSSL and install it under /opt/openssl-VERSION. What to build is in the environment, as
# the Dockerfile's arguments of the same names: VERSION CONFIGURE SWITCHES SUBDIR.
#
# SWITCHES are ways of going about it that some releases need; which and why is data of the catalog:
#   all             "make all": no target of this release makes just the software
#   depend          "make depend" first, where ./config says that these words call for it
#   ar-takes-turns  let only one ar(1) at a time add to an archive
#   serial          one job at a time
#   no-shaext       without the path for the processor's SHA instructions
set -euo pipefail
. /usr/local/lib/postfix-matrix/steps.sh
prefix=/opt/openssl-$VERSION
begin "OpenSSL $VERSION" "$prefix/share"
mkdir -p "$prefix/certs"

# Before bash 4.4 an empty array counts as unset: ${ar[@]+...} expands to nothing then.
target=build_sw depend=no ar=() jobs=$(nproc) shaext=yes
for switch in $SWITCHES; do
    case $switch in
        all) target=all ;;
        depend) depend=yes ;;
        ar-takes-turns) ar=(AR='flock /src/ar.lock ar r' RANLIB=true) ;;
        serial) jobs=1 ;;
        no-shaext) shaext=no ;;
        *) fail "SWITCHES has '$switch', which images/openssl/build.sh does not know" ;;
    esac
done

# npm writes headers of its own into its archives (tar's remarks on them say nothing), and some have
# lost the right to execute. Objects in a local tree were compiled for something else.
unpack() {
    tar --warning=no-unknown-keyword --no-same-owner -xf source.tar "$SUBDIR" \
        && find "$SUBDIR" -name '*.[ao]' -delete \
        && chmod -R +x "$SUBDIR"
}

without_shaext() {
    local files=(crypto/aes/asm/aesni-sha1-x86_64.pl crypto/aes/asm/aesni-sha256-x86_64.pl)
    sed -i 's/^\$shaext=[^;]*;/$shaext=0;/' "${files[@]}"
    grep -q '^\$shaext=0;' "${files[@]}" || fail "no-shaext: this source has no such path"
}

# Part after part, since before 1.1.0 the programs do not wait for the libraries that they link. The
# parts have other names in 1.0.2; the files for pkg-config are installed with the libraries. Their
# makefiles hide from make that a line runs another make, which before make 4.4 has one job only.
make_parts() {
    local part
    for part in build_crypto build_engines build_libcrypto build_ssl build_libssl build_apps \
        openssl.pc libssl.pc libcrypto.pc; do
        ! grep -q "^$part:" Makefile \
            || compile "compile-$part" make MAKE="make -j$jobs" ${ar[@]+"${ar[@]}"} $part
    done
}

# From 3.0 on each source is compiled twice, for the static libraries too, which nothing here links:
# without them 3.5.7 takes 195 seconds of processor time instead of 320.
make_target() {
    ! grep -q 'libcrypto-shlib-' Makefile || libs=(LIBS= INSTALL_LIBS=)
    compile compile make -j"$jobs" ${libs[@]+"${libs[@]}"} "$target"
}

cd /src
step unpack unpack
cd "$SUBDIR"
[ $shaext = yes ] || without_shaext
# 0.9.8 knows no other folder for libraries than lib.
words=(--prefix="$prefix" --openssldir="$prefix" shared "-Wl,-rpath,$prefix/lib")
! grep -q -e '--libdir' Configure || words+=(--libdir=lib)
# shellcheck disable=SC2086  # the words are meant to be split
source_step configure ./config "${words[@]}" $CONFIGURE
[ $depend = no ] || ! step_said '^[[:space:]]*make depend$' || source_step depend make depend
libs=()
if grep -q '^build_crypto:' Makefile; then
    make_parts
else
    make_target
fi
step install make ${libs[@]+"${libs[@]}"} install_sw
[ -e "$prefix/openssl.cnf" ] || cp apps/openssl.cnf "$prefix/openssl.cnf"
rm -rf "$prefix"/lib/*.a "$prefix/man" "$prefix/share/man" "$prefix/share/doc"

"$prefix/bin/openssl" version -a | tee "$prefix/share/version"
case $(head -n 1 "$prefix/share/version") in
    "OpenSSL $VERSION "*) ;;
    *) fail "this is not OpenSSL $VERSION; source.tar holds another release" ;;
esac
for file in "$prefix/bin/openssl" "$prefix/lib/libssl.so"; do
    strange=$(ldd "$file" | grep -E 'lib(ssl|crypto)' | grep -vF "=> $prefix/lib/" || true)
    [ -z "$strange" ] || fail "$file does not find its own libraries: $strange"
done
# What is left behind would become part of the stage's image, which takes longer than to remove it.
cd / && rm -rf "/src/$SUBDIR"
