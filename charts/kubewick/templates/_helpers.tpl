{{/* Labels of everything of the release; give (list $ "component"). */}}
{{- define "kubewick.labels" -}}
{{- $root := index . 0 -}}
{{ include "kubewick.selector" . }}
app.kubernetes.io/part-of: kubewick
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- end }}

{{/* Labels that pick one component's pods; immutable. */}}
{{- define "kubewick.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: kubewick
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* An image's reference: registry/repository:tag@digest; give (list $ image). */}}
{{- define "kubewick.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with $root.Values.image.registry }}{{ . }}/{{ end -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end }}

{{/* Environment from a map of settings: prefix + NAME; lists by commas, maps as JSON. Give (list prefix settings). */}}
{{- define "kubewick.env" -}}
{{- $prefix := index . 0 -}}
{{- range $name, $value := index . 1 }}
{{- if not (kindIs "invalid" $value) }}
- name: {{ $prefix }}{{ snakecase $name | upper }}
{{- if kindIs "string" $value }}
  value: {{ $value | quote }}
{{- else if kindIs "slice" $value }}
  value: {{ join "," $value | quote }}
{{- else }}
  value: {{ toJson $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Variables by their own names. */}}
{{- define "kubewick.env.plain" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* The parts of a pod's spec that all pods of the chart share; give (list $ part). */}}
{{- define "kubewick.pod" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Replicas on as many nodes and zones as there are; give (list $ "component"). */}}
{{- define "kubewick.spread" -}}
{{- $selector := include "kubewick.selector" . -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $selector | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{/* What `restricted` Pod Security asks of a container. */}}
{{- define "kubewick.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* One pod at a time leaves for a node's maintenance; give (list $ "component"). */}}
{{- define "kubewick.pdb" -}}
{{- $root := index . 0 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $root.Release.Name }}-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "kubewick.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready serves nobody, so it must not hold up a drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "kubewick.selector" . | nindent 6 }}
{{- end }}

{{/* Namespaces the values name: those watched, and those with settings of their own; as JSON. */}}
{{- define "kubewick.namespaces" -}}
{{- concat .Values.watchNamespaces (keys .Values.namespaces) | uniq | sortAlpha | toJson -}}
{{- end }}

{{/* NetworkPolicy peers: a component's pods in the release's namespace; give (list $ "component"). */}}
{{- define "kubewick.peer" -}}
{{- $root := index . 0 -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ $root.Release.Namespace }}}
  podSelector:
    matchLabels: {{- include "kubewick.selector" . | nindent 6 }}
{{- end }}

{{/* Not empty where routes.hosts goes by the labels of namespaces, so that operator and routers must read those. */}}
{{- define "kubewick.routes.byLabel" -}}
{{- range $who, $hosts := .Values.routes.hosts }}
{{- if and (contains "=" $who) (not (kindIs "invalid" $hosts)) }}
{{- if $.Values.watchNamespaces }}
{{- fail (printf "routes.hosts: %s: labels take rights on all namespaces; with watchNamespaces name the namespace" $who) }}
{{- end }}
{{- print "yes" }}
{{- end }}
{{- end }}
{{- end }}
