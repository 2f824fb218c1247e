"""An etcd password that came from the environment or a prompt, handed on as the file that adapters read.

It lies in memory only: an anonymous file that this process alone can name, and that ends with it.
"""

from __future__ import annotations

import getpass
import os
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from etcd_dr.config import Target


def with_password(target: Target, *, stdin: TextIO) -> Target:
    """Return the target with a password file where its user needs one; asks on a terminal, and only there."""
    etcd = target.etcd
    if etcd is None or etcd.username is None or etcd.password_file is not None:
        return target
    password = target.password
    if password is None and stdin.isatty():
        password = getpass.getpass(f"Password of etcd user {etcd.username}: ")
    if password is None:
        return target
    return replace(target, etcd=etcd.model_copy(update={"password_file": _in_memory(password)}), password=None)


def _in_memory(secret: str) -> Path:
    descriptor = os.memfd_create("etcd-dr-password", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as file:
        file.write(secret)
    return Path(f"/proc/self/fd/{descriptor}")
