package deploytest_test

import (
	"path"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// Types of what is used of Kubernetes' API; other fields are refused.
// https://kubernetes.io/docs/reference/kubernetes-api/
type (
	labels map[string]string
	meta   struct {
		Name   string `yaml:"name"`
		Labels labels `yaml:"labels"`
	}
	// Object is what every kind begins with.
	Object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Metadata   meta   `yaml:"metadata"`
	}
	selector struct {
		MatchLabels labels `yaml:"matchLabels"`
	}
	configMap struct {
		Object `yaml:",inline"`
		Data   map[string]string `yaml:"data"`
	}
	deployment struct {
		Object `yaml:",inline"`
		Spec   struct {
			Replicas int `yaml:"replicas"`
			Strategy struct {
				Type          string `yaml:"type"`
				RollingUpdate struct {
					MaxSurge       string `yaml:"maxSurge"`
					MaxUnavailable string `yaml:"maxUnavailable"`
				} `yaml:"rollingUpdate"`
			} `yaml:"strategy"`
			ProgressDeadline int      `yaml:"progressDeadlineSeconds"`
			Selector         selector `yaml:"selector"`
			Template         struct {
				Metadata meta `yaml:"metadata"`
				Spec     pod  `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	pod struct {
		AutomountToken *bool `yaml:"automountServiceAccountToken"`
		ServiceLinks   *bool `yaml:"enableServiceLinks"`
		Grace          int   `yaml:"terminationGracePeriodSeconds"`
		Security       struct {
			NonRoot bool              `yaml:"runAsNonRoot"`
			User    int               `yaml:"runAsUser"`
			Group   int               `yaml:"runAsGroup"`
			FSGroup int               `yaml:"fsGroup"`
			Seccomp map[string]string `yaml:"seccompProfile"`
		} `yaml:"securityContext"`
		Affinity struct {
			PodAntiAffinity struct {
				Preferred []struct {
					Weight int `yaml:"weight"`
					Term   struct {
						TopologyKey   string   `yaml:"topologyKey"`
						LabelSelector selector `yaml:"labelSelector"`
					} `yaml:"podAffinityTerm"`
				} `yaml:"preferredDuringSchedulingIgnoredDuringExecution"`
			} `yaml:"podAntiAffinity"`
		} `yaml:"affinity"`
		Containers []container `yaml:"containers"`
		Volumes    []struct {
			Name      string            `yaml:"name"`
			ConfigMap map[string]string `yaml:"configMap"`
			Secret    struct {
				SecretName  string              `yaml:"secretName"`
				DefaultMode int                 `yaml:"defaultMode"`
				Items       []map[string]string `yaml:"items"`
			} `yaml:"secret"`
		} `yaml:"volumes"`
	}
	container struct {
		Name  string   `yaml:"name"`
		Image string   `yaml:"image"`
		Args  []string `yaml:"args"`
		Env   []struct {
			Name      string `yaml:"name"`
			Value     string `yaml:"value"`
			ValueFrom struct {
				SecretKeyRef map[string]string `yaml:"secretKeyRef"`
			} `yaml:"valueFrom"`
		} `yaml:"env"`
		Ports []struct {
			Name          string `yaml:"name"`
			ContainerPort int    `yaml:"containerPort"`
		} `yaml:"ports"`
		Liveness  probe `yaml:"livenessProbe"`
		Readiness probe `yaml:"readinessProbe"`
		Lifecycle struct {
			PreStop struct {
				Sleep map[string]int `yaml:"sleep"`
			} `yaml:"preStop"`
		} `yaml:"lifecycle"`
		Security struct {
			Escalation   *bool               `yaml:"allowPrivilegeEscalation"`
			ReadOnly     bool                `yaml:"readOnlyRootFilesystem"`
			Capabilities map[string][]string `yaml:"capabilities"`
		} `yaml:"securityContext"`
		Resources map[string]map[string]string `yaml:"resources"`
		Mounts    []struct {
			Name      string `yaml:"name"`
			MountPath string `yaml:"mountPath"`
			ReadOnly  bool   `yaml:"readOnly"`
		} `yaml:"volumeMounts"`
	}
	probe struct {
		HTTPGet          map[string]string `yaml:"httpGet"`
		PeriodSeconds    int               `yaml:"periodSeconds"`
		TimeoutSeconds   int               `yaml:"timeoutSeconds"`
		FailureThreshold int               `yaml:"failureThreshold"`
	}
	service struct {
		Object `yaml:",inline"`
		Spec   struct {
			Selector labels `yaml:"selector"`
			Ports    []struct {
				Name       string `yaml:"name"`
				Port       int    `yaml:"port"`
				TargetPort string `yaml:"targetPort"`
			} `yaml:"ports"`
		} `yaml:"spec"`
	}
	budget struct {
		Object `yaml:",inline"`
		Spec   struct {
			MinAvailable   string   `yaml:"minAvailable"`
			MaxUnavailable string   `yaml:"maxUnavailable"`
			Selector       selector `yaml:"selector"`
		} `yaml:"spec"`
	}
	policy struct {
		Object `yaml:",inline"`
		Spec   struct {
			PodSelector selector `yaml:"podSelector"`
			PolicyTypes []string `yaml:"policyTypes"`
			Ingress     []struct {
				Ports []map[string]string   `yaml:"ports"`
				From  []map[string]selector `yaml:"from"`
			} `yaml:"ingress"`
			Egress []struct {
				Ports []map[string]string            `yaml:"ports"`
				To    []map[string]map[string]string `yaml:"to"`
			} `yaml:"egress"`
		} `yaml:"spec"`
	}
	podMonitor struct {
		Object `yaml:",inline"`
		Spec   struct {
			JobLabel  string   `yaml:"jobLabel"`
			Selector  selector `yaml:"selector"`
			Endpoints []struct {
				Port          string                       `yaml:"port"`
				Path          string                       `yaml:"path"`
				Interval      string                       `yaml:"interval"`
				Authorization map[string]map[string]string `yaml:"authorization"`
			} `yaml:"podMetricsEndpoints"`
		} `yaml:"spec"`
	}
)

// manifests are the objects of one file.
type manifests struct {
	Config  configMap
	Deploy  deployment
	Service service
	Budget  budget
	Policy  policy
}

func manifestsOf(t *testing.T, variant string) (m manifests) {
	t.Helper()
	documents := strings.Split(read(t, "kubernetes/"+variant+".yaml"), "\n---\n")
	into := []any{&m.Config, &m.Deploy, &m.Service, &m.Budget, &m.Policy}
	if len(documents) != len(into) {
		t.Fatalf("%s: %d documents", variant, len(documents))
	}
	for i, text := range documents {
		if err := yaml.UnmarshalWithOptions([]byte(text), into[i], yaml.Strict()); err != nil {
			t.Fatalf("%s: document %d: %v", variant, i+1, err)
		}
	}
	return m
}

func (m manifests) objects() []Object {
	return []Object{m.Config.Object, m.Deploy.Object, m.Service.Object, m.Budget.Object, m.Policy.Object}
}

// Every object is of the API's version of today, and selects the pods.
func TestManifestsFitTogether(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"permanent", "temporary"} {
		m := manifestsOf(t, variant)
		var kinds []string
		for _, o := range m.objects() {
			kinds = append(kinds, o.APIVersion+" "+o.Kind)
			if o.Metadata.Name != "tidemark" {
				t.Errorf("%s: %s is called %q", variant, o.Kind, o.Metadata.Name)
			}
		}
		want := []string{
			"v1 ConfigMap", "apps/v1 Deployment", "v1 Service", "policy/v1 PodDisruptionBudget", "networking.k8s.io/v1 NetworkPolicy",
		}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Errorf("%s: kinds: %s", variant, diff)
		}
		pods := m.Deploy.Spec.Template.Metadata.Labels
		for _, s := range []labels{
			m.Deploy.Spec.Selector.MatchLabels, m.Service.Spec.Selector, m.Budget.Spec.Selector.MatchLabels, m.Policy.Spec.PodSelector.MatchLabels,
		} {
			if diff := cmp.Diff(pods, s); diff != "" || len(s) == 0 {
				t.Errorf("%s: a selector does not find the pods: %s", variant, diff)
			}
		}
	}
}

// The container finds its configuration and token where it looks for them, and
// has no right that it does not need.
func TestPods(t *testing.T) {
	t.Parallel()
	for _, variant := range []string{"permanent", "temporary"} {
		m := manifestsOf(t, variant)
		p := m.Deploy.Spec.Template.Spec
		c := p.Containers[0]
		mounts := map[string]string{}
		for _, mount := range c.Mounts {
			mounts[mount.Name] = mount.MountPath
		}
		cfg := configured(t, variant, m.Config.Data["tidemark.yaml"])
		if want := path.Join(mounts["config"], "tidemark.yaml"); strings.Join(c.Args, " ") != "run -c "+want {
			t.Errorf("%s: args %v", variant, c.Args)
		}
		if want := path.Join(mounts["secret"], p.Volumes[1].Secret.Items[0]["path"]); cfg.HTTP.TokenFile != want {
			t.Errorf("%s: token file %s, mounted %s", variant, cfg.HTTP.TokenFile, want)
		}
		if c.Env[0].Name != "TIDEMARK_DATABASE_URL" || c.Env[0].ValueFrom.SecretKeyRef["name"] != p.Volumes[1].Secret.SecretName {
			t.Errorf("%s: environment %+v", variant, c.Env)
		}
		if port := c.Ports[0]; !strings.HasSuffix(cfg.HTTP.Listen, ":8474") || port.ContainerPort != 8474 || m.Service.Spec.Ports[0].TargetPort != port.Name {
			t.Errorf("%s: ports %+v, %s", variant, c.Ports, cfg.HTTP.Listen)
		}
		if c.Liveness.HTTPGet["path"] != "/healthz" || c.Readiness.HTTPGet["path"] != "/readyz" {
			t.Errorf("%s: probes %+v %+v", variant, c.Liveness, c.Readiness)
		}
		for what, port := range map[string]string{
			"liveness": c.Liveness.HTTPGet["port"], "readiness": c.Readiness.HTTPGet["port"], "policy": m.Policy.Spec.Ingress[0].Ports[0]["port"],
		} {
			if port != c.Ports[0].Name {
				t.Errorf("%s: the port of the %s is %q", variant, what, port)
			}
		}
		if *c.Security.Escalation || !c.Security.ReadOnly || !p.Security.NonRoot || *p.AutomountToken ||
			c.Security.Capabilities["drop"][0] != "ALL" || p.Security.Seccomp["type"] != "RuntimeDefault" {
			t.Errorf("%s: rights %+v %+v", variant, c.Security, p.Security)
		}
		if sleep := c.Lifecycle.PreStop.Sleep["seconds"]; sleep < 5 || p.Grace < sleep+20 {
			t.Errorf("%s: %d s of grace, of which %d sleeping", variant, p.Grace, sleep)
		}
	}
}

// With a standby one pod is never ready: rollout and budget must not wait for
// it. Without, they do wait.
func TestRollouts(t *testing.T) {
	t.Parallel()
	type counts struct{ surge, unavailable, budget string }
	for variant, want := range map[string]counts{
		"permanent": {"100%", "100%", "max 100%"}, "temporary": {"1", "0", "min 1"},
	} {
		m := manifestsOf(t, variant)
		rolling, pdb := m.Deploy.Spec.Strategy.RollingUpdate, m.Budget.Spec
		got := counts{rolling.MaxSurge, rolling.MaxUnavailable, "max " + pdb.MaxUnavailable}
		if pdb.MinAvailable != "" {
			got.budget = "min " + pdb.MinAvailable
		}
		if got != want || m.Deploy.Spec.Replicas != 2 {
			t.Errorf("%s: %+v, want %+v; %d replicas", variant, got, want, m.Deploy.Spec.Replicas)
		}
	}
}

// The two variants differ in what the slot makes them differ in.
func TestVariantsShareTheRest(t *testing.T) {
	t.Parallel()
	a, b := manifestsOf(t, "permanent"), manifestsOf(t, "temporary")
	if diff := cmp.Diff(a.Deploy.Spec.Template, b.Deploy.Spec.Template); diff != "" {
		t.Errorf("pods: %s", diff)
	}
	if diff := cmp.Diff(a.Service.Spec, b.Service.Spec); diff != "" {
		t.Errorf("services: %s", diff)
	}
	if diff := cmp.Diff(a.Policy.Spec, b.Policy.Spec); diff != "" {
		t.Errorf("policies: %s", diff)
	}
}

// The monitor scrapes the port under the name of the job that the alerts know.
func TestPodMonitor(t *testing.T) {
	t.Parallel()
	var m podMonitor
	strictly(t, "kubernetes/podmonitor.yaml", &m)
	pods := manifestsOf(t, "permanent").Deploy.Spec.Template
	if pods.Metadata.Labels[m.Spec.JobLabel] != "tidemark" || m.Spec.Endpoints[0].Port != pods.Spec.Containers[0].Ports[0].Name {
		t.Errorf("%+v", m.Spec)
	}
	if !strings.Contains(read(t, "prometheus/alerts.yaml"), `job="tidemark"`) {
		t.Error("the alerts know another job")
	}
}
