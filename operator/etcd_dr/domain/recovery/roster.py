"""Who the members are and where they run: the live list, else the newest manifest's, joined with what nodes show.

- The list of the living counts. Without one, the newest manifest that names members; without that, the nodes.
- A node and a member belong together by peer URL, then by name, then by the id in the data directory, then by the
  node's own name or address. Peer URLs come first because a member that was replaced has a new id on the same node.
- A node that no member belongs to is a row of its own: it may be a replacement, or a member that was removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from etcd_dr.domain.cluster import Member, id_text, parse_id_text
from etcd_dr.domain.cluster_view import ClusterView, same_place
from etcd_dr.domain.manifest import Manifest
from etcd_dr.domain.observation import EndpointObservation
from etcd_dr.domain.recovery.gathering import Gathered, NodeLook
from etcd_dr.domain.recovery.sight import NodeSight


@dataclass(frozen=True, slots=True)
class Row:
    """One member, or one node without one. `member` None: only the node is known.

    `seen` answered as this member; `foreign` answered in its place as a member of another cluster; `tried` did not.
    """

    name: str
    member: Member | None
    is_voter: bool
    look: NodeLook | None
    seen: EndpointObservation | None = None
    foreign: EndpointObservation | None = None
    tried: tuple[EndpointObservation, ...] = ()

    @property
    def node(self) -> str:
        return self.look.node if self.look else ""

    @property
    def sight(self) -> NodeSight | None:
        return self.look.sight.value if self.look else None

    @property
    def client_urls(self) -> tuple[str, ...]:
        launch = self.sight.launch if self.sight else None
        listed = self.member.client_urls if self.member else ()
        return listed or (launch.client_urls if launch else ())

    @property
    def peer_urls(self) -> tuple[str, ...]:
        launch = self.sight.launch if self.sight else None
        listed = self.member.peer_urls if self.member else ()
        return listed or (launch.peer_urls if launch else ())

    @property
    def endpoint(self) -> str:
        """The URL by which it is asked from here: one that was tried, else one that it advertises."""
        asked = self.seen or self.foreign or next(iter(self.tried), None)
        return asked.endpoint if asked else next(iter(self.client_urls), "")


@dataclass(frozen=True, slots=True)
class Roster:
    """The rows in order of name. `source` says where the list of members comes from."""

    rows: tuple[Row, ...]
    source: str
    is_live: bool


def call_roster(gathered: Gathered, view: ClusterView, *, cluster_id: int | None) -> Roster:
    """Return who is known. `cluster_id` is that of the cluster in question, None while nothing says it."""
    if view.members is not None:
        members, source = view.members.members, f"the member list of {view.members_from}"
    else:
        manifest = _newest_topology(gathered)
        members = _topology(manifest) if manifest else ()
        source = f"the manifest of snapshot {manifest.id}" if manifest else "how the nodes start etcd"
    at_home = _match(members, gathered.looks, cluster_id)
    rows = [_member_row(member, at_home.get(member.id), view) for member in members]
    taken = {look.node for look in at_home.values()}
    spare = [look for look in gathered.looks if look.node not in taken]
    rows += [_node_row(look, view, cluster_id, is_listed=bool(members)) for look in spare]
    return Roster(tuple(sorted(rows, key=lambda row: row.name)), source, is_live=view.members is not None)


def _newest_topology(gathered: Gathered) -> Manifest | None:
    return next((s.manifest for s in reversed(gathered.snapshots) if s.manifest.topology), None)


def _topology(manifest: Manifest) -> tuple[Member, ...]:
    found = []
    for told in manifest.topology:
        member_id = parse_id_text(told.id)
        if member_id is not None:
            found.append(Member(member_id, told.name, told.peer_urls, told.client_urls, told.is_learner))
    return tuple(found)


def _match(members: Sequence[Member], looks: Sequence[NodeLook], cluster_id: int | None) -> dict[int, NodeLook]:
    """Return the look for each member id; each look is used once, by the most telling sign."""
    found: dict[int, NodeLook] = {}
    used: set[str] = set()
    for is_same in (_by_peer_url, _by_name, _by_data(cluster_id), _by_node_name, _by_address):
        for member in members:
            free = (look for look in looks if look.node not in used)
            look = next((look for look in free if is_same(member, look)), None)
            if member.id not in found and look is not None:
                found[member.id] = look
                used.add(look.node)
    return found


def _by_peer_url(member: Member, look: NodeLook) -> bool:
    launch = look.sight.value.launch if look.sight.value else None
    return launch is not None and any(same_place(a, b) for a in launch.peer_urls for b in member.peer_urls)


def _by_name(member: Member, look: NodeLook) -> bool:
    launch = look.sight.value.launch if look.sight.value else None
    return launch is not None and bool(member.name) and launch.member_name == member.name


def _by_data(cluster_id: int | None) -> Callable[[Member, NodeLook], bool]:
    def is_same(member: Member, look: NodeLook) -> bool:
        data = look.sight.value.data if look.sight.value else None
        return data is not None and data.member_id == member.id and cluster_id in (None, data.cluster_id)

    return is_same


def _by_node_name(member: Member, look: NodeLook) -> bool:
    return look.node == member.name


def _by_address(member: Member, look: NodeLook) -> bool:
    hosts = {urlsplit(url).hostname for url in (*member.peer_urls, *member.client_urls)}
    return bool(hosts & {look.node, *re.split(r"[@\s/\[\]]+", look.place)})


def _member_row(member: Member, look: NodeLook | None, view: ClusterView) -> Row:
    launch = look.sight.value.launch if look and look.sight.value else None
    urls = (*member.client_urls, *(launch.client_urls if launch else ()))
    name = member.name or (launch.member_name if launch else "") or (look.node if look else "") or id_text(member.id)
    seen = next((e for e in view.answering if view.member_id(e) == member.id), None)
    return Row(
        name=name,
        member=member,
        is_voter=not member.is_learner,
        look=look,
        seen=seen,
        foreign=next(_at(view.foreign, urls), None),
        tried=tuple(_at(view.silent, urls)),
    )


def _node_row(look: NodeLook, view: ClusterView, cluster_id: int | None, *, is_listed: bool) -> Row:
    """A node that no listed member belongs to votes only where the list may be too old to know it, or there is none."""
    launch = look.sight.value.launch if look.sight.value else None
    data = look.sight.value.data if look.sight.value else None
    urls = launch.client_urls if launch else ()
    is_ours = data is not None and data.cluster_id is not None and data.cluster_id == cluster_id
    seen = next(_at(view.answering, urls), None)
    return Row(
        name=(launch.member_name if launch else "") or look.node,
        member=None,
        is_voter=not is_listed or (view.members is None and is_ours),
        look=look,
        seen=seen,
        foreign=next(_at(view.foreign, urls), None),
        tried=tuple(_at(view.silent, urls)),
    )


def _at(endpoints: Iterable[EndpointObservation], urls: Sequence[str]) -> Iterator[EndpointObservation]:
    return (e for e in endpoints if any(same_place(e.endpoint, url) for url in urls))
