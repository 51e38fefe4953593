#!/bin/sh
# Collect what the new OpenSSL has to agree with: package-libraries.sh FOLDER
#
#   FOLDER/libssl, FOLDER/libcrypto  the libraries that the distribution's smtpd loads
#   FOLDER/openssldir                the folder in which they look for openssl.cnf
#   FOLDER/postfix/                  the programs and libraries of Postfix
set -eu
mkdir -p "$1/postfix"
smtpd=$(postconf -dh daemon_directory)/smtpd
for library in libssl libcrypto; do
    path=$(ldd "$smtpd" | sed -n "s/.*$library\.so[^ ]* => \([^ ]*\) .*/\1/p" | head -n 1)
    [ "$path" ] || { echo "$smtpd does not load a $library" >&2; exit 1; }
    cp -L "$path" "$1/$library"
done
openssl version -d | sed -n 's/^OPENSSLDIR: "\(.*\)"$/\1/p' >"$1/openssldir"
[ -s "$1/openssldir" ] || { echo "'openssl version -d' names no folder" >&2; exit 1; }
find "$(postconf -dh daemon_directory)" "$(postconf -dh command_directory)" /usr/lib/postfix \
    -maxdepth 1 -type f \( -name 'post*' -o -path '*/postfix/*' \) -exec cp {} "$1/postfix" \;
