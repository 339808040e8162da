{{/* Where a policy holds: in the watched namespaces, or in all but the excluded ones. */}}
{{- define "kubewick.admission.scope" -}}
matchResources:
  namespaceSelector:
    matchExpressions:
      {{- if .Values.watchNamespaces }}
      - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson .Values.watchNamespaces }}}
      {{- else if .Values.excludedNamespaces }}
      - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ toJson .Values.excludedNamespaces }}}
      {{- end }}
{{- end }}
