#!/bin/sh
# Unmounts a workspace: by its daemon, so that everything is settled and committed first; and where no daemon answers any
# more (a dead mount says "Transport endpoint is not connected"), by the kernel.
set -eu

[ $# -eq 1 ] || {
    echo "usage: unmount.sh WORKSPACE-OR-MOUNTPOINT" >&2
    exit 2
}
trackfs unmount "$1" && exit 0
if ls "$1" >/dev/null 2>&1; then
    echo "unmount.sh: $1 still answers: not unmounted by force" >&2
    exit 1
fi
fusermount3 -uz "$1"
