# shellcheck shell=bash
# What the steps of action.yml share. Sourced, not run.
#
# A step takes its inputs from INPUT_* (never from text that the workflow's expressions put into a
# script), and gives its results to GITHUB_OUTPUT. Where a CI has no such file, they are printed.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${POSTFIX_MATRIX_PYTHON:-$root/.venv/bin/python}

# The command line of this checkout. -P: no folder of the user's repository is imported from.
postfix_matrix() { PYTHONPATH=$root "$python" -P -m harness.cli "$@"; }

# give NAME VALUE: an output of the step; the value is one line.
give() {
    if [[ $2 == *$'\n'* ]]; then fail 3 "the output $1 has more than one line"; fi
    printf '%s=%s\n' "$1" "$2" >>"${GITHUB_OUTPUT:-/dev/stderr}"
}

# fail CODE WHAT: end with an annotation, and the same for a reader of the log.
fail() {
    local text=${2//'%'/%25}
    text=${text//$'\r'/%0D}
    printf '::error title=postfix-matrix::%s\n' "${text//$'\n'/%0A}"
    exit "$1"
}

# split_lines ARRAY TEXT: the lines of an input that are not empty, without blanks around them.
split_lines() {
    local -n lines_of=$1
    local line
    lines_of=()
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        if [ -n "$line" ]; then lines_of+=("$line"); fi
    done <<<"$2"
}

# add_option ARRAY OPTION TEXT: the option once for each line of an input; not at all without one.
add_option() {
    local -n options_of=$1
    local values value
    split_lines values "$3"
    for value in ${values[@]+"${values[@]}"}; do options_of+=("$2" "$value"); done
}

is_true() { [ "$1" = true ] || [ "$1" = yes ] || [ "$1" = 1 ]; }
