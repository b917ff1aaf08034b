{{/* Name of all objects in the namespace. Called with the root. */}}
{{- define "notation-provider.name" -}}
{{- .Values.fullnameOverride -}}
{{- end -}}

{{/* Labels by which Pods are found; they never change. Called with the root. */}}
{{- define "notation-provider.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. Called with the root. */}}
{{- define "notation-provider.labels" -}}
{{ include "notation-provider.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: gatekeeper
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The image to run, by digest where there is one. Called with the root. */}}
{{- define "notation-provider.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of the ServiceAccount. Called with the root. */}}
{{- define "notation-provider.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "notation-provider.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* Name of the Secret with tls.crt and tls.key. Called with the root. */}}
{{- define "notation-provider.tlsSecret" -}}
{{- if eq .Values.certificates.mode "existingSecret" -}}
{{- .Values.certificates.existingSecret -}}
{{- else -}}
{{- printf "%s-tls" (include "notation-provider.name" .) -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret that the provider keeps its own certificates in. Called with the root. */}}
{{- define "notation-provider.ownSecret" -}}
{{- include "notation-provider.name" . }}-certificates
{{- end -}}

{{/*
PEM of the authority for the Provider objects, or nothing: what was given; else ca.crt of the Secret; else what a Provider object of this
release has already, so that a Secret which is gone for a moment takes no Provider away. With selfManaged the provider writes it; but Gatekeeper
takes no Provider without a certificate, so it is made with one that has ended and whose key nobody has, behind the authority of another mode if the
release had one, for replicas that still serve so. That never changes: Helm 3 writes what is another than in the revision before, and so writes it once.
Called with the root.
*/}}
{{- define "notation-provider.caBundle" -}}
{{- if .Values.certificates.caBundle -}}
{{- .Values.certificates.caBundle -}}
{{- else if eq .Values.certificates.mode "selfManaged" -}}
{{- include "notation-provider.formerBundle" . }}{{ .Files.Get "files/placeholder-ca.crt" -}}
{{- else -}}
{{- include "notation-provider.secretBundle" . | default (include "notation-provider.knownBundle" .) -}}
{{- end -}}
{{- end -}}

{{/* PEM of the authority as it stands beside the serving certificate in its Secret, or nothing. Called with the root. */}}
{{- define "notation-provider.secretBundle" -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "notation-provider.tlsSecret" .) -}}
{{- dig "data" "ca.crt" "" $secret | b64dec -}}
{{- end -}}

{{/* Whether the provider itself has written the bundle of a Provider object: `true` or nothing. Called with the object's name. */}}
{{- define "notation-provider.isTakenOver" -}}
{{- range dig "metadata" "managedFields" list (lookup "externaldata.gatekeeper.sh/v1beta1" "Provider" "" .) -}}
{{- if and (eq .operation "Apply") (eq .manager "notation-provider") (hasKey (dig "f:spec" dict .fieldsV1) "f:caBundle") -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The annotation of a Provider object in which its bundle of another mode is kept, base64. */}}
{{- define "notation-provider.formerAnnotation" -}}
notation-gatekeeper-provider/former-ca
{{- end -}}

{{/*
PEM of the authority that a release had in another mode before the provider made its own, or nothing: remembered in an annotation once the provider
writes the bundle. Called with the root.
*/}}
{{- define "notation-provider.formerBundle" -}}
{{- $provider := lookup "externaldata.gatekeeper.sh/v1beta1" "Provider" "" .Values.providers.validation.name -}}
{{- $remembered := dig "metadata" "annotations" (include "notation-provider.formerAnnotation" .) "" $provider -}}
{{- $placeholder := .Files.Get "files/placeholder-ca.crt" -}}
{{- if $remembered -}}
{{- $remembered | b64dec -}}
{{- else if not (include "notation-provider.isTakenOver" .Values.providers.validation.name) -}}
{{- include "notation-provider.knownBundle" . | replace $placeholder "" -}}
{{- end -}}
{{- end -}}

{{/*
Whether a Provider object is rendered without its bundle: `true` or nothing. What Helm 4 applies on the server it applies each time, and whatever
somebody else owns by then is a conflict; so what the provider has taken over is left out. What Helm does not apply has to stay as it is: left out, it
would be deleted. Called with (dict "root" $ "name" "notation").
*/}}
{{- define "notation-provider.leavesBundle" -}}
{{- $isApplied := false -}}
{{- range dig "metadata" "managedFields" list (lookup "externaldata.gatekeeper.sh/v1beta1" "Provider" "" .name) -}}
{{- $isApplied = or $isApplied (and (eq .operation "Apply") (hasKey (dig "f:spec" dict .fieldsV1) "f:url")) -}}
{{- end -}}
{{- if and $isApplied (include "notation-provider.isTakenOver" .name) (eq .root.Values.certificates.mode "selfManaged") -}}
true
{{- end -}}
{{- end -}}

{{/* PEM that a Provider object of this release has in the cluster, or nothing. Called with the root. */}}
{{- define "notation-provider.knownBundle" -}}
{{- $provider := lookup "externaldata.gatekeeper.sh/v1beta1" "Provider" "" .Values.providers.validation.name -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $provider -}}
{{- if eq $owner .Release.Name -}}
{{- dig "spec" "caBundle" "" $provider | b64dec -}}
{{- end -}}
{{- end -}}

{{/* Milliseconds of a duration such as 1.8s. Called with the text. */}}
{{- define "notation-provider.milliseconds" -}}
{{- $amount := regexFind "^[0-9.]+" . | float64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mulf $amount (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit) | int64 -}}
{{- end -}}

{{/*
Seconds that the serving certificate and the authority still have when they are renewed at the latest, well below that, and seven days at the most;
as JSON {serving, authority}. What the provider makes itself it renews with a quarter of its life left. Called with the root.
*/}}
{{- define "notation-provider.leastLeft" -}}
{{- $week := 604800 -}}
{{- $left := dict "serving" $week "authority" $week -}}
{{- with .Values.certificates -}}
{{- if eq .mode "selfManaged" -}}
{{- range $which, $life := dict "serving" .selfManaged.servingLife "authority" .selfManaged.authorityLife -}}
{{- $_ := set $left $which (min $week (div (include "notation-provider.milliseconds" $life) 5000)) -}}
{{- end -}}
{{- else if eq .mode "certManager" -}}
{{- $_ := set $left "serving" (min $week (div (include "notation-provider.milliseconds" .certManager.renewBefore) 2000)) -}}
{{- end -}}
{{- end -}}
{{- toJson $left -}}
{{- end -}}

{{/* MiB of a quantity such as 1Gi or 512Mi; the schema takes no other unit. Called with the text. */}}
{{- define "notation-provider.mebibytes" -}}
{{- $amount := regexFind "^[0-9.]+" . | float64 -}}
{{- $unit := regexFind "[A-Za-z]+$" . -}}
{{- mulf $amount (get (dict "Mi" 1 "Gi" 1024) $unit) | int64 -}}
{{- end -}}

{{/* What config.server says of a member, or the provider's own default. Called with (dict "root" $ "member" "deadline" "default" "1.8s"). */}}
{{- define "notation-provider.serverMember" -}}
{{- dig "server" .member .default .root.Values.config -}}
{{- end -}}

{{/* Seconds, rounded up, that the provider may take to end, its preStop included. Called with the root. */}}
{{- define "notation-provider.graceSeconds" -}}
{{- $delay := include "notation-provider.serverMember" (dict "root" . "member" "drainDelay" "default" "5s") | include "notation-provider.milliseconds" | int64 -}}
{{- $timeout := include "notation-provider.serverMember" (dict "root" . "member" "drainTimeout" "default" "10s") | include "notation-provider.milliseconds" | int64 -}}
{{- add .Values.preStopSeconds 5 (div (add $delay $timeout 999) 1000) -}}
{{- end -}}

{{/*
The provider's configuration file: what values say, under what the chart decides. Called with the root.
*/}}
{{- define "notation-provider.configuration" -}}
{{- $server := dict
  "address" (printf "%s:%v" .Values.listenOn .Values.ports.https)
-}}
{{- $certificates := dict -}}
{{- if eq .Values.certificates.mode "selfManaged" -}}
{{- $host := printf "%s.%s" (include "notation-provider.name" .) .Release.Namespace -}}
{{- $_ := set $certificates "certificates" (dict
    "names" (list $host (printf "%s.svc" $host))
    "secret" (dict "namespace" .Release.Namespace "name" (include "notation-provider.ownSecret" .))
    "clientCA" (dict
      "namespace" .Values.gatekeeper.namespace
      "name" .Values.gatekeeper.clientCA.secretName
      "key" .Values.gatekeeper.clientCA.key
    )
    "providers" (list .Values.providers.validation.name .Values.providers.mutation.name)
    "authorityLife" .Values.certificates.selfManaged.authorityLife
    "servingLife" .Values.certificates.selfManaged.servingLife
  ) -}}
{{- else -}}
{{- $_ := set $server "tls" (dict "certificate" "/tls/tls.crt" "key" "/tls/tls.key" "clientCA" "/gatekeeper/ca.crt") -}}
{{- end -}}
{{- $defaults := dict
  "server" (dict
    "clientNames" (list (printf "gatekeeper-webhook-service.%s.svc" .Values.gatekeeper.namespace))
  )
-}}
{{- $decided := dict
  "server" $server
  "admin" (dict "address" (printf "%s:%v" .Values.listenOn .Values.ports.admin))
  "trust" (dict "directory" "/trust")
  "notation" (dict "binary" "/usr/local/bin/notation")
  "runtimeDirectory" "/run/notation-provider"
-}}
{{- toYaml (mustMergeOverwrite $defaults (deepCopy .Values.config) $decided $certificates) -}}
{{- end -}}

{{/*
The files of the trust directory as JSON: a list of {key, path, text}, key being the one in the ConfigMap, which knows no folders. Names have
no dot, so that no two files share a key. Called with the root.
*/}}
{{- define "notation-provider.trustFiles" -}}
{{- $files := list -}}
{{- $policies := deepCopy .Values.trust.policies -}}
{{- $stores := deepCopy .Values.trust.stores -}}
{{- with .Values.trust.aws -}}
{{- if .profiles -}}
{{- $statement := dict
  "name" "aws-signer"
  "registryScopes" (list "*")
  "signatureVerification" (dict "level" "strict")
  "trustStores" (list "signingAuthority:aws-signer-ts")
  "trustedIdentities" .profiles
-}}
{{- $_ := set $policies "default" (dict "version" "1.0" "trustPolicies" (list $statement)) -}}
{{- $authorities := get $stores "signingAuthority" | default dict -}}
{{- $_ := set $stores "signingAuthority" (merge (dict "aws-signer-ts" (dict "root.crt" .root)) $authorities) -}}
{{- end -}}
{{- end -}}
{{- range $name, $policy := $policies -}}
{{- $path := ternary "trustpolicy.json" (printf "trustpolicies/%s.json" $name) (eq $name "default") -}}
{{- $files = append $files (dict "key" (printf "policy.%s.json" $name) "path" $path "text" (printf "%s\n" (toPrettyJson $policy))) -}}
{{- end -}}
{{- range $kind, $named := $stores -}}
{{- range $store, $certificates := $named -}}
{{- range $file, $text := $certificates -}}
{{- $files = append $files (dict "key" (printf "store.%s.%s.%s" $kind $store $file) "path" (printf "truststore/x509/%s/%s/%s" $kind $store $file) "text" $text) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* Whether the constraint is rendered: `true` or nothing. Called with the root. */}}
{{- define "notation-provider.rendersConstraint" -}}
{{- $isKnown := .Capabilities.APIVersions.Has "constraints.gatekeeper.sh/v1beta1/K8sSignedImages" -}}
{{- with .Values.policy.constraint -}}
{{- if or (eq .create "always") (and (eq .create "auto") $isKnown) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What no container of the chart is allowed. Called with anything. */}}
{{- define "notation-provider.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* As whom the Pods of the chart run. Called with anything. */}}
{{- define "notation-provider.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The mounts that every run of the provider needs. Called with the root. */}}
{{- define "notation-provider.mounts" -}}
- name: configuration
  mountPath: /etc/notation-provider
  readOnly: true
- name: trust
  mountPath: /trust
  readOnly: true
- name: runtime
  mountPath: /run/notation-provider
{{- range .Values.files }}
- name: file-{{ .name }}
  mountPath: /files/{{ .name }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* The volumes behind them. Called with the root. */}}
{{- define "notation-provider.volumes" -}}
- name: configuration
  configMap:
    name: {{ include "notation-provider.name" . }}
- name: trust
  configMap:
    {{- if .Values.trust.existingConfigMap }}
    name: {{ .Values.trust.existingConfigMap.name }}
    items:
      {{- toYaml .Values.trust.existingConfigMap.items | nindent 6 }}
    {{- else }}
    name: {{ include "notation-provider.name" . }}-trust
    items:
      {{- range include "notation-provider.trustFiles" . | fromJsonArray }}
      - key: {{ .key | quote }}
        path: {{ .path | quote }}
      {{- end }}
    {{- end }}
# In memory: nothing of a signature is written to a disk, and Notation's temporary files are on the same mount as its cache.
- name: runtime
  emptyDir:
    medium: Memory
    sizeLimit: {{ .Values.runtimeSize }}
{{- range .Values.files }}
- name: file-{{ .name }}
  {{- if .secret }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 288 # 0440
  {{- else }}
  configMap:
    name: {{ .configMap }}
  {{- end }}
{{- end }}
{{- end -}}
