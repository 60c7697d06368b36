{{- define "streamer.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "streamer.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "streamer.labels" -}}
{{ include "streamer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "streamer.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "streamer.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "streamer.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The configuration of the server, with what the chart sets, as YAML. */}}
{{- define "streamer.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $name := include "streamer.fullname" . -}}
{{- $server := dict "host" "0.0.0.0" "port" 8080 -}}
{{- $names := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) -}}
{{- $names = append $names (printf "%s.%s.svc.cluster.local" $name .Release.Namespace) -}}
{{- $given := get (default dict $config.server) "hosts" | default list -}}
{{- $_ := set $server "hosts" (concat $names $given | uniq) -}}
{{- with .Values.tls.secretName -}}
{{- $_ := set $server "tls_cert" "/etc/streamer/tls/tls.crt" -}}
{{- $_ := set $server "tls_key" "/etc/streamer/tls/tls.key" -}}
{{- with $.Values.tls.clientCaKey -}}
{{- $_ := set $server "tls_client_ca" (printf "/etc/streamer/tls/%s" .) -}}
{{- end -}}
{{- end -}}
{{- $set := dict "server" $server -}}
{{- $auth := dict -}}
{{- with .Values.auth.tokensSecretName -}}
{{- $_ := set $auth "tokens" (printf "/etc/streamer/tokens/%s" $.Values.auth.tokensKey) -}}
{{- end -}}
{{- with .Values.resume.keysSecretName -}}
{{- $_ := set $auth "secret_file" (printf "/etc/streamer/keys/%s" $.Values.resume.keysKey) -}}
{{- $_ := set $set "limits" (dict "resume_ms" $.Values.resume.ms) -}}
{{- end -}}
{{- if $auth -}}
{{- $_ := set $set "auth" $auth -}}
{{- end -}}
{{- if .Values.grpc.enabled -}}
{{- $_ := set $set "grpc" (dict "host" "0.0.0.0" "port" .Values.grpc.port) -}}
{{- end -}}
{{- mergeOverwrite $config $set | toYaml -}}
{{- end -}}

{{/* Seconds from the hook before the end to the kill: sleep, drain, results, goodbye (5 s), and 5 s to spare. */}}
{{- define "streamer.grace" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- else -}}
{{- $limits := default dict .Values.config.limits -}}
{{- $drain := int64 (dig "drain_timeout_ms" 30000 $limits) -}}
{{- if eq (dig "drain" "finish" $limits) "now" -}}
{{- $drain = int64 0 -}}
{{- end -}}
{{- $ms := add $drain (int64 (dig "finish_ms" 5000 $limits)) 999 -}}
{{- add (int64 .Values.preStopSleepSeconds) (div $ms 1000) 10 -}}
{{- end -}}
{{- end -}}

{{/* What a probe asks. With mutual TLS the kubelet has no certificate: the program asks the address for operators. */}}
{{- define "streamer.probe" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.tls.clientCaKey -}}
exec:
  command:
    - /app/streamer
    - health
    - --addr
    - {{ printf "http://%s" $root.Values.config.server.admin }}
    {{- if eq (index . 1) "ready" }}
    - --ready
    {{- end }}
{{- else -}}
httpGet:
  path: /api/v1/{{ index . 1 }}
  port: http
  scheme: {{ ternary "HTTPS" "HTTP" (ne $root.Values.tls.secretName "") }}
{{- end -}}
{{- end -}}

{{/* Combinations that the schema cannot state. */}}
{{- define "streamer.check" -}}
{{- if and .Values.tls.clientCaKey (not .Values.tls.secretName) -}}
{{- fail "tls.clientCaKey: allowed with tls.secretName only" -}}
{{- end -}}
{{- $admin := dig "server" "admin" "none" .Values.config -}}
{{- if and .Values.tls.clientCaKey (not (hasPrefix "127.0.0.1:" $admin)) -}}
{{- fail (printf "config.server.admin: found %s; allowed with tls.clientCaKey: 127.0.0.1:PORT, which the probes ask" $admin) -}}
{{- end -}}
{{- if and (eq .Values.autoscaling.kind "none") (not .Values.replicas) -}}
{{- fail "replicas: found 0; allowed without autoscaling: 1 or more" -}}
{{- end -}}
{{- if and (ne .Values.autoscaling.kind "none") (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas: found %d; allowed: up to autoscaling.maxReplicas, %d" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.auth.tokensSecretName (not .Values.podMonitor.tokenSecretName) -}}
{{- fail "podMonitor.tokenSecretName: found nothing; needed with auth.tokensSecretName: the Secret of the token to scrape with" -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.tls.clientCaKey -}}
{{- fail "podMonitor.enabled: found true; not allowed with tls.clientCaKey: Prometheus has no certificate; scrape config.server.admin by a sidecar" -}}
{{- end -}}
{{- end -}}
