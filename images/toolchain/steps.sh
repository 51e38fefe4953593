# For the build scripts of OpenSSL and Postfix to source (bash): run a step, log it, time it, and say
# in one line what does not build. Installed as /usr/local/lib/postfix-matrix/steps.sh.
#
# Each step writes to standard output "step NAME WALL CPU", and without the first word to SHARE/steps:
# seconds on the clock, and of the processor (user and system, with all children).
#
# Where the source itself is at fault, "does not build: REASON" is the last line on standard error. The
# harness keeps that line as data, and takes every other failure for one that may pass.

# Messages in English with plain quotes, whatever the image's locale.
export LC_ALL=C
TIMEFORMAT='%R %U %S'
step_output=$(mktemp) step_time=$(mktemp)

# begin WHAT SHARE: name what is built, and the folder for build.log and steps.
begin() {
    step_what=$1 step_share=$2
    mkdir -p "$step_share"
    : >>"$step_share/build.log"
    : >>"$step_share/steps"
}

fail() {
    echo "$1" >&2
    exit 1
}

# step NAME COMMAND...: its output goes to the log; where it fails, this is the end of the script.
step() {
    attempt "$@" || give_up "$@"
}

# source_step NAME COMMAND...: the same for a step that shows whether the source builds here.
source_step() {
    attempt "$@" || does_not_build "$@"
}

# compile NAME MAKE...: the same for a parallel make. What fails is run again alone: it comes to the
# same first error each time, and what only failed for company is told from what does not compile.
compile() {
    attempt "$@" && return
    is_own_fault || give_up "$@"
    attempt "$1-alone" "${@:2}" -j1 MAKE=make || does_not_build "$@"
    fail "$step_what: '$2' failed once and then passed: a race of this make, or of this machine"
}

# step_said REGEX: whether the last step's output has such a line.
step_said() {
    grep -qE "$1" "$step_output"
}

# attempt NAME COMMAND...: as step, but a failure is the caller's to deal with. In a function that is
# run so, a command that fails does not end it.
attempt() {
    local name=$1
    shift
    step_status=0
    echo "+ $*" | tee -a "$step_share/build.log"
    { time "$@" >"$step_output" 2>&1; } 2>"$step_time" || step_status=$?
    cat "$step_output" >>"$step_share/build.log"
    awk -v name="$name" '{ printf "%s %.2f %.2f\n", name, $1, $2 + $3 }' "$step_time" \
        | tee -a "$step_share/steps" | sed 's/^/step /'
    return "$step_status"
}

give_up() {
    tail -n 40 "$step_output" >&2
    fail "$step_what: '${*:2}' failed; the lines above are the end of its output"
}

does_not_build() {
    ! is_own_fault || trap 'echo "does not build: $(reason)" >&2' EXIT
    give_up "$@"
}

# A compiler shows the source lines that it means behind a bar; words in those are not its own.
said() {
    grep -vE '^ *[0-9]* \|' "$step_output"
}

# Whether the step failed by what it was given, and not for want of memory, disk or time.
is_own_fault() {
    local machine='No space left on device|Disk quota exceeded|Read-only file system'
    machine="$machine|Input/output error|Resource temporarily unavailable|Too many open files"
    machine="$machine|annot allocate memory|memory exhausted|out of memory allocating"
    machine="$machine|internal compiler error|terminated with signal"
    machine="$machine|Killed signal terminated|^Killed|\\*\\*\\* .*(Killed|Terminated|Error 137)"
    # 128 and its number stand for a signal that ended it; perl's die gives 255.
    [[ $step_status -le 128 || $step_status -gt 192 ]] && ! grep -qE "$machine" <(said)
}

# The first error in the step's output. "collect2: error" and make's own words only repeat others.
reason() {
    local errors='[Ee]rror: |undefined reference|multiple definition|syntax error at'
    errors="$errors|Unknown system type|Unsupported options|No <db\\.h> include file"
    local lines
    lines=$(said | grep -v '^collect2: ' | sed 's/^ATTENTION: *//' | grep -v '^ *$' || true)
    { grep -m1 -E "$errors" <<<"$lines" \
        || grep -m1 -E 'No such file|cannot find|No rule to make' <<<"$lines" \
        || grep -v '^make' <<<"$lines" | tail -n 1; } | sed 's/^ *//'
}
