#!/usr/bin/env bash
# What looking at views costs on a mount of 10,000 tickets (or as many as the first argument says): the fastest of 5 rounds, in
# milliseconds. TRACKFS names the program [target/release/trackfs].
set -euo pipefail
cd "$(dirname "$0")/.."
tickets=${1:-10000}
trackfs=${TRACKFS:-${CARGO_TARGET_DIR:-target}/release/trackfs}
work=$(mktemp -d "${PLACE:-${CARGO_TARGET_DIR:-target}}/views.XXXXXX")
ws=$work/work
export XDG_DATA_HOME=$work/data GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --file "$GIT_CONFIG_GLOBAL" user.name Ada
git config --file "$GIT_CONFIG_GLOBAL" user.email ada@example.org
end() {
    (cd / && "$trackfs" unmount --force "$ws" >/dev/null 2>&1 || true)
    rm -rf "$work"
}
trap end EXIT

now() { date +%s%N; }

# fastest WHAT COMMAND…
fastest() {
    local what=$1 best=0 start took
    shift
    for _ in 1 2 3 4 5; do
        start=$(now)
        "$@" >/dev/null
        took=$(($(now) - start))
        [ "$best" != 0 ] && [ "$took" -ge "$best" ] || best=$took
    done
    printf '%-58s %d.%d ms\n' "$what" $((best / 1000000)) $((best / 100000 % 10))
}

rss() { awk '/VmRSS/ {printf "%d MB", $2 / 1024}' "/proc/$pid/status"; }

"$trackfs" init "$ws" >/dev/null
# Half are to do; a third has an assignee, one in ten waits for another, twenty labels.
awk -v n="$tickets" -v ws="$ws" 'BEGIN {
    for (i = 0; i < n; i++) {
        folder = ws "/tickets/" int(i / 1000); if (i % 1000 == 0) system("mkdir -p " folder)
        file = folder "/t" i ".md"
        print "---\ntitle: Ticket number " i " about something" > file
        print "status: " (i % 2 ? "todo" : (i % 4 ? "in-progress" : "done")) > file
        print "priority: " (i % 3 ? "high" : "low") "\nlabels: [bug, area-" i % 20 "]" > file
        if (i % 3 == 0) print "assignee: person-" i % 30 > file
        if (i % 10 == 0) print "blocked_by: [t" int(i / 2) "]" > file
        if (i % 7 == 0) print "parent: t" int(i / 100) > file
        print "sync: {github: " i "}\n---\nSome words, and a link to [[t" int(i / 3) "]]." > file
        close(file)
    }
}'
git -C "$ws" add -A && git -C "$ws" commit -qm tickets
"$trackfs" mount "$ws" >/dev/null
while "$trackfs" status "$ws" | grep -q indexing; do sleep 0.2; done
pid=$("$trackfs" --json status "$ws" | sed 's/.*"pid":\([0-9]*\).*/\1/')
cd "$ws"
echo "resident before a view was looked at: $(rss)"
start=$(now)
ls views/ready >/dev/null
echo "the first ls of a view: $((($(now) - start) / 1000000)) ms"
echo "resident after it: $(rss)"
for view in status label ready blocked recent tree links backlinks; do
    fastest "ls views/$view ($(ls "views/$view" | wc -l) entries)" ls "views/$view"
done
fastest "ls views/status/todo ($(ls views/status/todo | wc -l) links)" ls views/status/todo
fastest "find views/status/todo -printf %s (each link is looked at)" find views/status/todo -printf '%s\n'
fastest "ls -l views/status/todo (and where it leads)" ls -l views/status/todo
fastest "stat of one link" stat views/status/todo/t1.md
mkdir 'views/?is:open label:bug -label:area-3 updated:<1d sort:priority'
fastest "ls of a question" ls 'views/?is:open label:bug -label:area-3 updated:<1d sort:priority'
fastest "trackfs list is:ready sort:priority" "$trackfs" list is:ready sort:priority
start=$(now)
mv views/status/todo/t1.md views/status/done/
echo "mv of a link: $((($(now) - start) / 1000000)) ms"
fastest "ls views/ready after it" ls views/ready
start=$(now)
find views >/dev/null
echo "find views: $((($(now) - start) / 1000000)) ms; resident after it: $(rss)"
