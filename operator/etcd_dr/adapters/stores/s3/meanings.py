"""What the words of S3, HTTP, botocore and urllib3 mean here, as sentences; `meaning_tables` says whose words they are.

Placeholders in a text: {reason} what the other side said, {action} the IAM action, {bucket}, {key}, {endpoint},
{for_endpoint} as options of the aws command, {region} ours and {right_region} the bucket's, {clock} how far clocks
differ. Commands use the stock `aws` client, because it is the second opinion one wants at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.errors import (
    ObjectExists,
    ObjectLocked,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreUnreachable,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: type[StoreError]
    message: str
    next_step: str


ACTIONS = {
    "create_client": "",
    "head_object": "s3:GetObject",
    "get_object": "s3:GetObject",
    "head_bucket": "s3:ListBucket",
    "put_object": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "upload_part": "s3:PutObject",
    "complete_multipart_upload": "s3:PutObject",
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "list_objects_v2": "s3:ListBucket",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    "delete_object": "s3:DeleteObject",
    "get_object_lock_configuration": "s3:GetBucketObjectLockConfiguration",
}
"""The right that each call needs, as an IAM policy names it."""

_LOOK = "aws s3api head-bucket --bucket {bucket}{for_endpoint}"

NO_RIGHT = Meaning(
    StoreDenied,
    "refused: {reason}",
    "Allow {action} on s3://{bucket}/{key} for these credentials (the least policy: etcd-dr docs stores). Where "
    "s3:ListBucket is missing, S3 also answers so for objects that do not exist.",
)
UNKNOWN_KEY = Meaning(
    StoreDenied,
    "the store does not know this access key: {reason}",
    "Check which credentials are in use, and that they belong to this endpoint: aws configure list; "
    "aws s3api list-buckets{for_endpoint}",
)
WRONG_SECRET = Meaning(
    StoreDenied,
    "the store computed another signature: {reason}",
    "The secret key is wrong (often by a newline or blank at its end), or a proxy changes the requests. Check with: "
    + _LOOK,
)
EXPIRED = Meaning(
    StoreDenied,
    "the temporary credentials are no longer valid: {reason}",
    "Renew them where they come from; files that are named in the configuration are read again at once. "
    "See how long they hold with: aws sts get-caller-identity",
)
NO_CREDENTIALS = Meaning(
    StoreDenied,
    "no usable credentials: {reason}",
    "Name credentials_file or access_key_file and secret_key_file in the configuration, or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY. See what boto3 would find with: aws configure list",
)
NO_BUCKET = Meaning(
    StoreMisconfigured,
    "the bucket does not exist: {reason}",
    "Check its name and the endpoint, or create it: aws s3api create-bucket --bucket {bucket}{for_endpoint}",
)
WRONG_REGION = Meaning(
    StoreMisconfigured,
    "the bucket is in another region than {region}: {reason}",
    "Set region: {right_region} for this store. Ask with: aws s3api get-bucket-location --bucket {bucket}{for_endpoint}",
)
CLOCK = Meaning(
    StoreMisconfigured,
    "this machine's clock is {clock}: {reason}",
    "Set the clock of this machine (or of the store); look with: timedatectl; chronyc tracking",
)
CANNOT = Meaning(
    StoreMisconfigured,
    "the store does not do what was asked: {reason}",
    "Take the setting out that this store does not know (encryption, object lock, storage class, tags, checksums). "
    "What each needs: etcd-dr docs stores",
)
NOT_S3 = Meaning(
    StoreMisconfigured,
    "what answers is not an S3 store: {reason}",
    "Check the endpoint {endpoint}: scheme (http or https), port, and that no proxy or console stands there: "
    "curl -sv {endpoint} -o /dev/null",
)
BAD_SETTING = Meaning(
    StoreMisconfigured,
    "a setting cannot be used: {reason}",
    "Correct it in the store's configuration or in the AWS_* environment; see both with: aws configure list; env | "
    "grep ^AWS_ | grep -v -e KEY -e TOKEN",
)
TLS = Meaning(
    StoreMisconfigured,
    "no trusted TLS connection: {reason}",
    "If the store has a private CA, name its bundle as ca_file; see what is presented with: "
    "curl -sv {endpoint} -o /dev/null",
)
NOT_TLS = Meaning(
    StoreMisconfigured,
    "that port does not speak TLS: {reason}",
    "Write the endpoint with http://, or name the port for https: curl -sv {endpoint} -o /dev/null",
)
REFUSED_UNSEEN = Meaning(
    StoreMisconfigured,
    "the store refuses the request without a reason it could be told by: {reason}",
    "Most often: another SSE-C key than the object was written with, temporary credentials that have expired, or "
    "http:// towards a port that speaks TLS. The stock client says more: " + _LOOK,
)
FULL = Meaning(
    StoreFull,
    "no room or quota is left: {reason}",
    "Raise the quota or free some space: etcd-dr snapshot prune --dry-run shows what retention would remove.",
)
TOO_LARGE = Meaning(
    StoreMisconfigured,
    "the store refuses the size: {reason}",
    "Set part_size_bytes to what the store (or a proxy before it) takes, at least 5 MiB.",
)
NO_OBJECT = Meaning(
    ObjectMissing,
    "does not exist",
    "List what there is with: aws s3 ls s3://{bucket}/{key}{for_endpoint}",
)
TAKEN = Meaning(
    ObjectExists,
    "exists already, and nothing was replaced",
    "Find out who wrote it: aws s3api head-object --bucket {bucket} --key {key}{for_endpoint}",
)
LOCKED = Meaning(
    ObjectLocked,
    "Object Lock forbids it: {reason}",
    "Wait for the retention to end; see it with: aws s3api get-object-retention --bucket {bucket} --key {key}"
    "{for_endpoint}",
)
ARCHIVED = Meaning(
    StoreError,
    "lies in an archive tier and cannot be read at once: {reason}",
    "Bring it back, which takes minutes to hours: aws s3api restore-object --bucket {bucket} --key {key} "
    "--restore-request Days=7{for_endpoint}",
)
UPLOAD_GONE = Meaning(
    StoreError,
    "the upload is no longer known to the store: {reason}",
    "A sweep or a lifecycle rule ended it. Allow unfinished uploads more time than one takes, then begin again.",
)
PART_LOST = Meaning(
    StoreError,
    "the store does not have the parts that it acknowledged: {reason}",
    "Take the snapshot again; if it happens twice, look into the store's log.",
)
DAMAGED_ON_THE_WAY = Meaning(
    StoreError,
    "the bytes that arrived have another checksum: {reason}",
    "Something between here and the store damages data: network card, proxy or memory. Try again from another node.",
)
CONFLICT = Meaning(
    StoreUnreachable,
    "another write of the same object was under way: {reason}",
    "Try again; if it stays, find out what else writes to this bucket.",
)
CHANGED = Meaning(
    StoreError,
    "the object was replaced while it was read: {reason}",
    "Read it again, and find out what else writes to this bucket.",
)
KEY_SERVICE = Meaning(
    StoreDenied,
    "the store's key service refuses: {reason}",
    "Allow kms:GenerateDataKey and kms:Decrypt on that key for these credentials, and check that it is enabled: "
    "aws kms describe-key --key-id <the key>",
)
NOT_REACHED = Meaning(
    StoreUnreachable,
    "not reached: {reason}",
    "Check name, port, firewall and proxy (HTTPS_PROXY, NO_PROXY): curl -sv {endpoint} -o /dev/null",
)
SILENT = Meaning(
    StoreUnreachable,
    "the store takes connections and does not answer in time: {reason}",
    "Look into the store's log, and at what stands before it (proxy, firewall); see whether it answers at all: "
    "curl -sv -m 20 {endpoint} -o /dev/null. If it is only slow, raise call_timeout and read_timeout.",
)
BROKEN_OFF = Meaning(
    StoreUnreachable,
    "the connection broke off: {reason}",
    "It was tried several times: look into the log of the store and of what stands before it. Where it happens at "
    "once and always, check whether that port speaks http or https: curl -sv {endpoint} -o /dev/null",
)
SERVER_FAILED = Meaning(
    StoreUnreachable,
    "the store failed to answer properly: {reason}",
    "It was tried several times; look into the store's log or status page.",
)
BUSY = Meaning(
    StoreUnreachable,
    "the store asks for fewer requests: {reason}",
    "It was tried several times; lower upload_threads, or find out what else loads the store.",
)
OUR_FAULT = Meaning(
    StoreError,
    "the S3 library could not do its work: {reason}",
    "This is a defect of etcd-dr or of its installation: report it with the output of: etcd-dr version",
)
NOT_KNOWN = Meaning(
    StoreError,
    "failed: {reason}",
    "Try the same with the stock client, which says more with --debug: " + _LOOK,
)
