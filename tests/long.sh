#!/usr/bin/env bash
# The long suites, on a mount of the real program and, beside it, on the disk under it. Not part of tests/run.sh.
#
#   tests/long.sh [SUITE...]     suites: stress editors pjd-c fsx fsx-c fsstress fio diff copies programs coherence
#                                threads model claims rounds delays crash [all of them]
#
# Each prints `SUITE disk: N passed, N failed` and `SUITE mount: …`; the last line adds up what failed on the mount and not
# on the disk. What ran through the mount is compared, file by file, with what lies under it after unmounting.
#
#   TRACKFS       the program                            [target/release/trackfs, built when missing]
#   PLACE         where to work; not below /tmp          [target/long]
#   PJDFSTEST_C   a built checkout of pjd/pjdfstest      [pjd-c is skipped]
#   FSSTRESS      ltp/fsstress of a built kdave/xfstests [fsstress is skipped]
#   FSX_C         ltp/fsx of the same checkout           [fsx-c is skipped]
#   FSX           the crate fsx 0.3.2                    [as tests/run.sh installs it]
#   CRASH         a command line, run in tests/conformance, that prints the same summary line [crash is skipped]
#   MODEL_CASES   times the cases of the model           [20]
#   SECONDS_EACH  of each stressor [5]    OPS  of each run of fsx [1000000], its FSX_PROFILES [basic mmap full]    SEEDS [1 2 3]
#   DELAY         milliseconds at each fault point [60], DELAYED  the test programs that are run so [remotes views stale_saves]
#   DISK  0: the mount alone
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
ROOT=$PWD
SCRIPTS=$ROOT/tests/conformance
REAL_HOME=$HOME
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/trackfs-tests/bin
export PATH=$CACHE:$PATH
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
TRACKFS=${TRACKFS:-$TARGET/release/trackfs}
PLACE=${PLACE:-$TARGET/long}
SECONDS_EACH=${SECONDS_EACH:-5}
OPS=${OPS:-1000000}
SEEDS=${SEEDS:-1 2 3}
DISK=${DISK:-1}
ALL=(stress editors pjd-c fsx fsx-c fsstress fio diff copies programs coherence threads model claims rounds delays crash)
[ $# -gt 0 ] || set -- "${ALL[@]}"

[ -x "$TRACKFS" ] || cargo build --release --bin trackfs || exit 1
mkdir -p "$PLACE"
WORK=$(mktemp -d "$PLACE/run.XXXXXX")
WS=$WORK/work
export HOME=$WORK XDG_DATA_HOME=$WORK/data GIT_CONFIG_NOSYSTEM=1
git config --file "$WORK/.gitconfig" user.name Test
git config --file "$WORK/.gitconfig" user.email test@example.org
chmod 755 "$WORK"
mkdir -p "$WS" "$WORK/disk"
"$TRACKFS" init "$WS" >/dev/null
# What is tested here is the filesystem: gigabytes of random bytes need no versions.
printf '/specs/\n' >"$WS/.gitignore"
"$TRACKFS" mount "$WS" >/dev/null || exit 1
end() {
    (cd / && "$TRACKFS" unmount "$WS" >/dev/null 2>&1)
    mountpoint -q "$WS" && umount -l "$WS"
    rm -rf "$WORK"
}
trap end EXIT

worse=0 total=0
# report SUITE WHERE LOG: the last summary line of a log, and what failed.
report() {
    local line failed
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$3" | tail -1)
    grep -E '^(FAIL|SKIP)' "$3" | head -"${MAXFAIL:-40}"
    echo "$1 $2: ${line:-0 passed, 1 failed (no summary: $(tail -1 "$3"))}"
    failed=${line#*passed, } failed=${failed%% *}
    FAILED=${failed:-1}
}

# both SUITE COMMAND…: the command with a folder of the disk, then of the mount, as its DIR.
both() {
    local suite=$1 on_disk=0 where dir
    shift
    for where in disk mount; do
        [ "$where" = mount ] || [ "$DISK" = 1 ] || continue
        dir=$WORK/disk
        [ "$where" = disk ] || dir=$WS/specs
        (cd "$SCRIPTS" && DIR=$dir "$@") >"$WORK/log" 2>&1 </dev/null
        report "$suite" "$where" "$WORK/log"
        if [ "$where" = disk ]; then
            on_disk=$FAILED
        else
            total=$((total + 1))
            [ "$FAILED" -le "$on_disk" ] || worse=$((worse + 1))
        fi
    done
    "$TRACKFS" status "$WS" >/dev/null || { echo "FAIL $suite: the daemon is not well"; worse=$((worse + 1)); }
}

# one SUITE COMMAND…: what compares with a disk by itself.
one() {
    local suite=$1
    shift
    (cd "$ROOT" && "$@") >"$WORK/log" 2>&1 </dev/null
    report "$suite" mount "$WORK/log"
    total=$((total + 1))
    [ "$FAILED" = 0 ] || worse=$((worse + 1))
}

skip() { echo "$1: skipped, $2"; }

# Names, types, modes, sizes, link targets and contents of everything below a folder.
sums() {
    (cd "$1" && find . -printf '%P %y %m %l\n' | sort && find . -type f -print0 | sort -z | xargs -0r sha256sum)
}

# After a suite that leaves files: what the mount showed is what lies under it.
same_below() {
    local suite=$1 passed=0 failed=0
    sums "$WS/specs" >"$WORK/seen"
    (cd / && "$TRACKFS" unmount "$WS" >/dev/null)
    sums "$WS/specs" >"$WORK/below"
    "$TRACKFS" mount "$WS" >/dev/null || exit 1
    if cmp -s "$WORK/seen" "$WORK/below"; then passed=1; else
        failed=1 worse=$((worse + 1))
        diff "$WORK/seen" "$WORK/below" | head -5
    fi
    echo "$suite below the mount, $(wc -l <"$WORK/seen") lines: $passed passed, $failed failed"
    rm -rf "${WS:?}/specs/kept"
}

# TAP of every test of pjdfstest; what is marked TODO is nobody's.
pjd_c() {
    local test out passed=0 failed=0 bad planned run
    mkdir -p "$DIR/pjd" && cd "$DIR/pjd" || return 1
    while IFS= read -r test; do
        out=$(bash "$test" 2>&1)
        bad=$(grep '^not ok' <<<"$out" | grep -vc TODO)
        run=$(grep -cE '^(not )?ok' <<<"$out")
        planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' <<<"$out" | head -1)
        [ "${planned:-0}" -le "$run" ] || bad=$((bad + planned - run))
        passed=$((passed + run - $(grep -c '^not ok' <<<"$out"))) failed=$((failed + bad))
        [ "$bad" = 0 ] || echo "FAIL ${test#"$PJDFSTEST_C"/tests/} $bad: $(grep '^not ok' <<<"$out" | grep -v TODO | head -2 | tr '\n' ' ')"
    done < <(find "$PJDFSTEST_C/tests" -name '*.t' | sort)
    cd / && rm -rf "$DIR/pjd"
    echo "$passed passed, $failed failed"
}

stress() { ./stress_ng.sh "$DIR" "$SECONDS_EACH"; }

editors() {
    mkdir -p "$DIR/editors"
    python3 editors.py "$DIR/editors" --group all
    rm -rf "$DIR/editors"
}

programs() { HOME=$REAL_HOME ./programs.sh "$DIR"; }

fio_verify() { ./fio_verify.sh "$DIR" 64m; }

# fsx 0.3.2 never unmaps what it read by a mapping: a million operations need more mappings than a process may have.
fsx_profiles() {
    local maps=/proc/sys/vm/max_map_count usual passed
    usual=$(cat $maps)
    [ ! -w $maps ] || echo 4000000 >$maps
    mkdir -p "$DIR/kept"
    FSX_TIMEOUT=7200 FSX_FILE=$DIR/kept/fsx SEEDS=$SEEDS ./fsx.sh "$DIR" "${FSX_PROFILES:-all}" "$OPS"
    passed=$?
    [ ! -w $maps ] || echo "$usual" >$maps
    return $passed
}

# The original, which unmaps what it mapped.
fsx_c() {
    local seed passed=0 failed=0
    mkdir -p "$DIR/kept"
    for seed in $SEEDS; do
        if timeout -k 5 7200 "$FSX_C" -q -N "$OPS" -S "$seed" -P "$WORK" "$DIR/kept/mapped$seed" >"$WORK/fsx" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAIL fsx seed $seed: $(grep -v '^skipping' "$WORK/fsx" | head -3 | tr '\n' ' ')"
        fi
    done
    echo "$passed passed, $failed failed"
}

fsstress() {
    local seed passed=0 failed=0
    mkdir -p "$DIR/kept"
    for seed in $SEEDS; do
        if timeout -k 5 1800 "$FSSTRESS" -d "$DIR/kept/stress$seed" -p 4 -n "${STRESS_OPS:-5000}" -s "$seed"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAIL fsstress seed $seed"
        fi
    done
    echo "$passed passed, $failed failed"
}

# Copies of a large tree by four tools are the tree: contents, modes, times, links.
copies() {
    local passed=0 failed=0 tree=${TREE:-/usr/include} tool
    mkdir -p "$DIR/kept"
    for tool in "cp -a $tree/. kept/cp" "rsync -aHX $tree/ kept/rsync" "tar -C $tree -cf - . | tar -C kept/tar -xpf -" \
        "(cd $tree && find . -depth -print0 | cpio -0 -pdm --quiet $DIR/kept/cpio)"; do
        case $tool in *cpio*) command -v cpio >/dev/null || continue ;; esac
        mkdir -p "$DIR/kept/cp" "$DIR/kept/rsync" "$DIR/kept/tar" "$DIR/kept/cpio"
        (cd "$DIR" && eval "$tool")
    done
    for tool in cp rsync tar cpio; do
        [ -n "$(ls -A "$DIR/kept/$tool")" ] || continue
        if [ -z "$(rsync -aHni --delete --checksum "$tree/" "$DIR/kept/$tool/")" ]; then passed=$((passed + 1)); else
            failed=$((failed + 1))
            echo "FAIL $tool: $(rsync -aHni --delete --checksum "$tree/" "$DIR/kept/$tool/" | head -3)"
        fi
    done
    echo "$passed passed, $failed failed"
}

# Cases of a test program, as a summary line.
cargo_test() {
    local binary=$1
    shift
    HOME=$REAL_HOME cargo test --release --quiet --test "$binary" -- "$@" 2>&1 |
        sed -n -e 's/^test result: [a-zA-Z]*\. \([0-9]*\) passed; \([0-9]*\) failed.*/\1 passed, \2 failed/p' -e '/panicked/s/^/FAIL /p' -e '/^coherence:/p'
}

# What others do between two steps changes nothing: each named point in turn takes a while, under tests of many threads.
delays() {
    local point program passed=0 failed=0
    while IFS= read -r point; do
        for program in ${DELAYED:-remotes views stale_saves}; do
            TRACKFS_FAULT=$point~${DELAY:-60} cargo_test "$program" </dev/null >"$WORK/delay"
            if grep -q ' passed, 0 failed' "$WORK/delay"; then
                passed=$((passed + 1))
            else
                failed=$((failed + 1))
                echo "FAIL $program, $point: $(grep '^FAIL' "$WORK/delay" | head -3 | tr '\n' ' ')"
            fi
        done
    done < <(grep -rhoE '(fault::(point|step)|\.step)\("[a-z.]+"\)' src | cut -d'"' -f2 | sort -u)
    echo "$passed passed, $failed failed"
}

for suite; do
    case $suite in
        stress) both stress-ng stress ;;
        editors) both editors editors ;;
        pjd-c) if [ -n "${PJDFSTEST_C:-}" ]; then both pjdfstest-c pjd_c; else skip "$suite" "PJDFSTEST_C is not set"; fi ;;
        fsx) both fsx fsx_profiles && same_below fsx ;;
        fsx-c) if [ -n "${FSX_C:-}" ]; then both fsx-c fsx_c && same_below fsx-c; else skip "$suite" "FSX_C is not set"; fi ;;
        fsstress)
            if [ -n "${FSSTRESS:-}" ]; then both fsstress fsstress && same_below fsstress; else skip "$suite" "FSSTRESS is not set"; fi
            ;;
        fio) both fio fio_verify ;;
        diff)
            for profile in plain editor posix; do
                one "difffs $profile" python3 tests/conformance/difffs.py "$WS/specs" "$WORK/disk" \
                    --profile "$profile" --seed 1000 --seeds "${DIFF_SEEDS:-100}" --ops 600 --time 1800
            done
            ;;
        copies) both copies copies && same_below copies ;;
        programs) both programs programs ;;
        coherence) TRACKFS_COHERENCE_SECONDS=60 one coherence cargo_test coherence ;;
        threads) TRACKFS_MOUNT_THREADS=1 one "mount, one thread" cargo_test mount ;;
        model)
            TRACKFS_MODEL_CASES=${MODEL_CASES:-20} one model cargo_test model
            TRACKFS_MODEL_CASES=${MODEL_CASES:-20} one "model of the views" cargo_test views
            ;;
        rounds) one rounds cargo_test rounds --ignored ;;
        delays) one delays delays ;;
        claims) one claims cargo_test views --ignored ;;
        crash) if [ -n "${CRASH:-}" ]; then one crash bash -c "cd tests/conformance && $CRASH"; else skip "$suite" "CRASH is not set"; fi ;;
        *) echo "there is no suite $suite: ${ALL[*]}" >&2 && exit 2 ;;
    esac
done
echo "$((total - worse)) passed, $worse failed"
[ "$worse" = 0 ] && [ "$total" != 0 ]
