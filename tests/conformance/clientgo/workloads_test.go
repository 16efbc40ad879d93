package clientgo

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/scale"

	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

func template(app, script string) corev1.PodTemplateSpec {
	grace := int64(0)
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers:                    []corev1.Container{{Name: "main", Image: image(), Command: []string{"sh", "-c", script}}},
		},
	}
}

// A Deployment, scaled by the typed client and by the one that scales anything.
func TestDeploymentAndScale(t *testing.T) {
	ctx, namespace := scene(t)
	client := clientset.AppsV1().Deployments(namespace)
	one := int32(1)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: &one, Template: template("web", "sleep 3600"),
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
	}}
	_, err := client.Create(ctx, deployment, metav1.CreateOptions{})
	must(t, err)
	available := func(count int32) {
		t.Helper()
		eventually(t, ctx, "its pods are available", func() (bool, error) {
			now, err := client.Get(ctx, "web", metav1.GetOptions{})
			return err == nil && now.Status.AvailableReplicas == count && now.Status.Replicas == count, err
		})
	}
	available(1)
	_, err = client.UpdateScale(ctx, "web", &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: 2},
	}, metav1.UpdateOptions{})
	must(t, err)
	available(2)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(clientset.Discovery()))
	kinds := scale.NewDiscoveryScaleKindResolver(clientset.Discovery())
	scaler, err := scale.NewForConfig(config, mapper, dynamic.LegacyAPIPathResolverFunc, kinds)
	must(t, err)
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	now, err := scaler.Scales(namespace).Get(ctx, resource, "web", metav1.GetOptions{})
	must(t, err)
	want(t, "its scale", now.Spec.Replicas, 2)
	now.Spec.Replicas = 1
	_, err = scaler.Scales(namespace).Update(ctx, resource, now, metav1.UpdateOptions{})
	must(t, err)
	available(1)
	// Whoever waits in the foreground sees the pods gone first.
	foreground := metav1.DeletePropagationForeground
	must(t, client.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &foreground}))
	eventually(t, ctx, "it and its pods are gone", func() (bool, error) {
		pods, err := clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		return err == nil && len(pods.Items) == 0, err
	})
}

func TestJob(t *testing.T) {
	ctx, namespace := scene(t)
	pod := template("job", "echo done")
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	client := clientset.BatchV1().Jobs(namespace)
	_, err := client.Create(ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "job"}, Spec: batchv1.JobSpec{Template: pod}}, metav1.CreateOptions{})
	must(t, err)
	eventually(t, ctx, "it is complete", func() (bool, error) {
		job, err := client.Get(ctx, "job", metav1.GetOptions{})
		return err == nil && job.Status.Succeeded == 1, err
	})
}
