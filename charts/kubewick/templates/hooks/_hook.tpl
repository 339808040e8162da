{{/* Annotations of a hook; give (list "when" weight). */}}
{{- define "kubewick.hook" -}}
helm.sh/hook: {{ index . 0 }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/*
A hook's Job with its own short-lived account, and the scripts it runs, in the operator's image.
Give (dict "root" $ "name" "when" "files" glob "rules" "cluster rules" "own" "rules in the release's namespace" "command" list).
*/}}
{{- define "kubewick.job" -}}
{{- $root := .root }}
{{- $name := printf "%s-%s" $root.Release.Name .name }}
{{- $labels := include "kubewick.labels" (list $root .name) }}
{{- $early := include "kubewick.hook" (list .when -5) }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- $early | nindent 4 }}
{{- range .rights }}
{{- $whole := empty .namespace }}
{{- $role := ternary (printf "%s-%s" $root.Release.Namespace $name) $name $whole }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "ClusterRole" "Role" $whole }}
metadata:
  name: {{ $role }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- $early | nindent 4 }}
rules: {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "ClusterRoleBinding" "RoleBinding" $whole }}
metadata:
  name: {{ $role }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- $early | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ ternary "ClusterRole" "Role" $whole }}, name: {{ $role }}}
subjects:
  - {kind: ServiceAccount, name: {{ $name }}, namespace: {{ $root.Release.Namespace }}}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- $early | nindent 4 }}
data: {{- ($root.Files.Glob .files).AsConfig | nindent 2 }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- include "kubewick.hook" (list .when 0) | nindent 4 }}
spec:
  backoffLimit: 2
  activeDeadlineSeconds: 240
  template:
    metadata:
      labels:
        {{- include "kubewick.selector" (list $root .name) | nindent 8 }}
        app.kubernetes.io/part-of: kubewick
    spec:
      restartPolicy: Never
      serviceAccountName: {{ $name }}
      {{- include "kubewick.pod" (list $root $root.Values.operator) | nindent 6 }}
      containers:
        - name: {{ .name }}
          image: {{ include "kubewick.image" (list $root $root.Values.operator.image) }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          command: {{ toJson .command }}
          resources:
            requests: {cpu: 10m, memory: 32Mi}
            limits: {memory: 128Mi}
          {{- include "kubewick.containerSecurity" . | nindent 10 }}
          volumeMounts:
            - {name: scripts, mountPath: /scripts, readOnly: true}
      volumes:
        - name: scripts
          configMap: {name: {{ $name }}}
{{- end }}
