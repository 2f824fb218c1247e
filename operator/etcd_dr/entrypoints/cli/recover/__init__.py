"""`etcd-dr recover`: see what is there, choose a way back, carry it out, go on, or go back.

The pages (`assessment_page`, `candidate_page`, `plan_page`, `progress_page`) draw values; the commands fetch them.
`wizard` is the same road with questions, for a person; nothing can be done there that the commands cannot do.
"""

from __future__ import annotations
