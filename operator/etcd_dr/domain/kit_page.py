"""The one page of a kit: what to do, with commands that can be pasted, for somebody who has never done it."""

from __future__ import annotations

from collections.abc import Iterator

from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.kit import CONFIG_NAME, KitFacts
from etcd_dr.domain.manifest import TopologyMember

_FIRST_ETCDUTL = EtcdVersion(3, 5, 0)


def recovery_page(facts: KitFacts) -> str:
    """Return RECOVER.md."""
    return "\n".join([*_beginning(facts), *_needed(facts), *_steps(facts), *_members(facts), *_by_hand(facts), ""])


def _beginning(facts: KitFacts) -> Iterator[str]:
    yield f"# Recovering etcd of {facts.cluster}"
    yield ""
    yield f"Made {facts.made_at:%Y-%m-%d %H:%M} UTC by {facts.made_by} with etcd-dr {facts.tool_version}."
    yield f"Snapshots: {facts.store_url}"
    yield ""
    yield "This directory holds no secrets. It needs no Kubernetes API and no operator: the store, the keys below and a"
    yield "way to the nodes are enough. Test it now and then, on the machine that would be used: `etcd-dr kit check .`"


def _needed(facts: KitFacts) -> Iterator[str]:
    yield ""
    yield "## 1. What you need"
    yield ""
    if facts.is_encrypted:
        yield "- One private key (age identity) that belongs to one of these recipients:"
        yield from (f"  - `{recipient}`" for recipient in facts.recipients)
    else:
        yield "- No key: snapshots are stored in clear."
    for file in facts.files:
        yield f"- `{_code(file.path)}` ({file.setting})"
    yield f"- etcd-dr {facts.tool_version} or newer."
    yield from _tools(facts)


def _tools(facts: KitFacts) -> Iterator[str]:
    version = facts.server_version
    if version is None:
        yield "- etcd and etcdutl of the cluster's minor version: <https://github.com/etcd-io/etcd/releases>"
        return
    line = ".".join(version.split(".")[:2])
    programs = "etcd and etcdctl" if line == "3.4" else "etcd and etcdutl"
    yield f"- {programs} {line}, the newest there is (the cluster ran {version}), on PATH or under tools.directories:"
    yield f"  <https://github.com/etcd-io/etcd/releases/tag/v{version}>"


def _steps(facts: KitFacts) -> Iterator[str]:
    command = f"etcd-dr --config {CONFIG_NAME}"
    key = " --identity /PATH/TO/KEY" if facts.is_encrypted else ""
    yield ""
    yield "## 2. What to do"
    yield ""
    yield "In this directory. Every command says what it would do before it does it; nothing is deleted on the way."
    yield ""
    yield "```sh"
    yield f"etcd-dr kit check .{key}              # is everything there?"
    yield f"{command} recover assess{key}      # what is lost, and every way back with what it costs"
    yield f"{command} recover run{key}         # leads through it, and asks before it changes anything"
    yield f"{command} recover status           # where it stands"
    yield f"{command} recover resume ID{key}   # goes on after an interruption, from any machine"
    yield f"{command} recover abort ID{key}    # takes back what was done"
    yield "```"
    yield ""
    yield "Do not start, wipe or reinstall a node by hand before `recover assess` has been read: a member that is only"
    yield "down loses nothing, and one whose data is gone may be replaced while the others live."


def _members(facts: KitFacts) -> Iterator[str]:
    yield ""
    yield "## 3. The members"
    yield ""
    if facts.nodes:
        yield f"Nodes: {', '.join(facts.nodes)}"
        yield ""
    if not facts.topology:
        yield "No snapshot was proven yet when this page was made; make it again after the first one."
        return
    yield f"As of snapshot {facts.snapshot_id}:"
    yield ""
    yield "| member | id | peer URLs | client URLs |"
    yield "| --- | --- | --- | --- |"
    for member in sorted(facts.topology, key=_label):
        cells = (_label(member), member.id, " ".join(member.peer_urls), " ".join(member.client_urls))
        yield f"| {' | '.join(map(_cell, cells))} |"
    if facts.companions:
        yield ""
        yield f"Beside the database {len(facts.companions)} files are kept (PKI, manifests, as configured):"
        yield f"`etcd-dr --config {CONFIG_NAME} snapshot fetch latest-verified --companions ./files --identity KEY`"


def _by_hand(facts: KitFacts) -> Iterator[str]:
    yield ""
    yield "## 4. Without etcd-dr"
    yield ""
    yield "Fetch `data` from the newest folder of `snapshots/` that has a `manifest.json` (its `stages` say how `data` was"
    yield "made), then:"
    yield ""
    yield "```sh"
    decrypt = "age -d -i /PATH/TO/KEY data | zstd -d" if facts.is_encrypted else "zstd -d < data"
    yield f"{decrypt} > etcd.db"
    version = EtcdVersion.parse(facts.server_version or "")
    program = "ETCDCTL_API=3 etcdctl" if version and version < _FIRST_ETCDUTL else "etcdutl"
    bump = "" if version and not version.can_bump else " --bump-revision 1000000000 --mark-compacted"
    yield f"{program} snapshot status etcd.db -w table"
    members = sorted(facts.topology, key=_label)
    voters = [member for member in members if not member.is_learner and member.name and member.peer_urls]
    initial = ",".join(f"{m.name}={url}" for m in voters for url in m.peer_urls) or "NAME=PEER-URL,..."
    yield f"# on each member, with its own name and URL, and with ONE new token for all of {len(voters) or 'them'}:"
    for member in voters[:1]:
        yield f"{program} snapshot restore etcd.db --name {_quoted(member.name)} \\"
        yield f"  --initial-advertise-peer-urls {_quoted(','.join(member.peer_urls))} \\"
    yield f"  --initial-cluster {_quoted(initial)} \\"
    yield f"  --initial-cluster-token NEW-TOKEN{bump} --data-dir NEW-DIRECTORY"
    yield "```"
    yield ""
    yield "Stop every kube-apiserver first, move the old data directories aside (never delete them), start all members"
    yield "together, and restart the API servers, controllers and kubelets afterwards."


def _label(member: TopologyMember) -> str:
    return f"{member.name or 'never started'}{' (learner)' if member.is_learner else ''}"


def _cell(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).replace("|", "\\|").replace("<", "&lt;")


def _code(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c != "`")


def _quoted(text: str) -> str:
    """Return a word for the shell: names come from a bucket, and people paste them."""
    return "'" + "".join(c for c in text if c.isprintable()).replace("'", "'\\''") + "'"
