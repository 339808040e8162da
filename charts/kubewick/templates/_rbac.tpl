{{/*
Binds rules to a component's ServiceAccount: in the whole cluster, or in each of `watchNamespaces` alone.
Give (list $ "component" "rules as text").
*/}}
{{- define "kubewick.rbac" -}}
{{- $root := index . 0 }}
{{- $component := index . 1 }}
{{- $rules := index . 2 }}
{{- $name := printf "%s-%s" $root.Release.Name $component }}
{{- $whole := empty $root.Values.watchNamespaces }}
{{- if $whole }}{{ $name = printf "%s-%s" $root.Release.Namespace $name }}{{ end }}
{{- range $namespace := ternary (list "") $root.Values.watchNamespaces $whole }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "ClusterRole" "Role" $whole }}
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "kubewick.labels" (list $root $component) | nindent 4 }}
rules: {{- $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "ClusterRoleBinding" "RoleBinding" $whole }}
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- include "kubewick.labels" (list $root $component) | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ ternary "ClusterRole" "Role" $whole }}
  name: {{ $name }}
subjects:
  - {kind: ServiceAccount, name: {{ $root.Release.Name }}-{{ $component }}, namespace: {{ $root.Release.Namespace }}}
{{- end }}
{{- end }}

{{/* What the operator may do where Functions live; reasons are in operator/README.md, and beyond it in tests/integration/chart/test_rights.py. */}}
{{- define "kubewick.operator.rules" -}}
- apiGroups: [kubewick.dev]
  resources: [functions]
  verbs: [get, list, watch]
- apiGroups: [kubewick.dev]
  resources: [functions/status]
  verbs: [patch]
# Owner references that block deletion need this where the API server enforces them.
- apiGroups: [kubewick.dev]
  resources: [functions/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
# Values used as environment: a change rolls the instances.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
# A claimed warm pod gets its function's resources.
- apiGroups: [""]
  resources: [pods/resize]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [get, list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
{{- if empty .Values.watchNamespaces }}
# What a namespace says of its warm pools.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch]
{{- end }}
{{- end }}

{{/* What a router may do: see, wake, and claim warm pods. */}}
{{- define "kubewick.router.rules" -}}
- apiGroups: [kubewick.dev]
  resources: [functions]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch]
# What a function runs, to tell a claimed pod.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
# Why an instance does not come up, for the request that waits for it.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
{{- if include "kubewick.routes.byLabel" . }}
# Labels that routes.hosts goes by.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch]
{{- end }}
{{- end }}
