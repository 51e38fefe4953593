"""``python -m harness.cli``: the command line without an installed script."""

from harness.cli.main import main

main()
