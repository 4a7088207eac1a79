{{/*
Every name in the chart comes from this file. "A context" here and in the other helpers is (dict "root" $ "tier" "router" "v" .Values.router).
The derivation is frozen: a StatefulSet's serviceName and the selectors are immutable, so a change here breaks every upgrade (UPGRADING.md).
*/}}

{{- define "ringtail.chartName" -}}
{{- .Values.nameOverride | default .Chart.Name -}}
{{- end -}}

{{/*
What all names begin with, at most 44 characters: a StatefulSet's name may have 52 (its pods carry it with 11 more in a label of 63), and "-sampler" takes 8.
A longer one is cut and gets 8 characters of its hash, so that two long releases in one namespace do not collide. Service names begin with a letter and have no dots;
release names may not and may.
*/}}
{{- define "ringtail.base" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $chart := include "ringtail.chartName" . -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) | lower | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}{{- $name = printf "r%s" $name -}}{{- end -}}
{{- if gt (len $name) 44 -}}{{- $name = printf "%s-%s" (trunc 35 $name | trimSuffix "-") (sha256sum $name | trunc 8) -}}{{- end -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/* Name of a tier's workload. Takes a context. */}}
{{- define "ringtail.tierName" -}}
{{- .v.fullnameOverride | default (printf "%s-%s" (include "ringtail.base" .root) .tier) -}}
{{- end -}}

{{- define "ringtail.routerName" -}}
{{- include "ringtail.tierName" (dict "root" . "tier" "router" "v" .Values.router) -}}
{{- end -}}

{{- define "ringtail.samplerName" -}}
{{- include "ringtail.tierName" (dict "root" . "tier" "sampler" "v" .Values.sampler) -}}
{{- end -}}

{{/*
THE name: the headless Service, StatefulSet.spec.serviceName and what the routers resolve. Only where all three are the same do the samplers' pods have names
of their own (the controller writes serviceName into pod.spec.subdomain, and DNS names a pod only below the Service that its subdomain says).
*/}}
{{- define "ringtail.samplerServiceName" -}}
{{- .Values.sampler.serviceName | default (printf "%s-headless" (include "ringtail.samplerName" .)) -}}
{{- end -}}

{{/* The same, fully qualified: a DNS resolver need not apply search domains. */}}
{{- define "ringtail.samplerServiceFqdn" -}}
{{- printf "%s.%s.svc.%s" (include "ringtail.samplerServiceName" .) (include "ringtail.namespace" .) .Values.clusterDomain -}}
{{- end -}}

{{- define "ringtail.serviceAccountName" -}}
{{- if .v.serviceAccount.create -}}
{{- .v.serviceAccount.name | default (include "ringtail.tierName" .) -}}
{{- else -}}
{{- .v.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Immutable: three labels and nothing else, ever. */}}
{{- define "ringtail.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ringtail.chartName" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .tier }}
{{- end -}}

{{- define "ringtail.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "ringtail.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/part-of: {{ include "ringtail.chartName" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.additionalLabels }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end -}}

{{/* metadata of an object of a tier. Takes a context; "name" overrides the tier's name. */}}
{{- define "ringtail.metadata" -}}
name: {{ .name | default (include "ringtail.tierName" .) | quote }}
namespace: {{ include "ringtail.namespace" .root | quote }}
labels:
  {{- include "ringtail.labels" . | nindent 2 }}
{{- end -}}

{{- define "ringtail.image" -}}
{{- $registry := .Values.global.imageRegistry | default "" -}}
{{- $repository := ternary .Values.image.repository (printf "%s/%s" (trimSuffix "/" $registry) .Values.image.repository) (empty $registry) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
