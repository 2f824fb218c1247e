{{- define "etcd-dr.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "etcd-dr.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{- $name := include "etcd-dr.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- /* What everything of this release has. */}}
{{- define "etcd-dr.release" -}}
app.kubernetes.io/name: {{ include "etcd-dr.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The operator's pods, and not the one of `helm test`. */}}
{{- define "etcd-dr.selector" -}}
{{ include "etcd-dr.release" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "etcd-dr.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "etcd-dr.release" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "etcd-dr.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "etcd-dr.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "etcd-dr.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{- /* "true" where the operator speaks with the Kubernetes API, and so needs a token; else empty. */}}
{{- define "etcd-dr.api" -}}
{{- if and (hasKey .Values.config "kubernetes") (not (kindIs "invalid" .Values.config.kubernetes)) -}}true{{- end -}}
{{- end }}

{{- /* "true" where leases share the clusters out among replicas; else empty. */}}
{{- define "etcd-dr.leases" -}}
{{- if include "etcd-dr.api" . -}}
{{- if dig "leases" "enabled" true .Values.config.kubernetes -}}true{{- end -}}
{{- end -}}
{{- end }}

{{- define "etcd-dr.replicas" -}}
{{- if kindIs "string" .Values.replicas -}}
{{- ternary 2 1 (not (empty (include "etcd-dr.leases" .))) -}}
{{- else -}}
{{- $asked := int .Values.replicas -}}
{{- if and (gt $asked 1) (not (include "etcd-dr.leases" .)) -}}
{{- fail (printf "replicas: %d need leases, or each of them takes every snapshot: say `config.kubernetes: {}`, whose leases share the clusters out, or `replicas: 1`" $asked) -}}
{{- end -}}
{{- $asked -}}
{{- end -}}
{{- end }}

{{- /* "true" where the status page can be reached from outside the pod, because it asks who comes; else empty. */}}
{{- define "etcd-dr.page" -}}
{{- $page := default dict .Values.config.page -}}
{{- if and $page.enabled (or $page.token_file $page.proxy) -}}true{{- end -}}
{{- end }}

{{- /* The name of the ServiceAccount of talos.dev, and of the Secret that Talos makes from it. */}}
{{- define "etcd-dr.talosName" -}}
{{- printf "%s-talos" (include "etcd-dr.fullname" . | trunc 57 | trimSuffix "-") -}}
{{- end }}

{{- /* Of a pod and of its container, wherever one of ours runs. */}}
{{- define "etcd-dr.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Where pods of ours run. A switch rather than default labels: helm merges maps, so `nodeSelector: {}` clears nothing. */}}
{{- define "etcd-dr.placement" -}}
{{- $labels := dict }}
{{- $taints := list }}
{{- if .Values.onControlPlane }}
{{- $_ := set $labels "node-role.kubernetes.io/control-plane" "" }}
{{- $taints = list (dict "key" "node-role.kubernetes.io/control-plane" "operator" "Exists" "effect" "NoSchedule") }}
{{- end }}
{{- with merge (dict) .Values.nodeSelector $labels }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $taints .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
