{{/* The operator's environment: what the chart knows, then `operator.settings`. */}}
{{- define "kubewick.operator.env" -}}
- name: KUBEWICK_OPERATOR_IDENTITY
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- $runtimes := dict }}
{{- range $name, $runtime := .Values.runtimes }}
{{- if $runtime }}
{{- $_ := set $runtimes $name (include "kubewick.image" (list $ $runtime.image)) }}
{{- end }}
{{- end }}
{{- $known := dict
  "release" .Release.Name
  "namespace" .Release.Namespace
  "namespaces" .Values.watchNamespaces
  "excludedNamespaces" .Values.excludedNamespaces
  "clusterDomain" .Values.clusterDomain
  "domains" .Values.router.domains
  "hosts" .Values.routes.hosts
  "runtimes" $runtimes
  "imagePullPolicy" .Values.functions.imagePullPolicy
  "imagePullSecrets" .Values.functions.imagePullSecrets
  "defaultResources" .Values.functions.defaultResources
  "imageVolumes" .Values.functions.imageVolumes
  "hostUsers" .Values.functions.hostUsers
  "pools" .Values.warmPool.runtimes
  "antiAffinity" .Values.warmPool.antiAffinity
}}
{{- include "kubewick.env" (list "KUBEWICK_OPERATOR_" (merge dict .Values.operator.settings $known)) }}
{{- if .Values.warmPool.enabled }}
- name: KUBEWICK_OPERATOR_POOL_KEY
  valueFrom: {secretKeyRef: {name: {{ .Release.Name }}-pool, key: key}}
{{- end }}
{{- end }}
