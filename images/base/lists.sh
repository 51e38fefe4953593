# Fetch apt's lists from wherever the suite's packages are by now.
#
# lists.sh SUITE
#
# What old releases of apt say of a failed update is not to be relied on, so a small package is fetched
# as well: then the lists are there, somebody known has signed them, and so are the packages. A suite
# that is not where its image thinks has moved to the archive (sources.sh).
set -eu
sources=${0%/*}/sources.sh

usable() {
    apt-get update \
        && (cd /tmp && apt-get -o APT::Sandbox::User=root download netbase && rm netbase_*.deb)
}

if usable; then exit 0; fi
echo "$1 is not on the ordinary mirrors: trying the distribution's archive" >&2
sh "$sources" archive
if usable; then exit 0; fi
# The keys of these have expired, or will while nobody signs their lists anew. Of no other suite are
# packages taken that nobody vouches for. The image says so (packages, read back by
# harness/images/provenance.py).
case "$1" in
    wheezy|jessie|stretch|buster) ;;
    *) exit 1;;
esac
echo "trying without signatures: the keys of $1 have expired" >&2
sh "$sources" trust
usable
echo "packages of $1 taken without a signature that is still good" >"${0%/*}/unsigned"
