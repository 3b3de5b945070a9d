package lint

import (
	"os"
	"path"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const manifests = "../kubernetes"

// decode reads a manifest as the API server does with fieldValidation=Strict: an unknown or repeated field
// is an error.
func decode(t *testing.T, manifest []byte) runtime.Object {
	t.Helper()
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	object, _, err := codecs.UniversalDeserializer().Decode(manifest, nil, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	return object
}

// cluster is what `kubectl apply -k` makes.
type cluster struct {
	set       *appsv1.StatefulSet
	config    *corev1.ConfigMap
	namespace *corev1.Namespace
	services  map[string]*corev1.Service
	budget    *policyv1.PodDisruptionBudget
	network   *networkingv1.NetworkPolicy
	account   *corev1.ServiceAccount
}

func applied(t *testing.T) *cluster {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), manifests)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{services: make(map[string]*corev1.Service)}
	for _, resource := range resources.Resources() {
		manifest, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		object := decode(t, manifest)
		if meta, ok := object.(metav1.Object); ok && meta.GetNamespace() != "cxbridge" && resource.GetKind() != "Namespace" {
			t.Errorf("%s %s is in the namespace %q", resource.GetKind(), meta.GetName(), meta.GetNamespace())
		}
		switch o := object.(type) {
		case *appsv1.StatefulSet:
			c.set = o
		case *corev1.ConfigMap:
			c.config = o
		case *corev1.Namespace:
			c.namespace = o
		case *corev1.Service:
			c.services[o.Name] = o
		case *policyv1.PodDisruptionBudget:
			c.budget = o
		case *networkingv1.NetworkPolicy:
			c.network = o
		case *corev1.ServiceAccount:
			c.account = o
		default:
			t.Errorf("a %s, which this test does not know", resource.GetKind())
		}
	}
	if c.set == nil || c.config == nil || c.namespace == nil || c.budget == nil || c.network == nil || c.account == nil || len(c.services) != 2 {
		t.Fatalf("something is missing: %+v", c)
	}
	return c
}

func (c *cluster) pod() *corev1.PodSpec { return &c.set.Spec.Template.Spec }

func exampleSecret(t *testing.T) *corev1.Secret {
	t.Helper()
	manifest, err := os.ReadFile(manifests + "/secret.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	secret, ok := decode(t, manifest).(*corev1.Secret)
	if !ok {
		t.Fatal("secret.example.yaml is not a Secret")
	}
	return secret
}

// Everything that selects pods selects those of the StatefulSet, by labels that other pods do not have.
func TestSelectorsFindThePods(t *testing.T) {
	c := applied(t)
	pods := labels.Set(c.set.Spec.Template.Labels)
	selectors := map[string]*metav1.LabelSelector{
		"the StatefulSet": c.set.Spec.Selector, "the PodDisruptionBudget": c.budget.Spec.Selector, "the NetworkPolicy": &c.network.Spec.PodSelector,
	}
	for name, service := range c.services {
		selectors["the Service "+name] = &metav1.LabelSelector{MatchLabels: service.Spec.Selector}
	}
	for _, spread := range c.pod().TopologySpreadConstraints {
		selectors["the spread by "+spread.TopologyKey] = spread.LabelSelector
	}
	for name, from := range selectors {
		selector, err := metav1.LabelSelectorAsSelector(from)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !selector.Matches(pods) || selector.Empty() {
			t.Errorf("%s selects %q; the pods have %v", name, selector, pods)
		}
	}
	if head, ok := c.services[c.set.Spec.ServiceName]; !ok || head.Spec.ClusterIP != corev1.ClusterIPNone {
		t.Errorf("%s, which governs the StatefulSet, is not a headless Service", c.set.Spec.ServiceName)
	}
}

// The namespace admits the pods: it enforces the strictest of the Pod Security Standards.
func TestPodsAreRestricted(t *testing.T) {
	c := applied(t)
	level := c.namespace.Labels[api.EnforceLevelLabel]
	if level != string(api.LevelRestricted) {
		t.Errorf("the namespace enforces %q", level)
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &c.set.Spec.Template.ObjectMeta, c.pod()) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	container := c.pod().Containers[0]
	if only := container.SecurityContext.ReadOnlyRootFilesystem; only == nil || !*only {
		t.Error("the root file system can be written to")
	}
	for _, mount := range []*bool{c.pod().AutomountServiceAccountToken, c.account.AutomountServiceAccountToken} {
		if mount == nil || *mount {
			t.Error("the pods have a token for the API of Kubernetes")
		}
	}
}

// Each setting exists, and each file that a setting names is mounted, from the Secret or on the volume.
func TestSettingsOfThePods(t *testing.T) {
	c, secret := applied(t), exampleSecret(t)
	checkSettings(t, "the ConfigMap", c.config.Data)
	mounts := make(map[string]string) // of volumes, by their name
	for _, mount := range c.pod().Containers[0].VolumeMounts {
		mounts[mount.Name] = mount.MountPath
	}
	for name, text := range c.config.Data {
		folder, key := path.Split(text)
		if _, ok := secret.StringData[key]; strings.HasSuffix(name, "_FILE") && (!ok || path.Clean(folder) != mounts["secrets"]) {
			t.Errorf("%s=%s: there is no such file", name, text)
		}
	}
	if source := c.pod().Volumes[0].Secret; source == nil || source.SecretName != secret.Name || secret.Namespace != c.set.Namespace {
		t.Error("the Secret that is mounted is not the one of the example")
	}
	claim := c.set.Spec.VolumeClaimTemplates[0]
	if dir := c.config.Data["SPOOL_DIR"]; !strings.HasPrefix(dir, mounts[claim.Name]+"/") {
		t.Errorf("SPOOL_DIR is %s, and the volume %s", dir, mounts[claim.Name])
	}
	if got, want := c.config.Data["SPOOL_MAX_BYTES"], "1GiB"; got != want {
		t.Fatalf("SPOOL_MAX_BYTES is %s: see that the volume is large enough, and bring this test up to date", got)
	}
	if size := claim.Spec.Resources.Requests[corev1.ResourceStorage]; size.Value() < 2<<30 {
		t.Errorf("the volume has %s, the spool may need twice SPOOL_MAX_BYTES", size.String())
	}
	if memory := c.pod().Containers[0].Resources.Limits.Memory(); memory.Value() < (128+4*64)<<20 {
		t.Errorf("the limit of memory is %s, below what cxbridge allows itself", memory)
	}
}

// The probes ask endpoints that exist, and a stopping pod has the time it needs.
func TestLifeOfThePods(t *testing.T) {
	c := applied(t)
	container := c.pod().Containers[0]
	for want, probe := range map[string]*corev1.Probe{"/readyz": container.ReadinessProbe, "/healthz": container.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != want || probe.HTTPGet.Port.StrVal != container.Ports[0].Name {
			t.Errorf("no probe asks %s at the port that is served", want)
		}
	}
	delay := duration(t, c.config.Data["SHUTDOWN_DELAY"], defaultShutdownDelay)
	timeout := duration(t, c.config.Data["SHUTDOWN_TIMEOUT"], defaultShutdownTimeout)
	ready := container.ReadinessProbe
	if noticed := ready.PeriodSeconds * ready.FailureThreshold; delay.Seconds() < float64(noticed) {
		t.Errorf("an unready pod is noticed after %d s, but serves requests for only %v", noticed, delay)
	}
	if got, want := *c.pod().TerminationGracePeriodSeconds, delay+timeout+stopReserve; float64(got) < want.Seconds() || delay+timeout == 0 {
		t.Errorf("a pod is killed after %d s, and may need %v", got, want)
	}
	if got := container.Ports[0].ContainerPort; c.config.Data["PORT"] != "3000" || got != 3000 {
		t.Errorf("the port is %d, PORT is %s", got, c.config.Data["PORT"])
	}
}
