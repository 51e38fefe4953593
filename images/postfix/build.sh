#!/bin/sh
# Build one Postfix on one OpenSSL, or install what was built below /install:
# build.sh compile|install VERSION OPENSSL-VERSION SUBDIR UNAME26 CCARGS-EXTRA
# Fails, with the log's end, when a step fails.
set -eu
task=$1 version=$2 openssl=/opt/openssl-$3 subdir=$4 uname26=$5 extra=$6
mkdir -p /install/usr/share/postfix-matrix
log=/install/usr/share/postfix-matrix/build.log

step() {
    echo "+ $*" | tee -a "$log"
    "$@" >>"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        echo "Postfix $version: '$1 $2' failed; the lines above are the end of its output" >&2
        exit 1
    }
}

case $uname26 in
    yes) linux26='setarch --uname-2.6' ;;
    no) linux26=env ;;
    *) echo "UNAME26 is '$uname26'; use yes or no" >&2; exit 1 ;;
esac

# TLS with the given OpenSSL alone (TLS_README, "Building Postfix with TLS support"); SASL by Dovecot
# (SASL_README); no Berkeley DB, NIS or PCRE (INSTALL). No debugging symbols: they take time.
compile() {
    ccargs="-DUSE_TLS -I$openssl/include -DUSE_SASL_AUTH -DDEF_SERVER_SASL_TYPE=\\\"dovecot\\\""
    ccargs="$ccargs -DNO_DB -DNO_NIS -DNO_PCRE $extra"
    auxlibs="-L$openssl/lib -Wl,-rpath,$openssl/lib -lssl -lcrypto"
    tar --warning=no-unknown-keyword --no-same-owner -xzf source.tar.gz "$subdir" \
        || { echo "no folder '$subdir' in source.tar.gz; SUBDIR is wrong" >&2; exit 1; }
    cd "$subdir"
    step $linux26 make makefiles CCARGS="$ccargs" AUXLIBS="$auxlibs" DEBUG= \
        shared=no dynamicmaps=no default_database_type=texthash \
        daemon_directory=/usr/libexec/postfix command_directory=/usr/sbin
    step $linux26 make -j"$(nproc)"
}

# Where upstream installs by itself, without the documents.
install_below() {
    cd "$subdir"
    # postfix-install wants the owners to exist.
    groupadd --system postfix
    groupadd --system postdrop
    useradd --system --gid postfix postfix
    step $linux26 make non-interactive-package install_root=/install tempdir=/src \
        daemon_directory=/usr/libexec/postfix command_directory=/usr/sbin \
        manpage_directory=/usr/share/man readme_directory=no html_directory=no
}

cd /src
case $task in
    compile) compile ;;
    install) install_below ;;
    *) echo "the task is '$task'; use compile or install" >&2; exit 1 ;;
esac
