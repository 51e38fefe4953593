# Check that the files below a root are of the distribution's release that they are taken for.
#
# release.sh RELEASE [ROOT]
#
# RELEASE is ID-VERSION_ID of os-release(5), with or without the point release: rocky-9 is 9.6, too.
set -eu
expected=$1 root=${2:-}
. "$root/etc/os-release"
actual=$ID-${VERSION_ID:-}
case "$actual" in
    "$expected"|"$expected".*) ;;
    *) echo "ORIGIN is of the release $actual, SUITE says $expected" >&2; exit 1;;
esac
