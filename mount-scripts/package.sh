#!/usr/bin/env bash
# Builds what is shipped: a tarball and a Debian package, both with one statically linked program, so that neither asks for a C
# library of the system's.
#
#   mount-scripts/package.sh [FOLDER]     where to put them [target/packages]
#
#   PROFILE   the profile of cargo to build with [dist]
#   LEVEL     how hard the Debian package is compressed, 0 to 9 [6]
#   TRACKFS   a statically linked program that is built already [built here]
#
# Needs cargo, a static C library (Debian: libc6-dev has it) and, for the package, dpkg-deb. The same sources give the same bytes:
# times are those of the last commit.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-target/packages}")
profile=${PROFILE:-dist}
host=$(rustc -vV | sed -n 's/^host: //p')
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
machine=${host%%-*}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}

if [ -z "${TRACKFS:-}" ]; then
    # With --target the flags are for the program alone, and not for what runs while it is built.
    RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" cargo build --locked --quiet --bin trackfs --features static \
        --profile "$profile" --target "$host"
    folder=$profile
    [ "$profile" != dev ] || folder=debug
    TRACKFS=${CARGO_TARGET_DIR:-target}/$host/$folder/trackfs
fi
if readelf --program-headers "$TRACKFS" | grep -q INTERP; then
    echo "package.sh: $TRACKFS is linked dynamically" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
umask 022

# lay_out PREFIX: everything that is installed, below it.
lay_out() {
    local prefix=$1
    install -D "$TRACKFS" "$prefix/bin/trackfs"
    install -D mount-scripts/mount.trackfs "$prefix/sbin/mount.trackfs"
    install -D -m 644 mount-scripts/trackfs@.service "$prefix/lib/systemd/user/trackfs@.service"
    "$TRACKFS" man "$prefix/share/man/man1" >/dev/null
    gzip -9n "$prefix"/share/man/man1/*.1
    mkdir -p "$prefix"/share/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
    "$TRACKFS" completions bash >"$prefix/share/bash-completion/completions/trackfs"
    "$TRACKFS" completions zsh >"$prefix/share/zsh/site-functions/_trackfs"
    "$TRACKFS" completions fish >"$prefix/share/fish/vendor_completions.d/trackfs.fish"
    mkdir -p "$prefix/share/doc/trackfs"
    cp -r README.md LICENSE-MIT LICENSE-APACHE docs/*.md docs/editors "$prefix/share/doc/trackfs/"
    gzip -9nc CHANGELOG.md >"$prefix/share/doc/trackfs/changelog.gz"
}

tarball() {
    local name=trackfs-$version-$machine-linux
    lay_out "$work/$name"
    tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" |
        gzip -9n >"$out/$name.tar.gz"
    echo "$out/$name.tar.gz"
}

deb() {
    local root=$work/deb architecture=$machine
    case $machine in
        x86_64) architecture=amd64 ;;
        aarch64) architecture=arm64 ;;
    esac
    lay_out "$root/usr"
    # Debian's own places for what zsh completes, and for licences.
    mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
    cat LICENSE-MIT - LICENSE-APACHE <<<$'\n---\n' >"$root/usr/share/doc/trackfs/copyright"
    mkdir -p "$root/DEBIAN"
    cat >"$root/DEBIAN/control" <<CONTROL
Package: trackfs
Version: $version
Architecture: $architecture
Maintainer: The trackfs authors <trackfs@localhost>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Section: utils
Priority: optional
Recommends: fuse3, git
Description: filesystem for planning work
 Mounts a workspace of tickets and specs as plain Markdown files. Each save becomes
 an event, a git commit, and an update on Linear or GitHub; what happens there comes
 back into the open mount.
CONTROL
    find "$root" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group --build -Zxz "-z${LEVEL:-6}" "$root" "$out/trackfs_${version}_$architecture.deb" >/dev/null
    echo "$out/trackfs_${version}_$architecture.deb"
}

tarball
if command -v dpkg-deb >/dev/null; then
    deb
else
    echo "package.sh: there is no dpkg-deb: only the tarball was made" >&2
fi
