{{/* Who may send to a tier, and to whom it may. Take a context. */}}
{{- define "ringtail.otlpPorts" }}
{{- range $name, $port := .v.ports }}
{{- if and $port.enabled (not (has $name (list "metrics" "health"))) }}
- {port: {{ $port.containerPort }}, protocol: {{ $port.protocol | default "TCP" }}}
{{- end }}
{{- end }}
{{- end }}
{{- define "ringtail.routerIngress" -}}
- ports:
    {{- include "ringtail.otlpPorts" . | trim | nindent 4 }}
  {{- with .v.networkPolicy.allowIngressFrom }}
  from:
    {{- tpl (toYaml .) $.root | nindent 4 }}
  {{- end }}
{{- end }}
{{- define "ringtail.samplerIngress" -}}
- ports:
    {{- include "ringtail.otlpPorts" . | trim | nindent 4 }}
  from:
    {{- if .root.Values.router.enabled }}
    - podSelector:
        matchLabels:
          {{- include "ringtail.selectorLabels" (dict "root" .root "tier" "router" "v" .root.Values.router) | nindent 10 }}
    {{- end }}
    {{- with .v.networkPolicy.allowIngressFrom }}
    {{- tpl (toYaml .) $.root | nindent 4 }}
    {{- end }}
{{- end }}
{{- define "ringtail.routerEgress" }}
{{- if .root.Values.sampler.enabled }}
- ports:
    - {port: {{ .root.Values.sampler.ports.otlp.containerPort }}, protocol: TCP}
  to:
    - podSelector:
        matchLabels:
          {{- include "ringtail.selectorLabels" (dict "root" .root "tier" "sampler" "v" .root.Values.sampler) | nindent 10 }}
{{- end }}
{{- if eq (include "ringtail.resolverInUse" .root | fromYaml).kind "k8s" }}
# The API server: its address lies outside the pod network, so only the port can be named.
- ports:
    - {port: 443, protocol: TCP}
    - {port: 6443, protocol: TCP}
{{- end }}
{{- with .v.networkPolicy.egressRules }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end }}
{{- define "ringtail.samplerEgress" }}
{{- if .v.networkPolicy.egressRules }}
{{ tpl (toYaml .v.networkPolicy.egressRules) .root }}
{{- else }}
# Sampled traces may go anywhere until sampler.networkPolicy.egressRules says where.
- ports:
    - {port: 1, endPort: 65535, protocol: TCP}
{{- end }}
{{- end }}
