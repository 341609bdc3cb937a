"""Run `hebat` by a process that has its modules loaded already (`tests.system.ready`): the same command, without two seconds of imports.

Run as `python -I -S launcher.py SOCKET ARGUMENTS`. This program's standard streams, environment and folder become the command's, and the
way the command ends becomes its own; it hands on the signals that ask a command to end. It imports next to nothing: that is the point.
"""

import os
import signal
import socket
import sys

_MESSAGE_MAX = 1 << 18


def main() -> None:
    """Hand everything over, and end as the command did."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_MAX)
        door.connect(sys.argv[1])
        told = [os.getcwd(), str(len(sys.argv) - 2), *sys.argv[2:]]  # noqa: PTH109  pathlib would be loaded for it
        told += [f"{name}={value}" for name, value in os.environ.items()]
        socket.send_fds(door, ["\0".join(told).encode(errors="surrogateescape")], [0, 1, 2])
        command = int(door.recv(64))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(command, number))
        code = int(door.recv(64) or b"1")
    if code < 0:
        if -code in {signal.SIGINT, signal.SIGTERM}:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
