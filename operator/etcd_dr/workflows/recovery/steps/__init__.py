"""How each kind of step is carried out, checked and taken back; one family of steps for each module.

- A step looks before it acts: it may have been cut off at any point, and is then carried out again.
- It returns the facts that later steps, people and the report need.
- What it cannot do it raises; the loop (`run_phases`) writes the journal.
"""

from __future__ import annotations

from etcd_dr.workflows.recovery.steps.procedure import Procedure
from etcd_dr.workflows.recovery.steps.register import procedure_for

__all__ = ["Procedure", "procedure_for"]
