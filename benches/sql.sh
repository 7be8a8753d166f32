#!/usr/bin/env bash
# What SQL costs: benches/sql.sh [TICKETS]
#
# Tickets [100,000] on a mount; each figure is the fastest of 5 rounds of the whole command, in milliseconds. Needs git, python3 and
# FUSE, and a built program: TRACKFS (target/release/trackfs). Everything is made in PLACE (the target folder) and removed.
set -euo pipefail
cd "$(dirname "$0")/.."
tickets=${1:-100000}
# shellcheck source=benches/support/workspace.sh
source benches/support/workspace.sh sql

# asked WHAT STATEMENT
asked() { fastest 5 "$1" "$trackfs" sql "${@:2}"; }

"$trackfs" init "$ws" >/dev/null
python3 - "$tickets" "$ws" <<'PY'
import os, sys
tickets, ws = int(sys.argv[1]), sys.argv[2]
for i in range(tickets):
    folder = f"{ws}/tickets/{i // 1000}"
    if i % 1000 == 0:
        os.makedirs(folder)
    status = ["todo", "done", "in-progress"][i % 3]
    with open(f"{folder}/t{i}.md", "w") as file:
        file.write(f"---\ntitle: Ticket {i}\nstatus: {status}\nestimate: {i % 8}\nlabels: [area-{i % 20}, bug]\n---\nText {i}.\n")
PY
git -C "$ws" add -A && git -C "$ws" commit -qm tickets
mount_indexed
cd "$ws"
echo "$tickets tickets"
start=$(now)
"$trackfs" sql "SELECT 1" >/dev/null
say "the first statement, which waits for history to be taken over" "$((($(now) - start) / 1000)) ms"
asked "SELECT 1" "SELECT 1"
asked "one ticket by its path" "SELECT * FROM tickets WHERE path = 'tickets/0/t5.md'"
asked "SELECT status, count(*) FROM tickets GROUP BY status" "SELECT status, count(*) FROM tickets GROUP BY status"
asked "… WHERE label = 'area-7' AND estimate > 5" "SELECT count(*) FROM tickets WHERE label = 'area-7' AND estimate > 5"
asked "SELECT label, count(*) FROM labels GROUP BY label" "SELECT label, count(*) FROM labels GROUP BY label"
asked "the history of one ticket" "SELECT * FROM field_history WHERE path = 'tickets/0/t5.md'"
asked "one file of the last commit, with its content" "SELECT content FROM files_latest JOIN files_hashed USING (hash) WHERE path = 'tickets/0/t5.md'"
asked "all tickets as JSON lines" --json "SELECT path, title, status, labels FROM tickets"
for n in 1 100 1000; do
    start=$(now)
    "$trackfs" sql --write --yes "UPDATE tickets SET priority = 'low' WHERE priority IS NULL AND path IN (SELECT path FROM tickets WHERE priority IS NULL LIMIT $n)" >/dev/null
    say "UPDATE of $n tickets, committed" "$((($(now) - start) / 1000)) ms"
done
