{{- /* Room for -canary and -stable within the 63 letters of a Service's name. */ -}}
{{- define "predictor.name" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" .Release.Name) -}}
{{- fail (printf "release name: expected a small letter, then small letters, digits and -, as names of Services are, found %s" .Release.Name) -}}
{{- end -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 56 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 56 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "predictor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* What all objects carry, whatever their name: pods of the canary have one of their own. */ -}}
{{- define "predictor.about" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: finpulse
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "predictor.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
{{ include "predictor.about" . }}
{{- end -}}

{{- /* The pods of both tracks. */ -}}
{{- define "predictor.all" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: finpulse
{{- end -}}
