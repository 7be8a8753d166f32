#!/usr/bin/env bash
# What trackfs costs with many tickets: benches/scale.sh [TICKETS] [spread|flat]
#
# `spread` puts a thousand tickets into each folder, `flat` puts all into one. Every figure stands beside what git, or a
# plain read of the same files, takes at the same moment. Needs git, python3 and FUSE, and a built
# program: TRACKFS (target/release/trackfs). The workspace is made in SCALE_DIR (target/), outside of /tmp, and removed.
set -euo pipefail

tickets=${1:-100000}
shape=${2:-spread}
here=$(cd "$(dirname "$0")/.." && pwd)
trackfs=${TRACKFS:-${CARGO_TARGET_DIR:-$here/target}/release/trackfs}
mkdir -p "${SCALE_DIR:-$here/target}"
base=$(mktemp -d "${SCALE_DIR:-$here/target}/scale-XXXXXX")
ws=$base/ws
export HOME=$base XDG_DATA_HOME=$base/data GIT_CONFIG_GLOBAL=$base/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --global user.name Bench
git config --global user.email bench@example.org
git config --global gc.auto 0
git config --global maintenance.auto false

cleanup() {
    cd /
    "$trackfs" unmount "$ws" >/dev/null 2>&1 || true
    if grep -qs " $ws " /proc/mounts; then umount -l "$ws" 2>/dev/null || fusermount3 -uqz "$ws" || true; fi
    rm -rf "$base"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

now() { echo "${EPOCHREALTIME/[.,]/}"; }
# took NAME COMMAND…: runs it and prints the milliseconds it took.
took() {
    local name=$1 start
    shift
    start=$(now)
    "$@" >/dev/null
    say "$name" "$((($(now) - start) / 1000)) ms"
}
say() { printf '%-58s %s\n' "$1" "$2"; }
json() { "$trackfs" -C "$ws" status --json | python3 -c "import json,sys; s=json.load(sys.stdin); print($1)"; }
pid() { json 's["pid"]'; }
rss() { awk '/^VmRSS/ {print int($2 / 1024) " MB"}' "/proc/$1/status"; }
ticket() { if [ "$shape" = flat ]; then echo "tickets/t$1.md"; else printf 'tickets/%03d/t%d.md' $(($1 / 1000)) "$1"; fi; }

# About 1 KB each: frontmatter as people write it, and a body with links and tags. Git gets them as one pack.
write_tickets() {
    python3 - "$tickets" "$shape" "$ws" <<'PYTHON' | git -C "$ws" fast-import --quiet --force
import os, sys
count, shape, workspace = int(sys.argv[1]), sys.argv[2], sys.argv[3]
out = sys.stdout.buffer
pick = lambda n, words: words.split()[n % len(words.split())]
text = "".join(
    f"The ferry timetable shows a sailing twice when the clock goes back, and nobody knows why {line}.\n"
    for line in range(9)
)
out.write(b"commit refs/heads/main\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 3\nall\n")
out.write(b"from refs/heads/main^0\n")
for n in range(count):
    path = f"tickets/t{n}.md" if shape == "flat" else f"tickets/{n // 1000:03}/t{n}.md"
    ticket = (
        f"---\ntitle: Ticket {n} about sailings\nstatus: {pick(n, 'backlog todo in-progress in-review done canceled')}\n"
        f"priority: {pick(n, 'low medium high urgent')}\nassignee: {pick(n, 'alice bob carol dave erin')}\n"
        f"labels: [{pick(n, 'bug feature chore docs')}, area-{n % 17}]\nestimate: {n % 8 + 1}\n"
        f"due: 2027-{n % 12 + 1:02}-{n % 28 + 1:02}\n---\n# Ticket {n}\n\nSee [[t{n // 2}]] #sailing\n\n{text}"
    ).encode()
    if shape != "flat" and n % 1000 == 0 or n == 0:
        os.makedirs(os.path.dirname(f"{workspace}/{path}"), exist_ok=True)
    with open(f"{workspace}/{path}", "xb") as file:
        file.write(ticket)
    out.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(ticket), ticket))
PYTHON
    git -C "$ws" read-tree HEAD
    git -C "$ws" update-index -q --refresh
}

# Returns when everything is in the index, and prints how long that took since $1.
indexed() {
    until [ "$(json '"yes" if s["tickets"] == '"$tickets"' and not s.get("indexing") else "no"')" = yes ]; do sleep 0.2; done
    say "$2" "$((($(now) - $1) / 1000)) ms"
}

# change COUNT ROUND: writes COUNT tickets far from each other through the mount.
change() {
    for ((i = 0; i < $1; i++)); do
        local n=$((i * tickets / $1))
        printf -- '---\ntitle: Ticket %d about sailings\nstatus: todo\n---\nRound %s.\n' "$n" "$2" >"$ws/$(ticket $n)"
    done
}

commit_of() {
    local times=() git_times=()
    for round in 1 2 3 4 5; do
        change "$1" "$1-$round"
        sleep 0.3 # settled by itself: only the commit is measured
        local start
        start=$(now)
        "$trackfs" -C "$ws" commit >/dev/null
        times+=($((($(now) - start) / 1000)))
    done
    say "commit of $1 among $tickets, whole command" "${times[*]} ms"
}

git_commit_of() {
    local times=()
    for round in 1 2 3; do
        change "$1" "git-$1-$round"
        local start
        start=$(now)
        git -C "$ws" commit -qam "by git $round"
        times+=($((($(now) - start) / 1000)))
    done
    say "  git commit -a of $1, unmounted" "${times[*]} ms"
}

wakeups() {
    local sum=0 task
    for task in /proc/"$1"/task/*/status; do
        sum=$((sum + $(awk '/ctxt_switches/ {n += $2} END {print n}' "$task")))
    done
    echo "$sum"
}

load() { cut -d' ' -f1-3 /proc/loadavg; }

say "tickets, shape, load" "$tickets $shape, $(load)"
"$trackfs" init "$ws" >/dev/null
took "  making the tickets and their commit" write_tickets
took "  reading them all from the disk (find | xargs cat)" sh -c "find '$ws' -type f -print0 | xargs -0 cat"

[ -z "$(git -C "$ws" status --short)" ] || say "git status" "NOT CLEAN"
took "  git status, unmounted" git -C "$ws" status --short

start=$(now)
"$trackfs" mount "$ws" >/dev/null
ls "$ws" >/dev/null
say "mount to first ls, no index" "$((($(now) - start) / 1000)) ms"
indexed "$start" "first index, all in the last commit"
"$trackfs" unmount "$ws" >/dev/null

state=$(git -C "$ws" rev-parse --absolute-git-dir)/trackfs
rm -rf "$state"/index.db*
start=$(now)
"$trackfs" mount "$ws" >/dev/null
indexed "$start" "index deleted and made anew"
took "unmount after nothing changed" "$trackfs" unmount "$ws"
say "index.db, journal.db" "$(du -m "$state/index.db" | cut -f1), $(du -m "$state/journal.db" | cut -f1) MB"

for round in 1 2 3; do
    start=$(now)
    "$trackfs" mount "$ws" >/dev/null
    ls "$ws" >/dev/null
    say "mount to first ls, nothing changed ($round), load $(load)" "$((($(now) - start) / 1000)) ms"
    sleep 3
    took "unmount" "$trackfs" unmount "$ws"
done

"$trackfs" mount "$ws" >/dev/null
indexed "$(now)" "  status"
daemon=$(pid)
say "RSS before anything was looked up" "$(rss "$daemon")"
took "looking everything up (find -type f | xargs stat)" sh -c "find '$ws/tickets' -type f -print0 | xargs -0 stat -c %s"
took "reading it all through the mount" sh -c "find '$ws/tickets' -type f -print0 | xargs -0 cat"
say "RSS with all $tickets looked up" "$(rss "$daemon")"
say "descriptors, of how many" "$(find "/proc/$daemon/fd" -type l | wc -l), $(awk '/open files/ {print $4}' "/proc/$daemon/limits")"
commit_of 1
commit_of 50
say "RSS after these commits" "$(rss "$daemon")"
took "ls -R views" sh -c "ls -R '$ws/views'"
say "RSS after all of views/ was listed" "$(rss "$daemon")"
took "git status in the mount" git -C "$ws" status --short
[ -z "$(git -C "$ws" status --short)" ] || say "git status" "NOT CLEAN"
sleep 12
before=$(wakeups "$daemon")
sleep 10
say "wake-ups in 10 s without work" "$(($(wakeups "$daemon") - before))"
took "unmount" "$trackfs" unmount "$ws"
git -C "$ws" fsck --no-dangling >/dev/null || say "git fsck" "NOT SOUND"
git_commit_of 1
git_commit_of 50
say "load at the end" "$(load)"
