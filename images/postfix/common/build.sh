#!/bin/bash
# One Postfix on one OpenSSL: build.sh objects compiles what does not depend on OpenSSL into the folder
# /objects, build.sh pair compiles the rest to it, and installs all below /install.
#
# What to build is in the environment, as the Dockerfiles' arguments of the same names:
# POSTFIX_VERSION SUBDIR CCARGS_EXTRA AUXLIBS_EXTRA SWITCHES, and for a pair OPENSSL_VERSION.
#
# SWITCHES are ways of going about it that some releases need; which and why is data of the catalog:
#   uname26         makedefs is shown a Linux 2.6
#   no-nis-by-hand  without NIS, where -DNO_NIS is not heard yet
#   no-db-by-hand   without Berkeley DB, where -DNO_DB is not heard yet
#   no-eai          without ICU, and so without SMTPUTF8
set -euo pipefail
. /usr/local/lib/postfix-matrix/steps.sh
share=/install/usr/share/postfix-matrix
begin "Postfix $POSTFIX_VERSION" "$share"
jobs=$(nproc)

# TLS with the given OpenSSL alone (TLS_README, "Building Postfix with TLS support"); SASL by Dovecot
# (SASL_README); no Berkeley DB, NIS or PCRE (INSTALL). The path to the headers is one for each OpenSSL,
# so that pairs compile alike; the path that programs find their libraries by is its own.
ccargs="-DUSE_TLS -I/opt/openssl/include -DUSE_SASL_AUTH -DDEF_SERVER_SASL_TYPE=\\\"dovecot\\\""
ccargs="$ccargs -DNO_DB -DNO_NIS -DNO_PCRE"
auxlibs=$AUXLIBS_EXTRA
linux=(env) nis=no db=no
for switch in $SWITCHES; do
    case $switch in
        uname26) linux=(setarch --uname-2.6) ;;
        no-nis-by-hand) nis=by-hand ;;
        no-db-by-hand) db=by-hand ;;
        no-eai) ccargs="$ccargs -DNO_EAI" ;;
        *) fail "SWITCHES has '$switch', which images/postfix/common/build.sh does not know" ;;
    esac
done
ccargs="$ccargs $CCARGS_EXTRA"

# npm writes headers of its own into its archives; tar's remarks on them say nothing. Objects in a
# local tree were compiled for something else.
unpack() {
    tar --warning=no-unknown-keyword --no-same-owner -xf source.tar "$SUBDIR" \
        && find "$SUBDIR" -name '*.[ao]' -delete
}

# undefine NAME: sys_defs.h defines it for no system any more. No line is deleted: one of them ends a
# comment ("#define HAS_NIS */").
undefine() {
    local line="^(#[[:space:]]*)define([[:space:]]+$1)([[:space:]]|\$)"
    grep -qE "$line" src/util/sys_defs.h || fail "no $1 in sys_defs.h; 'no-...-by-hand' is not for it"
    sed -i -E "s/$line/\1undef\2\3/" src/util/sys_defs.h
}

# Before 2.9 (20111113, 20120117) Linux always has NIS and Berkeley DB, and makedefs looks for db.h and
# links libdb: empty ones satisfy it, as long as nothing is compiled that would use them.
edit_by_hand() {
    [ $nis = no ] || undefine HAS_NIS
    [ $db = no ] && return
    undefine HAS_DB
    : >/usr/include/db.h
    ar rc /usr/lib/libdb.a
}

# The default type of tables, which else is Berkeley DB's hash. Before texthash (2.8) regexp is what is
# always there and takes an empty /etc/aliases for an empty table. Before 2.11 (20130903) only the
# source itself can say so.
default_type=texthash
set_default_type() {
    [ -e src/util/dict_thash.c ] || default_type=regexp
    grep -q default_database_type makedefs || sed -i -E \
        "/^#[[:space:]]*define[[:space:]]+(DEF_DB_TYPE|ALIAS_DB_MAP)[[:space:]]/s/\"hash/\"$default_type/" \
        src/util/sys_defs.h
}

# As it comes from upstream (-O), but for debugging symbols, which take time and room. What an older
# makedefs does not know (shared, dynamicmaps, directories: before 3.0) is nothing to it.
prepare() {
    cd /src
    step unpack unpack
    cd "$SUBDIR"
    edit_by_hand
    set_default_type
    source_step makefiles "${linux[@]}" make makefiles CCARGS="$ccargs" AUXLIBS="$auxlibs" DEBUG= \
        shared=no dynamicmaps=no default_database_type=$default_type \
        daemon_directory=/usr/libexec/postfix command_directory=/usr/sbin
}

# variable NAME: print a variable of the makefile in this folder.
variable() {
    printf 'include Makefile\nvalue:\n\t@echo $(%s)\n' "$1" | make -s -f - value
}

# The sources that include nothing of OpenSSL's, also not by way of Postfix's own headers.
independent_sources() {
    local include='^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' theirs='openssl/.*' before=
    while [ "$theirs" != "$before" ]; do
        before=$theirs
        theirs=$(grep -lE "$include($before)[>\"]" src/*/*.h | sed 's|.*/||' | sort -u | paste -sd '|' || true)
        theirs="openssl/.*${theirs:+|$theirs}"
    done
    grep -LE "$include($theirs)[>\"]" src/*/*.c || true
}

# The libraries' headers, where make puts them when it has the library, with the age that they have in
# the source: no object is older than they are. Where that fails, make compiles more than it has to.
export_headers() {
    local makefile
    for makefile in $(grep -lF 'cp $$i $(INC_DIR)' src/*/Makefile); do
        (cd "${makefile%/*}" && cp -p $(variable HDRS) ../../include/) || true
    done
}

# What decides how a source is compiled: all that makedefs found, but for the libraries to link.
definitions() {
    grep -vE '^(#|SYSLIBS|AUXLIBS|EXPORT)' conf/makedefs.out
}

# Folder by folder, what of /tmp/sources goes into its library or program: by its own makefile, and
# with the words that the one on top hands to it.
compile_folders() {
    local folder result=0
    cat >/tmp/top.mk <<'MAKE'
include Makefile
objects:
	cd $(FOLDER) && $(MAKE) $(OPTS) MAKELEVEL= -f Makefile -f /tmp/folder.mk objects
MAKE
    cat >/tmp/folder.mk <<'MAKE'
objects: $(filter $(patsubst $(FOLDER)/%.c,%.o,$(shell cat /tmp/sources)),$(OBJS))
MAKE
    for folder in $(variable DIRS); do
        ! grep -q "^$folder/" /tmp/sources || "${linux[@]}" make -k -j"$jobs" -f /tmp/top.mk objects \
            FOLDER="$folder" || result=$?
    done
    return "$result"
}

# With the words of all pairs, and no OpenSSL anywhere that an object could come to depend on. What does
# not compile is for the pairs to say.
compile_objects() {
    mkdir -p /objects
    prepare
    export_headers
    independent_sources >/tmp/sources
    attempt compile compile_folders || is_own_fault || give_up compile make objects
    definitions >/objects/definitions
    find src -name '*.o' | tar -cf /objects/objects.tar -T -
}

# Objects count as made now: make compares them with makedefs.out.
take_objects() {
    if definitions | cmp - /objects/definitions; then
        export_headers && tar -xmf /objects/objects.tar
    fi
}

# As "make package" does it for those who build packages, without the documents. It takes no "no" for the
# manual pages; postfix-files is what "postfix set-permissions" expects to be there.
install_below() {
    # postfix-install wants the owners to exist.
    groupadd --system postfix
    groupadd --system postdrop
    useradd --system --gid postfix postfix
    step install "${linux[@]}" make non-interactive-package install_root=/install tempdir=/src \
        daemon_directory=/usr/libexec/postfix command_directory=/usr/sbin \
        manpage_directory=/usr/share/man readme_directory=no html_directory=no
    # Upstream installs no posttls-finger (2.11 and later); distributions do.
    [ ! -x bin/posttls-finger ] || install bin/posttls-finger /install/usr/sbin/
    rm -rf /install/usr/share/man
    # In the configuration's folder before 2.6 and from 3.0 on, between these in the daemons'.
    find /install/etc/postfix /install/usr/libexec/postfix -name postfix-files \
        -exec sed -i '/^\$manpage_directory/d' {} +
}

compile_pair() {
    local prefix=/opt/openssl-$OPENSSL_VERSION
    ln -s "$prefix" /opt/openssl
    auxlibs="-L$prefix/lib -Wl,-rpath,$prefix/lib -lssl -lcrypto $auxlibs"
    prepare
    step objects take_objects
    compile compile "${linux[@]}" make -j"$jobs"
    install_below
    cp conf/makedefs.out "$share/makedefs.out"
}

case $1 in
    objects) compile_objects ;;
    pair) compile_pair ;;
    *) fail "the task is '$1'; use objects or pair" ;;
esac
# What is left behind would become part of the stage's image, which takes longer than to remove it.
cd / && rm -rf "/src/$SUBDIR"
