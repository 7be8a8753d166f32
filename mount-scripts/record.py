#!/usr/bin/env python3
"""Records docs/demo.cast: a terminal session with the trackfs on the PATH, in a throw-away workspace.

    mount-scripts/record.py [FILE]        asciinema play docs/demo.cast shows it

The session below is typed as a person types; what is recorded is what the programs really print.
"""

import fcntl
import json
import os
import pty
import select
import shutil
import struct
import sys
import tempfile
import termios
import time

SESSION = r"""
trackfs init planning >/dev/null && trackfs mount planning && cd planning
cat > tickets/fix-login.md <<< $'---\ntitle: Login fails on Safari\nstatus: todo\nlabels: [bug, auth]\n---\nSince version 18. See [[rotate-tokens]].'
cat > tickets/rotate-tokens.md <<< $'---\ntitle: Rotate tokens\nstatus: todo\nblocked_by: [fix-login]\n---'
ls views/ready views/blocked
mv views/ready/fix-login.md views/assignee/me/ && cat tickets/fix-login.md
sed -i 's/status: todo/status: done/' tickets/fix-login.md; sleep 0.3; ls views/ready
trackfs commit
trackfs log tickets/fix-login.md
trackfs search safari
trackfs sql "SELECT name, status, assignee FROM tickets"
ls .history/file/tickets/fix-login.md
cd / && trackfs unmount "$OLDPWD"
"""
WIDTH, HEIGHT = 100, 28
TYPED, READ = 0.025, 1.2


def record(out):
    home = tempfile.mkdtemp(prefix="trackfs-demo-", dir=os.path.expanduser("~"))
    environment = {
        "HOME": home, "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", "PS1": "$ ",
        "COLUMNS": str(WIDTH), "GIT_CONFIG_NOSYSTEM": "1", "HISTFILE": "",
    }
    with open(os.path.join(home, ".gitconfig"), "w") as config:
        config.write("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(home)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    begun = time.monotonic()

    def watch(seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([terminal], [], [], left)[0]:
                return True
            try:
                seen = os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                return False
            shown = seen.replace(home, "~")
            out.write(json.dumps([round(time.monotonic() - begun, 3), "o", shown], ensure_ascii=False) + "\n")
        return True

    out.write(json.dumps({"version": 2, "width": WIDTH, "height": HEIGHT, "title": "trackfs"}) + "\n")
    watch(0.5)
    for line in SESSION.strip().splitlines():
        for character in line:
            os.write(terminal, character.encode())
            watch(TYPED)
        os.write(terminal, b"\n")
        watch(READ)
    os.write(terminal, b"exit\n")
    while watch(1):
        if os.waitpid(child, os.WNOHANG)[0]:
            break
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "docs", "demo.cast")
    with open(name, "w") as file:
        record(file)
