{{- define "platform.name" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" .Release.Name) -}}
{{- fail (printf "release name: expected a small letter, then small letters, digits and -, as names of Services are, found %s" .Release.Name) -}}
{{- end -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* (list $ "scheduler"): what a component's pods are selected by. */ -}}
{{- define "platform.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "platform.labels" -}}
{{- $root := first . -}}
{{ include "platform.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: finpulse
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "platform.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- /* (list $ "objects"): the claim of a volume. */ -}}
{{- define "platform.claim" -}}
{{- $root := first . -}}
{{- $volume := index $root.Values.volumes (last .) -}}
{{- $volume.existingClaim | default (printf "%s-%s" (include "platform.name" $root) (last .)) -}}
{{- end -}}

{{- /* (list "NAME" "secret" "key"): a variable of a Secret. */ -}}
{{- define "platform.secret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}
