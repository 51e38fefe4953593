#!/bin/sh
# The driver, by its own Python. TZ and LANG are the driver's business only.
exec env PYTHONHOME=/py PYTHONUTF8=1 /py/bin/ld.so --library-path /py/lib/machine \
    /py/bin/python3 /py/driver/postfix_driver.py "$@"
