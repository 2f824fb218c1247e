"""What is kept beside the database with each snapshot (docs/companions.md)."""

from __future__ import annotations

from pydantic import Field, field_validator

from etcd_dr.config.fields import Section


class CompanionsSection(Section):
    """Files that a recovery needs beside the database; they are encrypted like it, in an object of their own."""

    files: tuple[str, ...] = ()
    """On the machine where the command runs: absolute paths of files and directories; `*`, `?`, `[…]`, `**` match."""
    node_files: tuple[str, ...] = ()
    """On each node of `control_plane`: absolute paths of files, such as the EncryptionConfiguration."""
    kubeadm: bool = False
    """On each node of `control_plane`: what kubeadm put there (PKI, static pod manifests, kubeconfigs)."""
    required: bool = False
    """Take no snapshot where one of the files cannot be read; otherwise it is noted as missing."""
    max_total_bytes: int = Field(default=16 << 20, ge=1, le=256 << 20)
    """The most that is kept with one snapshot; what does not fit is noted as missing."""
    max_files: int = Field(default=1000, ge=1, le=2000)
    """The most files that are kept with one snapshot."""
    allow_unencrypted: bool = False
    """Keep private keys in the store in clear, where snapshots are stored in clear."""

    @field_validator("files", "node_files")
    @classmethod
    def _absolute(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
                raise ValueError(f"{path!r} is not an absolute path")
        return paths

    @field_validator("node_files")
    @classmethod
    def _exact(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if set("*?[") & set(path) or path.endswith("/"):
                raise ValueError(f"{path!r} must be one file: patterns and directories work in files only")
        return paths

    @property
    def is_asked_for(self) -> bool:
        """Whether anything is kept at all."""
        return bool(self.files or self.node_files or self.kubeadm)
