#!/bin/bash
# In the final image: put OpenSSL VERSION in the place of the distribution's, and check that Postfix
# loads it: replace.sh VERSION
set -euo pipefail
prefix=/opt/openssl-$1 share=/usr/share/postfix-matrix

fail() {
    echo "$1" >&2
    exit 1
}

# print_path LIBRARY: where smtpd finds it.
print_path() {
    ldd "$smtpd" | sed -n "s/.*$1\.so[^ ]* => \([^ ]*\) .*/\1/p" | head -n 1
}

smtpd=$(postconf -dh daemon_directory)/smtpd
packages=$(dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\n' openssl 'libssl[0-9]*' \
    | sed -n 's/^ii //p' | paste -sd ';' | sed 's/;/; /g')
for library in libssl libcrypto; do
    path=$(print_path $library)
    ln -sf "$prefix/lib/${path##*/}" "$path"
done
ln -s "$prefix/bin/openssl" /usr/local/bin/openssl
echo "OpenSSL $1 in the place of $packages" >"$share/replaced-packages"

# ldd -r looks each symbol up, as ld.so does; what it says of libraries other than these is Debian's own.
problems=$(ldd -r "$smtpd" 2>&1 | grep -E "lib(ssl|crypto)\.so.*(not found|no version information)" || true)
[ -z "$problems" ] || fail "smtpd does not load this OpenSSL: $problems"
case $(openssl version) in
    "OpenSSL $1 "*) ;;
    *) fail "openssl on PATH is $(openssl version), not $1" ;;
esac
folder=$(openssl version -d | sed 's/.*"\(.*\)"/\1/')
[ -e "$folder/openssl.cnf" ] || fail "there is no $folder/openssl.cnf"
