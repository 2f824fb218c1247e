"""Every command by name: where it lives and what it does in one line.

The table is all that `--help` reads. A command's module is imported when the command runs, so that nobody waits for
gRPC or boto3 who only asks which commands there are.
"""

from __future__ import annotations

from dataclasses import dataclass

_COMMANDS = "etcd_dr.entrypoints.cli"

NAGIOS_UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class Door:
    """One command. `module` has a function `command`, or a function named by `function`.

    `summary` is the first line of that function's docstring. `failure_status`, where it is set, is what the command
    ends with after any error. `when_stopped` says what a signal leaves behind and what to do next; a command without it
    must clean up, and is never ended from outside (`stopping`).
    """

    name: str
    module: str
    summary: str
    function: str = "command"
    failure_status: int | None = None
    when_stopped: str = ""


_ONLY_READS = "Nothing was changed. If something did not answer, see what: etcd-dr health"
_NOT_KEPT = (
    "No snapshot was kept. What was uploaded so far is invisible, and a later save removes it. See what there is: "
    "etcd-dr snapshot list"
)
_SEE_THE_LIST = "What was done so far stays done. See what there is: etcd-dr snapshot list"


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one word."""

    name: str
    summary: str
    doors: tuple[Door, ...]


SNAPSHOT = Group(
    "snapshot",
    "Take, prove, find, keep and remove snapshots.",
    (
        Door(
            "save",
            f"{_COMMANDS}.snapshot.save",
            "Take a snapshot, prove it, and keep it in the store.",
            when_stopped=_NOT_KEPT,
        ),
        Door(
            "list",
            f"{_COMMANDS}.snapshot.listing",
            "List the snapshots in the store, newest first.",
            when_stopped=_ONLY_READS,
        ),
        Door("show", f"{_COMMANDS}.snapshot.show", "Show everything about one snapshot.", when_stopped=_ONLY_READS),
        Door(
            "status",
            f"{_COMMANDS}.snapshot.status",
            "Examine a database file and print its numbers.",
            when_stopped=_ONLY_READS,
        ),
        Door("verify", f"{_COMMANDS}.snapshot.verify", "Prove a stored snapshot again.", when_stopped=_ONLY_READS),
        Door(
            "fetch",
            f"{_COMMANDS}.snapshot.fetch",
            "Bring a snapshot back as a plain file.",
            when_stopped="No file was written. Run it again: etcd-dr snapshot fetch",
        ),
        Door(
            "import",
            f"{_COMMANDS}.snapshot.importing",
            "Take snapshots of other tools into the store.",
            when_stopped=_SEE_THE_LIST,
        ),
        Door(
            "pin",
            f"{_COMMANDS}.snapshot.pinning",
            "Keep a snapshot from retention until it is unpinned.",
            "pin",
            when_stopped=_SEE_THE_LIST,
        ),
        Door(
            "unpin",
            f"{_COMMANDS}.snapshot.pinning",
            "Take the pin from a snapshot, so that retention may remove it.",
            "unpin",
            when_stopped=_SEE_THE_LIST,
        ),
        Door(
            "prune",
            f"{_COMMANDS}.snapshot.pruning",
            "Remove what the retention policy does not keep.",
            when_stopped=_SEE_THE_LIST,
        ),
        Door("delete", f"{_COMMANDS}.snapshot.deleting", "Delete one snapshot.", when_stopped=_SEE_THE_LIST),
    ),
)

DRILL = Group(
    "drill",
    "Rehearse a recovery.",
    (
        Door("run", f"{_COMMANDS}.drill.running", "Rehearse a recovery on a throw-away etcd."),
        Door(
            "list",
            f"{_COMMANDS}.drill.listing",
            "List the drills that the store remembers, newest first: the last one of each snapshot.",
            when_stopped=_ONLY_READS,
        ),
    ),
)

RECOVER = Group(
    "recover",
    "See what is left, choose the gentlest way back, and carry it out.",
    (
        Door(
            "assess",
            f"{_COMMANDS}.recover.assessing",
            "Say what is there, what it means for the quorum, and every way back with its loss.",
            "assess",
            when_stopped=_ONLY_READS,
        ),
        Door(
            "plan",
            f"{_COMMANDS}.recover.assessing",
            "Make a plan of the gentlest way back, or of the one that is named.",
            "plan",
            when_stopped=_ONLY_READS,
        ),
        Door(
            "run",
            f"{_COMMANDS}.recover.running",
            "Lead through a recovery: what is known, what is proposed, the plan, and the last word.",
            "run_recovery",
        ),
        Door(
            "status",
            f"{_COMMANDS}.recover.running",
            "Show where recoveries stand; with an id, every step of one.",
            "status",
            when_stopped=_ONLY_READS,
        ),
        Door(
            "resume",
            f"{_COMMANDS}.recover.running",
            "Go on with a recovery that was cut off or stopped, from here or from another machine.",
            "resume",
        ),
        Door(
            "abort",
            f"{_COMMANDS}.recover.running",
            "Take back what a recovery has done: the old data gets its place back, and what ran before runs again.",
            "abort",
        ),
    ),
)

KIT = Group(
    "kit",
    "Make and test what must be had outside the cluster.",
    (
        Door(
            "create",
            f"{_COMMANDS}.kit.creating",
            "Make the break-glass kit of a cluster.",
            when_stopped="What was written is no whole kit. Remove the directory, and make it again.",
        ),
        Door(
            "check",
            f"{_COMMANDS}.kit.checking",
            "Test a break-glass kit where it would be used.",
            when_stopped=_ONLY_READS,
        ),
    ),
)

_STAYS_ASKED = "The request stays. See what became of it: kubectl get etcd-dr"
REQUEST = Group(
    "request",
    "Ask the operator in the cluster, through the Kubernetes API.",
    (
        Door(
            "snapshot",
            f"{_COMMANDS}.request.asking",
            "Ask the operator for a snapshot now.",
            "snapshot",
            when_stopped=_STAYS_ASKED,
        ),
        Door(
            "drill",
            f"{_COMMANDS}.request.asking",
            "Ask the operator to rehearse a recovery now.",
            "drill",
            when_stopped=_STAYS_ASKED,
        ),
    ),
)

NOTIFY = Group(
    "notify",
    "Messages to people, for those without Alertmanager.",
    (
        Door(
            "test",
            f"{_COMMANDS}.notify.testing",
            "Send a test message to the receivers of the configuration, and say what became of it.",
            when_stopped="Some receivers may have got the test message. Nothing else was done.",
        ),
    ),
)

DOORS: tuple[Door | Group, ...] = (
    SNAPSHOT,
    RECOVER,
    DRILL,
    KIT,
    REQUEST,
    NOTIFY,
    Door(
        "health",
        f"{_COMMANDS}.health",
        "Judge the members, the quorum and the snapshots.",
        failure_status=NAGIOS_UNKNOWN,
        when_stopped=_ONLY_READS,
    ),
    Door(
        "readiness",
        f"{_COMMANDS}.readiness",
        "Say whether the cluster could be recovered right now, what would be lost, and how long it would take.",
        failure_status=NAGIOS_UNKNOWN,
        when_stopped=_ONLY_READS,
    ),
    Door(
        "objectives",
        f"{_COMMANDS}.objectives",
        "Say what a recovery may lose and take, what it would, and how well that was kept.",
        failure_status=NAGIOS_UNKNOWN,
        when_stopped=_ONLY_READS,
    ),
    Door("members", f"{_COMMANDS}.members", "Show every member as it sees itself.", when_stopped=_ONLY_READS),
    Door(
        "doctor",
        f"{_COMMANDS}.doctor",
        "Find out what is wrong with a control plane, node by node.",
        failure_status=NAGIOS_UNKNOWN,
        when_stopped=_ONLY_READS,
    ),
    Door("operator", f"{_COMMANDS}.operator_command", "Take, prove, keep and watch on schedule, until stopped."),
    Door(
        "docs",
        f"{_COMMANDS}.docs_command",
        "Read the documentation: a page, or the runbook of an alert; without a name, which pages there are.",
        when_stopped=_ONLY_READS,
    ),
    Door("demo", f"{_COMMANDS}.demo.command", "Show it all on a real cluster of its own, in under a minute."),
    Door(
        "version",
        f"{_COMMANDS}.version",
        "Print the version of etcd-dr and of what it stands on.",
        when_stopped=_ONLY_READS,
    ),
)
