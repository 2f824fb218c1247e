"""The one exception tree of etcd-dr.

Rules this module keeps:
- Every error that a user can cause or meet is a subclass of `EtcdDrError`.
- A class says *what kind*: `code` is a stable slug for programs and alerts, `exit_status` is what the command
  ends with, `retryable` says whether the same call may go through later without anyone changing anything.
- An instance says *what happened* (lowercase, no full stop), *to what* (`subject`), and *what to do next*
  (`next_step`: full sentences, with a command that can be pasted where there is one). Evidence goes in `context`.
- Secrets and key material never enter any field.
- Raise the most specific class, `from` the cause. Only entrypoints catch `EtcdDrError`, print or exit.

Exit statuses follow sysexits.h where it has a word (64 usage, 65 bad data, 66 no input, 69 unavailable,
73 cannot create, 74 input/output, 75 try later, 77 no permission, 78 configuration); 1 means that the question was
answered with "no" (a proof failed). `health` is the exception: 0/1/2/3, as Nagios has it.

    EtcdDrError
      UsageError                  ConfigError
      FileUnreadable              FileExists              LocalStorageFull
      ToolMissing                 ToolFailed
      SnapshotNotFound            SnapshotDamaged         ManifestInvalid       ProofFailed
        SnapshotAmbiguous         UnsupportedFormat         ManifestVersionUnknown
      DecryptionFailed            IdentityMissing         RecipientInvalid
      EtcdError
        MemberUnreachable         MemberTimeout           AccessDenied          TlsRefused
        RevisionUnavailable       StreamBroken            ForeignCluster        NoUsableMember
      StoreError
        StoreUnreachable          StoreDenied             StoreMisconfigured    StoreFull
        ObjectMissing             ObjectExists            ObjectLocked
      NodeError
        NodeUnreachable           NodeDenied              NodeFault
      KubernetesError
        ApiUnreachable            ApiDenied               ResourceMissing       ResourceConflict
        ResourceInvalid           HistoryExpired          RequestFailed
      RecoveryError
        PlanStale                 NothingPossible         VerificationFailed    JournalDamaged
        RecoveryLocked            StepFailed              HandsNeeded
      NotificationFailed          NotificationRefused
      Busy                        Cancelled
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class EtcdDrError(Exception):
    """Something that a person or a program must be told; see the module docstring for the fields."""

    code: ClassVar[str] = "internal"
    exit_status: ClassVar[int] = 70
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        next_step: str = "",
        context: Mapping[str, str | int | float | bool | None] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.next_step = next_step
        self.context: Mapping[str, str | int | float | bool | None] = dict(context or {})

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}" if self.subject else self.message


class UsageError(EtcdDrError):
    """The command line asks for something that does not exist or does not fit together."""

    code, exit_status = "usage", 64


class ConfigError(EtcdDrError):
    """The configuration (file, environment, secret files it names) cannot be used."""

    code, exit_status = "config", 78


class FileUnreadable(EtcdDrError):
    """A local file that was named cannot be read."""

    code, exit_status = "file.unreadable", 66


class FileExists(EtcdDrError):
    """A local file that would be written is there already, and nobody said to replace it."""

    code, exit_status = "file.exists", 73


class LocalStorageFull(EtcdDrError):
    """A local file system has no room for the scratch copy or the directory store."""

    code, exit_status = "local.full", 74


class ToolMissing(EtcdDrError):
    """A program that this step needs (etcd, etcdutl) is not installed."""

    code, exit_status = "tool.missing", 69


class ToolFailed(EtcdDrError):
    """A program that we called ended with an error that is neither the file's nor the disk's fault."""

    code, exit_status = "tool.failed", 70


class SnapshotNotFound(EtcdDrError):
    """A selector matches no committed snapshot."""

    code, exit_status = "snapshot.not_found", 66


class SnapshotAmbiguous(SnapshotNotFound):
    """A shortened id matches more than one snapshot."""

    code = "snapshot.ambiguous"


class SnapshotDamaged(EtcdDrError):
    """The bytes are not what they should be: digest, trailer, envelope or database structure."""

    code, exit_status = "snapshot.damaged", 65


class UnsupportedFormat(EtcdDrError):
    """A file is whole but is not something this version can read (other magic, other format)."""

    code, exit_status = "snapshot.unsupported_format", 65


class ManifestInvalid(EtcdDrError):
    """A manifest, proof or marker object in the store does not parse or contradicts its place."""

    code, exit_status = "manifest.invalid", 65


class ManifestVersionUnknown(ManifestInvalid):
    """A stored record was written by a newer etcd-dr with a format this one does not know."""

    code = "manifest.version_unknown"


class ProofFailed(EtcdDrError):
    """A proof was carried out and its answer is no."""

    code, exit_status = "proof.failed", 1


class DecryptionFailed(EtcdDrError):
    """None of the identities at hand opens this object."""

    code, exit_status = "codec.wrong_identity", 77


class IdentityMissing(EtcdDrError):
    """The object is encrypted and no identity was given."""

    code, exit_status = "codec.identity_missing", 77


class RecipientInvalid(ConfigError):
    """An age recipient or identity string does not parse."""

    code = "config.recipient_invalid"


class EtcdError(EtcdDrError):
    """Something between us and an etcd member; `subject` is the endpoint."""

    code, exit_status = "etcd", 69


class MemberUnreachable(EtcdError):
    """No connection: refused, no route, name not found."""

    code, retryable = "etcd.unreachable", True


class MemberTimeout(EtcdError):
    """The member did not answer within the deadline, or a stream stood still for longer than its stall deadline."""

    code, retryable = "etcd.timeout", True


class AccessDenied(EtcdError):
    """etcd refused the call: authentication, or a role that is missing."""

    code, exit_status = "etcd.denied", 77


class TlsRefused(EtcdError):
    """The TLS handshake failed: wrong CA, expired or unsuitable certificate, plain text against TLS."""

    code, exit_status = "etcd.tls", 77


class RevisionUnavailable(EtcdError):
    """The asked revision was compacted away or does not exist yet (`context['reason']`: compacted | future)."""

    code = "etcd.revision_unavailable"


class StreamBroken(EtcdError):
    """A snapshot stream ended early, ran without end, or carried a wrong trailer. Nothing was published."""

    code, exit_status, retryable = "etcd.stream_broken", 65, True


class ForeignCluster(EtcdError):
    """The cluster id is not the one that this store prefix or configuration belongs to."""

    code, exit_status = "etcd.foreign_cluster", 78


class NoUsableMember(EtcdError):
    """No member is fit to serve a snapshot; `context` has the reason for each."""

    code, retryable = "etcd.no_usable_member", True


class StoreError(EtcdDrError):
    """Something between us and the object store; `subject` is the object's URL or the store's."""

    code, exit_status = "store", 74


class StoreUnreachable(StoreError):
    """No connection, a timeout, or a server error that retries did not cure."""

    code, exit_status, retryable = "store.unreachable", 69, True


class StoreDenied(StoreError):
    """The credentials are missing, wrong, expired, or lack a right (`context['action']`)."""

    code, exit_status = "store.denied", 77


class StoreMisconfigured(StoreError):
    """The bucket does not exist, the region or endpoint is wrong, or a clock is too far off for signatures."""

    code, exit_status = "store.misconfigured", 78


class StoreFull(StoreError):
    """The store has no room or quota left."""

    code = "store.full"


class ObjectMissing(StoreError):
    """The key does not exist."""

    code, exit_status = "store.object_missing", 66


class ObjectExists(StoreError):
    """Put-if-absent found the key taken."""

    code, exit_status = "store.object_exists", 73


class ObjectLocked(StoreError):
    """The store refuses to delete: Object Lock retention or legal hold."""

    code, exit_status = "store.object_locked", 77


class NodeError(EtcdDrError):
    """Something between us and a control-plane node; `subject` is the node's name."""

    code, exit_status = "node", 69


class NodeUnreachable(NodeError):
    """No way to the node: no connection, no login shell, or it vanished in the middle of a call."""

    code, retryable = "node.unreachable", True


class NodeDenied(NodeError):
    """The node refuses us: login, sudo, or the rights of a file."""

    code, exit_status = "node.denied", 77


class NodeFault(NodeError):
    """The node did what was asked and it did not work; `context` has the end of what it said."""

    code = "node.fault"


class KubernetesError(EtcdDrError):
    """Something between us and the Kubernetes API; `subject` is the API's address."""

    code, exit_status = "kubernetes", 69


class ApiUnreachable(KubernetesError):
    """No connection to the API server, no answer in time, or a server error. Nothing that protects etcd waits for it."""

    code, retryable = "kubernetes.unreachable", True


class ApiDenied(KubernetesError):
    """The API server does not know us, or RBAC does not allow the call."""

    code, exit_status = "kubernetes.denied", 77


class ResourceMissing(KubernetesError):
    """The object, its namespace or its whole kind does not exist."""

    code, exit_status = "kubernetes.missing", 66


class ResourceConflict(KubernetesError):
    """The object was created or changed by somebody else since it was read (`context['reason']`: as the API says it)."""

    code, exit_status, retryable = "kubernetes.conflict", 75, True


class ResourceInvalid(KubernetesError):
    """The API server refuses the object: its schema or an admission rule says why."""

    code, exit_status = "kubernetes.invalid", 65


class HistoryExpired(KubernetesError):
    """A watch began at a version that the API server no longer has: list again."""

    code, retryable = "kubernetes.history_expired", True


class RequestFailed(KubernetesError):
    """The operator answered a request with a failure or a refusal; `context['code']` is its own."""

    code, exit_status = "kubernetes.request_failed", 1


class RecoveryError(EtcdDrError):
    """A recovery cannot begin or go on as it was planned; `subject` is the recovery id or the cluster."""

    code, exit_status = "recovery", 65


class PlanStale(RecoveryError):
    """What the plan was made from has changed; the message says what."""

    code = "recovery.plan_stale"


class NothingPossible(RecoveryError):
    """No way back is possible with what is known; the message says what each one lacks."""

    code, exit_status = "recovery.nothing_possible", 69


class VerificationFailed(RecoveryError):
    """The recovered cluster is not what was predicted."""

    code, exit_status = "recovery.verification_failed", 1


class JournalDamaged(RecoveryError):
    """A plan or a journal does not parse, has a gap, or contradicts its digest."""

    code = "recovery.journal_damaged"


class RecoveryLocked(RecoveryError):
    """Somebody else recovers this cluster; `context` says who, where and since when."""

    code, exit_status = "recovery.locked", 75


class StepFailed(RecoveryError):
    """A step of a plan failed; the cause is chained, and the journal can be resumed or aborted."""

    code, exit_status = "recovery.step_failed", 74


class HandsNeeded(RecoveryError):
    """The next step is one that only a person can do; the message says what, and how to go on."""

    code, exit_status = "recovery.hands_needed", 75


class NotificationFailed(EtcdDrError):
    """A receiver of messages could not be reached, or did not take one in time; `subject` is its name."""

    code, exit_status, retryable = "notification.failed", 69, True


class NotificationRefused(EtcdDrError):
    """A receiver of messages will not take one: its address or token is wrong, or it does not understand the form."""

    code, exit_status = "notification.refused", 77


class Busy(EtcdDrError):
    """The same work is already under way."""

    code, exit_status, retryable = "busy", 75, True


class Cancelled(EtcdDrError):
    """Work was stopped on request (signal, shutdown) and left nothing visible."""

    code, exit_status = "cancelled", 130
