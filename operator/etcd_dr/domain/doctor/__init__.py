"""What is wrong with a Talos control plane: observed facts in, findings out.

- A round is a frozen `TalosObservation` in which a failure is a value, like a health round's.
- A rule is a pure function from it to findings; its file under `rules` is its family. Every code has an entry in
  `explanations` (what `doctor --explain` prints) and a row in docs/talos.md; a test compares the three.
- A fact that is missing keeps a rule silent, unless its absence is the finding.
- The symptoms are those that Talos' users report; the numbers of upstream issues stand beside the rules.
- Counterparts for other platforms get an observation and rules of their own beside these.
"""

from etcd_dr.domain.doctor.evaluation import CODES, diagnose
from etcd_dr.domain.doctor.explanations import EXPLANATIONS, Explanation
from etcd_dr.domain.doctor.observation import NodeObservation, TalosObservation
from etcd_dr.domain.doctor.report import DoctorReport

__all__ = [
    "CODES",
    "EXPLANATIONS",
    "DoctorReport",
    "Explanation",
    "NodeObservation",
    "TalosObservation",
    "diagnose",
]
