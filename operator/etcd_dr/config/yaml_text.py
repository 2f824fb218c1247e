"""YAML as configuration needs it: the safe subset, and a key that stands twice in one mapping is an error.

YAML parsers keep the last of two equal keys without a word; a setting that silently loses is how a backup is lost.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml


class _OnceLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001 - the library's signature
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:merge":
                if key_node.value in seen:
                    line = key_node.start_mark.line + 1
                    raise ValueError(f"key {key_node.value[:80]!r} stands twice, the second time in line {line}")
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def read_yaml(text: str) -> object:
    """Return the value of one YAML document. Raises ValueError with a reason in one line."""
    try:
        return yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"is not YAML: {' '.join(str(error).split())[:300]}") from error
