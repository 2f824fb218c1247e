"""The configuration: one model, read from `etcd-dr.yaml`, the environment and flags.

Rules:
- The file must be enough when the Kubernetes API is gone; it never refers to an object in the cluster.
- Unknown keys are errors that name the key and its place: a typo that silently disables a backup is how data is lost.
- Secrets are named by file (or come from the environment of the S3 chain), never written into the file itself.
- Values are parsed here and trusted inside: durations are `timedelta`, URLs are checked, names are safe as keys.

What the settings *do* is decided elsewhere; bootstrap turns them into adapters.
"""

from etcd_dr.config.load import load_config, parse_config
from etcd_dr.config.model import Config
from etcd_dr.config.overrides import EtcdOverrides, Overrides
from etcd_dr.config.target import Target, resolve_all, resolve_encryption, resolve_target

__all__ = [
    "Config",
    "EtcdOverrides",
    "Overrides",
    "Target",
    "load_config",
    "parse_config",
    "resolve_all",
    "resolve_encryption",
    "resolve_target",
]
