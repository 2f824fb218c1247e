"""What a helper process does: `python -m etcd_dr.boltdb.helper NUMBER FILE QUEUE MARKS HASHES...`, or in a fork.

Rules this module keeps:
- It talks in lines of JSON: one message in, at most one answer out; when its input ends, so does it.
- A spawned helper repeats the walk to the leaves instead of being sent them: the walk is cheap, and both sides
  compute the same. It reports no findings of it: the caller has made it too, and asks for no help when there were any.
"""

from __future__ import annotations

import json
import mmap
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, BinaryIO

from etcd_dr.boltdb.buckets import Bucket, leaves_of
from etcd_dr.boltdb.crew import Queue
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.image import Image
from etcd_dr.boltdb.keys import RevisionKeys
from etcd_dr.boltdb.keyspace import Keyspace
from etcd_dr.boltdb.stores import DropMarks, SharedHashStore
from etcd_dr.boltdb.tree import Pages
from etcd_dr.boltdb.userkeys import KeyHasher
from etcd_dr.boltdb.work import PHASES, Table, Worker

Opens = Callable[[dict[str, Any]], Worker]


def serve(worker: Worker | None, queue: Queue, opens: Opens, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until they end. Without a worker the first one must say what to open."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends us; two tracebacks help nobody
    for line in requests:
        message = json.loads(line)
        if "open" in message:
            worker = opens(message["open"])
        elif worker is not None and "learn" in message:
            worker.learn(Table(*message["learn"]))
        elif worker is not None:
            name, fields = message["perform"]
            results = worker.perform(PHASES[name](**fields), queue)
            answers.write(json.dumps([asdict(result) for result in results]).encode() + b"\n")
            answers.flush()


def _main(number: int, file: int, queue: int, marks: int, *hash_files: int) -> None:
    store, drop_marks = SharedHashStore(hash_files, own=number), DropMarks(marks)
    opens: Opens = partial(_worker, file=file, store=store, marks=drop_marks)
    serve(None, Queue(queue), opens, sys.stdin.buffer, sys.stdout.buffer)


def _worker(task: dict[str, Any], *, file: int, store: SharedHashStore, marks: DropMarks) -> Worker:
    view = memoryview(mmap.mmap(file, task["size"], prot=mmap.PROT_READ))
    image = Image(view, data_size=task["data_size"])
    pages = Pages.of(image, page_size=task["page_size"], high_water=task["high_water"], findings=Findings())
    bucket = Bucket(b"key", "bucket key", task["root"], 0, 0, 0)
    keyspace = Keyspace(pages, leaves_of(pages, bucket, order=RevisionKeys, look_later=True))
    return Worker(keyspace, store, marks, KeyHasher(bytes.fromhex(task["salt"])))


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
