"""Signals to a process whose other threads start processes: the main thread hears every one of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from real.peers.silent_server import silent_port

LISTENER = """
import signal, subprocess, threading
from etcd_dr.entrypoints.cli.waking import wake_at_signals

def start_processes():
    while True:
        subprocess.run(["/bin/true"])
        started.release()

started = threading.Semaphore(0)
heard = threading.Lock()
heard.acquire()
signal.signal(signal.SIGTERM, lambda *_: heard.release())
wake_at_signals()
for _ in range(4):
    threading.Thread(target=start_processes, daemon=True).start()
print("ready", flush=True)
while True:
    heard.acquire()
    for _ in range(10):
        started.acquire()
    print("heard", flush=True)
"""

SIGNALS = 60
"""Each of them was lost with a chance of about a quarter before somebody woke the main thread."""


def test_main_thread_that_waits_hears_every_signal() -> None:
    """A signal that another thread was handed is lost to a main thread which waits for a lock."""
    with subprocess.Popen([sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        watch = threading.Timer(60, process.kill)  # the last line is empty then
        watch.start()
        said = [process.stdout.readline()]
        for _ in range(SIGNALS):
            process.send_signal(signal.SIGTERM)
            said.append(process.stdout.readline())
        watch.cancel()
        process.kill()

    assert said == ["ready\n", *["heard\n"] * SIGNALS]


WAITS_FOR_A_MEMBER = """
import signal, sys
import grpc, grpc.experimental
from etcd_dr.entrypoints.cli.waking import wake_at_signals

single_threaded = (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1)
channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}", options=[single_threaded])
stream = channel.unary_stream("/a/b")(b"")
signal.signal(signal.SIGTERM, lambda *_: stream.cancel())
wake_at_signals()
print("ready", flush=True)
try:
    next(stream)
except grpc.RpcError as error:
    print(error.code().name, flush=True)
"""


def test_main_thread_that_waits_for_a_stream_hears_a_signal() -> None:
    """gRPC begins its wait anew whenever it is interrupted: pokes that come too often would keep it there."""
    with (
        silent_port() as port,
        subprocess.Popen(
            [sys.executable, "-c", WAITS_FOR_A_MEMBER, str(port)], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        watch = threading.Timer(60, process.kill)  # the last line is empty then
        watch.start()
        said = [process.stdout.readline()]
        process.send_signal(signal.SIGTERM)
        said.append(process.stdout.readline())
        watch.cancel()

    assert said == ["ready\n", "CANCELLED\n"]
