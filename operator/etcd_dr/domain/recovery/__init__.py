"""Recovery as values and pure rules: what is seen, what it means, what may be done, what was decided, what happened.

    sight        what one look at one node showed
    assessment   the verdict on each member and on the quorum, with its evidence
    candidate    one way back, with its loss, its duration and what it does to each node
    step         one typed step of a plan, with its check and its undo
    plan         the steps in order, as data with a digest
    journal      what happened to a plan, entry by entry

Nothing here looks at anything: sights and observations come in, decisions with their reasons go out.
"""

from __future__ import annotations
