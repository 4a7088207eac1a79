{{/*
Times for draining, computed from the configuration that really runs. A pod that ends is first taken out of DNS; routers notice after the TTL and their own interval;
until then it must keep serving (preStop). Then it decides what it holds and sends it (shutdown). The kubelet must wait for both (grace).

  preStop  >= DNS TTL + resolver interval + 2 s      (k8s resolver: 5 s, it is told at once)
  shutdown  = decision wait + flush
  grace    >= preStop + shutdown + 5 s
*/}}

{{/* Longest decision_wait of the sampler's configuration, in seconds. */}}
{{- define "ringtail.decisionWait" -}}
{{- if not (kindIs "invalid" .Values.drain.decisionWaitSeconds) -}}
{{- .Values.drain.decisionWaitSeconds -}}
{{- else -}}
{{- $longest := 0 -}}
{{- $config := include "ringtail.config" (dict "root" . "tier" "sampler" "v" .Values.sampler) | fromYaml -}}
{{- range $id, $processor := ($config.processors | default dict) -}}
{{- if include "ringtail.isType" (dict "id" $id "types" (list "tail_sampling")) -}}
{{- $wait := include "ringtail.seconds" (dict "text" (($processor).decision_wait | default "30s") "at" (printf "sampler.config.processors.%s.decision_wait" $id)) | int64 -}}
{{- $longest = max $longest $wait -}}
{{- end -}}
{{- end -}}
{{- $longest -}}
{{- end -}}
{{- end -}}

{{/* The routers' resolver: YAML with kind, target (what it asks for, as written) and seconds (its interval). A static one, or none, has no target. */}}
{{- define "ringtail.resolverInUse" -}}
{{- $kind := "none" -}}{{- $target := "" -}}{{- $seconds := 0 -}}{{- $exporterId := "" -}}
{{- $config := include "ringtail.config" (dict "root" . "tier" "router" "v" .Values.router) | fromYaml -}}
{{- range $id, $exporter := ($config.exporters | default dict) -}}
{{- if include "ringtail.isBalancer" $id -}}
{{- $resolver := ($exporter).resolver | default dict -}}
{{- $exporterId = $id -}}
{{- if $resolver.dns -}}
{{- $kind = "dns" -}}{{- $target = $resolver.dns.hostname | default "" -}}
{{- if kindIs "invalid" $.Values.drain.resolverIntervalSeconds -}}
{{- $seconds = include "ringtail.seconds" (dict "text" ($resolver.dns.interval | default "5s") "at" (printf "router.config.exporters.%s.resolver.dns.interval" $id)) | int64 -}}
{{- else -}}
{{- $seconds = $.Values.drain.resolverIntervalSeconds -}}
{{- end -}}
{{- else if $resolver.k8s -}}
{{- $kind = "k8s" -}}{{- $target = $resolver.k8s.service | default "" -}}
{{- else if $resolver.static -}}
{{- $kind = "static" -}}
{{- end -}}
{{- end -}}
{{- end -}}
kind: {{ $kind }}
exporter: {{ $exporterId | quote }}
target: {{ $target | quote }}
seconds: {{ $seconds }}
{{- end -}}

{{/* All times of a tier, in seconds, as YAML. Takes a context. */}}
{{- define "ringtail.drain" -}}
{{- $drain := .root.Values.drain -}}
{{- $resolver := include "ringtail.resolverInUse" .root | fromYaml -}}
{{- $decisionWait := ternary (include "ringtail.decisionWait" .root | int64) 0 (eq .tier "sampler") -}}
{{- $leave := 5 -}}
{{- if and (eq .tier "sampler") (eq $resolver.kind "dns") -}}
{{- $leave = add (int64 $drain.dnsTtlSeconds) (int64 $resolver.seconds) 2 -}}
{{- end -}}
{{- $preStop := ternary $leave (int64 (.v.preStopSeconds | default 0)) (kindIs "invalid" .v.preStopSeconds) -}}
{{- $shutdown := add $decisionWait (int64 $drain.flushSeconds) -}}
{{- $least := add $preStop $shutdown 5 -}}
dnsTtl: {{ $drain.dnsTtlSeconds }}
resolverKind: {{ $resolver.kind }}
resolverInterval: {{ $resolver.seconds }}
decisionWait: {{ $decisionWait }}
flush: {{ $drain.flushSeconds }}
leave: {{ $leave }}
preStop: {{ $preStop }}
shutdown: {{ $shutdown }}
graceLeast: {{ $least }}
grace: {{ ternary $least (int64 (.v.terminationGracePeriodSeconds | default 0)) (kindIs "invalid" .v.terminationGracePeriodSeconds) }}
{{- end -}}

{{/* Slow in, slower out: each change of the set moves routes, and cuts the traces under way on them for one decision window. */}}
{{- define "ringtail.hpaBehavior" -}}
{{- if .v.autoscaling.behavior -}}
{{- toYaml .v.autoscaling.behavior -}}
{{- else -}}
{{- $wait := include "ringtail.decisionWait" .root | int64 -}}
scaleUp:
  # New pods help at once; more than a quarter at a time moves too many routes.
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Pods, value: 3, periodSeconds: 60}
    - {type: Percent, value: 25, periodSeconds: 60}
scaleDown:
  {{- if .v.autoscaling.scaleDown.enabled }}
  # One pod per two decision waits, and only after ten quiet minutes.
  stabilizationWindowSeconds: {{ min 3600 (max 600 (mul 2 $wait)) }}
  selectPolicy: Max
  policies:
    - {type: Pods, value: 1, periodSeconds: {{ min 1800 (max 120 (mul 2 $wait)) }}}
  {{- else }}
  selectPolicy: Disabled
  {{- end }}
{{- end -}}
{{- end -}}
