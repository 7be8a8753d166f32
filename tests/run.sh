#!/usr/bin/env bash
# The one test command: everything that must hold before a change is merged. The test summary comes last.
#
# Installs what the tests use where it may (root, or sudo without a password). What still is missing is skipped, and
# said; with CI=true it is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

NEXTEST_VERSION=0.9.143
DENY_VERSION=0.20.2
export DEBIAN_FRONTEND=noninteractive
export CARGO_TERM_PROGRESS_WHEN=never
skipped=()

say() { printf '\n== %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

skip() {
    if [ "${CI:-}" = true ]; then
        echo "tests/run.sh: $*; with CI=true nothing is skipped" >&2
        exit 1
    fi
    skipped+=("$*")
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo && sudo -n true 2>/dev/null; then
        sudo -E "$@"
    else
        return 1
    fi
}

# Mounts that this run made, and no others, go when it ends.
mounts() { awk '$3 ~ /^fuse\.trackfs$/ { print $2 }' /proc/mounts 2>/dev/null | sort; }
before=$(mounts)
unmount_ours() {
    comm -13 <(printf '%s\n' "$before") <(mounts) | while IFS= read -r point; do
        point=$(printf '%b' "$point") # the table escapes spaces in octal
        fusermount3 -uz "$point" 2>/dev/null || umount -l "$point" 2>/dev/null || echo "still mounted: $point" >&2
    done
}
trap unmount_ours EXIT

# command:package
tools=(
    git:git fusermount3:fuse3 vim:vim nvim:neovim emacs:emacs-nox nano:nano tmux:tmux sqlite3:sqlite3 rsync:rsync
    getfattr:attr getfacl:acl strace:strace rg:ripgrep jq:jq curl:curl inotifywait:inotify-tools patch:patch perl:perl
    python3:python3 node:nodejs npm:npm shellcheck:shellcheck cc:build-essential fio:fio kak:kakoune micro:micro ed:ed
    sponge:moreutils fdfind:fd-find setpriv:util-linux make:make debootstrap:debootstrap
    secret-tool:libsecret-tools gnome-keyring-daemon:gnome-keyring dbus-run-session:dbus
)

# The suites of tests/conformance that are crates, kept from run to run.
suites=(pjdfstest@0.2.2 fsx@0.3.2)
suites_dir="${XDG_CACHE_HOME:-$HOME/.cache}/trackfs-tests"

install_tools() {
    local missing=() tool
    for tool in "${tools[@]}"; do
        has "${tool%%:*}" || missing+=("${tool##*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    if has apt-get && as_root apt-get update -qq; then
        # All at once is quick; one by one, a name that a release lacks costs only itself.
        as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
            for tool in "${missing[@]}"; do
                as_root apt-get install -y -qq --no-install-recommends "$tool" >/dev/null 2>&1 || true
            done
    fi
    for tool in "${tools[@]}"; do
        has "${tool%%:*}" || skip "no ${tool%%:*} (package ${tool##*:}): tests that use it are skipped"
    done
}

install_nextest() {
    cargo nextest --version >/dev/null 2>&1 && return
    say "installing cargo-nextest $NEXTEST_VERSION"
    cargo install --locked --quiet "cargo-nextest@$NEXTEST_VERSION"
}

install_suites() {
    local suite
    for suite in "${suites[@]}"; do
        grep -qs "\"${suite%@*} ${suite#*@} " "$suites_dir/.crates.toml" && continue
        say "installing $suite"
        CARGO_TARGET_DIR="$suites_dir/target" cargo install --locked --quiet --root "$suites_dir" "$suite" ||
            skip "$suite cannot be installed: its tests are skipped"
    done
    rm -rf "$suites_dir/target"
}

# Unoptimised: it is quicker to build so than it is to run.
install_deny() {
    grep -qs "\"cargo-deny $DENY_VERSION " "$suites_dir/.crates.toml" && return
    say "installing cargo-deny $DENY_VERSION"
    CARGO_TARGET_DIR="$suites_dir/target" cargo install --locked --quiet --debug --root "$suites_dir" "cargo-deny@$DENY_VERSION" ||
        skip "cargo-deny cannot be installed: licences and duplicates are not checked"
    rm -rf "$suites_dir/target"
}

check_dependencies() {
    local deny=("$suites_dir/bin/cargo-deny" --config tests/deny.toml)
    [ -x "${deny[0]}" ] || return 0
    say "dependencies: licences, duplicates, sources"
    # Of every platform: what is built for this one is not all that the lock file has.
    cargo fetch --locked --quiet
    "${deny[@]}" --offline check bans licenses sources
    # Known weaknesses are a list that others keep, on GitHub: where that is not to be had, nothing is known of new ones.
    if "${deny[@]}" fetch db >/dev/null 2>&1; then
        "${deny[@]}" check advisories
    else
        echo "advisories: not checked, their database cannot be reached"
    fi
}

# The oldest Rust that Cargo.toml promises. Where the tests run with it, they are the check.
check_oldest_rust() {
    local oldest
    oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    say "Rust $oldest or newer"
    case $(rustc --version) in
        "rustc $oldest".*) echo "these tests run with it" ;;
        *)
            if rustup run "$oldest" rustc --version >/dev/null 2>&1; then
                CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/oldest" rustup run "$oldest" cargo check --quiet --locked
            else
                skip "Rust $oldest is not installed: whether it is enough is not checked"
            fi
            ;;
    esac
}

check_fuse() {
    if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
        skip "/dev/fuse cannot be used: tests that mount are skipped"
    fi
}

set_up_emulators() {
    [ -f tests/emulators/setup.sh ] || return 0
    say "emulators"
    bash tests/emulators/setup.sh >/dev/null || skip "tests/emulators/setup.sh failed: tests against the emulators are skipped"
}

check_scripts() {
    has shellcheck || return 0
    say "shellcheck"
    shellcheck -x tests/run.sh tests/packages.sh tests/conformance/crash.sh .ci/run mount-scripts/*.sh mount-scripts/mount.trackfs \
        benches/support/workspace.sh benches/search.sh benches/sql.sh benches/history.sh benches/views.sh
}

install_tools
install_nextest
install_suites
install_deny
check_fuse
set_up_emulators
check_scripts

check_oldest_rust
check_dependencies
say "format"
cargo fmt --check
say "clippy"
cargo clippy --quiet --all-targets -- -D warnings
say "clippy without the mount"
cargo clippy --quiet --no-default-features --all-targets -- -D warnings
say "packages"
if [ "$(id -u)" = 0 ] && has debootstrap; then
    CACHE=$suites_dir tests/packages.sh
else
    skip "root and debootstrap are needed to install packages: they are not tried"
fi
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --lib --document-private-items
cargo test --quiet --doc

if [ ${#skipped[@]} -gt 0 ]; then
    say "skipped"
    printf '%s\n' "${skipped[@]}"
fi

say "tests"
cargo nextest run --config-file tests/nextest.toml
