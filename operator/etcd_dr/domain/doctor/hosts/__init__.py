"""What is wrong with control-plane nodes that are reached over ssh: kubeadm's static pods, and systemd's units.

- The counterpart of the rules for Talos: one frozen `HostsObservation` a round, pure rules, one family a file, and an
  entry in `explanations` for every code. docs/doctor.md has the same words; a test compares the two.
- What etcd itself says is not repeated here: `etcd-dr doctor` adds the findings of a health round to these.
- A fact that is missing keeps a rule silent, unless its absence is the finding.
"""

from etcd_dr.domain.doctor.hosts.evaluation import HOST_CODES, diagnose_hosts
from etcd_dr.domain.doctor.hosts.explanations import HOST_EXPLANATIONS
from etcd_dr.domain.doctor.hosts.observation import HostObservation, HostsObservation

__all__ = ["HOST_CODES", "HOST_EXPLANATIONS", "HostObservation", "HostsObservation", "diagnose_hosts"]
