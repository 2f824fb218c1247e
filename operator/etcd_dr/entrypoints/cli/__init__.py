"""The command `etcd-dr`, one module per command.

Rules:
- A command reads its options, calls one workflow, prints one answer and returns an exit status. It holds no rules.
- `--help` and a mistyped option answer at once: a command's module, and every library behind it, is imported only
  when that command runs (`doors` is the table).
- `snapshot status` of a plain file is answered before any library is loaded (`short_way`).
- Answers go to standard output, everything else (progress, log lines, errors) to standard error.
- Every error ends in `failures`, with what happened, what to do next and the status of its class
  (docs/exit-statuses.md); nothing else prints an error or exits.
- JSON and YAML answers are a promise (docs/json-output.md); tables are for people and may change.
- Whatever came from a bucket, a member or a file is escaped before it reaches a terminal.
"""

from __future__ import annotations


def main() -> None:
    """Carry out the command that this process was called with, and end with its status."""
    from etcd_dr.entrypoints.cli.short_way import go  # noqa: PLC0415 - the imports are what is saved

    go()
    from etcd_dr.entrypoints.cli.program import main as go_the_whole_way  # noqa: PLC0415 - as above

    go_the_whole_way()
