"""Look again before anything is touched: nodes, rights, tools and room."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from etcd_dr.domain.recovery.journal import Facts
from etcd_dr.domain.recovery.step import BuildData, Preflight
from etcd_dr.errors import LocalStorageFull, NodeFault
from etcd_dr.workflows.recovery.steps.build import server_version
from etcd_dr.workflows.recovery.work import Work

_MARGIN_BYTES = 64 << 20


def preflight(step: Preflight, work: Work) -> Facts:
    facts: Facts = {}
    builds = [each for each in work.plan.steps if isinstance(each, BuildData)]
    if builds:
        must_bump = any(build.bump_revision for build in builds)
        facts["tool_version"] = str(work.ports.restorer.version_for(server_version(work), must_bump=must_bump))
    free_bytes = work.place.free_bytes()
    if step.local_bytes_needed and free_bytes < step.local_bytes_needed + _MARGIN_BYTES:
        raise LocalStorageFull(
            f"{free_bytes} bytes free, this recovery needs {step.local_bytes_needed}",
            subject=str(work.place.directory),
            next_step="Free some space, or resume with another state directory: --state-dir DIRECTORY",
            context={"free_bytes": free_bytes, "needed_bytes": step.local_bytes_needed},
        )
    _check_nodes(step, work)
    return facts


def _check_nodes(step: Preflight, work: Work) -> None:
    """Look at all nodes at once; the first one's trouble, in the order of the plan, is raised."""
    names = _nodes(work)
    with ThreadPoolExecutor(work.ports.limits.parallel_steps, thread_name_prefix="preflight") as pool:
        looks = [pool.submit(_check_node, name, step.node_bytes_needed.get(name, 0), work) for name in names]
    for look in looks:
        look.result()


def _nodes(work: Work) -> list[str]:
    return list(dict.fromkeys(step.node for step in work.plan.steps if step.node))


def _check_node(name: str, needed_bytes: int, work: Work) -> None:
    """Raise what keeps the node from being reached, or NodeFault where it has no room."""
    sight = work.node(name).look(deadline=work.node_deadline)
    if sight.free_bytes is not None and needed_bytes and sight.free_bytes < needed_bytes:
        raise NodeFault(
            f"has {sight.free_bytes} bytes free, placing the data needs {needed_bytes}",
            subject=name,
            next_step="Free some space on the file system of its data directory; nothing was touched yet.",
            context={"free_bytes": sight.free_bytes, "needed_bytes": needed_bytes},
        )
