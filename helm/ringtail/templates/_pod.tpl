{{/* The pod template of a tier: one text for both, so that they cannot drift apart. Takes a context. */}}

{{- define "ringtail.podTemplate" -}}
{{- $v := .v -}}{{- $root := .root -}}
metadata:
  labels:
    {{- include "ringtail.selectorLabels" . | nindent 4 }}
    {{- with $root.Values.additionalLabels }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
    {{- with $v.podLabels }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  {{- if or $v.configMap.create $v.podAnnotations }}
  annotations:
    {{- if $v.configMap.create }}
    checksum/config: {{ include "ringtail.config" . | sha256sum }}
    {{- end }}
    {{- with $v.podAnnotations }}
    {{- tpl (toYaml .) $root | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  {{- include "ringtail.podSpec" . | trim | nindent 2 }}
{{- end -}}

{{- define "ringtail.podSpec" -}}
{{- $v := .v -}}{{- $root := .root -}}
{{- $times := include "ringtail.drain" . | fromYaml -}}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "ringtail.serviceAccountName" . | quote }}
automountServiceAccountToken: {{ include "ringtail.automountToken" . }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $times.grace }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
{{- with get $v $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- range $key := list "dnsConfig" "hostAliases" "nodeSelector" "tolerations" "affinity" }}
{{- with get $v $key }}
{{ $key }}:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
{{- end }}
topologySpreadConstraints:
  {{- include "ringtail.spread" . | trim | nindent 2 }}
{{- with $v.initContainers }}
initContainers:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
containers:
  - {{ include "ringtail.container" . | nindent 4 | trim }}
  {{- with $v.extraContainers }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
volumes:
  {{- include "ringtail.volumes" . | nindent 2 }}
{{- end -}}

{{/* A token only where the API is asked: a router with the k8s resolver. */}}
{{- define "ringtail.automountToken" -}}
{{- if kindIs "bool" .v.serviceAccount.automountServiceAccountToken -}}
{{- .v.serviceAccount.automountServiceAccountToken -}}
{{- else -}}
{{- and (eq .tier "router") (eq (include "ringtail.resolverInUse" .root | fromYaml).kind "k8s") -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.spread" -}}
{{- if kindIs "invalid" .v.topologySpreadConstraints -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "ringtail.selectorLabels" $ | nindent 6 }}
{{- end }}
{{- else -}}
{{- tpl (toYaml .v.topologySpreadConstraints) .root -}}
{{- end -}}
{{- end -}}

{{- define "ringtail.container" -}}
{{- $v := .v -}}{{- $root := .root -}}
{{- $times := include "ringtail.drain" . | fromYaml -}}
{{- $memory := include "ringtail.memory" . | fromYaml }}
name: {{ .tier }}
image: {{ include "ringtail.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: [/{{ $v.command.name }}]
args:
  - --config=/conf/relay.yaml
  - --shutdown-timeout={{ $times.shutdown }}s
  {{- if and $memory.limit (not (include "ringtail.usesMemoryLimiter" .)) }}
  - --arena-mib={{ $memory.arena }}
  {{- end }}
  {{- range $v.command.extraArgs }}
  - {{ tpl . $root | quote }}
  {{- end }}
securityContext:
  {{- toYaml $root.Values.securityContext | nindent 2 }}
ports:
  {{- range $name, $port := $v.ports }}
  {{- if $port.enabled }}
  - name: {{ $name }}
    containerPort: {{ $port.containerPort }}
    protocol: {{ $port.protocol | default "TCP" }}
  {{- end }}
  {{- end }}
env:
  {{- include "ringtail.environment" (dict "context" . "heap" $memory.heap) | trim | nindent 2 }}
{{- with $v.extraEnvsFrom }}
envFrom:
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
lifecycle:
  {{- if $v.lifecycleHooks }}
  {{- toYaml $v.lifecycleHooks | nindent 2 }}
  {{- else }}
  preStop:
    {{- if semverCompare ">=1.30-0" $root.Capabilities.KubeVersion.Version }}
    sleep:
      seconds: {{ $times.preStop }}
    {{- else }}
    exec:
      command: [node, -e, "setTimeout(() => {}, {{ mul $times.preStop 1000 }})"]
    {{- end }}
  {{- end }}
{{- range $probe := list "livenessProbe" "readinessProbe" "startupProbe" }}
{{- with get $v $probe }}
{{ $probe }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with $v.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.resizePolicy }}
resizePolicy:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: config
    mountPath: /conf
    readOnly: true
  - name: tmp
    mountPath: /tmp
  {{- if $root.Values.tls.enabled }}
  - name: tls
    mountPath: /tls
    readOnly: true
  {{- end }}
  {{- if and (eq .tier "sampler") $v.persistence.enabled }}
  - name: data
    mountPath: {{ $v.persistence.mountPath }}
  {{- end }}
  {{- with $v.extraVolumeMounts }}
  {{- tpl (toYaml .) $root | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* With a memory_limiter in a pipeline the program fits its arena below the limiter's own limit. */}}
{{- define "ringtail.usesMemoryLimiter" -}}
{{- range $id, $pipeline := ((include "ringtail.config" . | fromYaml).service).pipelines -}}
{{- range ($pipeline).processors -}}{{- if include "ringtail.isType" (dict "id" . "types" (list "memory_limiter")) -}}true{{- end -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* The names that the OpenTelemetry chart sets, so that its configurations find them; NODE_OPTIONS gets the heap's size unless the user sized it. */}}
{{- define "ringtail.environment" -}}
{{- $v := .context.v -}}{{- $root := .context.root -}}
{{- range $name, $path := dict "MY_POD_IP" "status.podIP" "OTEL_K8S_NODE_NAME" "spec.nodeName" "OTEL_K8S_NODE_IP" "status.hostIP" "OTEL_K8S_NAMESPACE" "metadata.namespace" "OTEL_K8S_POD_NAME" "metadata.name" "OTEL_K8S_POD_IP" "status.podIP" }}
- name: {{ $name }}
  valueFrom:
    fieldRef:
      fieldPath: {{ $path }}
{{- end }}
{{- $nodeOptions := "" -}}{{- $others := list -}}
{{- range $v.extraEnvs -}}
{{- if and (eq .name "NODE_OPTIONS") (hasKey . "value") -}}{{- $nodeOptions = .value -}}{{- else -}}{{- $others = append $others . -}}{{- end -}}
{{- end -}}
{{- if and .heap (not (regexMatch "max[-_]old[-_]space[-_]size" $nodeOptions)) -}}
{{- $nodeOptions = printf "%s --max-old-space-size=%d" $nodeOptions (int64 .heap) | trim -}}
{{- end }}
{{- with $nodeOptions }}
- name: NODE_OPTIONS
  value: {{ . | quote }}
{{- end }}
{{- with $others }}
{{ tpl (toYaml .) $root }}
{{- end }}
{{- end -}}

{{- define "ringtail.volumes" -}}
{{- $v := .v -}}{{- $root := .root -}}
- name: config
  configMap:
    name: {{ $v.configMap.existingName | default (include "ringtail.tierName" .) | quote }}
    items:
      - {key: relay, path: relay.yaml}
- name: tmp
  emptyDir:
    sizeLimit: {{ $v.tmpSizeLimit }}
{{- if $root.Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ include "ringtail.tlsSecret" . | quote }}
    defaultMode: 0440
{{- end }}
{{- with $v.extraVolumes }}
{{ tpl (toYaml .) $root }}
{{- end }}
{{- end -}}

{{- define "ringtail.tlsSecret" -}}
{{- get .root.Values.tls (printf "%sSecret" .tier) | default (printf "%s-tls" (include "ringtail.tierName" .)) -}}
{{- end -}}
