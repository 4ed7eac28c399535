{{- /* What every container runs under. */ -}}
{{- define "platform.container" -}}
image: {{ include "platform.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: ["ALL"]
{{- end -}}

{{- /* What every pod runs under. Links to services would bring malformed FINPULSE_ settings. */ -}}
{{- define "platform.pod" -}}
enableServiceLinks: false
automountServiceAccountToken: {{ .Values.automountServiceAccountToken | default false }}
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "platform.airflow" -}}
envFrom:
  - configMapRef:
      name: {{ include "platform.name" . }}-airflow
  # What DAGs offer by default.
  - configMapRef:
      name: {{ include "platform.name" . }}-tasks
env:
  {{- with .Values.airflow }}
  {{- include "platform.secret" (list "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" .existingSecret .database) | nindent 2 }}
  {{- include "platform.secret" (list "AIRFLOW__CORE__FERNET_KEY" .existingSecret .fernetKey) | nindent 2 }}
  {{- include "platform.secret" (list "AIRFLOW__API__SECRET_KEY" .existingSecret .secretKey) | nindent 2 }}
  {{- include "platform.secret" (list "AIRFLOW__API_AUTH__JWT_SECRET" .existingSecret .jwtSecret) | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* Waits for the tables by looking at them, not for the job that makes them: whoever is first. */ -}}
{{- define "platform.wait" -}}
- name: wait-for-tables
  {{- include "platform.container" . | nindent 2 }}
  command: [airflow, db, check-migrations, --migration-wait-timeout, "600"]
  {{- include "platform.airflow" . | nindent 2 }}
  resources: {{- toYaml .Values.dagProcessor.resources | nindent 4 }}
  volumeMounts:
    - { name: scratch, mountPath: /tmp }
{{- end -}}

{{- /* Where a task is at work: its pod, or the scheduler's. */ -}}
{{- define "platform.taskMounts" -}}
- { name: scratch, mountPath: /tmp }
- { name: memory, mountPath: /dev/shm }
{{- if not .Values.objects.url }}
- { name: objects, mountPath: /objects }
{{- end }}
{{- end -}}

{{- define "platform.taskVolumes" -}}
- { name: scratch, emptyDir: {} }
# Ray's store of objects.
- { name: memory, emptyDir: { medium: Memory, sizeLimit: 1Gi } }
{{- if not .Values.objects.url }}
- name: objects
  persistentVolumeClaim: { claimName: {{ include "platform.claim" (list . "objects") }} }
{{- end }}
{{- end -}}
