#!/usr/bin/env bash
# What mount-scripts/package.sh makes is installed and used: the tarball in a root folder that has nothing else, the Debian package in
# a Debian made by debootstrap. Needs root. The program is a debug build: what is tested is how it is linked, laid out and installed.
#
#   CACHE   where the Debian and the build are kept from run to run [the folder of the suites of tests/run.sh]
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trackfs-tests}
target=${CARGO_TARGET_DIR:-target}/packages
work=$(mktemp -d "${PLACE:-$cache}/packages.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "packages.sh: $*" >&2
    exit 1
}

# in_root FOLDER SCRIPT: runs the script with `run COMMAND…` to run something in that root folder, which has /proc and of /dev
# what every system has, and FUSE.
# What it mounts and starts goes when it ends.
in_root() {
    # shellcheck disable=SC2016 # the variables are those of the inner shell
    unshare --mount --pid --fork bash -euc '
        root=$1
        run() { env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin NO_COLOR=1 chroot "$root" "$@"; }
        mount --make-rprivate /
        mkdir -p "$root"/{proc,dev,tmp,root}
        mount -t proc proc "$root/proc"
        mount -t tmpfs tmpfs "$root/dev"
        mknod -m 666 "$root/dev/null" c 1 3
        mknod -m 666 "$root/dev/random" c 1 8
        mknod -m 666 "$root/dev/urandom" c 1 9
        mknod -m 666 "$root/dev/fuse" c 10 229
        eval "$2"
    ' in_root "$@"
}

export CARGO_TARGET_DIR=$target PROFILE=dev CARGO_PROFILE_DEV_STRIP=symbols LEVEL=0
mount-scripts/package.sh "$work/out" >/dev/null
mount-scripts/package.sh "$work/again" >/dev/null
diff -r "$work/out" "$work/again" || fail "the same sources made other packages"

# shellcheck disable=SC2016 # as above
use='
    run trackfs init /planning >/dev/null
    printf -- "---\ntitle: From a package\nstatus: todo\n---\n" >"$root/planning/tickets/t.md"
    run trackfs mount /planning >/dev/null
    run trackfs -C /planning list
    mv "$root/planning/views/status/todo/t.md" "$root/planning/views/status/done/"
    grep status: "$root/planning/tickets/t.md"
    run trackfs unmount /planning >/dev/null
'
used='tickets/t.md  todo  From a package
status: done'

empty=$work/empty
mkdir "$empty"
tar -C "$empty" --strip-components=1 -xzf "$work"/out/trackfs-*.tar.gz
version=$("$empty/bin/trackfs" --version)
[ "$(in_root "$empty" 'run trackfs --version')" = "$version" ] || fail "the tarball's program does not run in an empty root"
[ "$(in_root "$empty" "$use")" = "$used" ] || fail "a workspace cannot be used with the tarball alone"
echo "tarball: runs, mounts and unmounts in a root that has nothing else"

new=$cache/debian-bookworm
if [ ! -f "$new.done" ]; then
    rm -rf "$new"
    debootstrap --variant=minbase bookworm "$new" >"$work/log" 2>&1 || { tail "$work/log" >&2; fail "debootstrap failed"; }
    touch "$new.done"
fi
cp -a "$new" "$work/debian"
debian=$work/debian
cp "$work"/out/trackfs_*.deb "$debian/trackfs.deb"
in_root "$debian" 'run dpkg -i /trackfs.deb' >/dev/null
[ "$(in_root "$debian" 'run trackfs --version')" = "$version" ] || fail "the package's program does not run"
[ "$(in_root "$debian" "$use")" = "$used" ] || fail "a workspace cannot be used with the package"
helped=$(in_root "$debian" 'run mount.trackfs /planning /planning -fv 2>&1')
[ "$helped" = "mount.trackfs: /usr/bin/trackfs mount /planning --at /planning" ] || fail "mount.trackfs finds no program: $helped"
for file in man/man1/trackfs-sync.1.gz bash-completion/completions/trackfs doc/trackfs/copyright; do
    [ -s "$debian/usr/share/$file" ] || fail "the package lacks $file"
done
[ -z "$(in_root "$debian" 'run dpkg --verify trackfs')" ] || fail "what is installed is not what is in the package"
in_root "$debian" 'run dpkg -r trackfs' >/dev/null
[ ! -e "$debian/usr/bin/trackfs" ] || fail "the package cannot be removed"
echo "deb: installed in a new Debian, used, verified and removed"
