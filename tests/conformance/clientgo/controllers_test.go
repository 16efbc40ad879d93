package clientgo

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
)

// A controller as they are all written: informer, queue, worker.
func TestInformerAndQueue(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.CoreV1().ConfigMaps(namespace)
	_, err := client.Create(ctx, configMap("before", map[string]string{"mine": "yes"}), metav1.CreateOptions{})
	must(t, err)
	factory := informers.NewSharedInformerFactoryWithOptions(clientset, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = "mine=yes" }))
	maps := factory.Core().V1().ConfigMaps()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	defer queue.ShutDown()
	put := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			queue.Add(key)
		}
	}
	_, err = maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: put, UpdateFunc: func(_, now any) { put(now) }, DeleteFunc: put,
	})
	must(t, err)
	must(t, maps.Informer().AddIndexers(cache.Indexers{"one": func(object any) ([]string, error) {
		return []string{object.(*corev1.ConfigMap).Data["one"]}, nil
	}}))
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		want(t, "whether "+kind.String()+" is synced", synced, true)
	}
	// Its work: a label on what it has seen.
	go func() {
		for {
			key, ended := queue.Get()
			if ended {
				return
			}
			_, name, _ := cache.SplitMetaNamespaceKey(key)
			if found, err := maps.Lister().ConfigMaps(namespace).Get(name); err == nil && found.Labels["seen"] == "" {
				now := found.DeepCopy()
				now.Labels["seen"] = "yes"
				if _, err := client.Update(ctx, now, metav1.UpdateOptions{}); err != nil {
					queue.AddRateLimited(key)
				}
			}
			queue.Done(key)
		}
	}()
	_, err = client.Create(ctx, configMap("after", map[string]string{"mine": "yes"}), metav1.CreateOptions{})
	must(t, err)
	_, err = client.Create(ctx, configMap("other", nil), metav1.CreateOptions{})
	must(t, err)
	eventually(t, ctx, "both have the label in the cache", func() (bool, error) {
		seen, err := maps.Lister().ConfigMaps(namespace).List(labels.SelectorFromSet(labels.Set{"seen": "yes"}))
		return len(seen) == 2, err
	})
	found, err := maps.Informer().GetIndexer().ByIndex("one", "1")
	must(t, err)
	want(t, "what the index finds", len(found), 2)
	must(t, client.Delete(ctx, "before", metav1.DeleteOptions{}))
	eventually(t, ctx, "the cache has one", func() (bool, error) {
		return len(maps.Informer().GetStore().ListKeys()) == 1, nil
	})
}

func TestDynamicInformer(t *testing.T) {
	ctx, namespace := scene(t)
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(objects, 0, namespace, nil)
	informer := factory.ForResource(configMaps).Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	_, err := clientset.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("dynamic", nil), metav1.CreateOptions{})
	must(t, err)
	eventually(t, ctx, "it is in the cache", func() (bool, error) {
		_, there, err := informer.GetStore().GetByKey(namespace + "/dynamic")
		return there, err
	})
}

// The second candidate leads when the first gives the lease up.
func TestLeaderElection(t *testing.T) {
	ctx, namespace := scene(t)
	leads := make(chan string, 4)
	candidate := func(ctx context.Context, name string) {
		lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, "leader",
			clientset.CoreV1(), clientset.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name})
		must(t, err)
		go leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 8 * time.Second, RenewDeadline: 6 * time.Second, RetryPeriod: time.Second,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { leads <- name },
				OnStoppedLeading: func() {},
			},
		})
	}
	first, resign := context.WithCancel(ctx)
	candidate(first, "one")
	want(t, "the first leader", <-leads, "one")
	candidate(ctx, "two")
	resign()
	select {
	case name := <-leads:
		want(t, "the second leader", name, "two")
	case <-time.After(patience):
		t.Fatal("nobody took over")
	}
	lease, err := clientset.CoordinationV1().Leases(namespace).Get(ctx, "leader", metav1.GetOptions{})
	must(t, err)
	want(t, "how often it changed hands", *lease.Spec.LeaseTransitions >= 1, true)
}

func TestEventRecorder(t *testing.T) {
	ctx, namespace := scene(t)
	subject, err := clientset.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("subject", nil), metav1.CreateOptions{})
	must(t, err)
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: clientset.CoreV1().Events(namespace)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "suite"})
	for range 3 {
		recorder.Event(subject, corev1.EventTypeNormal, "Seen", "it was seen")
	}
	eventually(t, ctx, "one event counts three", func() (bool, error) {
		list, err := clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
			FieldSelector: "involvedObject.name=subject,reason=Seen",
		})
		return err == nil && len(list.Items) == 1 && list.Items[0].Count == 3, err
	})
}
