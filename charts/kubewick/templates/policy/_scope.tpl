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

{{/* Where the policy of Functions holds: in excluded namespaces too, where it refuses them. */}}
{{- define "kubewick.admission.functions.scope" -}}
{{- if or .Values.watchNamespaces (not .Values.admission.refuseExcluded) -}}
{{- include "kubewick.admission.scope" . -}}
{{- else -}}
matchResources: {}
{{- end -}}
{{- end }}
