// Package clientgo uses client-go as controllers and command-line tools do: `cargo xtask suites client-go` builds and runs it.
//
// KUBECONFIG says where the cluster is, SUITE_IMAGE names an image with a shell that its nodes can pull. Each test has a
// namespace of its own.
package clientgo

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// patience is how long anything may take that a controller or a node does.
const patience = 90 * time.Second

var (
	config    *rest.Config
	clientset *kubernetes.Clientset
	objects   *dynamic.DynamicClient
)

func TestMain(m *testing.M) {
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

func connect() (err error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	if clientset, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	objects, err = dynamic.NewForConfig(config)
	return err
}

func image() string {
	return os.Getenv("SUITE_IMAGE")
}

// scene gives a test a context that ends with it, and a namespace that is deleted after it.
func scene(t *testing.T) (context.Context, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	wanted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "client-go-"}}
	namespace, err := clientset.CoreV1().Namespaces().Create(ctx, wanted, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		_ = clientset.CoreV1().Namespaces().Delete(context.Background(), namespace.Name, metav1.DeleteOptions{})
	})
	// Pods are refused until it is there.
	eventually(t, ctx, "the default service account is there", func() (bool, error) {
		_, err := clientset.CoreV1().ServiceAccounts(namespace.Name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	return ctx, namespace.Name
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("%s is %v, not %v", what, got, wanted)
	}
}

func eventually(t *testing.T, ctx context.Context, what string, so func() (bool, error)) {
	t.Helper()
	poll := func(context.Context) (bool, error) { return so() }
	if err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, poll); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

func configMap(name string, labels map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Data:       map[string]string{"one": "1"},
	}
}

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
