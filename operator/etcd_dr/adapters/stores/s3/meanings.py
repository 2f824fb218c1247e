"""What the words of S3, HTTP, botocore and urllib3 mean here: tables only; `failures` reads them.

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
    "Allow {action} on s3://{bucket}/{key} for these credentials (docs/stores.md has the least policy). Where "
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
    "Take the setting out that this store does not know (encryption, object lock, storage class, tags, checksums); "
    "docs/stores.md says what each needs.",
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


def _table(*rows: tuple[Meaning, str]) -> dict[str, Meaning]:
    return {name: meaning for meaning, names in rows for name in names.split()}


BY_CODE = _table(
    (NO_RIGHT, "AccessDenied AllAccessDisabled AccountProblem AccessForbidden Forbidden UnauthorizedAccess"),
    (NO_RIGHT, "InvalidPayer NotSignedUp MissingSecurityHeader CrossLocationLoggingProhibited InvalidSecurity"),
    (UNKNOWN_KEY, "InvalidAccessKeyId InvalidClientTokenId UnrecognizedClientException NoSuchUser"),
    (WRONG_SECRET, "SignatureDoesNotMatch AuthorizationQueryParametersError XAmzContentSHA256Mismatch"),
    (EXPIRED, "ExpiredToken ExpiredTokenException InvalidToken TokenRefreshRequired RequestExpired"),
    (NO_BUCKET, "NoSuchBucket"),
    (WRONG_REGION, "PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed"),
    (WRONG_REGION, "IllegalLocationConstraintException InvalidRegionName"),
    (CLOCK, "RequestTimeTooSkewed"),
    (CANNOT, "NotImplemented MethodNotAllowed InvalidStorageClass InvalidEncryptionAlgorithmError InvalidRequest"),
    (CANNOT, "InvalidArgument InvalidTag InvalidBucketState ObjectLockConfigurationNotFoundError InvalidDigest"),
    (CANNOT, "UnsupportedOperation NoSuchObjectLockConfiguration InvalidRetentionPeriod OperationNotSupported"),
    (BAD_SETTING, "InvalidBucketName InvalidURI KeyTooLongError InvalidObjectName"),
    (FULL, "QuotaExceeded QuotaExceededException InsufficientStorage InsufficientCapacity XMinioStorageFull"),
    (FULL, "XMinioAdminBucketQuotaExceeded TooManyBuckets StorageFull NoSpaceLeft ServiceQuotaExceededException"),
    (TOO_LARGE, "EntityTooLarge EntityTooSmall MaxMessageLengthExceeded MissingContentLength"),
    (NO_OBJECT, "NoSuchKey NoSuchVersion"),
    (TAKEN, "PreconditionFailed"),
    (LOCKED, "ObjectLocked WORMProtected ObjectUnderRetention XMinioObjectLocked"),
    (ARCHIVED, "InvalidObjectState RestoreAlreadyInProgress ObjectNotInActiveTierError"),
    (UPLOAD_GONE, "NoSuchUpload"),
    (PART_LOST, "InvalidPart InvalidPartOrder"),
    (DAMAGED_ON_THE_WAY, "BadDigest IncompleteBody XAmzContentChecksumMismatch"),
    (CONFLICT, "ConditionalRequestConflict OperationAborted"),
    (KEY_SERVICE, "KMS.DisabledException KMS.NotFoundException KMS.AccessDeniedException KMS.InvalidStateException"),
    (KEY_SERVICE, "KMS.KMSInvalidStateException KMSDisabled KMSNotConfigured"),
    (SERVER_FAILED, "InternalError ServiceUnavailable RequestTimeout RequestTimeoutException"),
    (BUSY, "SlowDown Throttling ThrottlingException ThrottledException RequestThrottled TooManyRequests"),
    (BUSY, "TooManyRequestsException BandwidthLimitExceeded RequestLimitExceeded RequestThrottledException"),
)
"""By the code that the store puts into its answer."""

BY_STATUS: dict[int, Meaning] = {
    301: WRONG_REGION,
    302: NOT_S3,
    307: WRONG_REGION,
    308: WRONG_REGION,
    400: REFUSED_UNSEEN,
    401: NO_RIGHT,
    403: NO_RIGHT,
    404: NO_OBJECT,
    405: CANNOT,
    407: NOT_REACHED,
    408: SERVER_FAILED,
    409: CONFLICT,
    411: TOO_LARGE,
    412: TAKEN,
    413: TOO_LARGE,
    429: BUSY,
    501: CANNOT,
    507: FULL,
}
"""For answers without a code that is known: to HEAD there is never one."""

BY_CLASS = {
    **{
        f"botocore.{name}": meaning
        for name, meaning in _table(
            (NO_CREDENTIALS, "NoCredentialsError PartialCredentialsError CredentialRetrievalError ProfileNotFound"),
            (NO_CREDENTIALS, "MetadataRetrievalError NoAuthTokenError TokenRetrievalError UnknownCredentialError"),
            (NO_CREDENTIALS, "SSOError LoginError RefreshWithMFAUnsupportedError UnknownTokenProviderError"),
            (TLS, "SSLError"),
            (NOT_REACHED, "EndpointConnectionError ConnectTimeoutError ProxyConnectionError ConnectionError"),
            (BROKEN_OFF, "ConnectionClosedError ReadTimeoutError ResponseStreamingError IncompleteReadError"),
            (BROKEN_OFF, "HTTPClientError"),
            (DAMAGED_ON_THE_WAY, "ChecksumError FlexibleChecksumError"),
            (NOT_S3, "ResponseParserError EventStreamError"),
            (BAD_SETTING, "BaseEndpointResolverError EndpointProviderError InvalidConfigError ConfigNotFound"),
            (BAD_SETTING, "ConfigParseError InvalidDNSNameError InvalidHostLabelError InvalidDefaultsMode"),
            (BAD_SETTING, "InvalidEndpointConfigurationError InvalidIMDSEndpointError InvalidIMDSEndpointModeError"),
            (BAD_SETTING, "InvalidProxiesConfigError InvalidRetryConfigurationError InvalidChecksumConfigError"),
            (BAD_SETTING, "InvalidS3AddressingStyleError InvalidS3UsEast1RegionalEndpointConfigError"),
            (BAD_SETTING, "InvalidSTSRegionalEndpointsConfigError InvalidEndpointDiscoveryConfigurationError"),
            (BAD_SETTING, "ParamValidationError ValidationError ServiceNotInRegionError UnknownRegionError"),
            (BAD_SETTING, "UnsupportedOutpostResourceError UnsupportedS3AccesspointConfigurationError"),
            (BAD_SETTING, "UnsupportedS3ArnError UnsupportedS3ConfigurationError UnsupportedS3ControlArnError"),
            (BAD_SETTING, "UnsupportedS3ControlConfigurationError UnknownSignatureVersionError"),
            (BAD_SETTING, "UnsupportedSignatureVersionError UnknownServiceStyle InvalidExpressionError"),
            (BUSY, "CapacityNotAvailableError"),
            (OUR_FAULT, "MissingDependencyException MD5UnavailableError DataNotFoundError ApiVersionNotFoundError"),
            (OUR_FAULT, "AwsChunkedWrapperError MissingParametersError UndefinedModelAttributeError"),
            (OUR_FAULT, "OperationNotPageableError PaginationError UnknownClientMethodError UnseekableStreamError"),
            (OUR_FAULT, "UnsupportedServiceProtocolsError StubResponseError WaiterConfigError WaiterError"),
        ).items()
    },
    "urllib3.SSLError": TLS,
    "urllib3.TimeoutError": BROKEN_OFF,
    "urllib3.ProtocolError": BROKEN_OFF,
    "urllib3.NewConnectionError": NOT_REACHED,
    "urllib3.ProxyError": NOT_REACHED,
    "urllib3.LocationValueError": BAD_SETTING,
    "urllib3.HTTPError": BROKEN_OFF,
    "http.HTTPException": BROKEN_OFF,
    "ssl.SSLError": TLS,
    "ssl.SSLZeroReturnError": BROKEN_OFF,
    "ssl.SSLEOFError": BROKEN_OFF,
    "builtins.ValueError": BAD_SETTING,
    "builtins.OSError": BROKEN_OFF,
}
"""By the class that botocore, urllib3, http.client or the system raised; ancestors count."""
