# What the scripts beside this folder share: a place of their own that goes when they end, and how they measure and say it.
#
# Sourced with the name of the script; sets `trackfs` (the program), `work` (the place) and `ws` (the workspace to be made in it).
# shellcheck shell=bash
trackfs=$(realpath "${TRACKFS:-${CARGO_TARGET_DIR:-target}/release/trackfs}")
work=$(realpath "$(mktemp -d "${PLACE:-${CARGO_TARGET_DIR:-target}}/$1.XXXXXX")")
ws=$work/work
export XDG_DATA_HOME=$work/data GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --file "$GIT_CONFIG_GLOBAL" user.name Ada
git config --file "$GIT_CONFIG_GLOBAL" user.email ada@example.org

end() {
    cd /
    "$trackfs" unmount --force "$ws" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT

# Microseconds.
now() { echo "${EPOCHREALTIME/[.,]/}"; }

say() { printf '%-66s %s\n' "$1" "$2"; }

# fastest ROUNDS WHAT COMMAND…: milliseconds of its fastest round; what it answers does not matter.
fastest() {
    local rounds=$1 what=$2 best=0 start took
    shift 2
    for ((round = 0; round < rounds; round++)); do
        start=$(now)
        "$@" >/dev/null || true
        took=$(($(now) - start))
        [ "$best" != 0 ] && [ "$took" -ge "$best" ] || best=$took
    done
    say "$what" "$((best / 1000)).$((best / 100 % 10)) ms"
}

# Mounts, and waits until every ticket is in the index.
mount_indexed() {
    "$trackfs" mount "$ws" >/dev/null
    while "$trackfs" status "$ws" | grep -q indexing; do sleep 0.2; done
}
