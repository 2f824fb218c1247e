"""The helper process: `python -m etcd_dr.boltdb.helper NUMBER FILE QUEUE MARKS HASHES...`, run by `crew`.

Rules this module keeps:
- It talks in lines of JSON: one message in, at most one answer out; when its input ends, so does it.
- It repeats the walk to the leaves instead of being sent them: the walk is cheap, and both sides compute the same.
- It reports no findings of that walk: the caller has made it too, and asks for no help when there were any.
"""

from __future__ import annotations

import json
import mmap
import signal
import sys
from dataclasses import asdict
from typing import Any

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


def serve(number: int, file: int, queue: int, marks: int, *hash_files: int) -> None:
    """Answer messages until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller ends us; two tracebacks help nobody
    worker: Worker | None = None
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "open" in message:
            worker = _worker(message["open"], file, SharedHashStore(hash_files, own=number), DropMarks(marks))
        elif worker is not None and "learn" in message:
            worker.learn(Table(*message["learn"]))
        elif worker is not None:
            name, fields = message["perform"]
            results = worker.perform(PHASES[name](**fields), Queue(queue))
            sys.stdout.buffer.write(json.dumps([asdict(result) for result in results]).encode() + b"\n")
            sys.stdout.buffer.flush()


def _worker(task: dict[str, Any], file: int, store: SharedHashStore, marks: DropMarks) -> Worker:
    view = memoryview(mmap.mmap(file, task["size"], prot=mmap.PROT_READ))
    image = Image(view, data_size=task["data_size"])
    pages = Pages.of(image, page_size=task["page_size"], high_water=task["high_water"], findings=Findings())
    bucket = Bucket(b"key", "bucket key", task["root"], 0, 0, 0)
    keyspace = Keyspace(pages, leaves_of(pages, bucket, order=RevisionKeys, look_later=True))
    return Worker(keyspace, store, marks, KeyHasher(bytes.fromhex(task["salt"])))


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
