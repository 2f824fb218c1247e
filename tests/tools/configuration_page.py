"""`python -m tools.configuration_page`: write docs/configuration.md from the configuration model.

The field descriptions in `etcd_dr.config` are the reference; this only lays them out. A test fails when the page and
the model differ.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Union

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from etcd_dr.config.duration import duration_text
from etcd_dr.config.model import Config

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

_INTRODUCTION = """\
# Configuration

<!-- Made from the model by `python -m tools.configuration_page`; change the descriptions there. -->

One YAML file, `etcd-dr.yaml`, describes clusters, stores and keys. It is looked for as `./etcd-dr.yaml`, then
`/etc/etcd-dr/etcd-dr.yaml`; `--config FILE` or `ETCD_DR_CONFIG` names another one. It refers to nothing in a
Kubernetes cluster, because that is what is down when it is needed.

```yaml
{example}```

- **Unknown keys are errors**, and so is a key that stands twice: a typo that silently disables a backup is how data
  is lost. All mistakes are named at once, with their places and without their values.
- **Durations** have units: `30s`, `5m`, `1h30m`, `7d`, `2w`. A bare number is refused.
- **Secrets** are named by file, or come from the environment of the S3 chain. None is ever written into this file.
- **Environment**: every field can be overridden by its path, with two underscores between parts and list entries by
  name (`-` and `.` as `_`) or index: `ETCD_DR_LOG__LEVEL=debug`,
  `ETCD_DR_CLUSTERS__PROD__ETCD__CACERT=/pki/ca.crt`. Values are read as YAML. A name that leads nowhere is an error;
  what Kubernetes sets for a Service called `etcd-dr` is left alone.
- **Order**, strongest first: flags; `ETCD_DR_STORE`, `ETCD_DR_CLUSTER`; `ETCD_DR_…` overrides; the file; etcdctl's
  `ETCDCTL_…` variables, and these only where no file describes the cluster.
"""

EXAMPLE = """\
clusters:
  - name: prod
    store: backups
    etcd:
      endpoints: [https://10.0.0.1:2379, https://10.0.0.2:2379, https://10.0.0.3:2379]
      cacert: /etc/kubernetes/pki/etcd/ca.crt
      cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
      key: /etc/kubernetes/pki/etcd/healthcheck-client.key
    schedule: {cron: "@hourly", jitter: 2m}
    objectives: {rpo: 90m, rto: 15m}
    retention: {keep_hourly: 24, keep_daily: 14, keep_weekly: 8}
stores:
  - name: backups
    prefix: etcd
    s3: {bucket: company-backups, region: eu-central-1}
encryption:
  recipients: [age1zz2gkz8jlxxk46fkmndsvzg2n3yv07668dytmh996k4lvd8a9ezqxj9tw2]
"""


def page() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION.format(example=EXAMPLE)]
    parts += ["\n".join(_section_lines(path, model)) for path, model in _sections("", Config)]
    return "\n".join(parts)


def _sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        inner = _inner_model(field.annotation)
        if inner is not None:
            many = "[]" if typing.get_origin(_without_none(field.annotation)) is tuple else ""
            yield from _sections(f"{path}.{name}{many}".removeprefix("."), inner)


def _section_lines(path: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## `{path}`" if path else "## Top level"
    yield ""
    yield from ([_one_line(model.__doc__), ""] if path else [])
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    described = _descriptions(model)
    for name, field in model.model_fields.items():
        meaning = _meaning(path, name, field, described.get(name, ""))
        cells = (f"`{name}`", _kind(field), _default(field), meaning)
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""


def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the text below each field, which is nobody's docstring to Python itself."""
    [definition] = ast.parse(inspect.getsource(model)).body
    body = getattr(definition, "body", [])
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _meaning(path: str, name: str, field: FieldInfo, description: str) -> str:
    inner = _inner_model(field.annotation)
    many = "[]" if typing.get_origin(_without_none(field.annotation)) is tuple else ""
    where = f"{path}.{name}{many}".removeprefix(".")
    see = f"See `{where}` below." if inner is not None else ""
    return " ".join(part for part in (_one_line(description), see) if part)


def _kind(field: FieldInfo) -> str:
    annotation = _without_none(field.annotation)
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(annotation))
    if origin is tuple:
        return f"list of {_word(_without_none(typing.get_args(annotation)[0]))}s"
    if origin is dict:
        return "mapping"
    return _word(annotation) + _bounds(field)


def _word(annotation: Any) -> str:
    words: Mapping[Any, str] = {str: "text", int: "number", float: "number", bool: "true, false", Path: "file"}
    if _inner_model(annotation) is not None:
        return "section"
    return "duration" if annotation is timedelta else words.get(annotation, getattr(annotation, "__name__", "text"))


def _bounds(field: FieldInfo) -> str:
    found = {kind: getattr(each, kind) for each in field.metadata for kind in ("ge", "gt", "le") if hasattr(each, kind)}
    low = f"at least {found['ge']}" if found.get("ge") else f"above {found['gt']}" if "gt" in found else ""
    high = f"at most {found['le']}" if "le" in found else ""
    told = ", ".join(part for part in (low, high) if part)
    return f", {told}" if told else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ("", (), {}):
        return ""
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, timedelta):
        return f"`{duration_text(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        [annotation] = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    annotation = _without_none(annotation)
    if typing.get_origin(annotation) is tuple:
        annotation = _without_none(typing.get_args(annotation)[0])
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
