#!/bin/sh
# The driver, by its own Python; "driver compile" compiles its modules. TZ and LANG are its business only.
program=/py/driver/${POSTFIX_MATRIX_DRIVER:-}
if [ "${1:-}" = compile ]; then
    program=-m
    set -- compileall -q /py/driver
fi
exec env PYTHONHOME=/py PYTHONUTF8=1 /py/bin/ld.so --library-path /py/lib/machine \
    /py/bin/python3 "$program" "$@"
