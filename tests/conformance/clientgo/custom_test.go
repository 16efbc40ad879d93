package clientgo

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic/dynamicinformer"
)

const boats = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.suite.example.com}
spec:
  group: suite.example.com
  names: {plural: boats, singular: boat, kind: Boat, shortNames: [bt]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.oars, statusReplicasPath: .status.oars}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [oars]
            properties:
              oars: {type: integer, minimum: 1}
              sail: {type: string, default: white}
          status: {type: object, properties: {oars: {type: integer}}}
`

var (
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	boatsOf     = schema.GroupVersionResource{Group: "suite.example.com", Version: "v1", Resource: "boats"}
)

func boat(name string, oars int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "suite.example.com/v1", "kind": "Boat",
		"metadata": map[string]any{"name": name}, "spec": map[string]any{"oars": oars},
	}}
}

// A resource that the server learns of: defaults, validation, status, scale, watch.
func TestCustomResource(t *testing.T) {
	ctx, namespace := scene(t)
	definition := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal([]byte(boats), &definition.Object))
	_, err := objects.Resource(definitions).Create(ctx, definition, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		_ = objects.Resource(definitions).Delete(context.Background(), definition.GetName(), metav1.DeleteOptions{})
	})
	eventually(t, ctx, "it is established", func() (bool, error) {
		now, err := objects.Resource(definitions).Get(ctx, definition.GetName(), metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		conditions, _, _ := unstructured.NestedSlice(now.Object, "status", "conditions")
		for _, condition := range conditions {
			if one, _ := condition.(map[string]any); one["type"] == "Established" && one["status"] == "True" {
				return true, nil
			}
		}
		return false, nil
	})
	client := objects.Resource(boatsOf).Namespace(namespace)
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(objects, 0, namespace, nil)
	informer := factory.ForResource(boatsOf).Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	made, err := client.Create(ctx, boat("skiff", 2), metav1.CreateOptions{})
	must(t, err)
	sail, _, _ := unstructured.NestedString(made.Object, "spec", "sail")
	want(t, "the sail's default", sail, "white")
	eventually(t, ctx, "it is in the cache", func() (bool, error) {
		_, there, err := informer.GetStore().GetByKey(namespace + "/skiff")
		return there, err
	})
	_, err = client.Create(ctx, boat("raft", 0), metav1.CreateOptions{})
	want(t, "one without oars is invalid", apierrors.IsInvalid(err), true)
	must(t, unstructured.SetNestedField(made.Object, int64(2), "status", "oars"))
	made, err = client.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	must(t, err)
	want(t, "the generation after its status", made.GetGeneration(), 1)
	scale, err := client.Get(ctx, "skiff", metav1.GetOptions{}, "scale")
	must(t, err)
	oars, _, _ := unstructured.NestedInt64(scale.Object, "status", "replicas")
	want(t, "what its scale says", oars, 2)
	groups, err := clientset.Discovery().ServerResourcesForGroupVersion("suite.example.com/v1")
	must(t, err)
	want(t, "the number of its resources", len(groups.APIResources), 3)
}
