"""Recovery as work: look, propose and plan; then carry a plan out, go on with it, or take it back.

The parts:
    assess_cluster, plan_recovery      what is there, and what may be done (read-only)
    run_plan                           begin a confirmed plan, go on with one, take one back
    recovery_run                       what these three share: place, lock, journal, report
    run_phases                         the loop below them: a journal entry before and after each step
    steps/                             how each kind of step is carried out and undone
    store_journal, mirrored_journal    where the journal lies in the store, and how both copies are kept
    hold_lock                          one recovery of one cluster at a time
    read_recoveries                    where recoveries stand, for whoever only looks
"""

from __future__ import annotations
