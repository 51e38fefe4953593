# Set the system's crypto policy (crypto-policies(7)), and see that it is set.
#
# policy.sh POLICY   nothing is changed where POLICY is empty
#
# OpenSSL reads it as a part of its configuration file: /etc/crypto-policies/back-ends/opensslcnf.config.
set -eu
policy=${1:-}
if [ -z "$policy" ]; then exit 0; fi
command -v update-crypto-policies >/dev/null \
    || sh "${0%/*}/install.sh" crypto-policies-scripts
update-crypto-policies --no-reload --set "$policy"
shown=$(update-crypto-policies --show)
if [ "$shown" != "$policy" ]; then
    echo "the crypto policy is $shown, not $policy" >&2
    exit 1
fi
