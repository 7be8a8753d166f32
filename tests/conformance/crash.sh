#!/bin/bash
# crash.py on the real program: `crash.sh kill|power|enospc WORK [options of crash.py]`. Needs root, for loop mounts and kills.
# DIR is the folder of the workspace that is worked in (default: tickets). WORK is a folder outside /tmp, on the disk that `kill` is about. TRACKFS names the program (default: the one on the path).
#
# The store is a workspace. Its repository lies beside it, on the same disk, so that a power cut hits both.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
trackfs=${TRACKFS:-trackfs}

# crash.py starts this script again as its daemon.
if [ "${1:-}" = start ]; then
    store=$2 mnt=$3
    export HOME=$store.home GIT_CONFIG_NOSYSTEM=1
    mkdir -p "$HOME"
    [ -e "$store/.git" ] || "$trackfs" init "$store" --git-dir "$store.git" >/dev/null
    exec "$trackfs" -C "$store" mount --foreground --at "$mnt"
fi

mode=$1 work=$2
shift 2
mkdir -p "$work/mnt" "$work/store"
exec python3 "$here/crash.py" "$mode" "$work/mnt" "$work/store" --dir "${DIR:-tickets}" \
    --start "TRACKFS='$trackfs' '$here/crash.sh' start '{store}' '{mnt}'" "$@"
