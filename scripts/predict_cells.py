"""Prints how well the recorded hellos of a run predict the cells of their clients.

postfix-matrix clients record '*' > recorded.tsv
postfix-matrix run -c '*' -c 'hello-recorded-*' --client 'hello-recorded-*=recorded.tsv' -o default
python scripts/predict_cells.py runs/latest
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.observations.run_folder import load_run
from harness.verdicts.prediction import compare_predictions


def main(folder: Path) -> int:
    """Print the figure and each cell that was missed; 1 where less than 99 % are as predicted."""
    figures = compare_predictions(load_run(folder).observations)
    hits = figures.compared - len(figures.missed)
    print(f"{hits} of {figures.compared} cells as predicted ({figures.share:.2%}); "
          f"{figures.silent} cells show nothing")  # fmt: skip
    for missed in figures.missed:
        print(f"{missed.cell}: predicted {missed.predicted}, really {missed.real} {missed.error}")
    return 0 if figures.share >= 0.99 else 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
