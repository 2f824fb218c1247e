"""`python -m tools.chart_schema`: write charts/etcd-dr/values.schema.json.

What stands below `config` is the configuration model itself, so a typo there is refused by helm before anything is
installed; the rest is written here. A test fails when the file and this differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etcd_dr.config.model import Config

SCHEMA = Path(__file__).resolve().parents[2] / "charts" / "etcd-dr" / "values.schema.json"

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
_BOOL: dict[str, Any] = {"type": "boolean"}
_LIST: dict[str, Any] = {"type": "array"}
_MAP: dict[str, Any] = {"type": "object"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1}
_NUMBER: dict[str, Any] = {"type": "number", "exclusiveMinimum": 0}


def _section(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": fields}


_PORT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 65535}
_MONITOR = _section(
    enabled=_BOOL,
    namespace=_TEXT,
    interval=_TEXT,
    scrapeTimeout=_TEXT,
    labels=_TEXTS,
    relabelings=_LIST,
    metricRelabelings=_LIST,
    honorLabels=_BOOL,
)
_VALUES = _section(
    image=_section(
        repository={"type": "string", "minLength": 1},
        tag=_TEXT,
        digest={"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
        pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
    ),
    imagePullSecrets=_LIST,
    nameOverride=_TEXT,
    fullnameOverride=_TEXT,
    etcdCertificates=_section(secretName=_TEXT, hostPath={"type": "string", "pattern": "^(/.*)?$"}),
    storeCredentials=_section(secretName=_TEXT),
    talos=_section(
        serviceAccount=_BOOL,
        # Never os:admin or os:operator: the pod only reads.
        roles={"type": "array", "minItems": 1, "items": {"enum": ["os:etcd:backup", "os:reader"]}},
    ),
    env=_LIST,
    extraVolumes=_LIST,
    extraVolumeMounts=_LIST,
    scratch=_section(sizeLimit=_TEXT, medium={"enum": ["", "Memory"]}),
    crds=_section(enabled=_BOOL),
    rbac=_section(create=_BOOL, aggregate=_BOOL),
    serviceAccount=_section(create=_BOOL, name=_TEXT, annotations=_TEXTS),
    replicas={"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 9}]},
    spread={"enum": ["preferred", "required"]},
    podDisruptionBudget=_section(enabled=_BOOL),
    podAnnotations=_TEXTS,
    podLabels=_TEXTS,
    priorityClassName=_TEXT,
    terminationGracePeriodSeconds=_COUNT,
    onControlPlane=_BOOL,
    nodeSelector=_TEXTS,
    tolerations=_LIST,
    affinity=_MAP,
    hostNetwork=_BOOL,
    resources=_section(requests=_MAP, limits=_MAP),
    service=_section(port=_PORT, annotations=_TEXTS),
    page=_section(
        port=_PORT,
        secretName=_TEXT,
        ingress=_section(enabled=_BOOL, className=_TEXT, host=_TEXT, annotations=_TEXTS, tlsSecretName=_TEXT),
    ),
    networkPolicy=_section(enabled=_BOOL, metricsFrom=_LIST, pageFrom=_LIST, egress=_LIST),
    metrics=_section(
        serviceMonitor=_MONITOR,
        podMonitor=_MONITOR,
        prometheusRule=_section(
            enabled=_BOOL,
            namespace=_TEXT,
            labels=_TEXTS,
            additionalRuleLabels=_TEXTS,
            disabled={"type": "object", "additionalProperties": _BOOL},
            runbookUrl=_TEXT,
            staleIntervals=_NUMBER,
            certificateWarningDays=_NUMBER,
            certificateCriticalDays=_NUMBER,
            drillDays=_NUMBER,
            firstSnapshotMinutes=_COUNT,
            minRestorePoints=_COUNT,
            sizeAnomalyShare=_NUMBER,
            sizeAnomalyMinKeys=_COUNT,
            storeWarningMinutes=_COUNT,
            storeCriticalMinutes=_COUNT,
            revisionLag=_COUNT,
            databaseFullShare=_NUMBER,
            recoveryFailedMinutes=_COUNT,
            recoveryStuckMinutes=_COUNT,
            watchStaleMinutes=_COUNT,
        ),
    ),
    grafana=_section(dashboards=_section(enabled=_BOOL, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)),
    # Helm puts these in by itself.
    **{"global": _MAP},
)


def schema_text() -> str:
    """Return the schema as it should be in the chart."""
    config = _plain(Config.model_json_schema(ref_template="#/$defs/{model}"))
    definitions = config.pop("$defs")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_VALUES,
        "properties": {**_VALUES["properties"], "config": config},
        "$defs": definitions,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _plain(schema: Any) -> Any:
    """Return the schema without what helm cannot use: titles, defaults, and formats that are not what we read."""
    if isinstance(schema, dict):
        dropped = ("title", "default", "format") if "properties" not in schema else ("default", "format")
        kept = {key: _plain(value) for key, value in schema.items() if key not in dropped or isinstance(value, dict)}
        if isinstance(schema.get("title"), str):
            kept.pop("title", None)
        return kept
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
