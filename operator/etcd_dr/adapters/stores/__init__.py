"""Where snapshots are kept: a directory, or a bucket of any store that speaks S3."""
