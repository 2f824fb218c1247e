"""Values like those that Kubernetes keeps in etcd: repetitive in their field names, random where a cluster is.

A pod of about 1 KB: its names, uids, addresses, image digests and times differ from object to object, everything
else is what every pod says. zstd takes a database of them to about a quarter; the benchmark prints the true ratio.
"""

from __future__ import annotations

import json
import random

_IMAGES = ("registry.example/web", "registry.example/api", "registry.example/worker", "docker.io/library/redis")


def pod_value(randomness: random.Random, size_bytes: int) -> bytes:
    """Return a pod of about `size_bytes` in the envelope that the API server writes."""
    name = f"{randomness.choice(('web', 'api', 'worker'))}-{randomness.getrandbits(40):010x}-{randomness.getrandbits(20):05x}"
    uid = f"{randomness.getrandbits(128):032x}"
    digest = f"{randomness.getrandbits(256):064x}"
    minute = randomness.randrange(1440)
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": f"namespace-{randomness.randrange(200):03d}",
            "uid": uid,
            "creationTimestamp": f"2026-08-20T{minute // 60:02d}:{minute % 60:02d}:{randomness.randrange(60):02d}Z",
            "labels": {"app": name.partition("-")[0], "pod-template-hash": f"{randomness.getrandbits(40):010x}"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": f"{randomness.getrandbits(128):032x}"}
            ],
        },
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": f"{randomness.choice(_IMAGES)}@sha256:{digest}",
                    "resources": {"requests": {"cpu": f"{randomness.randrange(50, 900)}m", "memory": "256Mi"}},
                    "terminationMessagePath": "/dev/termination-log",
                    "imagePullPolicy": "IfNotPresent",
                }
            ],
            "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "nodeName": f"node-{randomness.randrange(300):03d}.example",
            "schedulerName": "default-scheduler",
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.{randomness.randrange(256)}.{randomness.randrange(256)}.{randomness.randrange(256)}",
            "qosClass": "Burstable",
        },
    }
    body = b"k8s\x00\n" + json.dumps(pod, separators=(",", ":")).encode()
    return body + randomness.randbytes(max(0, size_bytes - len(body)))
