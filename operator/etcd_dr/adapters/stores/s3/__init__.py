"""Snapshots in a bucket of any store that speaks S3.

- `store` is the port. `bucket` is the one place that calls boto3, and `failures` the one place that knows its errors:
  whatever leaves this package is an error of ours.
- Writing: `writing` makes one object at once, `upload` one of unknown size out of parts (`parts` sends them, in bounded
  memory), `conditional` knows whether the store honours If-None-Match, `object_headers` what every object carries.
- Reading and removing: `reading` resumes, `listing` pages, `deleting` respects Object Lock.
- `client` and `credentials` turn settings into a client whose keys follow their files.

boto3 costs a quarter of a second and 40 MB: nothing outside this package may import it, and this package is imported
when a bucket is opened.
"""

from etcd_dr.adapters.stores.s3.store import S3ObjectStore

__all__ = ["S3ObjectStore"]
