# Fetch a suite's package files that apt cannot find: its index has left the mirrors, the files have not.
#
# fetch_files.sh LIST FOLDER
#
# Each line of LIST is a path below the root of Ubuntu's archive, and the file's SHA-256. A suite whose
# packages apt finds has no LIST.
set -eu
mkdir -p "$2"
[ -e "$1" ] || exit 0
while read -r path hash; do
    case "$path" in ''|'#'*) continue;; esac
    /usr/lib/apt/apt-helper download-file "http://archive.ubuntu.com/ubuntu/$path" \
        "$2/${path##*/}" "SHA256:$hash" \
        || { echo "Ubuntu's archive has no ${path##*/} with SHA-256 $hash" >&2; exit 1; }
done <"$1"
