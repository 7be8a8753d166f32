#!/usr/bin/env bash
# What searching costs: benches/search.sh [TICKETS]
#
# Tickets [100,000] of 60 words each, drawn as words are in a language (Zipf), on a mount; each figure is the fastest of 7 rounds of
# the whole command, in milliseconds, beside what `grep -r` and `rg` take for the same word where they are there. Needs git, python3
# and FUSE, and a built program: TRACKFS (target/release/trackfs). Everything is made in PLACE (the target folder) and removed.
set -euo pipefail
cd "$(dirname "$0")/.."
tickets=${1:-100000}
# shellcheck source=benches/support/workspace.sh
source benches/support/workspace.sh search

"$trackfs" init "$ws" >/dev/null
python3 - "$tickets" "$ws" <<'PY'
import os, random, sys
tickets, ws = int(sys.argv[1]), sys.argv[2]
random.seed(1)
syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
words = [a + b + c for a in syllables for b in syllables for c in syllables[:4]][:20000]
random.shuffle(words)
weights = [1 / (rank + 1) for rank in range(len(words))]
# Three that are looked for: rare, one in a hundred, one in ten.
for i in range(tickets):
    folder = f"{ws}/tickets/{i // 1000}"
    if i % 1000 == 0:
        os.makedirs(folder)
    text = random.choices(words, weights, k=60)
    if i % 1000 == 7: text.insert(20, "safari")
    if i % 100 == 7: text.insert(30, "login")
    if i % 10 == 7: text.insert(40, "session")
    body = " ".join(text)
    status = "todo" if i % 2 else "done"
    with open(f"{folder}/t{i}.md", "w") as file:
        file.write(f"---\ntitle: {' '.join(text[:4])}\nstatus: {status}\nlabels: [area-{i % 20}]\n---\n{body}\n")
PY
git -C "$ws" add -A && git -C "$ws" commit -qm tickets
mount_indexed
cd "$ws"
echo "$tickets tickets"
start=$(now)
"$trackfs" search safari >/dev/null
say "the first search, while the texts are read" "$((($(now) - start) / 1000)) ms"
say "search.db" "$(du -mc "$XDG_DATA_HOME"/trackfs/*/git/trackfs/search.db* | tail -n 1 | cut -f1) MB"
"$trackfs" list is:open limit:1 >/dev/null
fastest 7 "a command that does nothing (trackfs --version)" "$trackfs" --version
fastest 7 "search safari (one ticket in 1,000)" "$trackfs" search safari
fastest 7 "search login (one in 100)" "$trackfs" search login
fastest 7 "search session (one in 10)" "$trackfs" search session
fastest 7 "search 'safari login status:todo'" "$trackfs" search safari login status:todo
fastest 7 "search 'session status:todo'" "$trackfs" search session status:todo
fastest 7 "search 'logi*'" "$trackfs" search 'logi*'
fastest 7 "list login" "$trackfs" list login
mkdir 'views/?login is:open'
fastest 7 "ls of views/?login is:open" ls 'views/?login is:open'
! command -v rg >/dev/null || fastest 7 "rg -l login" rg -l login tickets
fastest 7 "grep -rl login" grep -rl login tickets
start=$(now)
echo "a word: xylophone" >> tickets/0/t5.md
"$trackfs" search xylophone | grep -q t5.md
say "a save, and the search that finds it" "$((($(now) - start) / 1000)) ms"
