#!/bin/sh
# Build and install one OpenSSL: build.sh VERSION FLAVOUR SUBDIR CONFIGURE-WORDS
# Leaves the log and "openssl version -a" in PREFIX/share. Fails, with the log's end, when a step
# fails, or when the built program is not VERSION.
set -eu
version=$1 flavour=$2 subdir=$3 words=$4
prefix=/opt/openssl-$version
log=$prefix/share/build.log
jobs=$(nproc)
mkdir -p "$prefix/share" "$prefix/certs"

step() {
    echo "+ $*" | tee -a "$log"
    "$@" >>"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        echo "OpenSSL $version: '$*' failed; the lines above are the end of its output" >&2
        exit 1
    }
}

# Which words bring back what the release leaves out (its CHANGES): 1.0.1s and 1.0.2g stopped
# building SSLv2 and the weak ciphers, 1.1.0 has no SSLv2 and no SSLv3, 4.0 neither.
legacy_words() {
    case $version in
        0.9.*|1.0.0*) ;;
        1.0.*) echo enable-ssl2 enable-ssl3 enable-weak-ssl-ciphers ;;
        1.1.*|3.*) echo enable-ssl3 enable-ssl3-method enable-weak-ssl-ciphers ;;
        *) echo enable-weak-ssl-ciphers ;;
    esac
}

# Before 1.1.0 a parallel make has several "ar" at work on one archive. Taking turns cures that.
# Each part is a make of its own, since build_apps does not wait for the libraries.
make_old() {
    for part in build_crypto build_libcrypto build_libssl build_apps; do
        step make -j"$jobs" AR='flock /src/ar.lock ar r' RANLIB=true $part
    done
}

case $flavour in
    stock) ;;
    legacy) words="$(legacy_words) $words" ;;
    *) echo "FLAVOUR is '$flavour'; use stock or legacy" >&2; exit 1 ;;
esac

cd /src
# npm writes headers of its own into its archives; tar's remarks on them say nothing.
tar --warning=no-unknown-keyword --no-same-owner -xzf source.tar.gz "$subdir" \
    || { echo "no folder '$subdir' in source.tar.gz; SUBDIR is wrong" >&2; exit 1; }
cd "$subdir"
chmod +x config Configure
# Before 1.0.2l and 1.1.0f, AES-CBC with SHA disregards the initial vector on processors that have SHA
# instructions, which garbles SSLv3 and TLSv1 from the second record on (OpenSSL issue 2975). The
# processors of their time had none; so turn that path off, by the switch that the source has for it.
case $version in
    1.0.2|1.0.2[a-k]|1.1.0|1.1.0[a-e])
        sed -i 's/^\$shaext=[^;]*;/$shaext=0;/' crypto/aes/asm/aesni-sha1-x86_64.pl \
            crypto/aes/asm/aesni-sha256-x86_64.pl ;;
esac
case $version in
    0.9.*|1.0.*) old=yes ;;
    *) old=no words="no-tests $words" ;;
esac
case $version in
    1.1.*) target=all ;;
    *) target=build_sw ;;
esac
# shellcheck disable=SC2086  # the words are meant to be split
step ./config --prefix="$prefix" --openssldir="$prefix" --libdir=lib shared \
    "-Wl,-rpath,$prefix/lib" $words
if [ $old = yes ]; then
    step make depend
    make_old
else
    step make -j"$jobs" "$target"
fi
step make install_sw
[ -e "$prefix/openssl.cnf" ] || cp apps/openssl.cnf "$prefix/openssl.cnf"
rm -rf "$prefix"/lib/*.a "$prefix/man" "$prefix/share/man" "$prefix/share/doc"

"$prefix/bin/openssl" version -a | tee "$prefix/share/version"
case $(head -n 1 "$prefix/share/version") in
    "OpenSSL $version "*) ;;
    *) echo "this is not OpenSSL $version; source.tar.gz holds another release" >&2; exit 1 ;;
esac
