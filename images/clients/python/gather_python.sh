# Put this system's Python 3 into a folder, with its standard library and the libraries that these load.
#
# gather_python.sh FOLDER
set -eu
target=$1
install -d "$target/bin" "$target/lib/machine"
cp -p "$(readlink -f /usr/bin/python3)" "$target/bin/python3"
cp -a /usr/lib/python3* "$target/lib/"
ldd /usr/bin/python3 /usr/lib/python3*/lib-dynload/*.so | awk '$2 == "=>" { print $3 }' | sort -u \
    | xargs cp -L -t "$target/lib/machine"
cp -L /lib64/ld-linux-x86-64.so.2 "$target/bin/ld.so"
