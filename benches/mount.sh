#!/usr/bin/env bash
# The mount side by side with the disk under it and with a reference filesystem: absolute times, ratios, and how many
# messages the kernel sends for each operation (docs/performance.md has the figures and what they mean).
#
#   benches/mount.sh [--tickets N] [--rounds N] [--saves N] [--writes N] [--only REGEX]
#
# Contenders take turns, round by round, each in a workspace of its own; the fastest round counts, for the machine may be
# busy with something else. TRACKFS names the binary (default: a release build of this tree), PASSTHROUGH_HP libfuse's
# example/passthrough_hp, WORK the folder for the workspaces (default: beside the target folder; not a tmpfs).
set -euo pipefail
cd "$(dirname "$0")/.."

tickets=10000 rounds=5 saves=200 writes=5000 only=.
while [ $# -gt 0 ]; do
    case $1 in
        --tickets) tickets=$2 ;;
        --rounds) rounds=$2 ;;
        --saves) saves=$2 ;;
        --writes) writes=$2 ;;
        --only) only=$2 ;;
        *) sed -n '2,/^set/s/^# \?//p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done

if [ -z "${TRACKFS:-}" ]; then
    cargo build --release --quiet
    TRACKFS=${CARGO_TARGET_DIR:-target}/release/trackfs
fi
TRACKFS=$(realpath "$TRACKFS")
work=${WORK:-${CARGO_TARGET_DIR:-target}/bench-mount}
mkdir -p "$work"
# passthrough_hp holds a descriptor for each file it was asked about.
ulimit -n "$(cat /proc/sys/fs/nr_open)" 2>/dev/null || true
work=$(mktemp -d "$(realpath "$work")/run-XXXXXX")

contenders=(disk trackfs)
"$TRACKFS" mount --help | grep -q fast-reads && contenders+=(fast-reads)
[ -n "${PASSTHROUGH_HP:-}" ] && contenders+=(passthrough)

tracing=/sys/kernel/tracing/instances/trackfs-bench
clean_up() {
    for name in "${contenders[@]}"; do take_off "$name" || true; done
    rmdir "$tracing" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

calls=$work/calls
rustc --edition 2024 -O benches/support/calls.rs -o "$calls"
export HOME=$work/home XDG_DATA_HOME=$work/data GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
mkdir -p "$HOME" "$work/results"
git config --global user.name Bench
git config --global user.email bench@example.org

# The folder in which a contender is measured.
at() { case $1 in disk) echo "$work/disk/ws" ;; *) echo "$work/$1/mnt" ;; esac }

put_on() {
    local dir=$work/$1
    case $1 in
        disk) ;;
        trackfs) "$TRACKFS" mount "$dir/ws" --at "$dir/mnt" >/dev/null ;;
        fast-reads) "$TRACKFS" mount "$dir/ws" --at "$dir/mnt" --fast-reads >/dev/null ;;
        passthrough)
            "$PASSTHROUGH_HP" --foreground "$dir/ws" "$dir/mnt" >/dev/null 2>"$work/passthrough.log" &
            for _ in $(seq 200); do mountpoint -q "$dir/mnt" && break; sleep 0.05; done
            ;;
    esac
}

take_off() {
    local dir=$work/$1
    mountpoint -q "$dir/mnt" 2>/dev/null || return 0
    case $1 in
        trackfs | fast-reads) "$TRACKFS" unmount "$dir/ws" >/dev/null || umount -l "$dir/mnt" ;;
        *) umount -l "$dir/mnt" || fusermount3 -uz "$dir/mnt" ;;
    esac
}

prepare() {
    local name
    for name in "${contenders[@]}"; do
        mkdir -p "$work/$name/ws" "$work/$name/mnt"
        "$calls" tickets "$work/$name/ws/tickets" "$tickets"
        (cd "$work/$name/ws" && "$TRACKFS" init . >/dev/null && "$TRACKFS" commit >/dev/null)
        put_on "$name"
    done
}

# Microseconds that a command takes.
timed() {
    local start=$EPOCHREALTIME end
    "$@" >/dev/null 2>&1 || true
    end=$EPOCHREALTIME
    echo $((${end/./} - ${start/./}))
}

# What is measured: each answers microseconds for the contender's folder.
grep_r() { timed grep -r no-such-word "$1/tickets"; }
ripgrep() { timed rg no-such-word "$1/tickets"; }
open_read_close() { "$calls" read "$1/tickets"; }
list() { timed ls "$1/tickets/000"; }
list_long() { timed ls -lR "$1/tickets"; }
git_status() { timed git --git-dir="$(sed 's/gitdir: //' "$1/.git")" --work-tree="$1" status --porcelain; }
save() { "$calls" save "$1/tickets" "$saves"; }
write_4k() { "$calls" write "$1/scratch" "$writes"; }

remounted() { take_off "$1" && put_on "$1"; }
first_list_long() { remounted "$1" && list_long "$(at "$1")"; }
first_read() { remounted "$1" && open_read_close "$(at "$1")"; }
mount_to_list() {
    take_off "$1"
    timed mounted_list "$1"
}
mounted_list() { put_on "$1" && ls "$(at "$1")/tickets/000"; }

# name, units of work in it, what to run, warm (in the folder) or fresh (with the contender's name), warm-up runs
rows=(
    "grep -r|$tickets|grep_r|warm"
    "rg|$tickets|ripgrep|warm"
    "open, read, close|$tickets|open_read_close|warm"
    "ls of a folder, again|1|list|warm"
    "ls -lR, again|$tickets|list_long|warm"
    "git status|1|git_status|warm"
    "save with fsync|$saves|save|warm"
    "write of 4 KiB|$writes|write_4k|warm"
    "first ls -lR|$tickets|first_list_long|fresh"
    "first read of all|$tickets|first_read|fresh"
    "mount to first ls|1|mount_to_list|fresh"
)

run() {
    local what=$1 kind=$2 name=$3
    if [ "$kind" = warm ]; then "$what" "$(at "$name")"; else "$what" "$name"; fi
}

measure() {
    local row label units what kind round name
    for row in "${rows[@]}"; do
        IFS='|' read -r label units what kind <<<"$row"
        [[ $label =~ $only ]] || continue
        for ((round = 0; round <= rounds; round++)); do
            for name in "${contenders[@]}"; do
                [ "$name $kind" = "disk fresh" ] && [ "$what" = mount_to_list ] && continue
                micros=$(run "$what" "$kind" "$name")
                # The first round only warms up.
                [ $round = 0 ] && [ "$rounds" != 0 ] || echo "$micros" >>"$work/results/$what.$name"
            done
        done
        report "$label" "$units" "$what"
    done
}

# Of nothing where a row makes no sense for a contender.
fastest() { if [ -e "$1" ]; then sort -n "$1" | sed -n 1p; fi; }

head_line() {
    local name line='| | of'
    for name in "${contenders[@]}"; do line+=" | $name"; done
    for name in "${contenders[@]:1}"; do line+=" | $name : disk"; done
    [ -n "${PASSTHROUGH_HP:-}" ] && line+=' | trackfs : passthrough'
    echo "$line |"
    echo "$line |" | sed 's/[^|]\+/---/g'
}

report() {
    local label=$1 units=$2 what=$3 name line values=()
    for name in "${contenders[@]}"; do values+=("$(fastest "$work/results/$what.$name")"); done
    awk -v label="$label" -v units="$units" -v n="${#contenders[@]}" \
        -v passthrough="${PASSTHROUGH_HP:+1}" -v list="$(IFS=,; echo "${values[*]:-}")" '
        function ratio(a, b) { return a == "" || b == "" ? "" : sprintf("%.2f", a / b) }
        BEGIN {
            split(list, v, ",")
            line = "| " label " | " units
            for (i = 1; i <= n; i++) line = line " | " (v[i] == "" ? "" : sprintf(v[i] < 10000 ? "%.2f ms" : "%.0f ms", v[i] / 1000))
            for (i = 2; i <= n; i++) line = line " | " ratio(v[i], v[1])
            if (passthrough) line = line " | " ratio(v[2], v[n])
            print line " |"
        }'
}

# Messages of one run of each row, by kind, as the kernel's own trace of them says.
count_messages() {
    local events=$tracing/events/fuse/fuse_request_send row label units what kind name
    if ! mkdir "$tracing" 2>/dev/null || [ ! -d "$events" ]; then
        echo "Messages were not counted: this kernel, or this user, has no tracing of FUSE."
        return
    fi
    echo 32768 >"$tracing/buffer_size_kb"
    echo "Messages from the kernel in one run, where there were any:"
    echo
    for name in "${contenders[@]:1}"; do remounted "$name"; done
    for row in "${rows[@]}"; do
        IFS='|' read -r label units what kind <<<"$row"
        { [[ $label =~ $only ]] && [ "$kind" = warm ]; } || continue
        for name in "${contenders[@]:1}"; do
            local connection
            connection=$(mountpoint -d "$(at "$name")" | cut -d: -f2)
            echo "connection == $connection" >"$events/filter"
            # Twice, and the second time counts: the first leaves pages and times behind.
            run "$what" "$kind" "$name" >/dev/null
            : >"$tracing/trace"
            echo 1 >"$events/enable"
            run "$what" "$kind" "$name" >/dev/null
            echo 0 >"$events/enable"
            grep -o '(FUSE_[A-Z0-9_]*)' "$tracing/trace" | tr -d '()' | sed s/FUSE_// | sort | uniq -c | sort -rn |
                awk -v what="$label" -v name="$name" -v units="$units" \
                    '{ line = line sprintf("%s%s %.2f", NR > 1 ? ", " : "", $2, $1 / units) }
                     END { print "- " what " (each of " units "), " name ": " (line ? line : "none") }'
        done
    done
}

printf '%s tickets, %s rounds, %s, Linux %s, %s processors\n' "$tickets" "$rounds" "$("$TRACKFS" --version)" "$(uname -r)" "$(nproc)"
[ -n "${PASSTHROUGH_HP:-}" ] && printf 'passthrough: %s\n' "$(basename "$PASSTHROUGH_HP")"
echo
prepare
head_line
measure
echo
count_messages
