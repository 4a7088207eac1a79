{{/* The configuration of each tier: what is generated, what the user writes over it, and what both come to. */}}

{{/* Writes src over dst, in place: maps merge, null takes a default away, false and "" count (Helm's own mergeOverwrite skips them). */}}
{{- define "ringtail.mergeInto" -}}
{{- range $key, $value := .src -}}
{{- if and (kindIs "invalid" $value) (hasKey $.dst $key) -}}
{{- $_ := unset $.dst $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $.dst $key)) -}}
{{- include "ringtail.mergeInto" (dict "dst" (get $.dst $key) "src" $value) -}}
{{- else -}}
{{- $_ := set $.dst $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether a component's id is of a type: (dict "id" "loadbalancing/a" "types" (list …)); "true" or nothing. */}}
{{- define "ringtail.isType" -}}
{{- if has (splitList "/" .id | first) .types -}}true{{- end -}}
{{- end -}}

{{- define "ringtail.isBalancer" -}}
{{- include "ringtail.isType" (dict "id" . "types" (list "loadbalancing" "load_balancing")) -}}
{{- end -}}

{{/* How routers find the samplers when the user's configuration does not say. */}}
{{- define "ringtail.resolver" -}}
{{- if .Values.router.presets.k8sResolver.enabled -}}
k8s:
  service: {{ include "ringtail.samplerServiceName" . }}.{{ include "ringtail.namespace" . }}
  ports: [{{ .Values.sampler.ports.otlp.containerPort }}]
{{- else -}}
dns:
  hostname: {{ include "ringtail.samplerServiceFqdn" . }}
  port: {{ .Values.sampler.ports.otlp.containerPort | quote }}
  interval: {{ .Values.router.resolverInterval }}
{{- end -}}
{{- end -}}

{{- define "ringtail.generatedCommon" -}}
extensions:
  health_check:
    endpoint: 0.0.0.0:{{ .v.ports.health.containerPort }}
    liveness_path: /livez
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 0.0.0.0:{{ .v.ports.otlp.containerPort }}
      {{- if (index .v.ports "otlp-http").enabled }}
      http:
        endpoint: 0.0.0.0:{{ (index .v.ports "otlp-http").containerPort }}
      {{- end }}
service:
  extensions: [health_check]
  telemetry:
    metrics:
      readers:
        - pull:
            exporter:
              prometheus:
                host: 0.0.0.0
                port: {{ .v.ports.metrics.containerPort }}
                without_type_suffix: true
    resource:
      k8s.namespace.name: ${env:OTEL_K8S_NAMESPACE}
      k8s.pod.name: ${env:OTEL_K8S_POD_NAME}
{{- end -}}

{{- define "ringtail.generatedRouter" -}}
{{- include "ringtail.generatedCommon" . }}
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [loadbalancing]
exporters:
  loadbalancing:
    routing_key: traceID
    protocol:
      otlp:
        tls:
          {{- if .root.Values.tls.enabled }}
          ca_file: /tls/ca.crt
          cert_file: /tls/tls.crt
          key_file: /tls/tls.key
          server_name_override: {{ include "ringtail.samplerServiceFqdn" .root }}
          {{- else }}
          insecure: true
          {{- end }}
    resolver:
      {{- include "ringtail.resolver" .root | nindent 6 }}
{{- end -}}

{{/* Workers follow the CPU limit: the main thread keeps a core, and below one core it does the judging too. Without a limit the program decides. */}}
{{- define "ringtail.workers" -}}
{{- with ((.v.resources).limits).cpu -}}
{{- $cores := include "ringtail.millicores" (dict "quantity" . "at" "sampler.resources.limits.cpu") | int64 -}}
{{- if lt $cores 1000 -}}
workers: 0
{{- else -}}
{{- $workers := max 1 (sub (div $cores 1000) 1) -}}
workers: {{ $workers }}
num_shards: {{ $workers }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.generatedSampler" -}}
{{- include "ringtail.generatedCommon" . }}
  pipelines:
    traces:
      receivers: [otlp]
      processors: [tail_sampling, batch]
      exporters: [debug]
processors:
  tail_sampling:
    decision_wait: 10s
    {{- include "ringtail.workers" . | nindent 4 }}
    policies:
      - name: errors
        type: status_code
        status_code:
          status_codes: [ERROR]
      - name: slow
        type: latency
        latency:
          threshold_ms: 1000
      - name: ten-percent-of-the-rest
        type: probabilistic
        probabilistic:
          sampling_percentage: 10
  batch: {}
exporters:
  debug: {}
{{- end -}}

{{/*
What a tier runs, as YAML. Takes a context. alternateConfig replaces everything. Otherwise config is written over what is generated, and a load-balancing exporter
of the user's own keeps its resolver, or gets the generated one.
*/}}
{{- define "ringtail.config" -}}
{{- if .v.alternateConfig -}}
{{- tpl (toYaml .v.alternateConfig) .root -}}
{{- else -}}
{{- $generated := include (printf "ringtail.generated%s" (title .tier)) . | fromYaml -}}
{{- if hasKey $generated "Error" -}}{{- fail (printf "the generated configuration of the %s is not YAML: %s" .tier $generated.Error) -}}{{- end -}}
{{- $written := deepCopy (.v.config | default dict) -}}
{{- if eq .tier "router" -}}{{- include "ringtail.settleBalancers" (dict "root" .root "generated" $generated "written" $written) -}}{{- end -}}
{{- if eq .tier "sampler" -}}{{- include "ringtail.settleSampler" (dict "root" .root "generated" $generated) -}}{{- end -}}
{{- include "ringtail.mergeInto" (dict "dst" $generated "src" $written) -}}
{{- tpl (toYaml $generated) .root -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.settleBalancers" -}}
{{- $own := list -}}
{{- range $id, $exporter := (.written.exporters | default dict) -}}
{{- if include "ringtail.isBalancer" $id -}}
{{- $own = append $own $id -}}
{{- if ($exporter).resolver -}}
{{- if hasKey $.generated.exporters $id -}}{{- $_ := unset (get $.generated.exporters $id) "resolver" -}}{{- end -}}
{{- else -}}
{{- $_ := set $.generated.exporters $id (deepCopy $.generated.exporters.loadbalancing) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $own (not (has "loadbalancing" $own)) -}}
{{- $_ := unset .generated.exporters "loadbalancing" -}}
{{- $_ := set .generated.service.pipelines.traces "exporters" $own -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.settleSampler" -}}
{{- if .root.Values.tls.enabled -}}
{{- $_ := set .generated.receivers.otlp.protocols.grpc "tls" (dict "cert_file" "/tls/tls.crt" "key_file" "/tls/tls.key" "client_ca_file" "/tls/ca.crt") -}}
{{- end -}}
{{- end -}}
