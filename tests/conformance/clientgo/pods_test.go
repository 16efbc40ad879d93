package clientgo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

// startPod waits until a pod is ready that runs this script.
func startPod(t *testing.T, ctx context.Context, namespace, name, script string) *corev1.Pod {
	t.Helper()
	grace := int64(0)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{
				Name: "main", Image: image(), Command: []string{"sh", "-c", script}, Stdin: true,
			}},
		},
	}
	client := clientset.CoreV1().Pods(namespace)
	_, err := client.Create(ctx, pod, metav1.CreateOptions{})
	must(t, err)
	eventually(t, ctx, name+" is ready", func() (bool, error) {
		if pod, err = client.Get(ctx, name, metav1.GetOptions{}); err != nil {
			return false, err
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady {
				return condition.Status == corev1.ConditionTrue, nil
			}
		}
		return false, nil
	})
	return pod
}

func TestLogs(t *testing.T) {
	ctx, namespace := scene(t)
	startPod(t, ctx, namespace, "talker", "i=0; while [ $i -lt 5 ]; do echo line $i; i=$((i+1)); done; sleep 3600")
	logs := func(options corev1.PodLogOptions) string {
		t.Helper()
		said, err := clientset.CoreV1().Pods(namespace).GetLogs("talker", &options).DoRaw(ctx)
		must(t, err)
		return string(said)
	}
	eventually(t, ctx, "all was said", func() (bool, error) {
		return strings.Count(logs(corev1.PodLogOptions{}), "\n") == 5, nil
	})
	two := int64(2)
	want(t, "the last two lines", logs(corev1.PodLogOptions{TailLines: &two}), "line 3\nline 4\n")
	stamped := logs(corev1.PodLogOptions{Timestamps: true, TailLines: &two})
	want(t, "whether lines have times", strings.HasPrefix(stamped, "20"), true)
	stream, err := clientset.CoreV1().Pods(namespace).GetLogs("talker", &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	must(t, err)
	defer stream.Close()
	begin := make([]byte, len("line 0\n"))
	_, err = io.ReadFull(stream, begin)
	must(t, err)
	want(t, "what is followed", string(begin), "line 0\n")
}

// Both ways that clients know, and the one that falls back from the first to the second as kubectl does.
func TestExec(t *testing.T) {
	ctx, namespace := scene(t)
	startPod(t, ctx, namespace, "shell", "sleep 3600")
	request := clientset.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name("shell").SubResource("exec")
	script := "cat; echo complaint >&2; exit 3"
	request.VersionedParams(&corev1.PodExecOptions{
		Container: "main", Command: []string{"sh", "-c", script}, Stdin: true, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	sockets, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	must(t, err)
	streams, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	must(t, err)
	either, err := remotecommand.NewFallbackExecutor(sockets, streams, httpstream.IsUpgradeFailure)
	must(t, err)
	for name, executor := range map[string]remotecommand.Executor{"WebSocket": sockets, "SPDY": streams, "fallback": either} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{
				Stdin: strings.NewReader("said to it\n"), Stdout: &stdout, Stderr: &stderr,
			})
			status, ended := err.(exec.CodeExitError)
			if !ended {
				t.Fatalf("no exit code but %v", err)
			}
			want(t, "the exit code", status.Code, 3)
			want(t, "its output", stdout.String(), "said to it\n")
			want(t, "its complaint", stderr.String(), "complaint\n")
		})
	}
}

func TestAttach(t *testing.T) {
	ctx, namespace := scene(t)
	startPod(t, ctx, namespace, "listener", "while read line; do echo heard $line; done")
	request := clientset.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name("listener").SubResource("attach")
	request.VersionedParams(&corev1.PodAttachOptions{Container: "main", Stdin: true, Stdout: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	must(t, err)
	input, write := io.Pipe()
	read, output := io.Pipe()
	attached, leave := context.WithCancel(ctx)
	defer leave()
	go func() {
		err := executor.StreamWithContext(attached, remotecommand.StreamOptions{Stdin: input, Stdout: output})
		_ = output.CloseWithError(fmt.Errorf("the stream ended: %w", err))
	}()
	go func() { _, _ = io.WriteString(write, "hello\n") }()
	answer := make([]byte, len("heard hello\n"))
	_, err = io.ReadFull(read, answer)
	must(t, err)
	want(t, "the answer", string(answer), "heard hello\n")
}

func TestPortForward(t *testing.T) {
	ctx, namespace := scene(t)
	startPod(t, ctx, namespace, "web", "mkdir -p /tmp/www; echo page > /tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www")
	url := clientset.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name("web").SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	must(t, err)
	streams := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url)
	sockets, err := portforward.NewSPDYOverWebsocketDialer(url, config)
	must(t, err)
	for name, dialer := range map[string]httpstream.Dialer{"WebSocket": sockets, "SPDY": streams} {
		t.Run(name, func(t *testing.T) {
			stop, ready := make(chan struct{}), make(chan struct{})
			forwarder, err := portforward.New(dialer, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
			must(t, err)
			ended := make(chan error, 1)
			go func() { ended <- forwarder.ForwardPorts() }()
			select {
			case <-ready:
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			}
			ports, err := forwarder.GetPorts()
			must(t, err)
			for range 3 {
				answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/index.html", ports[0].Local))
				must(t, err)
				page, err := io.ReadAll(answer.Body)
				must(t, err)
				want(t, "the page", string(page), "page\n")
			}
			close(stop)
			must(t, <-ended)
		})
	}
}

func TestServiceProxy(t *testing.T) {
	ctx, namespace := scene(t)
	startPod(t, ctx, namespace, "web", "mkdir -p /tmp/www; echo page > /tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www")
	page, err := clientset.CoreV1().Pods(namespace).ProxyGet("http", "web", "8080", "index.html", nil).DoRaw(ctx)
	must(t, err)
	want(t, "the page", string(page), "page\n")
}

func TestEphemeralContainer(t *testing.T) {
	ctx, namespace := scene(t)
	pod := startPod(t, ctx, namespace, "subject", "sleep 3600")
	pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debug", Image: image(), Command: []string{"sh", "-c", "echo debugged"},
		},
	})
	client := clientset.CoreV1().Pods(namespace)
	_, err := client.UpdateEphemeralContainers(ctx, "subject", pod, metav1.UpdateOptions{})
	must(t, err)
	eventually(t, ctx, "the ephemeral container has ended", func() (bool, error) {
		pod, err := client.Get(ctx, "subject", metav1.GetOptions{})
		if err != nil || len(pod.Status.EphemeralContainerStatuses) == 0 {
			return false, err
		}
		return pod.Status.EphemeralContainerStatuses[0].State.Terminated != nil, nil
	})
	said, err := client.GetLogs("subject", &corev1.PodLogOptions{Container: "debug"}).DoRaw(ctx)
	must(t, err)
	want(t, "what it said", string(said), "debugged\n")
}

// Nothing protects the pod, so it goes; a budget that allows nothing keeps it.
func TestEvict(t *testing.T) {
	ctx, namespace := scene(t)
	startPod(t, ctx, namespace, "victim", "sleep 3600")
	budgets := clientset.PolicyV1().PodDisruptionBudgets(namespace)
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "none"}}
	budget.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "victim"}}
	_, err := budgets.Create(ctx, budget, metav1.CreateOptions{})
	must(t, err)
	client := clientset.CoreV1().Pods(namespace)
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "victim", Namespace: namespace}}
	err = client.EvictV1(ctx, eviction)
	want(t, "a protected pod's eviction is refused", apierrors.IsTooManyRequests(err), true)
	must(t, budgets.Delete(ctx, "none", metav1.DeleteOptions{}))
	eventually(t, ctx, "the pod is gone", func() (bool, error) {
		err := client.EvictV1(ctx, eviction)
		return apierrors.IsNotFound(err), nil
	})
}
