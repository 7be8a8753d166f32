#!/bin/bash
# What tools.sh leaves out: archives with extended attributes, holes and hard links, searches by time, builds, fifos, sockets,
# maps shared by processes, anonymous files. usage: programs.sh MOUNTDIR
MNT=$(realpath "${1:?MOUNTDIR}"); D=$MNT/pg.$$; p=0; f=0; k=0; t0=$(date +%s); T=$(mktemp -d -p /var/tmp); trap 'rm -rf "$D" "$T"' EXIT; mkdir -p "$D" && cd "$D" || exit 1
ck() { lab=$1; shift; if (set -e; eval "$@") >"$T/log" 2>&1; then p=$((p + 1)); else f=$((f + 1)); echo "FAIL programs:$lab"; tail -3 "$T/log" | cut -c1-200; fi; }
# need PROGRAM LABEL…: a check that is skipped where the program is missing.
need() { prog=$1; shift; if command -v "$prog" >/dev/null; then ck "$@"; else k=$((k + 1)); echo "SKIP programs:$1: no $prog"; fi; }
S=$T/src; mkdir -p "$S/deep/er"
for i in 1 2 3 4 5; do head -c $((i * 4097)) /dev/urandom >"$S/f$i"; touch -d "2019-03-0$i 01:02:03.123456789" "$S/f$i"; done
ln "$S/f1" "$S/deep/hard"; ln -s ../f2 "$S/deep/link"; touch -h -d '2018-01-01 00:00:00' "$S/deep/link"; chmod 640 "$S/f3"; chmod 711 "$S/deep/er"
truncate -s 3M "$S/holes"; printf x | dd of="$S/holes" bs=1 seek=2000000 conv=notrunc status=none
setfattr -n user.colour -v blue "$S/f1"; setfattr -n user.empty "$S/f2"; setfattr -n user.of-a-folder -v y "$S/deep"
touch -d '2017-07-07 07:07:07' "$S/deep/er" "$S/deep"
# Everything of a tree that a copy has to keep.
all='find . -mindepth 1 -printf "%P %y %m %s %T@ %l\n" | sed "s/ d \([0-7]*\) [0-9]*/ d \1/" | sort; find . -mindepth 1 -type f -print0 | sort -z | xargs -0 sha256sum; getfattr -R -h -d -m "^user\\." . 2>/dev/null | grep -v "^#" ; stat -c %h f1 deep/hard; test f1 -ef deep/hard && echo one'
(cd "$S" && eval "$all") >"$T/want"
same='(cd $1 && eval "$all") > $T/have; diff $T/want $T/have; test $(stat -c %b $1/holes) -lt 1000'
kept() { eval "$same"; }
ck cp-a-all 'mkdir cp; cp -a $S/. cp/; kept cp'
need rsync rsync-all 'mkdir rs; rsync -aHXS $S/ rs/; kept rs'
ck tar-all 'tar -C $S --xattrs --xattrs-include="user.*" --sparse -cf t.tar .; mkdir ta; tar -C ta --xattrs --xattrs-include="user.*" -xpf t.tar; kept ta; tar -C ta -df t.tar'
ck mv-across-all 'cp -a $S $T/mv; mv $T/mv mv; kept mv; mv mv $T/back; kept $T/back'
ck dd-direct 'dd if=$S/f5 of=dd bs=4096 oflag=direct conv=fsync status=none 2>/dev/null || dd if=$S/f5 of=dd bs=4096 conv=fsync status=none; cmp dd $S/f5'
need fdfind fd 'test "$(fdfind -HI . cp | wc -l)" = "$(find cp -mindepth 1 | wc -l)"; test "$(fdfind -HI -e tar . .)" = ./t.tar; test "$(fdfind -HI --changed-before 2019-12-31 -t f . cp | wc -l)" = 6'
need rg rg-in-copies 'printf "needle\n" > cp/deep/er/n; test "$(rg -l needle cp)" = cp/deep/er/n; test "$(rg -c --no-ignore needle cp/deep/er/n)" = 1'
ck find-newer 'touch -d "2019-03-03 12:00" ref; test "$(cd rs; find . -newer ../ref -name "f?" | sort | tr -d "\n")" = ./f4./f5; touch now; test "$(find . -maxdepth 1 -newer now)" = "" ; sleep 0.02; touch later; test "$(find . -maxdepth 1 -type f -newer now)" = ./later'
ck find-by-stat 'test "$(cd rs; find . -size +2M)" = ./holes; test "$(cd rs; find . -perm 640)" = ./f3; test "$(cd rs; find . -links 2 -type f | wc -l)" = 2; test "$(cd rs; find . -samefile f1 | wc -l)" = 2'
need make make 'printf "out: in\n\tcp in out\n\techo made >> log\n" > Makefile; echo 1 > in; make -s; make -s; test $(wc -l < log) = 1; sleep 0.02; echo 2 > in; make -s; test $(wc -l < log) = 2; cmp in out'
need cargo cargo-build 'export CARGO_TARGET_DIR=$D/crate/target; cargo new -q --vcs none --name inside crate; cd crate; cargo build -q --offline; test "$(target/debug/inside)" = "Hello, world!"; cargo build --offline 2>&1 | grep -q Finished; ! cargo build --offline 2>&1 | grep -q Compiling; sed -i s/Hello/Goodbye/ src/main.rs; cargo build -q --offline; test "$(target/debug/inside)" = "Goodbye, world!"'
ck o_tmpfile-falls-back 'python3 - <<Y
import os, errno, tempfile
try:
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600); os.close(fd)
except OSError as e: assert e.errno in (errno.EOPNOTSUPP, errno.EISDIR), e
before = os.listdir(".")
with tempfile.TemporaryFile(dir=".") as f:
    f.write(b"unseen"); f.flush(); f.seek(0); assert f.read() == b"unseen"; assert os.listdir(".") == before
with tempfile.NamedTemporaryFile(dir=".", delete=False) as f: f.write(b"seen")
os.link(f.name, "linked"); os.unlink(f.name); assert open("linked", "rb").read() == b"seen"; assert os.stat("linked").st_nlink == 1
Y'
ck mmap-shared-by-processes 'python3 - <<Y
import mmap, os
open("mm", "wb").write(b"a" * 8192)
f = open("mm", "r+b"); m = mmap.mmap(f.fileno(), 8192)
pid = os.fork()
if pid == 0:
    g = open("mm", "r+b"); n = mmap.mmap(g.fileno(), 8192); n[4090:4100] = b"0123456789"; n.flush(); os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert m[4090:4100] == b"0123456789" and os.pread(f.fileno(), 10, 4090) == b"0123456789"
m[0:3] = b"xyz"; m.close(); f.close()
assert open("mm", "rb").read(3) == b"xyz"
Y'
ck mmap-private-keeps-to-itself 'python3 - <<Y
import mmap, os
open("mp", "wb").write(b"a" * 4096)
f = open("mp", "r+b"); m = mmap.mmap(f.fileno(), 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
m[0:4] = b"mine"; assert open("mp", "rb").read(4) == b"aaaa"
Y'
ck mmap-written-after-close 'python3 - <<Y
import mmap, os
f = open("mc", "w+b"); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); f.close()
m[:5] = b"later"; m.flush(); m.close(); assert open("mc", "rb").read(5) == b"later"
Y'
ck copy-in-the-kernel 'python3 - <<Y
import os
d = os.urandom(300000); open("ka", "wb").write(d)
a, b = os.open("ka", os.O_RDONLY), os.open("kb", os.O_RDWR | os.O_CREAT, 0o644)
n = 0
while n < len(d):
    c = os.copy_file_range(a, b, len(d) - n, n, n); assert c > 0; n += c
assert open("kb", "rb").read() == d
c = os.open("kc", os.O_RDWR | os.O_CREAT, 0o644); n = 0
while n < len(d): n += os.sendfile(c, a, n, len(d) - n)
assert open("kc", "rb").read() == d
Y
cp --reflink=auto ka kd; cmp ka kd'
ck holes-are-found 'python3 - <<Y
import os
f = os.open("rs/holes", os.O_RDONLY); at = os.lseek(f, 0, os.SEEK_DATA); assert 0 < at <= 2000000, at; assert os.lseek(f, 0, os.SEEK_HOLE) == 0
Y'
ck fifo 'mkfifo ff; (echo through > ff &); test "$(timeout 5 cat ff)" = through; rm ff'
ck unix-socket 'python3 - <<Y
import os, socket
os.chdir(os.environ.get("PWD", "."))
s = socket.socket(socket.AF_UNIX); s.bind("so"); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect("so"); a, _ = s.accept(); c.sendall(b"hi"); assert a.recv(2) == b"hi"; os.unlink("so")
Y'
need inotifywait inotify-of-a-rename-over 'echo 1 > ir; (timeout 8 inotifywait -q -e moved_to,close_write --format "%e %f" -m . > $T/in 2>/dev/null &); sleep 0.7; echo 2 > ir.new; mv ir.new ir; sleep 0.7; grep -q "^MOVED_TO ir$" $T/in; grep -q "^CLOSE_WRITE,CLOSE ir.new$" $T/in'
ck posix-locks 'python3 - <<Y
import fcntl, os
f = open("pl", "w"); fcntl.lockf(f, fcntl.LOCK_EX)
pid = os.fork()
if pid == 0:
    try: fcntl.lockf(open("pl", "w"), fcntl.LOCK_EX | fcntl.LOCK_NB); os._exit(1)
    except OSError: os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
Y'
ck directory-streams 'python3 - <<Y
import os
os.mkdir("ds"); [open("ds/%d" % i, "w").close() for i in range(300)]
it = os.scandir("ds"); first = next(it).name; [open("ds/n%d" % i, "w").close() for i in range(50)]; [os.unlink("ds/%d" % i) for i in range(0, 300, 2) if str(i) != first]
names = [first] + [e.name for e in it]; assert len(names) == len(set(names)); assert all(str(i) in names for i in range(1, 300, 2))
Y'
ck cleanup 'cd ..; rm -rf "$D"; test ! -e "$D"'
echo "time $(($(date +%s) - t0))s"; echo "$p passed, $f failed, $k skipped"; [ $f = 0 ] && [ $p != 0 ]
