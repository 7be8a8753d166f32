#!/usr/bin/env bash
# What looking at views costs on a mount of 10,000 tickets (or as many as the first argument says): the fastest of 5 rounds, in
# milliseconds. TRACKFS names the program [target/release/trackfs].
set -euo pipefail
cd "$(dirname "$0")/.."
tickets=${1:-10000}
# shellcheck source=benches/support/workspace.sh
source benches/support/workspace.sh views

entries() { find "$1" -mindepth 1 -maxdepth 1 | wc -l; }
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
mount_indexed
pid=$("$trackfs" --json status "$ws" | sed 's/.*"pid":\([0-9]*\).*/\1/')
cd "$ws"
echo "resident before a view was looked at: $(rss)"
start=$(now)
ls views/ready >/dev/null
echo "the first ls of a view: $((($(now) - start) / 1000)) ms"
echo "resident after it: $(rss)"
for view in status label ready blocked recent tree links backlinks; do
    fastest 5 "ls views/$view ($(entries "views/$view") entries)" ls "views/$view"
done
fastest 5 "ls views/status/todo ($(entries views/status/todo) links)" ls views/status/todo
fastest 5 "find views/status/todo -printf %s (each link is looked at)" find views/status/todo -printf '%s\n'
fastest 5 "ls -l views/status/todo (and where it leads)" ls -l views/status/todo
fastest 5 "stat of one link" stat views/status/todo/t1.md
mkdir 'views/?is:open label:bug -label:area-3 updated:<1d sort:priority'
fastest 5 "ls of a question" ls 'views/?is:open label:bug -label:area-3 updated:<1d sort:priority'
fastest 5 "trackfs list is:ready sort:priority" "$trackfs" list is:ready sort:priority
start=$(now)
mv views/status/todo/t1.md views/status/done/
echo "mv of a link: $((($(now) - start) / 1000)) ms"
fastest 5 "ls views/ready after it" ls views/ready
start=$(now)
find views >/dev/null
echo "find views: $((($(now) - start) / 1000)) ms; resident after it: $(rss)"
