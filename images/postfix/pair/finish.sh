#!/bin/sh
# In the final image: complete the installation, and check that it is the pair it is meant to be:
# finish.sh POSTFIX-VERSION OPENSSL-VERSION
set -eu
postfix=$1 openssl=$2

fail() {
    echo "$1" >&2
    exit 1
}

ln -s "/opt/openssl-$openssl/bin/openssl" /usr/local/bin/openssl
touch /etc/postfix/main.cf
postfix set-permissions
: >/etc/aliases

found=$(postconf -h mail_version)
[ "$found" = "$postfix" ] || fail "this is Postfix $found, not $postfix; source.tar is another release"
case $(openssl version) in
    "OpenSSL $openssl "*) ;;
    *) fail "openssl on PATH is $(openssl version), not $openssl" ;;
esac
postconf -a | grep -qx dovecot || fail "this Postfix has no SASL of Dovecot's type"
# Which libraries the daemon that speaks TLS really loads: this pair's, and no other.
loaded=$(ldd /usr/libexec/postfix/smtpd)
echo "$loaded"
for library in libssl libcrypto; do
    echo "$loaded" | grep -q "$library.* => /opt/openssl-$openssl/lib/" \
        || fail "smtpd does not load $library from /opt/openssl-$openssl"
done
! echo "$loaded" | grep -q 'not found' || fail "smtpd misses a library, as the lines above say"
