package clientgo

import (
	"encoding/json"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/retry"
)

func TestDiscovery(t *testing.T) {
	version, err := clientset.Discovery().ServerVersion()
	must(t, err)
	want(t, "the minor version", version.Minor, "37")
	cache := memory.NewMemCacheClient(clientset.Discovery())
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cache)
	mapping, err := mapper.RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	must(t, err)
	want(t, "the resource of Deployment", mapping.Resource.String(), "apps/v1, Resource=deployments")
	want(t, "its scope", mapping.Scope.Name(), meta.RESTScopeNameNamespace)
	resource, err := restmapper.NewShortcutExpander(mapper, cache, nil).ResourceFor(schema.GroupVersionResource{Resource: "deploy"})
	must(t, err)
	want(t, "what deploy stands for", resource.Resource, "deployments")
	_, err = clientset.Discovery().OpenAPISchema()
	must(t, err)
	paths, err := clientset.Discovery().OpenAPIV3().Paths()
	must(t, err)
	if _, there := paths["apis/apps/v1"]; !there {
		t.Fatal("there is no OpenAPI v3 document for apps/v1")
	}
}

func TestLife(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.CoreV1().ConfigMaps(namespace)
	made, err := client.Create(ctx, configMap("life", nil), metav1.CreateOptions{})
	must(t, err)
	_, err = client.Create(ctx, configMap("life", nil), metav1.CreateOptions{})
	want(t, "a second one already exists", apierrors.IsAlreadyExists(err), true)
	stale := made.DeepCopy()
	made.Data["two"] = "2"
	made, err = client.Update(ctx, made, metav1.UpdateOptions{})
	must(t, err)
	stale.Data["two"] = "3"
	_, err = client.Update(ctx, stale, metav1.UpdateOptions{})
	want(t, "an update of a stale one is a conflict", apierrors.IsConflict(err), true)
	must(t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := client.Get(ctx, "life", metav1.GetOptions{})
		if err != nil {
			return err
		}
		now.Data["three"] = "3"
		made, err = client.Update(ctx, now, metav1.UpdateOptions{})
		return err
	}))
	tried, err := client.Create(ctx, configMap("tried", nil), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	must(t, err)
	want(t, "the name of what was tried", tried.Name, "tried")
	_, err = client.Get(ctx, "tried", metav1.GetOptions{})
	want(t, "what was tried is not found", apierrors.IsNotFound(err), true)
	other := types.UID("other")
	err = client.Delete(ctx, "life", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}})
	want(t, "deletion under another UID is a conflict", apierrors.IsConflict(err), true)
	must(t, client.Delete(ctx, "life", *metav1.NewPreconditionDeleteOptions(string(made.UID))))
	_, err = client.Get(ctx, "life", metav1.GetOptions{})
	want(t, "what was deleted is not found", apierrors.IsNotFound(err), true)
}

func TestInvalid(t *testing.T) {
	ctx, namespace := scene(t)
	_, err := clientset.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("Not A Name", nil), metav1.CreateOptions{})
	want(t, "a name with spaces is invalid", apierrors.IsInvalid(err), true)
	want(t, "a cause's field", err.(apierrors.APIStatus).Status().Details.Causes[0].Field, "metadata.name")
	odd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "odd"}, "extra": "?",
	}}
	_, err = objects.Resource(configMaps).Namespace(namespace).Create(ctx, odd, metav1.CreateOptions{FieldValidation: "Strict"})
	want(t, "an unknown field is a bad request", apierrors.IsBadRequest(err), true)
}

func TestListPages(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.CoreV1().ConfigMaps(namespace)
	for number := range 25 {
		labels := map[string]string{"parity": []string{"even", "odd"}[number%2]}
		_, err := client.Create(ctx, configMap(fmt.Sprintf("item-%02d", number), labels), metav1.CreateOptions{})
		must(t, err)
	}
	pages := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) {
		return client.List(ctx, options)
	}))
	pages.PageSize = 7
	seen := 0
	must(t, pages.EachListItem(ctx, metav1.ListOptions{LabelSelector: "parity"}, func(runtime.Object) error {
		seen++
		return nil
	}))
	want(t, "the number of items", seen, 25)
	first, err := client.List(ctx, metav1.ListOptions{LabelSelector: "parity", Limit: 7})
	must(t, err)
	want(t, "how many remain", first.RemainingItemCount == nil || *first.RemainingItemCount == 18, true)
	odd, err := client.List(ctx, metav1.ListOptions{LabelSelector: "parity in (odd),parity notin (even)"})
	must(t, err)
	want(t, "the number of odd ones", len(odd.Items), 12)
	one, err := client.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=item-03"})
	must(t, err)
	want(t, "the number of a name", len(one.Items), 1)
	must(t, client.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "parity=odd"}))
	rest, err := client.List(ctx, metav1.ListOptions{LabelSelector: "parity"})
	must(t, err)
	want(t, "the number that stays", len(rest.Items), 13)
}

func TestPatches(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.CoreV1().Services(namespace)
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
	_, err := client.Create(ctx, service, metav1.CreateOptions{})
	must(t, err)
	patch := func(kind types.PatchType, text string) *corev1.Service {
		t.Helper()
		patched, err := client.Patch(ctx, "web", kind, []byte(text), metav1.PatchOptions{})
		must(t, err)
		return patched
	}
	merged := patch(types.StrategicMergePatchType, `{"spec":{"ports":[{"name":"https","port":443}]}}`)
	want(t, "the ports after a strategic merge", len(merged.Spec.Ports), 2)
	merged = patch(types.MergePatchType, `{"metadata":{"labels":{"a":"b"}},"spec":{"ports":[{"name":"https","port":443}]}}`)
	want(t, "the ports after a merge", len(merged.Spec.Ports), 1)
	merged = patch(types.JSONPatchType, `[{"op":"test","path":"/metadata/labels/a","value":"b"},{"op":"remove","path":"/metadata/labels/a"}]`)
	want(t, "the labels after a JSON patch", len(merged.Labels), 0)
}

func TestWatch(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.CoreV1().ConfigMaps(namespace)
	list, err := client.List(ctx, metav1.ListOptions{})
	must(t, err)
	events, err := client.Watch(ctx, metav1.ListOptions{
		ResourceVersion: list.ResourceVersion, LabelSelector: "seen=yes", AllowWatchBookmarks: true,
	})
	must(t, err)
	defer events.Stop()
	next := func(kind watch.EventType) *corev1.ConfigMap {
		t.Helper()
		for {
			select {
			case event, open := <-events.ResultChan():
				if !open {
					t.Fatal("the watch ended")
				}
				if event.Type == watch.Bookmark {
					continue
				}
				want(t, "the event", event.Type, kind)
				return event.Object.(*corev1.ConfigMap)
			case <-ctx.Done():
				t.Fatalf("no event %s came", kind)
			}
		}
	}
	made, err := client.Create(ctx, configMap("watched", map[string]string{"seen": "yes"}), metav1.CreateOptions{})
	must(t, err)
	want(t, "who was added", next(watch.Added).UID, made.UID)
	made.Data["two"] = "2"
	made, err = client.Update(ctx, made, metav1.UpdateOptions{})
	must(t, err)
	want(t, "what was modified", next(watch.Modified).Data["two"], "2")
	// What the selector no longer finds is gone for this watch.
	made.Labels = nil
	made, err = client.Update(ctx, made, metav1.UpdateOptions{})
	must(t, err)
	next(watch.Deleted)
	made.Labels = map[string]string{"seen": "yes"}
	_, err = client.Update(ctx, made, metav1.UpdateOptions{})
	must(t, err)
	next(watch.Added)
	must(t, client.Delete(ctx, "watched", metav1.DeleteOptions{}))
	next(watch.Deleted)
	_, err = client.List(ctx, metav1.ListOptions{ResourceVersion: "1", ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	if err != nil && !apierrors.IsResourceExpired(err) {
		t.Fatalf("a list of an old revision: %v", err)
	}
}

func TestMetadataOnly(t *testing.T) {
	ctx, namespace := scene(t)
	_, err := clientset.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("whole", map[string]string{"a": "b"}), metav1.CreateOptions{})
	must(t, err)
	client, err := metadata.NewForConfig(config)
	must(t, err)
	part, err := client.Resource(configMaps).Namespace(namespace).Get(ctx, "whole", metav1.GetOptions{})
	must(t, err)
	want(t, "its label", part.Labels["a"], "b")
	list, err := client.Resource(configMaps).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: "a=b"})
	must(t, err)
	want(t, "the number of parts", len(list.Items), 1)
}

func TestTable(t *testing.T) {
	ctx, namespace := scene(t)
	_, err := clientset.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("row", nil), metav1.CreateOptions{})
	must(t, err)
	bytes, err := clientset.CoreV1().RESTClient().Get().Namespace(namespace).Resource("configmaps").Name("row").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
	must(t, err)
	var table metav1.Table
	must(t, json.Unmarshal(bytes, &table))
	want(t, "the first cell", table.Rows[0].Cells[0], any("row"))
}

func TestServerSideApply(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.CoreV1().ConfigMaps(namespace)
	wanted := applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"one": "1", "two": "2"})
	made, err := client.Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: "first"})
	must(t, err)
	want(t, "the manager", made.ManagedFields[0].Manager, "first")
	fewer := applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"one": "1"})
	made, err = client.Apply(ctx, fewer, metav1.ApplyOptions{FieldManager: "first"})
	must(t, err)
	want(t, "the entries that stay", len(made.Data), 1)
	other := applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"one": "other"})
	_, err = client.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "second"})
	want(t, "another manager's value is a conflict", apierrors.IsConflict(err), true)
	made, err = client.Apply(ctx, other, metav1.ApplyOptions{FieldManager: "second", Force: true})
	must(t, err)
	want(t, "the value that was forced", made.Data["one"], "other")
	extracted, err := applycorev1.ExtractConfigMap(made, "second")
	must(t, err)
	want(t, "what the second manager owns", extracted.Data["one"], "other")
}
