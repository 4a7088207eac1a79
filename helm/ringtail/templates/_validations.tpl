{{/* What cannot work is refused here, in a sentence that says what to do. Run by the routers' and the samplers' workloads, so that `helm template` fails too. */}}

{{- define "ringtail.validate" -}}
{{- include "ringtail.validateNames" . -}}
{{- include "ringtail.validateRouting" . -}}
{{- range $context := list (dict "root" . "tier" "router" "v" .Values.router) (dict "root" . "tier" "sampler" "v" .Values.sampler) -}}
{{- if $context.v.enabled -}}
{{- include "ringtail.validateTier" $context -}}
{{- include "ringtail.validateDrain" $context -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.validateNames" -}}
{{- $name := include "ringtail.samplerName" . -}}
{{- if gt (len $name) 52 -}}
{{- fail (printf "The sampler StatefulSet would be named %s, which has %d characters. Kubernetes makes no pods for a StatefulSet whose name has more than 52: shorten fullnameOverride or sampler.fullnameOverride." $name (len $name)) -}}
{{- end -}}
{{- range $what, $text := dict "the routers" (include "ringtail.routerName" .) "the samplers' Service" (include "ringtail.samplerServiceName" .) -}}
{{- if gt (len $text) 63 -}}
{{- fail (printf "%s would be named %s, which has %d characters; a Service name may have 63." (title $what) $text (len $text)) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "ringtail.routerName" .) (include "ringtail.samplerServiceName" .) -}}
{{- fail (printf "The routers and the samplers' Service would both be named %s; change router.fullnameOverride or sampler.serviceName." (include "ringtail.routerName" .)) -}}
{{- end -}}
{{- if not (or .Values.router.enabled .Values.sampler.enabled) -}}
{{- fail "router.enabled and sampler.enabled are both false, so there is nothing to install." -}}
{{- end -}}
{{- end -}}

{{/* The mistake that costs whole traces: routers that ask for another name than the one the samplers' pods are known by. */}}
{{- define "ringtail.validateRouting" -}}
{{- if and .Values.router.enabled .Values.sampler.enabled -}}
{{- $resolver := include "ringtail.resolverInUse" . | fromYaml -}}
{{- $service := include "ringtail.samplerServiceName" . -}}
{{- $namespace := include "ringtail.namespace" . -}}
{{- $target := regexReplaceAll "^(_[^.]+\\._[^.]+\\.)" $resolver.target "" | trimSuffix "." -}}
{{- if eq $resolver.kind "none" -}}
{{- fail "The routers' configuration has no load_balancing exporter with a resolver, so nothing would reach the samplers. Leave router.alternateConfig out, or name an exporter of that type in it." -}}
{{- end -}}
{{- if and $target (not (contains "${" $target)) -}}
{{- $right := list $service (printf "%s.%s" $service $namespace) (printf "%s.%s.svc" $service $namespace) (printf "%s.%s.svc.%s" $service $namespace .Values.clusterDomain) -}}
{{- if not (has $target $right) -}}
{{- fail (printf "The routers would look for the samplers at %q (resolver %s of exporter %s), but the samplers' Service and their StatefulSet's serviceName are %q in namespace %q. Remove the resolver from router.config, so that the chart writes it, or set sampler.serviceName to %q and install into its namespace. Where the samplers are not part of this release, set sampler.enabled=false." $resolver.target $resolver.kind $resolver.exporter $service $namespace (splitList "." $target | first)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not .Values.sampler.service.create) (not .Values.sampler.serviceName) -}}
{{- fail "sampler.service.create is false, so a headless Service made elsewhere is used: name it in sampler.serviceName." -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.validateTier" -}}
{{- $v := .v -}}
{{- if and $v.autoscaling.enabled $v.externalHPA -}}
{{- fail (printf "%s.autoscaling.enabled and %s.externalHPA are both true: one autoscaler only." .tier .tier) -}}
{{- end -}}
{{- if $v.autoscaling.enabled -}}
{{- if gt (int64 $v.autoscaling.minReplicas) (int64 $v.autoscaling.maxReplicas) -}}
{{- fail (printf "%s.autoscaling.minReplicas (%v) is above maxReplicas (%v)." .tier $v.autoscaling.minReplicas $v.autoscaling.maxReplicas) -}}
{{- end -}}
{{- if and $v.autoscaling.targetCPUUtilizationPercentage (not (($v.resources).requests).cpu) -}}
{{- fail (printf "%s.autoscaling scales on a percentage of the CPU request, but %s.resources.requests.cpu is not set." .tier .tier) -}}
{{- end -}}
{{- if and $v.autoscaling.targetMemoryUtilizationPercentage (not (($v.resources).requests).memory) -}}
{{- fail (printf "%s.autoscaling scales on a percentage of the memory request, but %s.resources.requests.memory is not set." .tier .tier) -}}
{{- end -}}
{{- if not (or $v.autoscaling.targetCPUUtilizationPercentage $v.autoscaling.targetMemoryUtilizationPercentage $v.autoscaling.additionalMetrics) -}}
{{- fail (printf "%s.autoscaling has nothing to scale on: set targetCPUUtilizationPercentage or additionalMetrics." .tier) -}}
{{- end -}}
{{- end -}}
{{- $memory := include "ringtail.memory" . | fromYaml -}}
{{- if $memory.limit -}}
{{- if lt (int64 $memory.limit) 160 -}}
{{- fail (printf "%s.resources.limits.memory is %d MiB. Node, a heap of 64 MiB and a smallest arena need 160Mi." .tier (int64 $memory.limit)) -}}
{{- end -}}
{{- if gt (add $memory.heap $memory.arena) (sub (int64 $memory.limit) 24) -}}
{{- fail (printf "%s: a heap of %d MiB and an arena of %d MiB leave less than 24 of %d MiB for everything else, and the kernel would kill the pod. Lower %s.memory.heapFraction, or raise the limit." .tier (int64 $memory.heap) (int64 $memory.arena) (int64 $memory.limit) .tier) -}}
{{- end -}}
{{- end -}}
{{- $config := include "ringtail.config" . | fromYaml -}}
{{- $extensions := ($config.service).extensions | default list -}}
{{- $health := "" -}}
{{- range $extensions -}}{{- if include "ringtail.isType" (dict "id" . "types" (list "health_check")) -}}{{- $health = . -}}{{- end -}}{{- end -}}
{{- if and (not $health) (or $v.readinessProbe.httpGet $v.livenessProbe.httpGet) -}}
{{- fail (printf "The %s's configuration starts no health_check extension, but its probes ask for it: add health_check to service.extensions, or replace %s.readinessProbe, livenessProbe and startupProbe." .tier .tier) -}}
{{- end -}}
{{- $livenessPath := (($v.livenessProbe).httpGet).path | default "" -}}
{{- if and $health (eq $livenessPath "/livez") (ne (get (get $config.extensions $health | default dict) "liveness_path" | default "") $livenessPath) -}}
{{- fail (printf "The liveness probe of the %s asks for /livez, but extension %s does not answer there apart from readiness, and a router would be restarted while it knows no sampler. Add liveness_path: /livez to the extension, or replace %s.livenessProbe and startupProbe." .tier $health .tier) -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.validateDrain" -}}
{{- $times := include "ringtail.drain" . | fromYaml -}}
{{- if and (not .v.lifecycleHooks) (lt (int64 $times.preStop) (int64 $times.leave)) -}}
{{- if and (eq .tier "sampler") (eq $times.resolverKind "dns") -}}
{{- fail (printf "sampler.preStopSeconds is %d, but routers go on sending to a sampler for up to %d s after it began to end: DNS TTL %d s + resolver interval %d s + 2 s. Raise it, or leave it out." (int64 $times.preStop) (int64 $times.leave) (int64 $times.dnsTtl) (int64 $times.resolverInterval)) -}}
{{- else -}}
{{- fail (printf "%s.preStopSeconds is %d, but Kubernetes goes on sending to a pod for up to %d s after it began to end. Raise it, or leave it out." .tier (int64 $times.preStop) (int64 $times.leave)) -}}
{{- end -}}
{{- end -}}
{{- if lt (int64 $times.grace) (int64 $times.graceLeast) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d, but ending takes %d s: preStop %d s + decision wait %d s + flush %d s + 5 s. Undecided traces would be killed with the pod. Raise it, or leave it out." .tier (int64 $times.grace) (int64 $times.graceLeast) (int64 $times.preStop) (int64 $times.decisionWait) (int64 $times.flush)) -}}
{{- end -}}
{{- end -}}
