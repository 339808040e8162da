{{/* The router's environment: what the chart knows, then `router.settings`. */}}
{{- define "kubewick.router.env" -}}
{{- $known := dict
  "publicPort" 8082
  "pokeHost" (printf "%s-operator.%s.svc.%s" .Release.Name .Release.Namespace .Values.clusterDomain)
  "hosts" .Values.routes.hosts
  "services" (list
    (printf "%s-router.%s" .Release.Name .Release.Namespace)
    (printf "%s-router-internal.%s" .Release.Name .Release.Namespace))
  "excludedNamespaces" .Values.excludedNamespaces
  "domains" (concat .Values.router.domains (list (printf "svc.%s" .Values.clusterDomain) "svc" ""))
}}
{{- if .Values.router.tls.secretName }}
{{- $_ := set $known "tlsPort" 8443 }}
{{- $_ := set $known "tlsCertificate" "/etc/kubewick/tls/tls.crt" }}
{{- $_ := set $known "tlsKey" "/etc/kubewick/tls/tls.key" }}
{{- end }}
{{- include "kubewick.env" (list "WICK_ROUTER_" (merge dict .Values.router.settings $known)) }}
{{- include "kubewick.env" (list "WICK_KUBERNETES_" (dict "namespaces" .Values.watchNamespaces)) }}
{{- include "kubewick.env.plain" .Values.router.env }}
{{- if .Values.warmPool.enabled }}
- name: WICK_KUBERNETES_POOL_KEY
  valueFrom: {secretKeyRef: {name: {{ .Release.Name }}-pool, key: key}}
{{- end }}
{{- end }}
