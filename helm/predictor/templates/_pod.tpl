{{- /* The pod of a track, `stable` or `canary`: (dict "root" $ "track" "stable" "image" .Values.image). */ -}}
{{- define "predictor.image" -}}
{{- $image := .image -}}
{{- $repository := .root.Values.image.repository -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $repository $image.digest }}
{{- else -}}
{{ printf "%s:%s" $repository ($image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end -}}

{{- define "predictor.pod" -}}
{{- $track := .track -}}
{{- $image := include "predictor.image" . -}}
{{- with .root -}}
metadata:
  labels:
    app.kubernetes.io/name: {{ .Chart.Name }}{{ if eq $track "canary" }}-canary{{ end }}
    {{- include "predictor.about" . | nindent 4 }}
    track: {{ $track }}
  annotations:
    # A changed setting starts new pods.
    checksum/config: {{ include (print .Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  # Kubernetes would add variables such as FINPULSE_PREDICTOR_PORT=tcp://... for a service of
  # that name, and an unknown or malformed FINPULSE_ setting stops the start.
  enableServiceLinks: false
  automountServiceAccountToken: false
  {{- with .Values.serviceAccountName }}
  serviceAccountName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: predictor
      image: {{ $image | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      ports:
        - name: http
          containerPort: 8000
      envFrom:
        - configMapRef:
            name: {{ include "predictor.name" . }}
      env:
        - name: FINPULSE_DATABASE_URL
          valueFrom:
            secretKeyRef:
              name: {{ .Values.database.existingSecret }}
              key: {{ .Values.database.key }}
        {{- with .Values.apiKeys }}
        {{- if .existingSecret }}
        - name: FINPULSE_API_KEYS
          valueFrom:
            secretKeyRef:
              name: {{ .existingSecret }}
              key: {{ .key }}
        {{- end }}
        {{- end }}
      startupProbe:
        httpGet:
          path: /health/live
          port: http
        periodSeconds: 2
        failureThreshold: 30
      livenessProbe:
        httpGet:
          path: /health/live
          port: http
        periodSeconds: 10
        timeoutSeconds: 3
      readinessProbe:
        httpGet:
          path: {{ .Values.readiness.path }}
          port: http
        periodSeconds: 5
        timeoutSeconds: 3
      lifecycle:
        preStop:
          exec:
            command: ["sleep", {{ .Values.preStopSeconds | quote }}]
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: ["ALL"]
      volumeMounts:
        - name: scratch
          mountPath: /tmp
        {{- if not .Values.objects.url }}
        - name: objects
          mountPath: /objects
          readOnly: true
        {{- end }}
  volumes:
    - name: scratch
      emptyDir: {}
    {{- if not .Values.objects.url }}
    - name: objects
      persistentVolumeClaim:
        claimName: {{ .Values.objects.existingClaim }}
        readOnly: true
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}
