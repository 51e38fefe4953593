# Print the code name of the suite that the files below a root are of: forky, xenial, wheezy.
#
# codename.sh [ROOT]
#
# os-release(5) has it from Debian 9 and Ubuntu 16.04 on. Before, Ubuntu's lsb-release does, and Debian's
# VERSION has it in brackets: 8 (jessie).
set -eu
root=${1:-}
for file in "$root/etc/lsb-release" "$root/etc/os-release"; do
    if [ -e "$file" ]; then . "$file"; fi
done
codename=${VERSION_CODENAME:-${DISTRIB_CODENAME:-}}
if [ -z "$codename" ]; then
    codename=${VERSION#*\(}
    codename=${codename%\)*}
fi
echo "$codename"
