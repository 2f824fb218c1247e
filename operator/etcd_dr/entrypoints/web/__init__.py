"""The status page: could each cluster be recovered right now, at a glance, for a person at 3 a.m.

Rules:
- It only reads: the board that the operator's jobs write, and nothing else. It asks no member and no store, so a page
  that is looked at costs them nothing, and it answers when both are gone.
- The verdict comes first, then why, then the evidence. Everything that matters is in the HTML as it is served; the
  script only renews it (the same page, fetched again), so there is one renderer and it is this one.
- What came from a bucket, a member or a person is hostile: templates escape everything, control characters are shown
  as such, and the content security policy allows no inline script or style at all.
- Nobody sees it without being asked who they are, unless it is on loopback (`access`); tokens are never in a URL.

    status_page   what the operator starts and stops
    site          the routes
    guard         what stands before every route: who may pass, and the headers of every answer
    access        who may see it; sessions
    rendering     templates and how values become words
    views         what a page shows, from the board
    timeline      where restore points lie on a line
    operation     which replica works for a cluster
    documents     the same as JSON
    assets        style sheet, script and icon, from the package
"""
