#!/usr/bin/env bash
# What looking back costs: benches/history.sh [COMMITS] [TICKETS]
#
# A repository of so many commits [50,000], each of which changes one of so many tickets [1,000], a tenth of them moved on the
# way. Every figure stands beside git's own for the same question. Needs git, python3 and FUSE, and a built
# program: TRACKFS (target/release/trackfs). Everything is made in PLACE (the target folder) and removed.
set -euo pipefail
cd "$(dirname "$0")/.."
commits=${1:-50000} tickets=${2:-1000}
# shellcheck source=benches/support/workspace.sh
source benches/support/workspace.sh history
git config --file "$GIT_CONFIG_GLOBAL" gc.auto 0

# took WHAT COMMAND…: runs it once, and says the milliseconds.
took() {
    local what=$1 start
    shift
    start=$(now)
    "$@" >/dev/null
    say "$what" "$((($(now) - start) / 1000)) ms"
}

python3 - "$commits" "$tickets" > "$work/stream" <<'PY'
import sys
commits, tickets = int(sys.argv[1]), int(sys.argv[2])
out = sys.stdout.buffer
path = [f"tickets/{i // 100}/t{i}.md" for i in range(tickets)]
statuses = ["todo", "in-progress", "done", "backlog"]

def text(i, n):
    return (f"---\ntitle: Ticket number {i}\nstatus: {statuses[n // tickets % 4]}\nlabels: [area-{i % 20}]\n---\n"
            f"Some words about it.\n\nAnother paragraph, number {n}.\n").encode()

def data(bytes):
    out.write(b"data %d\n%s\n" % (len(bytes), bytes))

for n in range(commits):
    out.write(b"commit refs/heads/main\ncommitter Ada <ada@example.org> %d +0000\n" % (1_700_000_000 + n * 60))
    data(b"change %d" % n)
    if n == 0:
        touched = range(tickets)
    else:
        i = n % tickets
        if n == tickets + i and i % 10 == 0:
            new = f"tickets/moved/t{i}.md"
            out.write(f"R {path[i]} {new}\n".encode())
            path[i] = new
        touched = [i]
    for i in touched:
        out.write(f"M 100644 inline {path[i]}\n".encode())
        data(text(i, n))
PY
git init -q -b main "$ws"
(cd "$ws" && git fast-import --quiet < "$work/stream" && git reset -q --hard main && git repack -qad)
"$trackfs" init "$ws" >/dev/null
cd "$ws"
commits=$(git rev-list --count HEAD)
file=tickets/moved/t0.md
echo "$commits commits, $tickets tickets"
took "taking over all of it, the first time (trackfs log)" "$trackfs" log "$file"
say "history.db" "$(du -m "$XDG_DATA_HOME"/trackfs/*/git/trackfs/history.db | cut -f1) MB"
took "git log --follow of the same file" git log --follow --oneline -- "$file"
took "trackfs log of a file" "$trackfs" log -n 1000 "$file"
took "trackfs blame of a file" "$trackfs" blame "$file"
took "git blame of the same file" git blame "$file"
took "trackfs diff of the first and the last commit" "$trackfs" diff --from "HEAD~$((commits - 2))" --to HEAD tickets/5
took "git diff of the same" git diff "HEAD~$((commits - 2))" HEAD -- tickets/5

# The first byte, of commits that nothing looked at, right after mounting.
worst=0 total=0 rounds=10
for round in $(seq $rounds); do
    commit=$(git rev-parse "HEAD~$((commits * round / (rounds + 1)))")
    "$trackfs" mount "$ws" >/dev/null
    start=$(now)
    head -c 1 "$ws/.history/at/$commit/tickets/5/t501.md" >/dev/null
    us=$(($(now) - start))
    total=$((total + us))
    ((us <= worst)) || worst=$us
    (cd / && "$trackfs" unmount "$ws" >/dev/null)
    cd "$ws"
done
say "first byte of .history/at/<commit>/…, mean, worst of $rounds mounts" "$((total / rounds)) µs, $worst µs"
"$trackfs" mount "$ws" >/dev/null
cd "$ws"
took "ls .history/at/2023-11-20T00:00/tickets/5" ls .history/at/2023-11-20T00:00/tickets/5
took "ls -l .history/file/$file" ls -l ".history/file/$file"
took "the same again" ls -l ".history/file/$file"
took "cat of all its versions" bash -c "cat .history/file/$file/*"
took "git show of as many" bash -c "git log --format=%H -n $((commits / tickets)) | sed 's,\$,:tickets/5/t501.md,' | git cat-file --batch"
took "grep -r of a whole old workspace" grep -rc todo ".history/at/HEAD~$((commits / 2))/tickets"
took "git grep of the same" git grep -c todo "HEAD~$((commits / 2))" -- tickets
took "the same of .history again" grep -rc todo ".history/at/HEAD~$((commits / 2))/tickets"
# One more commit is taken over in the background.
echo "more" >> "$file"
took "trackfs commit of 1 change" "$trackfs" commit
took "trackfs log right after it" "$trackfs" log -n 1 "$file"
