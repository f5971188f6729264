# SPDX-License-Identifier: BSD-3-Clause
"""weirctl top on a pseudo terminal, whose screen pyte keeps.

usage: top_terminal.py SOCKET FOLDER

The gateway at SOCKET has stream flows with traffic, group g, consumer c1. At "gone" in FOLDER's
file `phase` the caller has killed the gateway, at "back" started it anew.
"""
import fcntl
import os
import pathlib
import pty
import select
import signal
import struct
import sys
import termios
import time

import pyte

socket, folder = sys.argv[1], pathlib.Path(sys.argv[2])


class Top:
    """A running top, and what its terminal shows."""

    def __init__(self, term="xterm-256color", lines=24, columns=80, arguments=()):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.lines = lines
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = term
            os.execvp("weirctl", ["weirctl", "-s", socket, "-n", "0.3", "top", *arguments])
        self.resize(lines, columns)

    def resize(self, lines, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)
        self.lines = lines

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            self.raw += data
            self.stream.feed(data)
        return True

    def press(self, keys):
        os.write(self.fd, keys)

    def text(self):
        return "\n".join(self.screen.display)

    def wait(self, what, condition, seconds=15):
        end = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > end or not self.read(0.1):
                sys.exit(f"not seen: {what}\n{self.text()}")

    def ends(self):
        """Its exit status, when all that it wrote is read."""
        while self.read(0.1):
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                while self.read(0) and select.select([self.fd], [], [], 0)[0]:
                    pass
                return os.waitstatus_to_exitcode(status)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def row(top, name):
    return next((line.split() for line in top.screen.display if line.startswith(name)), [])


def rate(cell):
    return float(cell.rstrip("kMG")) * {"k": 1e3, "M": 1e6, "G": 1e9}.get(cell[-1], 1)


def flows(top):
    found = row(top, "flows")
    return len(found) > 4 and found[2] not in ("-", "0") and 1000 < rate(found[2]) < 4000


def main():
    top = Top()
    before = termios.tcgetattr(top.fd)
    top.wait("a stream with its rate", flows)
    top.wait("the summary", lambda t: "law holds" in t.screen.display[0])
    assert "q quit" in top.screen.display[23], top.text()
    top.press(b"2")
    top.wait("the map in colours", lambda t: any(
        cell.fg not in ("default",) for line in range(3, 6)
        for cell in (t.screen.buffer[line][x] for x in range(22, 54))))
    assert any(c in row(top, "flows")[2] for c in "#%@"), top.text()
    top.press(b"3")
    top.wait("the consumer", lambda t: len(row(t, "c1")) > 4 and rate(row(t, "c1")[3]) > 1000)
    top.press(b"\t")
    top.wait("workers", lambda t: "HEADROOM" in t.screen.display[2] and
             row(t, "0")[4:5] not in ([], ["-"]))
    duty, room = (float(cell.rstrip("%")) for cell in row(top, "0")[4:6])
    assert abs(duty + room - 100) < 0.2, top.text()

    top.press(b"1s")
    top.wait("the other order", lambda t: "by BIT/S" in t.screen.display[1])
    top.resize(10, 60)
    top.wait("the smaller screen", lambda t: "law holds" in t.screen.display[0] and
             "q quit" in t.screen.display[9])
    top.resize(24, 80)
    top.wait("the first size", lambda t: "law holds" in t.screen.display[0] and
             "q quit" in t.screen.display[23])

    (folder / "phase").write_text("seen\n")
    top.wait("that nobody answers", lambda t: "no answer" in t.screen.display[0], 30)
    (folder / "phase").write_text("lost\n")
    top.wait("rates of the new gateway", lambda t: "law holds" in t.screen.display[0] and flows(t),
             60)

    top.press(b"q")
    assert top.ends() == 0
    # The screen that was there before, the cursor, and the line's own settings.
    assert b"\x1b[?1049h" in top.raw and top.raw.rindex(b"\x1b[?1049l") > top.raw.rindex(
        b"\x1b[?1049h"), top.raw[-200:]
    assert b"\x1b[?25h" in top.raw[-100:] or b"\x1b[?12l\x1b[?25h" in top.raw[-200:], top.raw[-200:]
    assert termios.tcgetattr(top.fd)[3] == before[3] | termios.ECHO | termios.ICANON

    # Without colour, by an old terminal; ended by a signal.
    plain = Top(term="vt100", arguments=["partitions"])
    plain.wait("the map", lambda t: row(t, "flows")[2:3] != [] and any(
        c in row(t, "flows")[2] for c in "#%@"))
    assert b"\x1b[3" not in plain.raw, plain.raw
    os.kill(plain.pid, signal.SIGINT)
    assert plain.ends() == 0
    assert termios.tcgetattr(plain.fd)[3] & (termios.ECHO | termios.ICANON) == (
        termios.ECHO | termios.ICANON)


main()
