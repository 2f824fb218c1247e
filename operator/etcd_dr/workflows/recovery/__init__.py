"""Recovery as work: look, propose and plan; then carry a plan out, go on with it, or take it back.

assess_cluster, plan_recovery      what is there, and what may be done (read-only)
run_plan                           begin a confirmed plan; resume_recovery: go on with it
abort_recovery                     take back what was done, in reverse
run_phases                         the loop below all three: a journal entry before and after each step
steps/                             how each kind of step is carried out and undone
store_journal, mirrored_journal    where the journal lies in the store, and how both copies are kept
hold_lock                          one recovery of one cluster at a time
write_report                       what is told at the end
"""

from __future__ import annotations
