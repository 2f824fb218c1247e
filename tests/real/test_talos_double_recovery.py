"""What the double of a Talos control plane promises about losing etcd and getting it back, and about its faults.

One test for each thing that a recovery has to know of Talos: Bootstrap answers before it restores, a failure leaves
data behind, joiners are learners first.
"""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from grpclib import GRPCError
from grpclib.const import Status
from grpclib.exceptions import StreamTerminatedError

from etcd_dr.adapters.local_cluster import EtcdBinaries
from etcd_dr.adapters.talos.proto import machine_pb2
from real.peers.talos import Caller, Machine, TalosDouble, reset_of
from real.peers.talos.caller import is_of_an_election
from real.peers.talos.calls import Refusal
from real.peers.talos.faults import NOT_READY_FOR_RECOVERY, TIME_NOT_SYNCED
from real.peers.talos.node import RECOVERY_SNAPSHOT

RECOVER = machine_pb2.BootstrapRequest(recover_etcd=True)
NOT_EMPTY = (Status.ALREADY_EXISTS, "etcd data directory is not empty")
ELECTION_SECONDS = 40.0
MakeDouble = Callable[..., TalosDouble]


def refused(call: Callable[[], object]) -> tuple[Status, str]:
    """Return the status and the words that a call is refused with."""
    with pytest.raises(GRPCError) as caught:
        call()
    return caught.value.status, caught.value.message or ""


def is_empty(machine: Machine) -> bool:
    return machine.node.etcd_directory_is_empty


def wiped_with_snapshot(double: TalosDouble) -> tuple[Caller, bytes]:
    """Write a key, take a snapshot, and wipe all machines; return a caller of the first and the snapshot."""
    double.put(b"/kept", b"treasure")
    caller = double.caller()
    snapshot = caller.content("EtcdSnapshot")
    for machine in double.machines:
        double.switch_off(machine)  # or the first one joins the others again, which are a quorum still
    for machine in double.machines:
        double.lose_data(machine)
    for machine in double.machines:
        double.wait_for_state(machine, "Preparing")
    return caller, snapshot


def leaders_of(double: TalosDouble) -> list[Machine]:
    """Return the machines whose etcd says that it leads."""
    statuses = {m: double.caller(m).call("EtcdStatus").messages[0].member_status for m in double.machines}
    return [machine for machine, status in statuses.items() if status.member_id == status.leader]


def looks() -> Iterator[None]:
    """Allow one look after the other, for as long as an election may take.

    For questions over the network: the double's `wait_until` lets nothing happen while its condition is looked at.
    """
    end = time.monotonic() + ELECTION_SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(0.1)


def wait_until_it_says(caller: Caller, error: str) -> None:
    """Wait until a member's status has this error."""
    for _ in looks():
        if error in caller.call("EtcdStatus").messages[0].member_status.errors:
            return
    raise AssertionError(f"its status never said {error!r}")


def remove(double: TalosDouble, member_id: int) -> None:
    """Remove a member through the first machine; where an election cut that off, it may be done all the same."""
    request = machine_pb2.EtcdRemoveMemberByIDRequest(member_id=member_id)
    for _ in looks():
        try:
            double.caller().call("EtcdRemoveMemberByID", request, through_elections=False)
        except GRPCError as error:
            if not is_of_an_election(error) and error.status is not Status.NOT_FOUND:
                raise
        if member_id not in {member.ID for member in double.members()}:
            return
    raise AssertionError("the member stayed")


def forfeit(double: TalosDouble, machine: Machine) -> str | None:
    """Return what a machine answers that is to give its leadership away; None where an election came in between."""
    try:
        answer = double.caller(machine).call("EtcdForfeitLeadership", through_elections=False)
        return str(answer.messages[0].member)
    except GRPCError as error:
        if "leader" in (error.message or "").partition("etcdserver: ")[2] or is_of_an_election(error):
            return None
        raise


def forfeited_by_the_leader(double: TalosDouble) -> tuple[Machine, str]:
    """Return a leader and the heir that it named; asks again where an election took the leadership before."""
    for _ in looks():
        leaders = leaders_of(double)
        heir = forfeit(double, leaders[0]) if len(leaders) == 1 else None
        if heir:
            return leaders[0], heir
    raise AssertionError("no leader named an heir")


def forfeited_by_a_follower(double: TalosDouble) -> str | None:
    """Return what a machine answered while another one led, before the question as after it."""
    for _ in looks():
        before = leaders_of(double)
        if len(before) != 1:
            continue
        answer = forfeit(double, next(machine for machine in double.machines if machine not in before))
        if leaders_of(double) == before:
            return answer
    raise AssertionError("no leader stayed for as long as a question takes")


def test_a_machine_nobody_bootstrapped_waits_in_preparing(talos_double: MakeDouble) -> None:
    """The walk of the phases, in order: it waits for one thing less each time, then for a cluster to join."""
    double = talos_double(nodes=1, start="unbootstrapped", release="1.12.0")
    [machine] = double.machines

    double.wait_for_event(machine, "Running pre state")

    told = [(event.state, event.message) for event in machine.etcd_history.events]
    assert told[0] == ("Starting", "Starting service")
    assert told[1] == ("Waiting", 'Waiting for service "cri" to be "up", time sync, network, etcd spec')
    assert told[-2:] == [("Waiting", "Waiting for etcd spec"), ("Preparing", "Running pre state")]
    assert machine.etcd_history.health.is_healthy is None
    assert is_empty(machine)


def test_bootstrap_without_recovery_makes_an_empty_cluster(talos_double: MakeDouble) -> None:
    """The other machines join by themselves, and vote in the end."""
    double = talos_double(start="unbootstrapped")

    double.caller().call("Bootstrap")
    double.wait_until_healthy()

    assert [member.isLearner for member in double.members()] == [False, False, False]


def test_bootstrap_restores_what_was_uploaded(talos_double: MakeDouble) -> None:
    """Bootstrap answers before the restore, which then brings the data back and uses the upload up."""
    double = talos_double(nodes=1)
    caller, snapshot = wiped_with_snapshot(double)
    [machine] = double.machines
    machine.faults.restore_is_withheld = True

    caller.upload(snapshot, chunk_bytes=4096)
    caller.call("Bootstrap", RECOVER)
    state_when_answered, was_empty = machine.etcd_history.state, is_empty(machine)
    machine.faults.restore_is_withheld = False
    double.wait_until_healthy()

    assert state_when_answered in {"Starting", "Waiting", "Preparing"}
    assert was_empty
    assert double.get(b"/kept") == b"treasure"
    assert not machine.node.path(RECOVERY_SNAPSHOT).exists()
    assert machine.etcd_history.messages[0] == "Starting service"


@pytest.mark.every_etcd
@pytest.mark.matrix
def test_three_machines_come_back_from_one_snapshot(talos_double: MakeDouble, etcd_binaries: EtcdBinaries) -> None:
    """One machine restores, the others join it with the data, and all of them end as voters."""
    if etcd_binaries.etcdutl is None:
        pytest.skip("etcdutl came with etcd 3.5")
    double = talos_double()
    caller, snapshot = wiped_with_snapshot(double)

    caller.upload(snapshot)
    caller.call("Bootstrap", RECOVER)
    double.wait_until_healthy()

    assert double.get(b"/kept", machine=double.machines[2]) == b"treasure"
    assert {member.name for member in double.members()} == {"talos-1", "talos-2", "talos-3"}
    assert not any(member.isLearner for member in double.members())


def test_bootstrap_to_recover_needs_an_upload(talos_double: MakeDouble) -> None:
    """Nothing is said against it when it is called; the service fails afterwards, for good."""
    double = talos_double(nodes=1, start="unbootstrapped")

    double.caller().call("Bootstrap", RECOVER)

    event = double.wait_for_event(double.machines[0], "Failed to run pre stage")
    assert event.endswith("error verifying snapshot: stat /var/lib/etcd.snapshot: no such file or directory")
    assert double.machines[0].etcd_history.state == "Failed"


def test_upload_takes_garbage_and_the_restore_says_so(talos_double: MakeDouble) -> None:
    """EtcdRecover looks at nothing; what is no database fails before anything is copied."""
    double = talos_double(nodes=1, start="unbootstrapped")
    caller = double.caller()

    caller.upload(b"no database at all" * 1000)
    caller.call("Bootstrap", RECOVER)

    event = double.wait_for_event(double.machines[0], "Failed to run pre stage")
    assert event.startswith("Failed to run pre stage: error verifying snapshot: ")
    assert is_empty(double.machines[0])


def test_a_wrong_checksum_leaves_data_behind(talos_double: MakeDouble) -> None:
    """The database is copied before its checksum is looked at, so the next Bootstrap meets a directory in use."""
    double = talos_double(nodes=1)
    caller, snapshot = wiped_with_snapshot(double)

    caller.upload(snapshot[:-1] + bytes([snapshot[-1] ^ 1]))
    caller.call("Bootstrap", RECOVER)

    event = double.wait_for_event(double.machines[0], "Failed to run pre stage")
    assert event.startswith("Failed to run pre stage: error recovering from the snapshot: expected sha256 [")
    assert not is_empty(double.machines[0])
    assert refused(lambda: caller.call("Bootstrap", RECOVER)) == NOT_EMPTY


def test_a_snapshot_without_checksum_wants_to_be_told(talos_double: MakeDouble) -> None:
    """A copied database is restored when its checksum is not asked for."""
    double = talos_double(nodes=1)
    caller, snapshot = wiped_with_snapshot(double)

    caller.upload(snapshot[:-32])
    caller.call("Bootstrap", machine_pb2.BootstrapRequest(recover_etcd=True, recover_skip_hash_check=True))
    double.wait_until_healthy()

    assert double.get(b"/kept") == b"treasure"


def test_bootstrap_on_a_member_is_refused(shared_talos: TalosDouble) -> None:
    """A healthy member takes an upload, and keeps it, and refuses the Bootstrap."""
    caller, snapshot = shared_talos.caller(), shared_talos.machines[0].node.path(RECOVERY_SNAPSHOT)

    caller.upload(b"stale")
    kept = snapshot.exists()
    snapshot.unlink()

    assert kept
    assert refused(lambda: caller.call("Bootstrap", RECOVER)) == NOT_EMPTY


def test_init_machines_ignore_the_snapshot(talos_double: MakeDouble) -> None:
    """On type init Bootstrap passes every check and makes an empty cluster."""
    double = talos_double(nodes=1, machine_types={0: "init"})
    double.put(b"/kept", b"treasure")
    caller = double.caller()
    snapshot = caller.content("EtcdSnapshot")
    [machine] = double.machines
    machine.faults.unmet.add("etcd spec")  # or it would make a cluster of its own at once
    double.lose_data(machine)

    caller.upload(snapshot)
    caller.call("Bootstrap", RECOVER)
    machine.faults.unmet.clear()
    double.wait_until_healthy()

    assert double.get(b"/kept") is None
    assert machine.node.path(RECOVERY_SNAPSHOT).exists()


def test_bootstrap_ends_differently_in_older_releases(talos_double: MakeDouble) -> None:
    """Up to 1.12 the waiting service fails first; the events tell, the service's own history begins anew."""
    double = talos_double(nodes=1, start="unbootstrapped", release="1.12.0")
    double.wait_for_state(double.machines[0], "Preparing")

    double.caller().call("Bootstrap")
    double.wait_until_healthy()

    log = double.machines[0].node.machined_log.read_text()
    assert "service[etcd](Failed): Failed to run pre stage: context canceled" in log
    assert "service[etcd](Finished): Bootstrap requested" in log


def test_reset_wipes_ephemeral_and_nothing_else(talos_double: MakeDouble) -> None:
    """The machine comes back with another boot id, its configuration, an empty /var, and waits to be bootstrapped."""
    double = talos_double(nodes=1)
    [machine] = double.machines
    caller, boot_id = double.caller(), machine.boot_id

    reset = caller.call("Reset", reset_of("EPHEMERAL")).messages[0]
    double.wait_until(lambda: machine.boot_id != boot_id and machine.is_on)
    double.wait_for_event(machine, "Running pre state")

    assert reset.actor_id
    assert is_empty(machine)
    assert machine.machine_config is not None
    read = machine_pb2.ReadRequest(path="/proc/sys/kernel/random/boot_id")
    assert caller.content("Read", read).decode().strip() == machine.boot_id


def test_reset_without_labels_takes_the_machine_away(talos_double: MakeDouble) -> None:
    """The whole disk means the configuration too: nothing answers there any more."""
    double = talos_double(nodes=1)
    [machine] = double.machines

    double.caller().call("Reset", reset_of())
    double.wait_until(lambda: machine.stage == "maintenance")

    assert machine.machine_config is None
    with pytest.raises((OSError, StreamTerminatedError)):
        double.caller().call("Version", seconds=5)


def test_reset_names_what_it_cannot_wipe(talos_double: MakeDouble) -> None:
    """A label that is not there, and one that is only a directory, are refused."""
    caller = talos_double(nodes=1).caller()

    status, directory = refused(lambda: caller.call("Reset", reset_of("ETCD")))
    _, missing = refused(lambda: caller.call("Reset", reset_of("NOTHING")))

    assert status is Status.UNKNOWN
    assert directory.startswith('failed to reset: volume "ETCD" resides on volume "EPHEMERAL"')
    assert missing.startswith('failed to get volume status with label "NOTHING": ')


def test_a_volume_of_etcds_own_survives_the_reset_of_ephemeral(talos_double: MakeDouble) -> None:
    """From 1.14 the data may lie on a partition that has to be named too."""
    double = talos_double(nodes=1, release="1.14.0", etcd_volume=True)
    [machine] = double.machines
    boot_id, caller = machine.boot_id, double.caller()

    caller.call("Reset", reset_of("EPHEMERAL"))
    double.wait_until(lambda: machine.boot_id != boot_id and machine.etcd.is_healthy)
    kept, boot_id = not is_empty(machine), machine.boot_id
    caller.call("Reset", reset_of("EPHEMERAL", "ETCD"))
    double.wait_until(lambda: machine.boot_id != boot_id and machine.etcd_history.state == "Preparing")

    assert kept
    assert is_empty(machine)


@pytest.mark.matrix
def test_leaving_empties_the_directory_and_etcd_stays_down(talos_double: MakeDouble) -> None:
    """The member is gone from the others' list; up to 1.13 so is the directory itself."""
    double = talos_double()
    leaver = double.machines[2]

    double.caller(leaver).call("EtcdLeaveCluster")

    assert leaver.etcd_history.state == "Finished"
    assert not leaver.node.path("/var/lib/etcd").exists()
    assert {member.name for member in double.members()} == {"talos-1", "talos-2"}


def test_removing_an_unknown_member_is_not_found(shared_talos: TalosDouble) -> None:
    """Its id is decimal in the text."""
    request = machine_pb2.EtcdRemoveMemberByIDRequest(member_id=4711)

    answer = refused(lambda: shared_talos.caller().call("EtcdRemoveMemberByID", request))

    assert answer == (Status.NOT_FOUND, "failed to remove member 4711: etcdserver: member not found")


def test_leadership_is_forfeited_to_another_member(shared_talos: TalosDouble) -> None:
    """The answer names the new leader, and is empty where the member did not lead."""
    leader, heir = forfeited_by_the_leader(shared_talos)
    answer_of_a_follower = forfeited_by_a_follower(shared_talos)

    assert heir in {machine.hostname for machine in shared_talos.machines if machine is not leader}
    assert answer_of_a_follower == ""


def test_leadership_of_one_cannot_be_forfeited(talos_double: MakeDouble) -> None:
    """There is nobody to take it."""
    answer = refused(lambda: talos_double(nodes=1).caller().call("EtcdForfeitLeadership"))

    text = "failed to forfeit leadership: cannot forfeit leadership, only one member"
    assert answer == (Status.UNKNOWN, text)


def test_calls_wait_for_etcd_until_their_deadline(talos_double: MakeDouble) -> None:
    """Where etcd is down nothing is refused: the caller's deadline is the only end, and the rest of the API answers."""
    double = talos_double(nodes=1)
    [machine] = double.machines
    machine.faults.etcd_crashes_with = "out of luck"
    double.kill_etcd(machine)
    double.wait_for_event(machine, 'exit code 1 (last log "out of luck")')

    for call in ("EtcdStatus", "EtcdMemberList", "EtcdAlarmList"):
        with pytest.raises(TimeoutError):
            double.caller().call(call, seconds=0.3)
    services = double.caller().call("ServiceList").messages[0].services

    [etcd] = [service for service in services if service.id == "etcd"]
    crash = 'task "etcd" failed: exit code 1 (last log "out of luck")'
    assert f"Error running Containerd(etcd), going to restart forever: {crash}" in machine.etcd_history.messages
    assert not etcd.health.healthy


def test_a_member_without_quorum_says_so(talos_double: MakeDouble) -> None:
    """With two of three gone the third runs on, is not healthy, and still gives its snapshot."""
    double = talos_double()
    first, *others = double.machines
    for machine in others:
        double.switch_off(machine)

    wait_until_it_says(double.caller(), "etcdserver: no leader")
    # The last one: a failure of before the cluster was formed is in the history too.
    double.wait_until(lambda: first.etcd_history.messages[-1].startswith("Health check failed"))
    refusal = refused(lambda: double.caller().call("EtcdMemberList", through_elections=False))

    assert first.etcd_history.messages[-1] in {
        "Health check failed: context deadline exceeded",
        "Health check failed: etcdserver: request timed out",
        "Health check failed: etcdserver: leader changed",  # the two went one after the other
    }
    assert refusal == (Status.UNKNOWN, "etcdserver: no leader")
    assert double.caller().content("EtcdSnapshot")


def test_two_bootstraps_make_two_clusters(talos_double: MakeDouble) -> None:
    """Nothing stops the second one, and each member knows only itself."""
    double = talos_double(nodes=2, start="unbootstrapped")
    for machine in double.machines:
        machine.faults.never_joins = True

    for machine in double.machines:
        double.caller(machine).call("Bootstrap")
    double.wait_until_healthy()

    local = machine_pb2.EtcdMemberListRequest(query_local=True)
    seen = [
        [member.hostname for member in double.caller(machine).call("EtcdMemberList", local).messages[0].members]
        for machine in double.machines
    ]
    assert seen == [["talos-1"], ["talos-2"]]


def test_a_killed_etcd_is_started_again(talos_double: MakeDouble) -> None:
    """Talos restarts it, and the history tells both."""
    double = talos_double(nodes=1)
    [machine] = double.machines

    double.kill_etcd(machine, number=signal.SIGKILL)
    double.wait_for_event(machine, "exit code 137")
    double.wait_until_healthy()

    starts = [message for message in machine.etcd_history.messages if message.startswith("Started task etcd")]
    assert len(starts) == 2


def test_a_stuck_learner_blocks_the_next_one(talos_double: MakeDouble) -> None:
    """It is never promoted, its health says what it is, and a reboot does not change that; removing it does."""
    double = talos_double(start="unbootstrapped")
    _, stuck, third = double.machines
    stuck.faults.is_never_promoted = True
    third.faults.never_joins = True

    double.caller().call("Bootstrap")
    double.wait_for_complaint(stuck, "etcdserver: rpc not supported for learner")
    third.faults.never_joins = False
    double.wait_until(lambda: "too many learner members in cluster" in third.node.machined_log.read_text())
    [learner] = [member for member in double.members() if member.isLearner]
    stuck.faults.is_never_promoted = False
    double.reboot(stuck)
    double.wait_for_complaint(stuck, "etcdserver: rpc not supported for learner")
    remove(double, learner.ID)
    double.lose_data(stuck)
    double.wait_until_healthy()

    assert [member.isLearner for member in double.members()] == [False, False, False]


@pytest.mark.matrix
def test_a_machine_that_lost_its_disk_takes_its_place_again(talos_double: MakeDouble) -> None:
    """The member of its name is removed, and it joins as a new one."""
    double = talos_double()
    lost = double.machines[1]
    before = {member.name: member.ID for member in double.members()}

    double.lose_data(lost)
    double.wait_until_healthy()

    after = {member.name: member.ID for member in double.members()}
    assert set(after) == set(before)
    assert after[lost.hostname] != before[lost.hostname]


@pytest.mark.matrix
def test_a_graceful_reset_waits_for_a_quorum_that_is_gone(talos_double: MakeDouble) -> None:
    """It wants to leave the cluster first, and etcd cannot say yes: nothing is wiped."""
    double = talos_double()
    first, *others = double.machines
    for machine in others:
        double.switch_off(machine)
    double.wait_until(lambda: not first.etcd.is_healthy)  # an event would do that is older than the cluster

    actor_id = double.caller().call("Reset", reset_of("EPHEMERAL", graceful=True)).messages[0].actor_id
    request = machine_pb2.EventsRequest(tail_events=-1, with_actor_id=actor_id)
    _, begun, phase = (part.data for part in double.caller().until_it_stops("Events", request, parts=3))

    assert machine_pb2.SequenceEvent.FromString(begun.value).sequence == "reset"
    assert machine_pb2.PhaseEvent.FromString(phase.value).phase == "leave"
    assert not is_empty(first)


@pytest.mark.parametrize(("release", "comes_in"), [("1.13.9", False), ("1.14.0", True)])
def test_a_join_that_was_broken_off(talos_double: MakeDouble, release: str, comes_in: bool) -> None:
    """Its learner has no name; up to 1.13 the node meets its own peer URL for ever, later releases adopt it."""
    double = talos_double(nodes=2, start="unbootstrapped", release=release)
    joiner = double.machines[1]
    joiner.faults.breaks_off_joining = True

    double.caller().call("Bootstrap")

    if comes_in:
        double.wait_until_healthy()
    else:
        double.wait_until(lambda: "etcdserver: Peer URLs already exists" in joiner.node.machined_log.read_text())
        assert [member.name for member in double.members() if member.isLearner] == [""]


class TestFaults:
    """Each switch does what it says, and no more."""

    def test_a_stream_ends_well_before_its_end(self, shared_talos: TalosDouble) -> None:
        """The call succeeds with too little."""
        shared_talos.machines[0].faults.snapshot_ends_at = 5_000

        content = shared_talos.caller().content("EtcdSnapshot")
        shared_talos.machines[0].faults.snapshot_ends_at = None

        assert len(content) == 5_000

    def test_a_stream_stalls(self, shared_talos: TalosDouble) -> None:
        """Only the caller's deadline ends it."""
        shared_talos.machines[0].faults.snapshot_stalls_at = 5_000

        with pytest.raises(TimeoutError):
            shared_talos.caller().content("EtcdSnapshot", seconds=0.4)

        shared_talos.machines[0].faults.snapshot_stalls_at = None

    def test_a_byte_flips(self, shared_talos: TalosDouble) -> None:
        """One bit differs in a whole stream; the next snapshot would be another one, so it is held against itself."""
        machine = shared_talos.machines[0]
        machine.faults.snapshot_flips_at = 5_000

        bent = shared_talos.caller().content("EtcdSnapshot")
        machine.faults.snapshot_flips_at = None

        mended = bent[:5_000] + bytes([bent[5_000] ^ 0x10]) + bent[5_001:]
        assert hashlib.sha256(bent[:-32]).digest() != bent[-32:]
        assert hashlib.sha256(mended[:-32]).digest() == mended[-32:]

    def test_an_upload_breaks_off(self, shared_talos: TalosDouble) -> None:
        """Nothing of it is kept."""
        machine = shared_talos.machines[0]
        machine.faults.recover_breaks_at = 100_000

        answer = refused(lambda: shared_talos.caller().upload(bytes(400_000)))
        machine.faults.recover_breaks_at = None

        assert answer[0] is Status.UNAVAILABLE
        assert not machine.node.path(RECOVERY_SNAPSHOT).exists()

    def test_a_message_may_be_large_but_not_larger(self, shared_talos: TalosDouble) -> None:
        """Up to 32 MiB, gRPC's limit as Talos sets it."""
        caller = shared_talos.caller()

        caller.upload(bytes(31 << 20), chunk_bytes=31 << 20)
        shared_talos.machines[0].node.path(RECOVERY_SNAPSHOT).unlink()
        status, _ = refused(lambda: caller.upload(bytes(33 << 20), chunk_bytes=33 << 20))

        assert status is Status.RESOURCE_EXHAUSTED

    @pytest.mark.parametrize(
        ("call", "refusal"), [("Bootstrap", TIME_NOT_SYNCED), ("EtcdStatus", Refusal(Status.UNAVAILABLE, "busy"))]
    )
    def test_calls_are_refused_as_often_as_said(self, shared_talos: TalosDouble, call: str, refusal: Refusal) -> None:
        """And answered as ever after that."""
        shared_talos.machines[0].faults.refuse(call, refusal, times=2)
        caller = shared_talos.caller()

        answers = [refused(lambda: caller.call(call)) for _ in range(2)]

        assert answers == [(refusal.status, refusal.message)] * 2
        if call == "EtcdStatus":
            assert caller.call(call).messages
        else:
            assert refused(lambda: caller.call(call)) == NOT_EMPTY

    def test_an_upload_may_come_too_early(self, shared_talos: TalosDouble) -> None:
        """The upload itself can be refused, before anything is read."""
        shared_talos.machines[0].faults.refuse("EtcdRecover", NOT_READY_FOR_RECOVERY)

        answer = refused(lambda: shared_talos.caller().upload(b"early"))

        assert answer == (Status.FAILED_PRECONDITION, "etcd service is not ready for recovery yet")

    def test_a_clock_without_time(self, talos_double: MakeDouble) -> None:
        """The status tells, Bootstrap refuses, and after a boot the service waits for it."""
        double = talos_double(nodes=1, start="unbootstrapped")
        [machine] = double.machines
        machine.faults.clock_is_unsynced = True

        answer = refused(lambda: double.caller().call("Bootstrap"))
        double.reboot(machine)
        double.wait_until(lambda: machine.etcd_history.messages[-1] == "Waiting for time sync")

        assert answer == (Status.FAILED_PRECONDITION, "time is not in sync yet")
        assert not double.caller().resource("TimeStatuses.v1alpha1.talos.dev", "node", namespace="runtime")["synced"]

    def test_a_restore_fails_with_given_words(self, talos_double: MakeDouble) -> None:
        """As on a full disk: the words are told, and a copy lies there."""
        double = talos_double(nodes=1)
        caller, snapshot = wiped_with_snapshot(double)
        double.machines[0].faults.restore_fails_with = "write db: no space left on device"

        caller.upload(snapshot)
        caller.call("Bootstrap", RECOVER)

        event = double.wait_for_event(double.machines[0], "error recovering from the snapshot")
        assert event.endswith("write db: no space left on device")
        assert not is_empty(double.machines[0])

    def test_several_addresses_broke_restores_once(self, talos_double: MakeDouble) -> None:
        """Up to 1.10.4 (talos#11257)."""
        double = talos_double(nodes=1, release="1.10.4", extra_addresses=True)
        caller, snapshot = wiped_with_snapshot(double)

        caller.upload(snapshot)
        caller.call("Bootstrap", RECOVER)

        double.wait_for_event(double.machines[0], "URL scheme must be http")

    def test_a_slow_promotion(self, talos_double: MakeDouble) -> None:
        """The joiner stays a learner while its promotion is withheld, and is promoted then."""
        double = talos_double(nodes=2, start="unbootstrapped")
        joiner = double.machines[1]
        joiner.faults.promotion_is_withheld = True

        double.caller().call("Bootstrap")
        double.wait_for_complaint(joiner, "rpc not supported for learner")
        joiner.faults.promotion_is_withheld = False
        double.wait_until_healthy()

        assert not any(member.isLearner for member in double.members())

    def test_names_are_hidden(self, shared_talos: TalosDouble) -> None:
        """Members without hostnames, as for a while after a reboot."""
        shared_talos.machines[0].faults.hides_member_names = True

        [answer] = shared_talos.caller().call("EtcdMemberList").messages
        shared_talos.machines[0].faults.hides_member_names = False

        assert {member.hostname for member in answer.members} == {""}

    def test_a_reboot_in_the_middle(self, talos_double: MakeDouble) -> None:
        """The machine reboots right after the call it was told; the upload survives that, on its disk."""
        double = talos_double(nodes=1, start="unbootstrapped")
        [machine] = double.machines
        double.wait_for_state(machine, "Preparing")
        boot_id = machine.boot_id
        machine.faults.reboot_after = "EtcdRecover"

        double.caller().upload(b"something")
        double.wait_until(lambda: machine.boot_id != boot_id and machine.is_on)

        assert machine.node.path(RECOVERY_SNAPSHOT).exists()

    def test_a_service_fails_from_the_next_boot_on(self, talos_double: MakeDouble) -> None:
        """Its state and its words are listed."""
        double = talos_double(nodes=1)
        [machine] = double.machines
        machine.faults.failed_services["kubelet"] = "Failed to run pre stage: no luck"

        double.reboot(machine)
        services = {each.id: each for each in double.caller().call("ServiceList").messages[0].services}

        assert (services["kubelet"].state, services["kubelet"].events.events[-1].msg) == (
            "Failed",
            "Failed to run pre stage: no luck",
        )

    def test_a_call_hangs(self, shared_talos: TalosDouble) -> None:
        """One call by name, and no other."""
        shared_talos.machines[0].faults.hanging_calls.add("ServiceList")

        with pytest.raises(TimeoutError):
            shared_talos.caller().call("ServiceList", seconds=0.3)
        version = shared_talos.caller().call("Version").messages
        shared_talos.machines[0].faults.hanging_calls.clear()

        assert version
