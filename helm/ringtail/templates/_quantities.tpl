{{/* Durations and quantities, as numbers. */}}

{{/*
A Go duration ("10s", "1m30s", "500ms") as whole seconds, rounded up. Takes (dict "text" "10s" "at" "sampler.config…", the setting's name for the message).
*/}}
{{- define "ringtail.seconds" -}}
{{- $text := toString .text -}}
{{- if not (regexMatch "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$" $text) -}}
{{- fail (printf "%s is %q, which is no duration such as 10s or 1m30s, so the times for draining cannot be computed from it. Write it as a duration, or set drain.decisionWaitSeconds and drain.resolverIntervalSeconds." .at $text) -}}
{{- end -}}
{{- $unitMs := dict "ns" 0.000001 "us" 0.001 "µs" 0.001 "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0 -}}
{{- $ms := 0.0 -}}
{{- range regexFindAll "[0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h)" $text -1 -}}
{{- $unit := regexFind "[a-zµ]+$" . -}}
{{- $ms = addf $ms (mulf (trimSuffix $unit . | float64) (get $unitMs $unit)) -}}
{{- end -}}
{{- divf $ms 1000.0 | ceil | int64 -}}
{{- end -}}

{{/* A memory quantity ("512Mi", "2G", 1073741824) as whole MiB, rounded down. Takes (dict "quantity" … "at" …). */}}
{{- define "ringtail.mebibytes" -}}
{{- $text := ternary (.quantity | int64 | toString) (toString .quantity) (or (kindIs "float64" .quantity) (kindIs "int64" .quantity) (kindIs "int" .quantity)) -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$" $text) -}}
{{- fail (printf "%s is %q, which is no memory quantity such as 512Mi or 2Gi." .at $text) -}}
{{- end -}}
{{- $unit := regexFind "[A-Za-z]+$" $text -}}
{{- $bytes := get (dict "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0) $unit -}}
{{- divf (mulf (trimSuffix $unit $text | float64) $bytes) 1048576.0 | floor | int64 -}}
{{- end -}}

{{/* A CPU quantity ("500m", "2", 1.5) as millicores. */}}
{{- define "ringtail.millicores" -}}
{{- $text := toString .quantity -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?m?$" $text) -}}
{{- fail (printf "%s is %q, which is no CPU quantity such as 500m or 2." .at $text) -}}
{{- end -}}
{{- if hasSuffix "m" $text -}}{{- trimSuffix "m" $text | float64 | int64 -}}{{- else -}}{{- mulf (float64 $text) 1000.0 | int64 -}}{{- end -}}
{{- end -}}

{{/*
Where a container's memory goes, from resources.limits.memory: YAML with limit, heap and arena in MiB; all 0 without a limit. Takes a context.
The arena holds the spans and lies outside the heap; what both leave, 64 MiB at least, is buffers of connections, code, and slack. 3584 MiB is as large as an arena can be; a
router holds requests under way only and takes at most 256.
*/}}
{{- define "ringtail.memory" -}}
{{- $limit := 0 -}}{{- $heap := 0 -}}{{- $arena := 0 -}}
{{- with ((.v.resources).limits).memory -}}
{{- $limit = include "ringtail.mebibytes" (dict "quantity" . "at" (printf "%s.resources.limits.memory" $.tier)) | int64 -}}
{{- $heap = max 64 (min 2048 (mulf $limit (float64 $.v.memory.heapFraction) | floor | int64)) -}}
{{- $arena = max 8 (min (sub $limit (add $heap 64)) (ternary 256 3584 (eq $.tier "router")) (mulf $limit (float64 $.v.memory.arenaFraction) | floor | int64)) -}}
{{- end -}}
limit: {{ $limit }}
heap: {{ $heap }}
arena: {{ $arena }}
{{- end -}}
