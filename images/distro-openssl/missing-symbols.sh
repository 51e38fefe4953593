#!/bin/bash
# Print a line "FILE SYMBOL" for each symbol of the package's OpenSSL that a program or library of
# Postfix needs and that the new OpenSSL does not have, and fail if there is one:
# missing-symbols.sh PACKAGE OPENSSL
#
# PACKAGE is a folder of package-libraries.sh, OPENSSL the one with lib/libssl.so and lib/libcrypto.so.
# A symbol is written with its version, as in SSL_new@OPENSSL_1.0.0, where it has one. The last line is
# "does not build: REASON" for the harness, as ../README.md has it.
set -euo pipefail
package=$1 libraries=$2/lib

# A library's symbols as programs ask for them; "@@" marks the version that new programs are linked with.
print_defined() {
    readelf -W --dyn-syms "$@" | awk '$7 != "UND" && $7 != "ABS" && $8 { print $8 }' | sed 's/@@/@/'
}

# Scripts of Postfix are no ELF files; they need none.
print_needed() {
    { readelf -W --dyn-syms "$1" 2>/dev/null || true; } | awk '$7 == "UND" && $8 { print $8 }'
}

before=$(mktemp) after=$(mktemp)
print_defined "$package/libssl" "$package/libcrypto" | sort -u >"$before"
print_defined "$libraries/libssl.so" "$libraries/libcrypto.so" | sort -u >"$after"
missing=$(for file in "$package"/postfix/*; do
    print_needed "$file" | sort -u | comm -12 - "$before" | comm -23 - "$after" \
        | sed "s|^|${file##*/} |"
done)
rm -f "$before" "$after"
[ "$missing" ] || exit 0
echo "$missing"
read -r file symbol <<<"$missing"
echo "does not build: Postfix's $file needs $symbol, which ${2##*/} does not have" >&2
exit 1
