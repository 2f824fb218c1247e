"""Where etcd's own programs are, for what needs them: recover, drill, kit."""

from __future__ import annotations

from etcd_dr.config.fields import FilePath, Section


class ToolsSection(Section):
    """etcd, etcdutl and etcdctl of each minor version that is run somewhere."""

    directories: tuple[FilePath, ...] = ()
    """Searched before PATH: directories that hold the programs, or hold etcd's unpacked releases (`etcd-v3.5.30-…`)."""
