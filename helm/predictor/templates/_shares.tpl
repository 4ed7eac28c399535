{{- /* Pods of the challenger. A router splits calls by weight, however many pods there are; without
one the share is that of the pods, rounded down so that it never exceeds what was asked. */ -}}
{{- define "predictor.challengers" -}}
{{- $weight := int .Values.canary.weight -}}
{{- $replicas := int .Values.replicas -}}
{{- if .Values.autoscaling.enabled -}}
{{- $replicas = int .Values.autoscaling.minReplicas -}}
{{- end -}}
{{- if not (or .Values.canary.image.digest .Values.canary.image.tag) -}}
{{- fail "canary.image: expected the digest or the tag of a challenger's image, found neither: the canary would run the image in office" -}}
{{- end -}}
{{- $hundredths := mul $weight $replicas -}}
{{- if .Values.route.enabled -}}
{{- max 1 (div (add $hundredths 99) 100) -}}
{{- else if .Values.autoscaling.enabled -}}
{{- fail "canary.enabled: expected route.enabled beside autoscaling.enabled: without a route the share is that of the pods, whose number the autoscaler changes; enable the route, or set autoscaling.enabled=false" -}}
{{- else if lt $hundredths 100 -}}
{{- fail (printf "canary.weight: %d %% of %d replicas is less than one pod, so no call would reach the canary; set replicas to %d or more, or canary.weight to %d or more, or enable the route" $weight $replicas (div (add 99 $weight) $weight) (div (add 99 $replicas) $replicas)) -}}
{{- else -}}
{{- div $hundredths 100 -}}
{{- end -}}
{{- end -}}

{{- /* Pods that the stable Deployment hands to the challenger: none where a router splits. */ -}}
{{- define "predictor.taken" -}}
{{- if and .Values.canary.enabled (not .Values.route.enabled) -}}
{{- include "predictor.challengers" . -}}
{{- else -}}
0
{{- end -}}
{{- end -}}
