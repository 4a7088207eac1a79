{{/* Ports of a tier's Services. Takes a context. */}}
{{- define "ringtail.servicePorts" }}
{{- range $name, $port := .v.ports }}
{{- if and $port.enabled $port.servicePort }}
- name: {{ $name }}
  port: {{ $port.servicePort }}
  targetPort: {{ $name }}
  protocol: {{ $port.protocol | default "TCP" }}
  {{- with $port.appProtocol }}
  appProtocol: {{ . }}
  {{- end }}
  {{- with $port.nodePort }}
  nodePort: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}
