"""A Talos control plane that is not one: the machine API as Talos serves it, in front of a real etcd.

Every node is an API server on a loopback address of its own (port 50000, Ed25519 mutual TLS, roles from the client's
certificate), a directory that stands for its disks, and a real etcd process on ports 2379 and 2380 of that address.
Restores are done by the real etcdutl. What lies between - services and their phases, the join loop, learners, resets,
the words of every refusal - follows Talos' source (internal/app/machined and internal/app/apid of siderolabs/talos,
read at v1.13.9), with the differences between releases that matter to a recovery.

- `TalosDouble` is the whole control plane, `double.machines[0]` one node of it, `machine.faults` what is wrong with it.
- It runs in a thread of the test's process, so that tests can bend it; `python -m real.peers.talos` runs it by hand.
- Time is compressed (`Pace`), order is not.
- Not here: workers' own life, Kubernetes, disks, the network, upgrades; static pods and containers are only listed.
"""

from __future__ import annotations

from real.peers.talos.caller import Caller, reset_of
from real.peers.talos.double import TalosDouble
from real.peers.talos.faults import Faults
from real.peers.talos.machine import Machine
from real.peers.talos.settings import Pace, TalosRelease, TalosSettings

__all__ = ["Caller", "Faults", "Machine", "Pace", "TalosDouble", "TalosRelease", "TalosSettings", "reset_of"]
